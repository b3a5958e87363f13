"""The stores that the Python tests run on, each a fresh provider."""
import os
import shutil
import tempfile
import uuid

from pail import CloudProviderFactory, ProviderList
from pail.exceptions import BadConfig

# name: the beginning of its variables
SERVERS = {
    "minio": "PAIL_TEST_MINIO_",
    "versitygw": "PAIL_TEST_VERSITYGW_",
    "moto": "PAIL_TEST_MOTO_",
    "swift": "PAIL_TEST_SWIFT_S3_",
}


def provider(test, name):
    """A provider with a store of its own, gone with the test; a build without it skips."""
    config = {}
    if name == ProviderList.LOCAL:
        config["local_home"] = folder(test)
    try:
        return CloudProviderFactory().create_provider(name, config)
    except BadConfig as error:
        test.skipTest(f"this build has no {name} store: {error}")


def folder(test):
    path = tempfile.mkdtemp(prefix="pail-python-")
    test.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def servers():
    """Name, endpoint, key, secret and region of each S3 server that is up."""
    for name, start in SERVERS.items():
        endpoint = os.environ.get(start + "ENDPOINT")
        if endpoint:
            yield (name, endpoint, os.environ[start + "ACCESS_KEY"],
                   os.environ[start + "SECRET_KEY"], os.environ.get(start + "REGION", "us-east-1"))


def bucket_name():
    return "pail-python-" + uuid.uuid4().hex[:12]
