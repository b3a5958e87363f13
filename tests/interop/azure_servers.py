"""Azure Blob servers that are up (PAIL_TEST_AZURE*), azure-storage-blob for them, and the pail command."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAIL = os.environ.get("PAIL_BIN", os.path.join(ROOT, "build/pail"))
NAMES = {"azurite": "PAIL_TEST_AZURE_", "azurite_tls": "PAIL_TEST_AZURE_TLS_"}
VERSION = "2023-11-03"


def import_client():
    """azure.storage.blob, from the environment that servers.sh keeps for it; None where it is not."""
    try:
        import azure.storage.blob
        return azure.storage.blob
    except ImportError:
        pass
    cache = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
    python = os.path.join(cache, "venv-clients/bin/python")
    if os.path.exists(python) and os.environ.get("PAIL_INTEROP_AGAIN") is None:
        os.environ["PAIL_INTEROP_AGAIN"] = "1"
        os.execv(python, [python, *sys.orig_argv[1:]])
    return None


blob = import_client()


class Server:
    def __init__(self, name):
        get = lambda what: os.environ.get(NAMES[name] + what)
        self.name, self.endpoint = name, get("ENDPOINT")
        self.account, self.key, self.ca = get("ACCOUNT"), get("KEY"), get("CA")

    def missing(self):
        if blob is None:
            return "azure-storage-blob is not installed (tests/servers/servers.sh install clients)"
        if not self.endpoint:
            return f"server {self.name} is not up ({NAMES[self.name]}ENDPOINT is not set)"
        if not os.path.exists(PAIL):
            return f"{PAIL} is not built"
        return None

    def client(self):
        return blob.BlobServiceClient(self.endpoint, credential=self.key, api_version=VERSION,
                                      connection_verify=self.ca or True)

    def settings(self):
        return {"AZURE_STORAGE_ACCOUNT_NAME": self.account, "AZURE_STORAGE_ACCOUNT_KEY": self.key,
                "AZURE_STORAGE_ENDPOINT": self.endpoint}

    def bearer(self):
        """A token as the emulator takes it: it checks who issued it for whom, not the signature."""
        part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
        now = int(time.time())
        claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/",
                  "nbf": now - 60, "iat": now - 60, "exp": now + 3600, "oid": "o", "tid": "t"}
        token = f'{part({"alg": "RS256", "typ": "JWT"})}.{part(claims)}.c2ln'
        return {"AZURE_STORAGE_ENDPOINT": self.endpoint, "AZURE_STORAGE_TOKEN": token}


def run(server, settings, *args, data=None):
    """One run of the command: (exit code, standard output, standard error)."""
    with tempfile.TemporaryDirectory(prefix="pail-interop-") as home:
        env = {"PATH": os.environ["PATH"], "HOME": home, "PAIL_HOME": home + "/store", **settings}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                env[name] = os.environ[name]
        options = ["--ca-bundle", server.ca] if server.ca else []
        done = subprocess.run([PAIL, args[0], *options, *args[1:]], input=data or b"",
                              capture_output=True, env=env, cwd=home, timeout=300)
        return done.returncode, done.stdout, done.stderr


def container_name():
    return "pail-interop-" + uuid.uuid4().hex[:12]
