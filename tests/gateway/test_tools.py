"""Command line clients of other people, each on its ordinary round trip over `pail serve`."""
import os
import shutil
import subprocess
import unittest

import gateway

PART = 5 << 20


class Tool(gateway.GatewayTest):
    COMMAND = None

    @classmethod
    def setUpClass(cls):
        if shutil.which(cls.COMMAND) is None:
            raise unittest.SkipTest(f"{cls.COMMAND} is not installed (tools/deps all)")
        super().setUpClass()
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.options = []

    def tool(self, *args, good=True):
        done = subprocess.run([self.COMMAND, *self.options, *args], capture_output=True, text=True,
                              env=self.server.env, stdin=subprocess.DEVNULL, timeout=120, check=False)
        self.assertEqual(done.returncode == 0, good, (args, done.stdout, done.stderr))
        return done.stdout

    def file(self, name, data):
        path = os.path.join(self.server.dir, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def content(self, path):
        with open(path, "rb") as file:
            return file.read()

    def operations(self):
        """What the tool asked for, with the statuses."""
        return {(r["operation"], r["status"]) for r in self.server.records()}


class Rclone(Tool):
    COMMAND = "rclone"

    @classmethod
    def prepare(cls):
        cls.options = ["--config", "/dev/null", "--retries", "1", "--low-level-retries", "1"]
        cls.server.env.update(
            RCLONE_CONFIG_PAIL_TYPE="s3", RCLONE_CONFIG_PAIL_PROVIDER="Other",
            RCLONE_CONFIG_PAIL_ENDPOINT=cls.server.address, RCLONE_CONFIG_PAIL_REGION="us-east-1",
            RCLONE_CONFIG_PAIL_ACCESS_KEY_ID=gateway.KEY,
            RCLONE_CONFIG_PAIL_SECRET_ACCESS_KEY=gateway.SECRET)

    def test_round_trip(self):
        small, large = b"of rclone", os.urandom(2 * PART + 1234)
        self.tool("mkdir", "pail:rclone-trip")
        self.tool("copyto", self.file("small", small), "pail:rclone-trip/a b/sm\u00e4ll+%.txt")
        self.tool("copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M",
                  self.file("large", large), "pail:rclone-trip/large")
        self.assertIn(("CompleteMultipartUpload", 200), self.operations())
        listed = self.tool("lsf", "-R", "--files-only", "--format", "sp", "pail:rclone-trip").split("\n")
        self.assertEqual(sorted(listed), sorted(["", f"{len(large)};large", "9;a b/sm\u00e4ll+%.txt"]))
        for name, data in (("a b/sm\u00e4ll+%.txt", small), ("large", large)):
            path = os.path.join(self.server.dir, "back")
            self.tool("copyto", "pail:rclone-trip/" + name, path)
            self.assertTrue(self.content(path) == data, name)
            os.unlink(path)
        self.tool("copyto", "pail:rclone-trip/large", "pail:rclone-trip/again")
        self.tool("check", "--download", "--one-way", os.path.join(self.server.dir, "large"),
                  "pail:rclone-trip/")
        self.tool("deletefile", "pail:rclone-trip/again")
        self.tool("purge", "pail:rclone-trip")
        self.assertNotIn("rclone-trip", self.tool("lsd", "pail:"))

    def test_a_folder_both_ways(self):
        source = os.path.join(self.server.dir, "tree")
        for i in range(12):
            os.makedirs(os.path.join(source, str(i % 3)), exist_ok=True)
            self.file(os.path.join("tree", str(i % 3), f"file {i}"), b"%d" % i * i)
        self.tool("sync", source, "pail:bucket/tree")
        self.tool("check", source, "pail:bucket/tree")
        back = os.path.join(self.server.dir, "tree-back")
        self.tool("sync", "pail:bucket/tree", back)
        self.tool("check", "--download", back, "pail:bucket/tree")


class S3cmd(Tool):
    COMMAND = "s3cmd"

    @classmethod
    def prepare(cls):
        config = os.path.join(cls.server.dir, "s3cfg")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[default]\naccess_key = {gateway.KEY}\nsecret_key = {gateway.SECRET}\n"
                       f"host_base = {cls.server.host}\nhost_bucket = {cls.server.host}\n"
                       "bucket_location = us-east-1\nuse_https = False\nsignature_v2 = False\n"
                       "multipart_chunk_size_mb = 5\nmax_retries = 1\n")
        cls.options = ["--config", config, "--no-progress"]

    def test_round_trip(self):
        small, large = b"of s3cmd", os.urandom(2 * PART + 77)
        self.tool("mb", "s3://s3cmd-trip")
        self.tool("put", self.file("small", small), "s3://s3cmd-trip/a b/sm\u00e4ll+.txt")
        self.tool("put", self.file("large", large), "s3://s3cmd-trip/large")
        self.assertIn(("CompleteMultipartUpload", 200), self.operations())
        listed = self.tool("ls", "--recursive", "s3://s3cmd-trip")
        self.assertEqual([line.split(None, 2)[2].split(None, 1) for line in listed.splitlines()],
                         [["8", "s3://s3cmd-trip/a b/sm\u00e4ll+.txt"],
                          [str(len(large)), "s3://s3cmd-trip/large"]])
        for name, data in (("a b/sm\u00e4ll+.txt", small), ("large", large)):
            path = os.path.join(self.server.dir, "back")
            self.tool("get", "--force", "s3://s3cmd-trip/" + name, path)
            self.assertTrue(self.content(path) == data, name)
        self.tool("cp", "s3://s3cmd-trip/large", "s3://s3cmd-trip/again")
        self.assertIn(str(len(large)), self.tool("info", "s3://s3cmd-trip/again"))
        self.tool("rb", "s3://s3cmd-trip", good=False)
        self.tool("del", "s3://s3cmd-trip/again")
        self.tool("del", "--recursive", "--force", "s3://s3cmd-trip")
        self.assertEqual(self.tool("ls", "s3://s3cmd-trip"), "")
        self.tool("rb", "s3://s3cmd-trip")
        self.assertNotIn("s3cmd-trip", self.tool("ls"))


if __name__ == "__main__":
    unittest.main()
