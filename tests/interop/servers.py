"""The S3 servers that are up (PAIL_TEST_*), boto3 clients for them, and the pail command."""
import os
import shutil
import subprocess
import sys
import tempfile
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAIL = os.environ.get("PAIL_BIN", os.path.join(ROOT, "build/pail"))
TIME_LIMIT_S = 300

# name: the beginning of its variables
NAMES = {
    "minio": "PAIL_TEST_MINIO_",
    "minio_tls": "PAIL_TEST_MINIO_TLS_",
    "versitygw": "PAIL_TEST_VERSITYGW_",
    "moto": "PAIL_TEST_MOTO_",
    "swift": "PAIL_TEST_SWIFT_S3_",
}


def import_boto3():
    """boto3, from the environment that servers.sh keeps for the clients: all of them are there in the
    versions that the tests were written for. Where there is none, the system's; None where it has none."""
    cache = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
    python = os.path.join(cache, "venv-clients/bin/python")
    if os.path.exists(python) and os.environ.get("PAIL_INTEROP_AGAIN") is None:
        os.environ["PAIL_INTEROP_AGAIN"] = "1"
        os.execv(python, [python, *sys.orig_argv[1:]])
    try:
        import boto3
        return boto3
    except ImportError:
        return None


boto3 = import_boto3()


class Server:
    def __init__(self, name):
        get = lambda what: os.environ.get(NAMES[name] + what)
        self.name, self.endpoint = name, get("ENDPOINT")
        self.key, self.secret, self.ca = get("ACCESS_KEY"), get("SECRET_KEY"), get("CA")
        self.region = get("REGION") or "us-east-1"

    def missing(self):
        if boto3 is None:
            return "boto3 is not installed (tests/servers/servers.sh install clients)"
        if not self.endpoint:
            return f"server {self.name} is not up ({NAMES[self.name]}ENDPOINT is not set)"
        if not os.path.exists(PAIL):
            return f"{PAIL} is not built"
        return None

    def client(self):
        from botocore.config import Config
        # Checksums only where asked: what a server lacks is not this suite's subject.
        config = Config(signature_version="s3v4", s3={"addressing_style": "path"},
                        retries={"max_attempts": 2}, request_checksum_calculation="when_required",
                        response_checksum_validation="when_required")
        return boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id=self.key,
                            aws_secret_access_key=self.secret, region_name=self.region,
                            verify=self.ca or True, config=config)


class Pail:
    """The command, in a home of its own, with the credentials in its environment."""

    def __init__(self, server):
        self.server = server
        self.home = tempfile.mkdtemp(prefix="pail-interop-")
        self.env = {
            "PATH": os.environ["PATH"], "HOME": self.home, "PAIL_HOME": self.home + "/store",
            "AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_REGION": server.region, "AWS_EC2_METADATA_DISABLED": "true",
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def run(self, command, *args, data=None, **env):
        options = ["--endpoint-url", self.server.endpoint]
        if self.server.ca:
            options += ["--ca-bundle", self.server.ca]
        return subprocess.run([PAIL, command, *options, *args], input=data or b"",
                              capture_output=True, env={**self.env, **env}, cwd=self.home,
                              timeout=TIME_LIMIT_S)

    def __call__(self, command, *args, data=None):
        """The standard output of a run that must succeed."""
        run = self.run(command, *args, data=data)
        if run.returncode:
            raise AssertionError(f"pail {command} {' '.join(args)}: exit {run.returncode}: "
                                 f"{run.stderr.decode(errors='replace')}")
        return run.stdout

    def path(self, name, data=None):
        path = os.path.join(self.home, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


def bucket_name():
    return "pail-interop-" + uuid.uuid4().hex[:12]


def empty_and_delete(client, bucket):
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=item["Key"])
    client.delete_bucket(Bucket=bucket)
