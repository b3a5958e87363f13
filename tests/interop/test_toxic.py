"""Broken transports in front of a real server: MinIO behind toxiproxy, driven by the pail command."""
import hashlib
import json
import os
import subprocess
import tempfile
import unittest
import urllib.request
import uuid

import servers

API = os.environ.get("PAIL_TEST_TOXIPROXY_API")
SHIFT = int(os.environ.get("PAIL_TEST_TOXIPROXY_PORT_SHIFT", "0"))
MIB = 1 << 20


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Toxic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.Server("minio")
        if not API or cls.server.missing():
            raise unittest.SkipTest(cls.server.missing() or "toxiproxy is not up (PAIL_TEST_TOXIPROXY_API is not set)")
        host, port = cls.server.endpoint.rsplit(":", 1)
        cls.twin = f"{host}:{int(port) + SHIFT}"
        cls.s3 = cls.server.client()
        cls.bucket = "toxic-" + uuid.uuid4().hex[:12]
        cls.s3.create_bucket(Bucket=cls.bucket)
        cls.folder = tempfile.TemporaryDirectory(prefix="pail-test-")
        cls.file = os.path.join(cls.folder.name, "file")
        with open(cls.file, "wb") as file:
            file.write(os.urandom(24 * MIB + 17))
        cls.s3.upload_file(cls.file, cls.bucket, "big")

    @classmethod
    def tearDownClass(cls):
        for entry in cls.s3.list_objects_v2(Bucket=cls.bucket).get("Contents", []):
            cls.s3.delete_object(Bucket=cls.bucket, Key=entry["Key"])
        cls.s3.delete_bucket(Bucket=cls.bucket)
        cls.folder.cleanup()

    def setUp(self):
        ask("POST", "/reset")

    tearDown = setUp

    def toxic(self, kind, stream="downstream", **attributes):
        ask("POST", "/proxies/minio/toxics",
            {"name": kind, "type": kind, "stream": stream, "attributes": attributes})

    def pail(self, *words):
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env.update(AWS_ACCESS_KEY_ID=self.server.key, AWS_SECRET_ACCESS_KEY=self.server.secret,
                   AWS_REGION=self.server.region, AWS_ENDPOINT_URL=self.twin, AWS_CONFIG_FILE="/nonexistent",
                   AWS_SHARED_CREDENTIALS_FILE="/nonexistent")
        return subprocess.run([servers.PAIL, *words], env=env, capture_output=True, text=True,
                              timeout=servers.TIME_LIMIT_S)

    def url(self, key):
        return f"s3://{self.bucket}/{key}"

    def download(self, *settings):
        target = os.path.join(self.folder.name, "copy")
        return target, self.pail("cp", *settings, self.url("big"), target)

    def test_a_download_whose_connections_are_cut_goes_on_where_each_broke(self):
        self.toxic("limit_data", bytes=5 * MIB)
        target, done = self.download("--set", "max_attempts=20")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digest(target), digest(self.file))

    def test_small_slices_and_latency_only_cost_time(self):
        self.toxic("slicer", average_size=20000, size_variation=15000, delay=10)
        self.toxic("latency", latency=30, jitter=20)
        target, done = self.download()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digest(target), digest(self.file))

    def test_a_download_that_cannot_be_ended_leaves_the_old_file(self):
        target = os.path.join(self.folder.name, "copy")
        with open(target, "w", encoding="utf-8") as file:
            file.write("old")
        self.toxic("limit_data", bytes=1000)
        _, done = self.download("--set", "max_attempts=2")
        self.assertNotEqual(done.returncode, 0)
        with open(target, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")
        self.assertEqual([name for name in os.listdir(self.folder.name) if name not in ("file", "copy")], [])

    def test_an_upload_that_is_cut_leaves_the_old_object_and_no_parts(self):
        self.s3.put_object(Bucket=self.bucket, Key="kept", Body=b"old")
        self.toxic("limit_data", "upstream", bytes=2 * MIB)
        done = self.pail("cp", "--set", "max_attempts=2", "--set", "part_size=8M", self.file, self.url("kept"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.twin, done.stderr)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="kept")["Body"].read(), b"old")
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket, Prefix="kept"))

    def test_an_upload_survives_resets_now_and_then(self):
        self.toxic("limit_data", "upstream", bytes=20 * MIB)
        done = self.pail("cp", "--set", "max_attempts=20", "--set", "part_size=5M", self.file, self.url("up"))
        self.assertEqual(done.returncode, 0, done.stderr)
        got = self.s3.get_object(Bucket=self.bucket, Key="up")["Body"].read()
        self.assertEqual(hashlib.sha256(got).hexdigest(), digest(self.file))

    def test_a_server_that_falls_silent_is_given_up(self):
        self.toxic("timeout", timeout=0)
        _, done = self.download("--set", "max_attempts=2", "--set", "idle_timeout_ms=300")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "nothing moved|idle|time|silent")

    def test_a_server_that_is_gone_is_named(self):
        ask("POST", "/proxies/minio", {"enabled": False})
        done = self.pail("ls", "--set", "max_attempts=2", self.url(""))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.twin.split("//")[1], done.stderr)
        self.assertIn("hint", done.stderr)


if __name__ == "__main__":
    unittest.main()
