"""SIGHUP: --credentials read again by a running server."""
import os
import signal
import tempfile
import time
import unittest

import gateway
from gateway import Request

WAIT_S = 30


class Reload(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pail-reload-")
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "keys")
        self.write("old old-secret\nviewer viewer-secret read-only\n")
        self.server = gateway.Server("local:", "--credentials", self.file)
        self.assertEqual(self.ask("old", "PUT").status, 200)

    def write(self, text):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def ask(self, key, method="GET", path="/bucket"):
        secret = gateway.SECRET if key == gateway.KEY else key + "-secret"
        return Request(self.server, method, path, key=key, secret=secret).by_header().send()

    def reload(self, holds):
        self.server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + WAIT_S
        while not holds():
            self.assertLess(time.monotonic(), until, "the keys were not read again")
            self.assertIsNone(self.server.process.poll(), "SIGHUP ended the server")

    def said(self):
        with open(self.server.log.name, encoding="utf-8") as file:
            return file.read()

    def test_keys_come_and_go_and_change_their_rights(self):
        self.assertEqual(self.ask("new").code, "InvalidAccessKeyId")
        self.assertEqual(self.ask("viewer", "PUT", "/more").code, "AccessDenied")
        self.write("new new-secret buckets=bucket\nviewer viewer-secret\n")
        self.reload(lambda: self.ask("new").status == 200)
        self.assertEqual(self.ask("old").code, "InvalidAccessKeyId")
        self.assertEqual(self.ask("new", "PUT", "/more").code, "AccessDenied")
        self.assertEqual(self.ask("viewer", "PUT", "/more").status, 200)
        self.assertEqual(self.ask(gateway.KEY).status, 200)  # of --key
        self.assertEqual(self.server.stop(), 0)

    def test_a_mistake_changes_nothing(self):
        for text, said in (("new new-secret\nbroken\n", "entry 2"), ("# nothing\n", "has no key"),
                           ("a/b secret\n", "no id may have"), (None, "cannot read")):
            if text is None:
                os.unlink(self.file)
            else:
                self.write(text)
            self.reload(lambda said=said: said in self.said())
            self.assertEqual((self.ask("old").status, self.ask("new").status), (200, 403))
        self.assertNotIn("new-secret", self.said())
        self.assertEqual(self.server.stop(), 0)

    def test_a_server_without_a_file_ends(self):
        other = gateway.Server("memory:")
        other.process.send_signal(signal.SIGHUP)
        self.assertEqual(other.process.wait(WAIT_S), 0)
        other.stop()
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
