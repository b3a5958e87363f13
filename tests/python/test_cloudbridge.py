"""CloudBridge's own tests of object storage on Pail, by install(). PAIL_CLOUDBRIDGE names its checkout; also needed:
the packages pytest, requests and tenacity."""
import os
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree

import stores

stores.add_clients()
# Tests that are about something else, and why.
LEFT_OUT = {
    "test_transparent_upload_large_stream_uses_multipart": "watches a private method of CloudBridge's",
    "test_download_to_file_uses_transfer_config": "replaces a part of boto3",
    "test_per_call_upload_config_overrides_defaults": "replaces a part of boto3",
    "test_upload_from_file_uses_multipart_config": "replaces a part of boto3",
}


def environments():
    """CB_TEST_PROVIDER and what its configuration says, for each store that is up."""
    yield "local", {}
    yield "memory", {}
    get = os.environ.get
    if get("PAIL_TEST_MINIO_ENDPOINT"):
        yield "aws", {"AWS_ENDPOINT_URL": get("PAIL_TEST_MINIO_ENDPOINT"),
                      "AWS_ACCESS_KEY": get("PAIL_TEST_MINIO_ACCESS_KEY"),
                      "AWS_SECRET_KEY": get("PAIL_TEST_MINIO_SECRET_KEY")}
    if get("PAIL_TEST_AZURE_CONNECTION_STRING"):
        yield "azure", {"AZURE_STORAGE_CONNECTION_STRING": get("PAIL_TEST_AZURE_CONNECTION_STRING")}
    if get("PAIL_TEST_GCS_ENDPOINT"):
        yield "gcp", {"STORAGE_EMULATOR_HOST": get("PAIL_TEST_GCS_ENDPOINT"),
                      "GCP_SERVICE_CREDS_FILE": get("PAIL_TEST_GCS_SERVICE_ACCOUNT")}
    if get("PAIL_TEST_SWIFT_KEYSTONE_ENDPOINT"):
        yield "openstack", {
            "OS_AUTH_URL": get("PAIL_TEST_KEYSTONE_AUTH_URL"),
            "OS_USERNAME": get("PAIL_TEST_KEYSTONE_USER"),
            "OS_PASSWORD": get("PAIL_TEST_KEYSTONE_PASSWORD"),
            "OS_PROJECT_NAME": get("PAIL_TEST_KEYSTONE_PROJECT"), "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": get("PAIL_TEST_KEYSTONE_REGION")}


class Theirs(unittest.TestCase):
    def test_suite__of_cloudbridge_on_each_store(self):
        source = os.environ.get("PAIL_CLOUDBRIDGE")
        if not source:
            self.skipTest("PAIL_CLOUDBRIDGE names no checkout of CloudBridge")
        folder = stores.folder(self)
        shutil.copytree(os.path.join(source, "tests"), os.path.join(folder, "tests"))
        with open(os.path.join(folder, "conftest.py"), "w", encoding="utf-8") as file:
            file.write("import pail.compat.cloudbridge\npail.compat.cloudbridge.install()\n")
        # CloudBridge sets a key of its own on the account; Pail makes one where it is told to.
        with open(os.path.join(folder, ".cloudbridge"), "w", encoding="utf-8") as file:
            file.write("[openstack]\nswift_tempurl_key_create = true\n")
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("AWS_", "AZURE_", "GCP_", "OS_", "CB_", "STORAGE_"))}
        for name, environment in environments():
            with self.subTest(provider=name):
                results = os.path.join(folder, name + ".xml")
                run = subprocess.run(
                    [sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider",
                     "--junitxml", results, "-k", " and ".join("not " + n for n in LEFT_OUT),
                     "tests/test_object_store_service.py", "tests/test_cloud_factory.py",
                     "tests/test_base_helpers.py", "tests/test_middleware_system.py"],
                    cwd=folder, text=True, capture_output=True, env={
                        **kept, **environment, "CB_TEST_PROVIDER": name, "HOME": folder,
                        "PAIL_HOME": os.path.join(folder, "home"),
                        "PYTHONPATH": os.pathsep.join(
                            os.path.abspath(part) for part in sys.path if part)})
                self.assertEqual(run.returncode, 0, run.stdout[-4000:])
                suite = xml.etree.ElementTree.parse(results).getroot().find("testsuite")
                self.assertGreater(int(suite.get("tests")) - int(suite.get("skipped")), 20)


if __name__ == "__main__":
    unittest.main()
