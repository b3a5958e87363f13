"""What pail writes boto3 reads, and the reverse, over every S3 server that is up."""
import concurrent.futures
import gzip
import hashlib
import random
import ssl
import unittest
import urllib.error
import urllib.request

import servers

MIB = 1 << 20
ODD_KEYS = [
    "plain", "with space", "plus+plus", "percent%20%2F%", "q?x=1&y=2#z", "ünï/日本語/🪣",
    "quote'\"`", "semi;comma,colon:at@", "brackets[1]{2}(3)", "star*!tilde~", "equals=a=b",
    "back\\slash", "a.b..c", "x" * 255 + "/" + "y" * 255, "deep/" * 20 + "end", "-dash",
    "%41", "<tag>&amp;",
]
# What a server does wrong by itself: (server, test or key): reason.
DEFECTS = {
    ("versitygw", "x" * 255 + "/" + "y" * 255): "keys are file names there: 255 bytes at most",
    ("moto", "test_wrong_secret_is_refused"): "moto verifies no signature",
}


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Boto3Case:
    """One server; subclasses name it."""
    name = None

    @classmethod
    def setUpClass(cls):
        cls.server = servers.Server(cls.name)
        missing = cls.server.missing()
        if missing:
            raise unittest.SkipTest(missing)
        cls.s3, cls.pail = cls.server.client(), servers.Pail(cls.server)
        cls.bucket = servers.bucket_name()
        cls.s3.create_bucket(Bucket=cls.bucket)

    @classmethod
    def tearDownClass(cls):
        servers.empty_and_delete(cls.s3, cls.bucket)
        cls.pail.close()

    def setUp(self):
        reason = DEFECTS.get((self.name, self._testMethodName))
        if reason:
            self.skipTest(reason)

    def url(self, key=""):
        return f"s3://{self.bucket}/{key}"

    def stored(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def put(self, key, data, **options):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=data, **options)

    def open(self, url, data=None, method="GET"):
        context = ssl.create_default_context(cafile=self.server.ca) if self.server.ca else None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             urllib.request.HTTPSHandler(context=context))
        request = urllib.request.Request(url, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/octet-stream")
        with opener.open(request, timeout=60) as answer:
            return answer.read()

    # ---- bytes ----

    def test_sizes_written_by_pail_are_read_by_boto3(self):
        for size in (0, 1, 4096, 65537, 3 * MIB + 1):
            with self.subTest(size=size):
                data = noise(size, size)
                self.pail("cp", self.pail.path("in", data), self.url(f"up-{size}"))
                self.assertEqual(self.stored(f"up-{size}"), data)

    def test_sizes_written_by_boto3_are_read_by_pail(self):
        for size in (0, 1, 4096, 65537, 3 * MIB + 1):
            with self.subTest(size=size):
                data = noise(size, size)
                self.put(f"down-{size}", data)
                out = self.pail.path("out")
                self.pail("cp", self.url(f"down-{size}"), out)
                with open(out, "rb") as file:
                    self.assertEqual(file.read(), data)

    def test_large_file_written_by_pail_in_parts_is_read_by_boto3(self):
        data = noise(37 * MIB + 13)
        self.pail("cp", self.pail.path("large", data), self.url("large-up"))
        head = self.s3.head_object(Bucket=self.bucket, Key="large-up")
        self.assertEqual(head["ContentLength"], len(data))
        self.assertEqual(hashlib.sha256(self.stored("large-up")).digest(),
                         hashlib.sha256(data).digest())
        left = self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        self.assertEqual([upload["Key"] for upload in left if upload["Key"] == "large-up"], [])

    def test_object_written_by_boto3_in_uneven_parts_is_read_by_pail(self):
        parts = [noise(5 * MIB, 1), noise(5 * MIB, 2), noise(12345, 3)]
        where = {"Bucket": self.bucket, "Key": "parts"}
        upload = self.s3.create_multipart_upload(**where)["UploadId"]
        done = [{"PartNumber": number, "ETag": self.s3.upload_part(
            **where, UploadId=upload, PartNumber=number, Body=part)["ETag"]}
            for number, part in enumerate(parts, 1)]
        self.s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": done})
        out = self.pail.path("out")
        self.pail("cp", self.url("parts"), out)
        with open(out, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(),
                             hashlib.sha256(b"".join(parts)).digest())

    def test_standard_input_and_output(self):
        data = noise(9 * MIB + 5)
        self.pail("cp", "-", self.url("stdin"), data=data)
        self.assertEqual(self.stored("stdin"), data)
        self.assertEqual(self.pail("cat", self.url("stdin")), data)

    def test_compressed_content_is_handed_on_as_it_is_stored(self):
        data = gzip.compress(b"pail " * 1000)
        self.put("zipped", data, ContentEncoding="gzip")
        self.assertEqual(self.pail("cat", self.url("zipped")), data)

    # ---- names and listings ----

    def each_odd_key(self, do):
        for number, key in enumerate(ODD_KEYS):
            with self.subTest(key=key):
                reason = DEFECTS.get((self.name, key))
                if reason:
                    self.skipTest(reason)
                do(key, f"{number} {key}".encode())

    def test_odd_keys_written_by_pail_are_read_by_boto3(self):
        def do(key, data):
            self.pail("cp", "-", self.url("up/" + key), data=data)
            self.assertEqual(self.stored("up/" + key), data)
        self.each_odd_key(do)

    def test_odd_keys_written_by_boto3_are_read_by_pail(self):
        def do(key, data):
            self.put("down/" + key, data)
            self.assertEqual(self.pail("cat", self.url("down/" + key)), data)
        self.each_odd_key(do)

    def test_odd_keys_are_listed_alike(self):
        keys = [key for key in ODD_KEYS if (self.name, key) not in DEFECTS]
        for key in keys:
            self.put("list/" + key, b"x")
        listed = self.pail("ls", "-r", "-0", self.url("list/")).split(b"\0")
        self.assertEqual([key for key in listed if key],
                         sorted(("list/" + key).encode() for key in keys))

    def test_listing_is_complete_beyond_one_page(self):
        names = [f"many/{number:05d}" for number in range(1, 1106)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.put(key, b""), names))
        listed = self.pail("ls", "-r", self.url("many/")).decode().splitlines()
        self.assertEqual(listed, names)
        self.pail("rm", "-r", self.url("many/"))
        answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="many/")
        self.assertEqual(answer["KeyCount"], 0)

    def test_listing_by_folder(self):
        for key in ("tree/a", "tree/b/c", "tree/b/d", "tree/e"):
            self.put(key, b"123")
        listed = self.pail("ls", self.url("tree/")).decode().splitlines()
        self.assertEqual(len(listed), 3, listed)
        self.assertTrue(listed[1].endswith("b/"), listed)

    def test_boto3_lists_what_pail_wrote(self):
        for key in ("mine/1", "mine/2", "mine/3"):
            self.pail("cp", "-", self.url(key), data=b"x")
        answer = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="mine/")
        self.assertEqual([item["Key"] for item in answer["Contents"]],
                         ["mine/1", "mine/2", "mine/3"])

    # ---- what goes with the bytes ----

    def test_headers_and_metadata_written_by_pail_are_read_by_boto3(self):
        self.pail("cp", "--content-type", "text/x-pail; charset=utf-8", "--meta", "colour=light blue",
                  "--meta", "n=1", "-", self.url("meta-up"), data=b"x")
        head = self.s3.head_object(Bucket=self.bucket, Key="meta-up")
        self.assertEqual(head["ContentType"], "text/x-pail; charset=utf-8")
        self.assertEqual(head["Metadata"], {"colour": "light blue", "n": "1"})

    def test_content_type_is_guessed_from_the_name(self):
        self.pail("cp", self.pail.path("page.html", b"<p>"), self.url("page.html"))
        head = self.s3.head_object(Bucket=self.bucket, Key="page.html")
        self.assertTrue(head["ContentType"].startswith("text/html"), head["ContentType"])

    def test_stat_tells_what_boto3_wrote(self):
        etag = self.put("stat", b"12345", ContentType="text/plain")["ETag"]
        head = self.s3.head_object(Bucket=self.bucket, Key="stat")
        lines = self.pail("stat", self.url("stat")).decode().splitlines()
        values = dict(line.split(": ", 1) for line in lines if ": " in line)
        self.assertEqual(values["size"], "5")
        self.assertEqual(values["etag"].strip('"'), etag.strip('"'))
        modified = head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S")
        self.assertTrue(values["modified"].startswith(modified), values["modified"])
        self.assertTrue(values["modified"].endswith("Z"), values["modified"])

    def test_server_side_copy_keeps_metadata(self):
        self.put("copy-from", b"copied", ContentType="text/plain", Metadata={"a": "b"})
        self.pail("cp", self.url("copy-from"), self.url("copy-to"))
        got = self.s3.get_object(Bucket=self.bucket, Key="copy-to")
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]),
                         (b"copied", "text/plain", {"a": "b"}))

    # ---- signed addresses ----

    def test_signed_get_is_fetched_without_credentials(self):
        self.put("signed é+get", b"signed")
        url = self.pail("presign", self.url("signed é+get")).decode().splitlines()[0]
        self.assertEqual(self.open(url), b"signed")

    def test_signed_put_is_stored_without_credentials(self):
        out = self.pail("presign", "--method", "PUT", "--expires", "1h", self.url("signed put"))
        self.open(out.decode().splitlines()[0], data=b"uploaded", method="PUT")
        self.assertEqual(self.stored("signed put"), b"uploaded")

    # ---- buckets, deletion, refusal ----

    def test_bucket_made_and_removed_by_pail(self):
        name = servers.bucket_name()
        self.pail("mb", f"s3://{name}")
        self.assertIn(name, [item["Name"] for item in self.s3.list_buckets()["Buckets"]])
        self.assertIn(name, self.pail("ls", "s3:").decode().splitlines())
        self.s3.put_object(Bucket=name, Key="full", Body=b"x")
        self.assertNotEqual(self.pail.run("rb", f"s3://{name}").returncode, 0)
        self.pail("rb", "--force", f"s3://{name}")
        self.assertNotIn(name, [item["Name"] for item in self.s3.list_buckets()["Buckets"]])

    def test_object_deleted_by_pail_is_gone_for_boto3(self):
        self.put("gone", b"x")
        self.pail("rm", self.url("gone"))
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="gone")
        self.assertEqual(listed["KeyCount"], 0)

    def test_object_deleted_by_boto3_is_not_found_by_pail(self):
        self.put("away", b"x")
        self.s3.delete_object(Bucket=self.bucket, Key="away")
        self.assertEqual(self.pail.run("stat", self.url("away")).returncode, 4)

    def test_wrong_secret_is_refused(self):
        self.put("secret", b"x")
        run = self.pail.run("cat", self.url("secret"), AWS_SECRET_ACCESS_KEY="not-the-secret-value")
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(run.stdout, b"")
        self.assertNotIn(b"not-the-secret-value", run.stderr)


for _name in servers.NAMES:
    _class = "Interop_" + _name
    globals()[_class] = type(_class, (Boto3Case, unittest.TestCase), {"name": _name})
