"""Objects from store to store: local:, S3, Azure, Google Cloud Storage, Swift, as far as their servers are up:
along all of them, between every two, and past a proxy that harms bytes on the way."""
import hashlib
import itertools
import json
import os
import sys
import unittest
import urllib.request

import servers

sys.path.insert(0, os.path.join(servers.ROOT, "tests/python"))
import counting_proxy  # noqa: E402


def part_of(prefix, **names):
    """The variables of a server, named anew; None where it is not up."""
    found = {new: os.environ.get(prefix + old) for new, old in names.items()}
    return None if None in found.values() else found


STORES = {
    "s3://": part_of("PAIL_TEST_MINIO_", AWS_ENDPOINT_URL="ENDPOINT", AWS_ACCESS_KEY_ID="ACCESS_KEY",
                     AWS_SECRET_ACCESS_KEY="SECRET_KEY", AWS_REGION="REGION"),
    "az://": part_of("PAIL_TEST_AZURE_", AZURE_STORAGE_CONNECTION_STRING="CONNECTION_STRING"),
    "gs://": part_of("PAIL_TEST_GCS_", STORAGE_EMULATOR_HOST="ENDPOINT", GOOGLE_CLOUD_PROJECT="PROJECT",
                     GOOGLE_APPLICATION_CREDENTIALS="SERVICE_ACCOUNT"),
    "swift://": part_of("PAIL_TEST_SWIFT_", ST_AUTH="AUTH_URL", ST_USER="USER", ST_KEY="KEY"),
}
SIZE = (36 << 20) + 11  # more than one part everywhere
LIMIT = 12 << 20  # of the memory for parts: less than the object
# What stands beside the bytes, and how it is given.
HEADERS = {"content_type": "text/x-tour", "content_encoding": "identity", "cache_control": "max-age=60",
           "content_disposition": 'attachment; filename="a b.txt"'}
FLAGS = ["--meta", "color=blue", "--meta", "two-words=x y",
         *(word for name, value in HEADERS.items() for word in ("--" + name.replace("_", "-"), value))]
METADATA = {"color": "blue", "two-words": "x y"}


class Harmful(counting_proxy.Handler):
    """Turns one bit of each long body, on its way up or down."""

    def harm(self, body, where):
        if self.server.harms != where or len(body) < 1000:
            return body
        return body[:500] + bytes([body[500] ^ 1]) + body[501:]

    def ask(self, host, target, body):
        answer, data = super().ask(host, target, self.harm(body, "up"))
        return answer, self.harm(data, "down") if self.command == "GET" else data


