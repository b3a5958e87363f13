"""One object from store to store: local:, S3, Azure, Google Cloud Storage, Swift, as far as their servers are up."""
import hashlib
import json
import os
import unittest

import servers


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
        done = servers.subprocess.run([servers.PAIL, *words], env=self.pail.env, cwd=self.pail.home,
                                      capture_output=True, timeout=servers.TIME_LIMIT_S)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stderr.decode(errors='replace')}")
        return done.stdout

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
