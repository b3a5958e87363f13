"""Runs the program named by PAIL_BIN on a store of its own for each test."""
import functools
import json
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PAIL_BIN", os.path.join(ROOT, "build", "pail"))

# What a developer's shell may hold must not reach the tests.
FOREIGN = ("AWS_", "AZURE_", "CLOUDSDK_", "GCE_", "GOOGLE_", "IDENTITY_", "OS_", "ST_", "STORAGE_", "PAIL_", "XDG_",
           "HTTP", "http", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@functools.lru_cache
def has_local():
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([BIN, "--home", home, "config", "explain", "local:"],
                              capture_output=True, check=False)
    return b"unknown scheme" not in done.stderr


class Result:
    def __init__(self, done):
        self.status, self.raw, self.raw_err = done.returncode, done.stdout or b"", done.stderr

    @property
    def out(self):
        return self.raw.decode()

    @property
    def err(self):
        return self.raw_err.decode("utf-8", "replace")

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]


class CliTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="pail-cli-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.home = os.path.join(self.dir, "home")
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(FOREIGN) or k == "PAIL_BIN"}
        self.env.update(PAIL_HOME=self.home, HOME=self.dir, LC_ALL="C.UTF-8")

        if not has_local():
            self.skipTest("built without the embedded store")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, data=b"data"):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def read(self, *parts):
        with open(self.path(*parts), "rb") as file:
            return file.read()

    def tree(self, *parts):
        """The files below a folder, as names relative to it."""
        root = self.path(*parts)
        return sorted(os.path.relpath(os.path.join(base, name), root)
                      for base, _, names in os.walk(root) for name in names)

    def start(self, *args, env=None, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen([BIN, *args], cwd=self.dir, env={**self.env, **(env or {})},
                                stdout=kw.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                                **kw)

    def run_pail(self, *args, input=None, env=None, **kw):
        """Runs it to its end, whatever that is."""
        if input is None:
            kw.setdefault("stdin", subprocess.DEVNULL)
        else:
            kw["input"] = input
        kw.setdefault("stdout", subprocess.PIPE)
        return Result(subprocess.run([BIN, *args], cwd=self.dir, env={**self.env, **(env or {})},
                                     stderr=subprocess.PIPE, timeout=120, check=False, **kw))

    def pail(self, *args, **kw):
        """Runs it; it must succeed."""
        result = self.run_pail(*args, **kw)
        self.assertEqual(result.status, 0, f"pail {' '.join(map(str, args))}: {result.err}")
        return result

    def fails(self, status, *args, **kw):
        """Runs it; it must end with that exit status and a message of its own."""
        result = self.run_pail(*args, **kw)
        self.assertEqual(result.status, status,
                         f"pail {' '.join(map(str, args))}: {result.out}{result.err}")
        self.assertTrue(result.err.startswith("pail: "), result.err)
        return result

    def put(self, url, data=b"data", *flags):
        self.pail("cp", *flags, "-", url, input=data)

    def cat(self, url, *flags):
        return self.pail("cat", *flags, url).raw

    def keys(self, url):
        result = self.pail("ls", "-r", "-0", url)
        return result.raw.decode().split("\0")[:-1]
