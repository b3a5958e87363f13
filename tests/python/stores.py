"""The stores that the Python tests run on, each a fresh provider."""
import datetime
import hashlib
import hmac
import json
import os
import re
import shutil
import sys
import tempfile
import urllib.parse
import urllib.request
import uuid

import pail
from pail import CloudProviderFactory, ProviderList
from pail.exceptions import BadConfig, Unsupported

# name: the beginning of its variables
SERVERS = {
    "minio": "PAIL_TEST_MINIO_",
    "versitygw": "PAIL_TEST_VERSITYGW_",
    "moto": "PAIL_TEST_MOTO_",
    "swift": "PAIL_TEST_SWIFT_S3_",
}


def provider(test, name, **config):
    """A provider with a store of its own, gone with the test; a build without it skips."""
    if name == ProviderList.LOCAL:
        config["local_home"] = folder(test)
    try:
        return CloudProviderFactory().create_provider(name, config)
    except (BadConfig, Unsupported) as error:
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


def has_scheme(scheme):
    """Whether this build has such a store."""
    try:
        pail.split_url(scheme)
        return True
    except BadConfig:
        return False


def sign_v4(key, secret, region, service, host, body, now):
    """Headers of a POST of a form to "/". Source: AWS "Signature Version 4 signing process"."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    headers = {"content-type": "application/x-www-form-urlencoded", "host": host,
               "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": stamp}
    canonical = "\n".join(["POST", "/", "", *(f"{n}:{v}" for n, v in headers.items()), "",
                           ";".join(headers), headers["x-amz-content-sha256"]])
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope,
                         hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={key}/{scope}, "
                                f"SignedHeaders={';'.join(n for n in headers)}, "
                                f"Signature={signature}")
    return headers


def session_token(endpoint, key, secret, region, policy=None):
    """Temporary (key, secret, token) of a server with STS. Source: AWS STS API "AssumeRole"."""
    form = {"Action": "AssumeRole", "Version": "2011-06-15", "DurationSeconds": "3600"}
    if policy:
        form["Policy"] = json.dumps(policy)
    body = urllib.parse.urlencode(form).encode()
    host = urllib.parse.urlsplit(endpoint).netloc
    now = datetime.datetime.now(datetime.timezone.utc)
    request = urllib.request.Request(endpoint + "/", body, sign_v4(key, secret, region, "sts", host,
                                                                   body, now))
    with urllib.request.urlopen(request) as answer:
        text = answer.read().decode()
    return tuple(re.search(f"<{name}>([^<]+)</{name}>", text).group(1)
                 for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))


def policy_for(bucket):
    """All on one bucket, nothing else."""
    return {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:*"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}


def add_clients():
    """Packages that are not Pail's, from the environments that servers.sh keeps for them."""
    folder = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
    found = [os.path.join(folder, "venv-" + name, "lib", "python%d.%d" % sys.version_info[:2],
                          "site-packages") for name in ("clients", "data")]
    sys.path += [lib for lib in found if os.path.isdir(lib) and lib not in sys.path]
    return found[0]
