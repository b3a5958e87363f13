"""`pail conform` against each real server: what it finds is what docs/support records, and nothing of it stays.

PAIL_WRITE_RECORDS=1 writes the records anew; tools/support --write then makes the README's table of them."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "support"
PAIL = os.environ.get("PAIL_BIN", str(ROOT / "build" / "pail"))
sys.path.insert(0, str(ROOT / "tests" / "contract"))
import gcs_strict  # noqa: E402


def s3(name, *settings):
    names = {"AWS_ENDPOINT_URL": "ENDPOINT", "AWS_ACCESS_KEY_ID": "ACCESS_KEY", "AWS_SECRET_ACCESS_KEY": "SECRET_KEY"}
    return "s3", {new: f"PAIL_TEST_{name}_{old}" for new, old in names.items()}, settings


# By record: scheme, the variables that its login is made of, settings.
SERVERS = {
    "minio": s3("MINIO", "s3_service=minio"), "versitygw": s3("VERSITYGW"), "moto": s3("MOTO"),
    "swift-s3": s3("SWIFT_S3", "s3_service=swift"),
    "azurite": ("az", {"AZURE_STORAGE_CONNECTION_STRING": "PAIL_TEST_AZURE_CONNECTION_STRING"}, ()),
    "fake-gcs": ("gs", {"STORAGE_EMULATOR_HOST": "PAIL_TEST_GCS_ENDPOINT", "GOOGLE_CLOUD_PROJECT": "PAIL_TEST_GCS_PROJECT",
                        "GOOGLE_APPLICATION_CREDENTIALS": "PAIL_TEST_GCS_SERVICE_ACCOUNT"}, ()),
    "swift": ("swift", {"ST_AUTH": "PAIL_TEST_SWIFT_AUTH_URL", "ST_USER": "PAIL_TEST_SWIFT_USER",
                        "ST_KEY": "PAIL_TEST_SWIFT_KEY"}, ()),
}


class Support(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        self.env.update(HOME=str(self.folder), PAIL_HOME=str(self.folder / "store"), AWS_REGION="us-east-1")

    def pail(self, *words, status=(0,)):
        with subprocess.Popen([PAIL, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            self.pid = child.pid
            out, err = child.communicate(timeout=300)
        self.assertIn(child.returncode, status, f"{words}: {err.decode()}")
        return out.decode()

    def check(self, name, url, settings=()):
        """In a bucket of its own, then below a prefix."""
        flags = [word for setting in settings for word in ("--set", setting)]
        found = json.loads(self.pail("conform", *flags, "--format", "json", url, status=(0, 1)))
        scratch = f"pail-conform-{self.pid:x}-"
        self.assertNotIn(scratch, self.pail("ls", *flags, url))
        record = RECORDS / (name + ".json")
        if os.environ.get("PAIL_WRITE_RECORDS"):
            record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        self.assertEqual(found, json.loads(record.read_text(encoding="utf-8")))
        bucket = f"{url}pail-interop-{uuid.uuid4().hex[:12]}"
        self.pail("mb", *flags, bucket)
        self.addCleanup(self.pail, "rb", "--force", *flags, bucket, status=(0, 4))
        again = json.loads(self.pail("conform", *flags, "--format", "json", bucket + "/deep/", status=(0, 1)))
        self.assertEqual(again, found)
        self.assertEqual(self.pail("ls", "-r", *flags, bucket), "")
        self.assertEqual(self.pail("uploads", *flags, bucket), "")
        self.pail("rb", *flags, bucket)  # refuses what is not empty

    def test_local(self):
        self.check("local", "local:")

    def test_memory(self):
        found = json.loads(self.pail("conform", "--format", "json", "memory:"))
        record = RECORDS / "memory.json"
        if os.environ.get("PAIL_WRITE_RECORDS"):
            record.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        self.assertEqual(found, json.loads(record.read_text(encoding="utf-8")))

    def test_gcs_strict(self):
        server, here, account = gcs_strict.start(self.folder)
        self.addCleanup(server.wait)
        self.addCleanup(server.stdin.close)
        self.addCleanup(server.stdout.close)
        self.env.update(STORAGE_EMULATOR_HOST=here, GOOGLE_CLOUD_PROJECT="pail-test",
                        GOOGLE_APPLICATION_CREDENTIALS=str(account))
        self.check("gcs-strict", "gs://")

    def test_the_table_of_the_readme_is_made_of_the_records(self):
        loader = importlib.machinery.SourceFileLoader("support", str(ROOT / "tools" / "support"))
        support = importlib.util.module_from_spec(importlib.util.spec_from_loader("support", loader))
        loader.exec_module(support)
        page = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertEqual(support.replaced(page), page)


def add(name, scheme, variables, settings):
    def test(self):
        found = {new: os.environ.get(old) for new, old in variables.items()}
        if None in found.values():
            self.skipTest(f"the server of {name} is not up ({', '.join(variables.values())})")
        self.env.update(found)
        self.check(name, scheme + "://", settings)
    setattr(Support, "test_" + name.replace("-", "_"), test)


for each, how in SERVERS.items():
    add(each, *how)

if __name__ == "__main__":
    unittest.main()
