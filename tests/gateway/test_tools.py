"""Command line clients of other people, each on its ordinary round trip over `pail serve`."""
import hashlib
import json
import os
import shutil
import subprocess
import unittest
import urllib.request

import gateway

PART = 5 << 20
CACHE = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
ODD = "a b/sm\u00e4ll+%.txt"


class Tool(gateway.GatewayTest):
    COMMAND, FOLDER, INSTALL = None, None, "tools/deps all"

    @classmethod
    def setUpClass(cls):
        path = os.path.join(CACHE, cls.FOLDER) if cls.FOLDER else None
        cls.program = shutil.which(cls.COMMAND, path=path)
        if cls.program is None:
            raise unittest.SkipTest(f"{cls.COMMAND} is not installed ({cls.INSTALL})")
        super().setUpClass()
        cls.prepare()

    @classmethod
    def prepare(cls):
        cls.options = []

    def tool(self, *args, good=True):
        done = subprocess.run([self.program, *self.options, *args], capture_output=True, text=True,
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

    def trees(self):
        """A folder of files, and a path that is free."""
        source = os.path.join(self.server.dir, self.COMMAND + "-tree")
        for i in range(9):
            os.makedirs(os.path.join(source, str(i % 3)), exist_ok=True)
            self.file(os.path.join(source, str(i % 3), f"file {i}"), b"%d" % i * i)
        return source, source + "-back"

    def same(self, one, other):
        walk = [{os.path.join(base, name)[len(root):]: self.content(os.path.join(base, name))
                 for base, _, names in os.walk(root) for name in names} for root in (one, other)]
        self.assertEqual(len(walk[0]), 9)
        self.assertEqual(*walk)

    def fetched(self, url):
        """What everybody gets who has the URL."""
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.read()


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

    def test_an_object_whole_above_64_mib(self):
        """s3cmd holds an ETag without a hyphen for the MD5, and what differs from it for damage."""
        path = self.file("whole", os.urandom((64 << 20) + 1))
        self.tool("--disable-multipart", "put", path, "s3://bucket/whole")
        self.assertIn(("PutObject", 200), self.operations())


class S3cmdInMemory(S3cmd):
    URL = "memory:"


class AwsCli(Tool):
    COMMAND, FOLDER, INSTALL = "aws", "venv-tools/bin", "tests/servers/servers.sh install tools"

    @classmethod
    def prepare(cls):
        cls.options = ["--endpoint-url", cls.server.address]
        config = os.path.join(cls.server.dir, "awsconfig")
        with open(config, "w", encoding="utf-8") as file:
            file.write("[default]\ns3 =\n  signature_version = s3v4\n")  # else it signs links with SigV2
        cls.server.env.update(AWS_ACCESS_KEY_ID=gateway.KEY, AWS_SECRET_ACCESS_KEY=gateway.SECRET,
                              AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1", AWS_CONFIG_FILE=config)

    def test_round_trip(self):
        small, large = b"of aws", os.urandom(2 * PART + 4321)
        back = os.path.join(self.server.dir, "back")
        self.tool("s3", "mb", "s3://aws-trip")
        self.tool("s3", "cp", self.file("small", small), "s3://aws-trip/" + ODD)
        self.tool("s3", "cp", self.file("large", large), "s3://aws-trip/large")
        self.assertIn(("CompleteMultipartUpload", 200), self.operations())
        listed = self.tool("s3", "ls", "--recursive", "s3://aws-trip").splitlines()
        self.assertEqual([line.split(None, 3)[2:] for line in listed],
                         [["6", ODD], [str(len(large)), "large"]])
        for name, data in ((ODD, small), ("large", large)):
            self.tool("s3", "cp", "s3://aws-trip/" + name, back)
            self.assertTrue(self.content(back) == data, name)
        self.tool("s3", "cp", "s3://aws-trip/large", "s3://aws-trip/again")
        self.tool("s3", "mv", "s3://aws-trip/again", "s3://aws-trip/moved")
        head = json.loads(self.tool("s3api", "head-object", "--bucket", "aws-trip", "--key", "moved"))
        self.assertEqual(head["ContentLength"], len(large))
        self.tool("s3api", "get-object", "--bucket", "aws-trip", "--key", "moved",
                  "--range", "bytes=100-199", back)
        self.assertEqual(self.content(back), large[100:200])
        self.tool("s3api", "head-object", "--bucket", "aws-trip", "--key", "again", good=False)
        self.assertEqual(self.fetched(self.tool("s3", "presign", "s3://aws-trip/" + ODD).strip()), small)
        self.tool("s3", "rb", "s3://aws-trip", good=False)
        self.tool("s3", "rm", "s3://aws-trip/moved")
        self.tool("s3", "rb", "--force", "s3://aws-trip")
        self.assertNotIn("aws-trip", self.tool("s3", "ls"))

    def test_a_folder_both_ways(self):
        source, back = self.trees()
        self.tool("s3", "sync", source, "s3://bucket/aws-tree")
        self.assertEqual(self.tool("s3", "sync", source, "s3://bucket/aws-tree"), "")
        self.tool("s3", "sync", "s3://bucket/aws-tree", back)
        self.same(source, back)
        self.tool("s3", "rm", "--recursive", "s3://bucket/aws-tree")
        self.tool("s3", "ls", "s3://bucket/aws-tree/", good=False)

    def test_checksums(self):
        path = self.file("sum", b"to be summed")
        for name in ("CRC32", "SHA1", "SHA256"):
            put = json.loads(self.tool("s3api", "put-object", "--bucket", "bucket", "--key", "aws-sum",
                                       "--body", path, "--checksum-algorithm", name))
            self.assertIn("Checksum" + name, put)
            self.tool("s3api", "put-object", "--bucket", "bucket", "--key", "aws-sum", "--body", path,
                      "--checksum-" + name.lower(), put["Checksum" + name])


class Mc(Tool):
    COMMAND, FOLDER, INSTALL = "mc", "bin", "tests/servers/servers.sh install mc"

    @classmethod
    def prepare(cls):
        cls.options = ["--config-dir", os.path.join(cls.server.dir, "mc"), "--json"]
        cls.server.env["MC_HOST_pail"] = cls.server.address.replace(
            "://", f"://{gateway.KEY}:{gateway.SECRET}@")

    def objects(self, *args, **how):
        return [json.loads(line) for line in self.tool(*args, **how).splitlines()]

    def test_round_trip(self):
        small, large = b"of mc", os.urandom(17 << 20)
        back = os.path.join(self.server.dir, "back")
        self.tool("mb", "pail/mc-trip")
        self.tool("cp", "--attr", "author=jane", self.file("small", small), "pail/mc-trip/" + ODD)
        self.tool("cp", self.file("large", large), "pail/mc-trip/large")
        self.assertIn(("CompleteMultipartUpload", 200), self.operations())
        listed = self.objects("ls", "--recursive", "pail/mc-trip")
        self.assertEqual([(o["key"], o["size"]) for o in listed], [(ODD, 5), ("large", len(large))])
        for name, data in ((ODD, small), ("large", large)):
            self.tool("cp", "pail/mc-trip/" + name, back)
            self.assertTrue(self.content(back) == data, name)
        stat = self.objects("stat", "pail/mc-trip/" + ODD)[0]
        self.assertEqual(stat["metadata"]["X-Amz-Meta-Author"], "jane")
        self.assertEqual(stat["etag"], hashlib.md5(small).hexdigest())
        self.tool("cp", "pail/mc-trip/large", "pail/mc-trip/again")
        self.tool("mv", "pail/mc-trip/again", "pail/mc-trip/moved")
        self.tool("stat", "pail/mc-trip/again", good=False)
        link = self.objects("share", "download", "--expire", "1h", "pail/mc-trip/moved")[0]["share"]
        self.assertTrue(self.fetched(link) == large)
        self.tool("rb", "pail/mc-trip", good=False)
        self.tool("rm", "pail/mc-trip/moved")
        self.tool("rb", "--force", "pail/mc-trip")
        self.assertNotIn("mc-trip", self.tool("ls", "pail"))

    def test_a_folder_both_ways(self):
        source, back = self.trees()
        self.tool("mirror", source, "pail/bucket/mc-tree")
        self.assertEqual(self.tool("diff", source, "pail/bucket/mc-tree"), "")
        self.tool("mirror", "pail/bucket/mc-tree", back)
        self.same(source, back)
        self.tool("rm", "--recursive", "--force", "pail/bucket/mc-tree")
        self.assertEqual(self.tool("ls", "pail/bucket/mc-tree/"), "")


if __name__ == "__main__":
    unittest.main()
