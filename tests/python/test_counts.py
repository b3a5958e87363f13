"""How many requests each call costs on each cloud: real servers behind a proxy that counts.

The figures stand in STORES and in the properties of Cloud; what logs in is counted apart."""
import base64
import datetime
import hashlib
import hmac
import importlib.util
import math
import os
import pathlib
import tempfile
import unittest
import urllib.parse

import counting_proxy
import stores
from pail import _pail
from pail.exceptions import BadConfig

CONTRACT = pathlib.Path(__file__).resolve().parent.parent / "contract"
PART_COUNTS = (2, 31, 32, 33, 63, 64, 97, 100, 101, 132, 197, 1000)  # one more begins at some
LOGINS = ("/token", "/auth/tokens", "/auth/v1.0")
PARTS = 3


def has(*names):
    """The variables of a server, or None where it is not up."""
    found = [os.environ.get("PAIL_TEST_" + name) for name in names]
    return found if all(found) else None


def s3(_):
    v = has("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_REGION")
    return v and ("s3://", dict(zip(("aws_endpoint_url", "aws_access_key_id",
                                     "aws_secret_access_key", "aws_region"), v)))


def azure_key(_):
    v = has("AZURE_CONNECTION_STRING")
    return v and ("az://", {"azure_storage_connection_string": v[0]})


def azure_sas(_):
    """An account SAS. SPEC Azure "Create an account SAS", version 2020-12-06 and later."""
    v = has("AZURE_ACCOUNT", "AZURE_KEY", "AZURE_ENDPOINT")
    if not v:
        return None
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    has_been = {"sp": "rwdlactfx", "ss": "b", "srt": "sco", "st": "",
                "se": end.strftime("%Y-%m-%dT%H:%M:%SZ"), "sip": "", "spr": "https,http",
                "sv": "2022-11-02", "ses": ""}
    text = "\n".join([v[0], *has_been.values(), ""])
    digest = hmac.new(base64.b64decode(v[1]), text.encode(), hashlib.sha256).digest()
    sas = {name: value for name, value in has_been.items() if value}
    sas["sig"] = base64.b64encode(digest).decode()
    return "az://", {"azure_storage_account_name": v[0], "azure_storage_endpoint": v[2],
                     "azure_storage_sas_token": urllib.parse.urlencode(sas)}


