"""Signed URLs without a cloud: `pail presign` beside `pail serve`, with --serve, and curl."""
import os
import subprocess
import unittest

import gateway
from gateway import Server


def curl(*args):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-w", "\n%{http_code}", *args],
                          capture_output=True, check=False, timeout=60)
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status or 0), body


class Beside(unittest.TestCase):
    URL = "local:"

    def setUp(self):
        self.server = Server(self.URL, key=False)
        self.addCleanup(self.server.stop)
        self.base = self.URL + "/bucket" if self.URL.startswith("file:") else "local:bucket"
        if self.URL.startswith("file:"):
            os.makedirs(os.path.join(self.URL[len("file://"):], "bucket"), exist_ok=True)
        else:
            self.pail("mb", "local:bucket")

    def pail(self, *args, data=None):
        status, out, err = self.server.pail(*args, data=data)
        self.assertEqual(status, 0, err)
        return out

    def presign(self, key, *args):
        return self.pail("presign", *args, f"{self.base}/{key}").decode().splitlines()[0]

    def test_get_and_put(self):
        put = self.presign("a b/ü.txt", "--method", "PUT")
        self.assertTrue(put.startswith(self.server.address + "/bucket/"))
        self.assertEqual(curl("-X", "PUT", "--data-binary", "one", put)[0], 200)
        get = self.presign("a b/ü.txt")
        self.assertEqual(curl(get), (200, b"one"))
        self.assertEqual(self.pail("cat", f"{self.base}/a b/ü.txt"), b"one")
        self.assertEqual(curl("-X", "PUT", "-H", "x-ms-blob-type: BlockBlob", "--data-binary", "two", put)[0], 200)
        self.assertEqual(curl(get), (200, b"two"))
        self.assertEqual(curl("-X", "PUT", "--data-binary", "three", get)[0], 403)
        self.assertEqual(curl("-X", "DELETE", get)[0], 403)
        self.assertEqual(curl(get.replace("/a%20b/", "/other/"))[0], 403)
        self.assertEqual(curl(get), (200, b"two"))

    def test_type_and_name_of_the_answer(self):
        self.pail("cp", "-", f"{self.base}/page", data=b"<p>")
        url = self.presign("page", "--response-content-type", "text/html",
                           "--response-content-disposition", 'attachment; filename="p.html"')
        status, text = curl("-i", url)
        self.assertEqual(status, 200)
        self.assertIn(b"Content-Type: text/html\r\n", text)
        self.assertIn(b'Content-Disposition: attachment; filename="p.html"\r\n', text)

    def test_a_type_that_must_be_sent(self):
        url = self.presign("typed", "--method", "PUT", "--content-type", "text/x-t")
        self.assertEqual(curl("-X", "PUT", "--data-binary", "x", url)[0], 403)
        self.assertEqual(curl("-X", "PUT", "-H", "Content-Type: text/x-t", "--data-binary", "x", url)[0], 200)

    def test_the_key_stays_and_is_its_owners_alone(self):
        folder = os.path.join(self.server.home, "serve")
        [name] = os.listdir(folder)
        self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o777, 0o600)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            before = file.read().splitlines()[:3]
        self.assertEqual(self.server.process.terminate() or self.server.process.wait(30), 0)
        status, _, err = self.server.pail("presign", f"{self.base}/x")
        self.assertEqual(status, 11, err)
        self.assertIn("pail serve", err)
        again = Server(self.URL, key=False, home=self.server.home)
        self.addCleanup(again.stop)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines()[:3], before)


class Serving(unittest.TestCase):
    def test_presign_that_serves(self):
        server = Server("local:", key=False)
        self.addCleanup(server.stop)
        server.pail("mb", "local:bucket")
        server.pail("cp", "-", "local:bucket/key", data=b"here")
        self.assertEqual(server.process.terminate() or server.process.wait(30), 0)
        signer = subprocess.Popen([gateway.BIN, "presign", "--serve", "--expires", "60", "local:bucket/key"],
                                  stdout=subprocess.PIPE, text=True, env=server.env)
        url = signer.stdout.readline().strip()
        self.assertEqual(curl(url), (200, b"here"))
        signer.terminate()
        self.assertEqual(signer.wait(30), 0)
        signer.stdout.close()
        self.assertEqual(curl(url)[0], 0)


if __name__ == "__main__":
    unittest.main()