class Across(unittest.TestCase):
    def setUp(self):
        self.urls = ["local:"] + [url for url, found in STORES.items() if found]
        if len(self.urls) < 2:
            self.skipTest("no server is up (PAIL_TEST_MINIO_ENDPOINT and others are not set)")
        nobody = type("Nobody", (), {"key": "", "secret": "", "region": "", "endpoint": "", "ca": None})
        self.pail = servers.Pail(nobody)
        self.addCleanup(self.pail.close)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            del self.pail.env[name]
        for url in self.urls[1:]:
            self.pail.env.update(STORES[url])
        self.bucket = servers.bucket_name()
        for url in self.urls:
            self.run_pail("mb", url + self.bucket)
            self.addCleanup(self.run_pail, "rb", "--force", url + self.bucket)

    def run_pail(self, *words):
        status, out, err = self.try_pail(*words)
        self.assertEqual(status, 0, f"{words}: {err}")
        return out

    def try_pail(self, *words):
        """Exit status, output, messages; self.peak is the memory that it took, in bytes."""
        with servers.subprocess.Popen([servers.PAIL, *words], env=self.pail.env, cwd=self.pail.home,
                                      stdout=servers.subprocess.PIPE, stderr=servers.subprocess.PIPE) as child:
            out, err = child.stdout.read(), child.stderr.read().decode(errors="replace")
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        self.peak = usage.ru_maxrss * 1024
        return child.returncode, out, err

    def is_whole(self, url, data):
        info = json.loads(self.run_pail("--json", "stat", url))
        self.assertEqual((info["size"], info["metadata"]), (len(data), METADATA))
        self.assertEqual({name: info.get(name) for name in HEADERS}, HEADERS)
        self.assertEqual(hashlib.sha256(self.run_pail("cat", url)).digest(), hashlib.sha256(data).digest())

    def test_between_every_two(self):
        small, large = os.urandom(5000), os.urandom(SIZE)
        limits = ["--set", f"memory_limit={LIMIT}", "--part-size", "5M", "--concurrency", "2"]
        for url in self.urls:
            for name, data in (("small", small), ("large", large)):
                self.run_pail("cp", *FLAGS, self.pail.path(name, data), f"{url}{self.bucket}/{name}")
        for source, target in itertools.product(self.urls, self.urls):
            with self.subTest(f"{source} to {target}"):
                to = f"{target}{self.bucket}/from-{source.split(':')[0]}-"
                self.run_pail("cp", *limits, f"{source}{self.bucket}/small", to + "small")
                of_small = self.peak
                self.is_whole(to + "small", small)
                self.run_pail("cp", *limits, f"{source}{self.bucket}/large", to + "large")
                self.assertLess(self.peak - of_small, 2 * LIMIT)
                self.is_whole(to + "large", large)
                self.run_pail("rm", to + "large")

    def test_trees(self):
        """More objects at once than there is memory for parts of each."""
        tree = {f"f{i}": b"%d" % i for i in range(30)} | {"large": os.urandom(SIZE)}
        here = self.pail.path("tree")
        os.mkdir(here)
        for name, data in tree.items():
            self.pail.path(f"tree/{name}", data)
        for source, target in zip(self.urls, self.urls[1:] + self.urls[:1]):
            with self.subTest(f"{source} to {target}"):
                self.run_pail("cp", "-r", here + "/", f"{source}{self.bucket}/tree/")
                self.run_pail("cp", "-r", "--jobs", "16", "--set", "memory_limit=16M", "--part-size", "5M",
                              f"{source}{self.bucket}/tree/", f"{target}{self.bucket}/copied/")
                for name in ("f0", "f29", "large"):
                    self.assertEqual(self.run_pail("cat", f"{target}{self.bucket}/copied/{name}"), tree[name])
                listed = self.run_pail("ls", "-r", f"{target}{self.bucket}/copied/").decode().splitlines()
                self.assertEqual(len(listed), len(tree))

    def test_metadata_that_elsewhere_would_be_one(self):
        if "gs://" not in self.urls:
            self.skipTest("no server of Google's is up")
        object_ = json.dumps({"name": "k", "metadata": {"Foo": "1", "foo": "2"}})
        body = (f"--b\r\nContent-Type: application/json\r\n\r\n{object_}\r\n"
                "--b\r\nContent-Type: text/plain\r\n\r\nbytes\r\n--b--\r\n")
        url = f"{STORES['gs://']['STORAGE_EMULATOR_HOST']}/upload/storage/v1/b/{self.bucket}/o?uploadType=multipart"
        urllib.request.urlopen(urllib.request.Request(
            url, body.encode(), {"Content-Type": "multipart/related; boundary=b"}), timeout=30).close()
        for url in self.urls:
            status, _, err = self.try_pail("cp", f"gs://{self.bucket}/k", f"{url}{self.bucket}/copy")
            if url == "gs://":  # by the service, which keeps both
                self.assertEqual(status, 0, err)
                continue
            self.assertNotEqual(status, 0)
            self.assertRegex(err, '"(?i:foo)" and "(?i:foo)" have one name')
            self.assertEqual(self.try_pail("stat", f"{url}{self.bucket}/copy")[0], 4)

    def test_expires_stops_no_copy(self):
        """Only S3 and the stores here keep the header: elsewhere the copy is without it."""
        found = STORES["s3://"]
        try:
            import boto3
        except ImportError:
            found = None
        if not found:
            self.skipTest("MinIO is not up, or boto3 is not installed")
        s3 = boto3.client("s3", endpoint_url=found["AWS_ENDPOINT_URL"], region_name=found["AWS_REGION"],
                          aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
                          aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"])
        s3.put_object(Bucket=self.bucket, Key="until", Body=b"then", Expires="Wed, 21 Oct 2076 07:28:00 GMT")
        for url in self.urls:
            self.run_pail("cp", f"s3://{self.bucket}/until", f"{url}{self.bucket}/copy")
            self.assertEqual(self.run_pail("cat", f"{url}{self.bucket}/copy"), b"then")
        self.run_pail("cp", f"local:{self.bucket}/copy", f"s3://{self.bucket}/back")
        self.assertIn("2076", str(s3.head_object(Bucket=self.bucket, Key="back")["ExpiresString"]))

    def test_harm_on_the_way_is_found(self):
        proxy = counting_proxy.Proxy()
        proxy.RequestHandlerClass = Harmful
        self.addCleanup(proxy.close)
        flags = ["--set", "s3_service=minio", "--set", "max_attempts=1"]  # no checksum is asked of a stranger
        data = os.urandom(5000)
        self.run_pail("cp", self.pail.path("file", data), self.urls[0] + self.bucket + "/k")
        for url in self.urls[1:]:
            self.run_pail("cp", *flags, self.pail.path("file", data), url + self.bucket + "/k")
            for where, side, source, target in (("down", "--src", url, self.urls[0]), ("up", "--dst", self.urls[0], url)):
                with self.subTest(url=url, where=where):
                    proxy.harms, to = where, target + self.bucket + "/harmed"
                    status, _, err = self.try_pail("cp", *flags, side, "proxy_url=" + proxy.url,
                                                   source + self.bucket + "/k", to)
                    self.assertNotEqual(status, 0)
                    self.assertNotEqual(proxy.taken(), [])
                    self.assertRegex(err, "(?i)checksum|digest|md5|crc|sha256|hash|corrupt")
                    self.assertEqual(self.try_pail("stat", to)[0], 4)

    def test_an_object_comes_back_whole_with_its_type_and_metadata(self):
        data = os.urandom(SIZE)
        place = self.urls[0] + self.bucket
        self.run_pail("cp", "--content-type", "text/x-tour", "--meta", "color=blue",
                      self.pail.path("file", data), place + "/tour")
        for url in [*self.urls[1:], "local:"]:
            self.run_pail("cp", place + "/tour", url + self.bucket + "/tour")
            place = url + self.bucket
            info = json.loads(self.run_pail("--json", "stat", place + "/tour"))
            self.assertEqual((info["size"], info["content_type"], info["metadata"]),
                             (SIZE, "text/x-tour", {"color": "blue"}), url)
        back = self.run_pail("cat", place + "/tour")
        self.assertEqual(hashlib.sha256(back).hexdigest(), hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    unittest.main()
