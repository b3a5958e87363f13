"""The command line over S3: the scripted server of tests/servers, and the embedded store beside it."""
import json
import os
import signal
import subprocess
import sys
import unittest
import urllib.request

from cli import ROOT, CliTest, BIN

SERVER = os.path.join(ROOT, "tests", "servers", "s3_scripted.py")


def has_s3():
    done = subprocess.run([BIN, "config", "explain", "s3://"], capture_output=True, check=False)
    return b"unknown scheme" not in done.stderr


@unittest.skipUnless(has_s3(), "built without S3")
class S3Test(CliTest):
    def setUp(self):
        super().setUp()
        server = subprocess.Popen([sys.executable, SERVER, "--port", "0", "--exit-on-eof"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(server.communicate)
        port = int(server.stdout.readline().split()[1])
        self.endpoint = f"http://127.0.0.1:{port}"
        self.env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="testsecret",
                        AWS_REGION="us-east-1", AWS_ENDPOINT_URL=self.endpoint)
        self.pail("mb", "s3://bkt")

    def test_trees__between_the_providers(self):
        for name in ("t/1", "t/s/2", "t/s/odd name+%41"):
            self.write(name, name.encode())
        self.pail("mb", "local:loc")
        self.pail("cp", "-r", "t", "local:loc")
        self.pail("cp", "-r", "local:loc/t", "s3://bkt/far")
        self.pail("mv", "-r", "s3://bkt/far", "local:loc/back")
        self.assertEqual(self.keys("s3://bkt"), [])
        self.pail("cp", "-r", "local:loc/back/", "out")
        self.assertEqual(self.tree("out"), ["1", "s/2", "s/odd name+%41"])
        self.assertEqual(self.read("out", "s", "2"), b"t/s/2")

    def script(self, match, action):
        rule = json.dumps([{"match": match, "action": action}]).encode()
        request = urllib.request.Request(self.endpoint + "/-/script", rule, method="PUT")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()

    def test_download_in_parts__is_held_against_the_checksum_of_the_object(self):
        data = os.urandom(12_000_000)
        self.write("file", data)
        sums = ("--set", "s3_sums=crc64nvme")
        self.pail("cp", *sums, "--part-size", "5M", "file", "s3://bkt/k")
        self.pail("cp", *sums, "--part-size", "5M", "s3://bkt/k", "copy")
        self.assertEqual(self.read("copy"), data)
        self.script({"op": "GetObject", "nth": 2}, {"flip": 7})
        self.fails(9, "cp", *sums, "--part-size", "5M", "s3://bkt/k", "copy")
        self.assertEqual(self.read("copy"), data)

    def test_parts__both_ways(self):
        data = os.urandom(12_000_000)
        self.write("file", data)
        self.pail("cp", "--part-size", "5M", "file", "s3://bkt/k")
        self.pail("cp", "--part-size", "5M", "s3://bkt/k", "copy")
        self.assertEqual(self.read("copy"), data)
        self.assertEqual(self.cat("s3://bkt/k", "--range", "5242870-5242889"),
                         data[5242870:5242890])

    def test_interrupt__leaves_no_upload_behind(self):
        reader, writer = os.pipe()
        process = self.start("cp", "--part-size", "5M", "-", "s3://bkt/k", stdin=reader)
        os.close(reader)
        left = 11_000_000  # more than two parts: when all is taken, an upload has begun
        while left > 0:
            left -= os.write(writer, b"x" * min(left, 65536))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130)
        process.communicate()
        os.close(writer)
        self.assertEqual(self.pail("uploads", "ls", "s3://bkt").out, "")
        self.assertEqual(self.keys("s3://bkt"), [])

    def test_errors__have_their_exit_status(self):
        self.put("s3://bkt/k")
        err = self.fails(4, "stat", "s3://bkt/none").err
        self.assertRegex(err, r"^pail: stat: s3://bkt/none: .*\(.*HTTP 404, request id .*\)\n")
        self.fails(4, "ls", "s3://none")
        self.fails(6, "rb", "s3://bkt")
        self.fails(6, "cp", "-n", "-", "s3://bkt/k", input=b"x")
        self.fails(12, "ls", "s3://bkt", "--endpoint-url", "http://127.0.0.1:1",
                   "--set", "max_attempts=1")
        err = self.fails(5, "ls", "s3://bkt", env={"AWS_SECRET_ACCESS_KEY": "hunter2"}).err
        self.assertIn("hint:", err)
        self.assertNotIn("hunter2", err)
        self.fails(5, "ls", "--no-sign-request", "s3://bkt")

    def test_conform__says_where_a_server_answers_otherwise(self):
        self.script({"op": "GetObject", "nth": 2}, {"error": "SlowDown"})
        lines = self.pail("conform", "s3://bkt").lines
        self.assertNotIn("WRONG", {line.split()[0] for line in lines})
        self.assertEqual(self.keys("s3://bkt"), [])
        self.script({"op": "CopyObject"}, {"error": "AccessDenied"})
        done = self.run_pail("conform", "s3://bkt")
        self.assertEqual(done.status, 1)
        self.assertIn("WRONG     copy ", done.out)
        self.assertEqual(self.keys("s3://bkt"), [])

    def test_doctor__says_what_it_found(self):
        out = self.pail("doctor", "s3://bkt").out
        for check in ("credentials", "region", "endpoint", "addressing", "tls", "clock", "request"):
            self.assertRegex(out, rf"(?m)^ok    {check} ")
        self.assertIn("AWS_ACCESS_KEY_ID", out)
        self.assertNotIn("testsecret", out)
        out = self.run_pail("doctor", "s3://none")
        self.assertEqual(out.status, 4)
        self.assertRegex(out.out, r"(?m)^fail  request ")


if __name__ == "__main__":
    unittest.main()