def gcs_strict(test):
    spec = importlib.util.spec_from_file_location("gcs_strict", CONTRACT / "gcs_strict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server, here, account = module.start(pathlib.Path(stores.folder(test)))
    test.addCleanup(server.wait)
    test.addCleanup(server.stdin.close)
    test.addCleanup(server.stdout.close)
    return "gs://", {"gcs_endpoint": here, "google_application_credentials": str(account),
                     "google_project_id": "pail-test"}


def fake_gcs(_):
    v = has("GCS_ENDPOINT", "GCS_PROJECT")
    return v and ("gs://", {"gcs_endpoint": v[0], "google_project_id": v[1],
                            "google_skip_signature": "true"})


def swift_v1(_):
    v = has("SWIFT_AUTH_URL", "SWIFT_USER", "SWIFT_KEY")
    return v and ("swift://", dict(zip(("st_auth", "st_user", "st_key"), v)))


def swift_keystone(_):
    v = has("KEYSTONE_AUTH_URL", "KEYSTONE_USER", "KEYSTONE_PASSWORD", "KEYSTONE_PROJECT",
            "KEYSTONE_DOMAIN_ID", "KEYSTONE_DOMAIN_ID", "KEYSTONE_REGION")
    names = ("os_auth_url", "os_username", "os_password", "os_project_name", "os_user_domain_id",
             "os_project_domain_id", "os_region_name")
    return has("SWIFT_KEYSTONE_ENDPOINT") and v and (
        "swift://", {**dict(zip(names, v)), "swift_tempurl_key_create": "true"})


class Cloud:
    """What the calls of one cloud may cost at most. logins: token exchanges of the first use;
    upload: requests of an upload by its parts; many: keys that one request deletes, None where the
    server cannot; segments: Swift's, which are asked for; presigns: there is a key to sign with;
    part_counts: of uploads that are counted as well, as their formula has steps."""

    def __init__(self, open_, logins, upload, many, segments=False, presigns=True, part_counts=()):
        self.open, self.logins, self.upload, self.many = open_, logins, upload, many
        self.segments, self.presigns, self.part_counts = segments, presigns, part_counts


def gcs_upload(n):
    return n + math.ceil(n / 31) + math.ceil(n / 100)


STORES = {
    "s3": Cloud(s3, 0, lambda n: n + 2, 1000),
    "azure-key": Cloud(azure_key, 0, lambda n: n + 1, 256),
    # Azurite answers 500 to a batch by SAS, to Microsoft's own client too (seen with 3.35).
    "azure-sas": Cloud(azure_sas, 0, lambda n: n + 1, None, presigns=False),
    "gcs-strict": Cloud(gcs_strict, 1, gcs_upload, 100, part_counts=PART_COUNTS),
    "fake-gcs": Cloud(fake_gcs, 0, gcs_upload, 100, presigns=False, part_counts=PART_COUNTS),
    # n + 2, and one more beside segments, which there are from the first upload on.
    "swift-v1": Cloud(swift_v1, 1, lambda n: n + 3, 10000, segments=True),
    "swift-keystone": Cloud(swift_keystone, 1, lambda n: n + 3, 10000, segments=True),
}


class Counts(unittest.TestCase):
    def setUp(self):
        self.proxy = counting_proxy.Proxy()
        self.addCleanup(self.proxy.close)

    def start(self, name):
        """A bucket of its own on that server, used once."""
        self.cloud = STORES[name]
        found = self.cloud.open(self)
        if not found:
            self.skipTest(f"the server of {name} is not up")
        url, settings = found
        try:
            self.client = _pail.Client(url, {**settings, "proxy_url": self.proxy.url},
                                  ignore_environment=True)
        except BadConfig as error:
            self.skipTest(f"this build has no {url} store: {error}")
        self.bucket = _pail.Bucket(self.client, stores.bucket_name())
        self.bucket.create()
        self.addCleanup(self.remove)
        self.logins = sum(self.is_login(r) for r in self.proxy.taken())

    def remove(self):
        for info in list(self.bucket.list()):
            self.bucket.delete(info.key)
        self.bucket.remove()

    @staticmethod
    def is_login(request):
        path = request[2].split("?")[0]
        return any(path.endswith(end) for end in LOGINS)

    def costs(self, what, most, call, *args, **options):
        """The answer of a call that must make at most `most` requests, and no login."""
        self.proxy.taken()
        answer = call(*args, **options)
        seen = self.proxy.taken()
        self.figures.append(f"{what} {len(seen)}/{most}")
        if len(seen) > most or any(self.is_login(r) for r in seen):
            self.over.append(f"{what}: {len(seen)} requests, at most {most} wanted: "
                             + ", ".join(f"{m} {p[:100]}" for m, _, p in seen[:12]))
        return answer

    def small(self, cloud):
        bucket = self.bucket
        bucket.put("warm", b"x")
        bucket.get("warm")
        if cloud.presigns:
            bucket.presign("warm")
            bucket.presign("warm", "PUT")
        self.costs("put", 1, bucket.put, "a", b"hello")
        self.assertEqual(self.costs("get", 1, bucket.get, "a"), b"hello")
        self.costs("stat", 1, bucket.stat, "a")
        self.costs("exists", 1, bucket.exists)
        page = self.costs("list page", 1, lambda: list(bucket.list()))
        self.assertEqual([info.key for info in page], ["a", "warm"])
        if cloud.presigns:
            self.costs("presign", 0, bucket.presign, "a")
            self.costs("presign PUT", 0, bucket.presign, "a", "PUT")
        self.costs("delete", 1, bucket.delete, "a")
        if not cloud.many:
            return
        bucket.delete_many(["none", "nothing"])
        n = 101 if cloud.segments else 2001  # Swift takes seconds for a thousand
        keys = [f"many/{i:05}" for i in range(n)]
        self.costs(f"delete of {n}", math.ceil(n / cloud.many), bucket.delete_many, keys)

    def large(self, cloud):
        part = max(self.client.limit("part_min") or 0, 256 << 10)
        data = os.urandom(PARTS * part)
        self.bucket.put("large-before", data, part_size=part)
        self.costs(f"upload of {PARTS} parts", cloud.upload(PARTS), self.bucket.put, "large", data,
                   part_size=part)
        self.assertEqual(self.bucket.get("large"), data)
        for n in cloud.part_counts:
            data = b"".join(b"%06d;" % i for i in range(n))
            self.costs(f"upload of {n} parts", cloud.upload(n), self.bucket.put, "large", data,
                       part_size=7)
            self.assertEqual(self.bucket.get("large"), data)
        if not cloud.segments:
            self.costs("delete after it", 1, self.bucket.delete, "large")
            return
        # Once a bucket is known to have segments, one more is asked, and what it names is removed.
        self.costs("put beside segments", 2, self.bucket.put, "small", b"x")
        self.costs("delete beside segments", 2, self.bucket.delete, "small")
        self.costs("delete with segments", 2 + 2, self.bucket.delete, "large")
        keys = [f"many/{i:05}" for i in range(101)]
        self.costs("delete of 101 beside segments", 2, self.bucket.delete_many, keys)

    def check(self, name):
        self.figures, self.over = [], []
        self.start(name)
        cloud = self.cloud
        self.figures.append(f"logins {self.logins}/{cloud.logins}")
        if self.logins > cloud.logins:
            self.over.append(f"first use: {self.logins} logins, {cloud.logins} wanted")
        self.small(cloud)
        self.large(cloud)
        print(f"{name}: " + ", ".join(self.figures))
        self.assertEqual(self.over, [], "\n" + "\n".join(self.over))


for each in STORES:
    def run(self, name=each):
        self.check(name)
    setattr(Counts, "test_" + each.replace("-", "_"), run)


if __name__ == "__main__":
    unittest.main()
