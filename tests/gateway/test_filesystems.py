"""File systems of Python over `pail serve`: pyarrow's S3FileSystem (the AWS SDK for C++), fsspec's s3fs."""
import os
import sys
import unittest
import urllib.request

import gateway

CACHE = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
ODD = "a b/sm\u00e4ll+%.txt"


def in_their_environment():
    """Runs this file anew in the environment that servers.sh keeps for these clients."""
    python = os.path.join(CACHE, "venv-tools/bin/python")
    if os.path.exists(python) and os.environ.get("PAIL_TOOLS_AGAIN") is None:
        os.environ["PAIL_TOOLS_AGAIN"] = "1"
        os.execv(python, [python, *sys.orig_argv[1:]])
    try:
        import pyarrow.fs
        import s3fs
        return pyarrow.fs, s3fs
    except ImportError:
        return None, None


arrow, s3fs = in_their_environment()


class FileSystems(gateway.GatewayTest):
    @classmethod
    def setUpClass(cls):
        if arrow is None:
            raise unittest.SkipTest("pyarrow and s3fs are not installed (tests/servers/servers.sh install tools)")
        for name in list(os.environ):
            if name.startswith(gateway.FOREIGN):
                del os.environ[name]
        os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null",
                          AWS_SHARED_CREDENTIALS_FILE="/dev/null")
        super().setUpClass()

    def test_arrow(self):
        fs = arrow.S3FileSystem(access_key=gateway.KEY, secret_key=gateway.SECRET, region="us-east-1",
                                scheme="http", endpoint_override=self.server.host,
                                allow_bucket_creation=True, allow_bucket_deletion=True)
        small, large = b"of arrow", os.urandom(25 << 20)
        fs.create_dir("arrow-trip")
        for name, data in ((ODD, small), ("large", large)):
            with fs.open_output_stream("arrow-trip/" + name, metadata={"Content-Type": "text/x-arrow"}) as out:
                out.write(data)
            with fs.open_input_stream("arrow-trip/" + name) as source:
                self.assertTrue(source.read() == data, name)
        operations = {r["operation"] for r in self.server.records()}
        self.assertIn("CompleteMultipartUpload", operations)
        with fs.open_input_file("arrow-trip/large") as source:
            self.assertEqual(source.size(), len(large))
            self.assertEqual(source.read_at(100, 5 << 20), large[5 << 20:(5 << 20) + 100])
        listed = fs.get_file_info(arrow.FileSelector("arrow-trip", recursive=True))
        self.assertEqual(sorted((i.path, i.size) for i in listed if i.is_file),
                         sorted([("arrow-trip/" + ODD, len(small)), ("arrow-trip/large", len(large))]))
        fs.copy_file("arrow-trip/large", "arrow-trip/again")
        fs.move("arrow-trip/again", "arrow-trip/moved")
        kinds = [i.type for i in fs.get_file_info(["arrow-trip/again", "arrow-trip/moved", "arrow-trip/a b"])]
        self.assertEqual(kinds, [arrow.FileType.NotFound, arrow.FileType.File, arrow.FileType.Directory])
        fs.delete_file("arrow-trip/moved")
        fs.delete_dir("arrow-trip")
        self.assertEqual(fs.get_file_info("arrow-trip").type, arrow.FileType.NotFound)

    def test_s3fs(self):
        fs = s3fs.S3FileSystem(key=gateway.KEY, secret=gateway.SECRET, endpoint_url=self.server.address,
                               client_kwargs={"region_name": "us-east-1"}, skip_instance_cache=True,
                               config_kwargs={"signature_version": "s3v4"},  # of links
                               default_block_size=5 << 20)
        small, large = b"of s3fs", os.urandom(12 << 20)
        fs.mkdir("s3fs-trip")
        for name, data in ((ODD, small), ("large", large)):
            with fs.open("s3fs-trip/" + name, "wb") as out:
                out.write(data)
            self.assertTrue(fs.cat("s3fs-trip/" + name) == data, name)
        with fs.open("s3fs-trip/large", "rb") as source:
            source.seek(5 << 20)
            self.assertEqual(source.read(100), large[5 << 20:(5 << 20) + 100])
        self.assertEqual(fs.info("s3fs-trip/large")["size"], len(large))
        self.assertEqual(fs.find("s3fs-trip"), ["s3fs-trip/" + ODD, "s3fs-trip/large"])
        fs.copy("s3fs-trip/large", "s3fs-trip/again")
        fs.mv("s3fs-trip/again", "s3fs-trip/moved")
        self.assertEqual((fs.exists("s3fs-trip/again"), fs.exists("s3fs-trip/moved")), (False, True))
        with urllib.request.urlopen(fs.sign("s3fs-trip/moved", expiration=600), timeout=60) as answer:
            self.assertTrue(answer.read() == large)
        source = os.path.join(self.server.dir, "tree")
        os.makedirs(os.path.join(source, "sub"))
        for i in range(5):
            with open(os.path.join(source, "sub", str(i)), "wb") as file:
                file.write(b"%d" % i * i)
        fs.put(source, "s3fs-trip/tree", recursive=True)
        fs.get("s3fs-trip/tree", source + "-back", recursive=True)
        for i in range(5):
            with open(os.path.join(source + "-back", "sub", str(i)), "rb") as file:
                self.assertEqual(file.read(), b"%d" % i * i)
        with self.assertRaises(FileNotFoundError):
            fs.cat("s3fs-trip/none")
        fs.rm("s3fs-trip", recursive=True)
        self.assertFalse(fs.exists("s3fs-trip"))


if __name__ == "__main__":
    unittest.main()
