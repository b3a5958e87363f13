"""Starts `pail serve` and speaks to it over bare sockets, with a signer of its own."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PAIL_BIN", os.path.join(ROOT, "build", "pail"))
FOREIGN = ("AWS_", "PAIL_", "XDG_", "HTTP", "http", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
EMPTY = hashlib.sha256(b"").hexdigest()
KEY, SECRET = "test-key", "test-secret-that-is-long-enough"
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Server:
    """One server; stop() ends it and gives its exit status."""

    def __init__(self, url="local:", *args, key=True, home=None):
        self.dir = tempfile.mkdtemp(prefix="pail-gateway-")
        self.home = home or os.path.join(self.dir, "home")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.env.update(PAIL_HOME=self.home, HOME=self.dir, LC_ALL="C.UTF-8")
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8")
        command = [BIN, "serve", "--addr", "127.0.0.1:0", "--access-log", "json", *args]
        if key:
            command += ["--key", f"{KEY}:{SECRET}"]
        self.process = subprocess.Popen(command + [url], stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env=self.env)
        line = self.process.stdout.readline()
        if " at " not in line:
            self.log.seek(0)
            raise AssertionError("the server does not start: " + self.log.read())
        self.address = line.split(" at ")[1].split()[0]
        self.host = self.address.split("://")[1]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(60)
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.dir, True)
        return status

    def pail(self, *args, data=None):
        done = subprocess.run([BIN, *args], input=data, capture_output=True, env=self.env, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    def records(self):
        for _ in range(500):  # a line may be on its way
            with open(self.log.name, encoding="utf-8") as file:
                text = file.read()
            if not text or text.endswith("\n"):
                break
            threading.Event().wait(0.01)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def code(self):
        """The S3 error code."""
        found = re.search(b"<Code>(.*?)</Code>", self.body)
        return found.group(1).decode() if found else None

    @property
    def xml(self):
        return xml.etree.ElementTree.fromstring(self.body)

    def texts(self, name):
        return [e.text or "" for e in self.xml.iter(NS + name)]


def quote(text):
    return urllib.parse.quote(text, safe="-._~")


def signing_key(secret, day, region="us-east-1"):
    key = ("AWS4" + secret).encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Request:
    """One request, signed as asked."""

    def __init__(self, server, method, path, query=(), headers=None, body=b"", key=KEY,
                 secret=SECRET, at=None, payload=None):
        self.server, self.method, self.path = server, method, path
        self.query, self.headers, self.body = dict(query), dict(headers or {}), body
        self.key, self.secret, self.at = key, secret, at or now()
        self.payload = payload if payload is not None else hashlib.sha256(body).hexdigest()
        self.signature = None

    @property
    def stamp(self):
        return self.at.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self):
        return f"{self.stamp[:8]}/us-east-1/s3/aws4_request"

    def canonical_query(self):
        return "&".join(f"{quote(k)}={quote(v)}" for k, v in sorted(self.query.items()))

    def sign_text(self, headers, payload):
        names = ";".join(sorted(headers))
        lines = [self.method, self.path, self.canonical_query()]
        lines += [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)] + ["", names, payload]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        text = "\n".join(("AWS4-HMAC-SHA256", self.stamp, self.scope, digest))
        key = signing_key(self.secret, self.stamp[:8])
        return names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def by_header(self):
        self.headers.update({"x-amz-date": self.stamp, "x-amz-content-sha256": self.payload})
        signed = {k.lower(): v for k, v in self.headers.items()}
        signed["host"] = self.server.host
        names, self.signature = self.sign_text(signed, self.payload)
        self.headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.key}/{self.scope}, SignedHeaders={names}, "
            f"Signature={self.signature}")
        return self

    def by_query(self, expires=600):
        self.query.update({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key}/{self.scope}",
            "X-Amz-Date": self.stamp, "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"})
        _, self.signature = self.sign_text({"host": self.server.host}, "UNSIGNED-PAYLOAD")
        self.query["X-Amz-Signature"] = self.signature
        return self

    def send(self, connection=None):
        """Over a connection of its own, or one that stays open."""
        query = self.canonical_query()
        own = connection is None
        connection = http.client.HTTPConnection(self.server.host, timeout=60) if own else connection
        try:
            connection.request(self.method, self.path + ("?" + query if query else ""),
                               body=self.body, headers=self.headers)
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            if own:
                connection.close()


def chunks(request, data, size, trailer=None, signs=True, good=True):
    """The body of a chunked request whose headers are signed already."""
    out, previous = b"", request.signature
    key = signing_key(request.secret if good else "another", request.stamp[:8])

    def follow(kind, *hashes):
        text = "\n".join((kind, request.stamp, request.scope, previous, *hashes))
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    for at in [*range(0, len(data), size), len(data)]:
        piece = data[at:at + size]
        head = f"{len(piece):x}"
        if signs:
            previous = follow("AWS4-HMAC-SHA256-PAYLOAD", EMPTY, hashlib.sha256(piece).hexdigest())
            head += ";chunk-signature=" + previous
        out += head.encode() + b"\r\n" + (piece + b"\r\n" if piece else b"")
    if trailer:
        line = f"{trailer[0]}:{trailer[1]}"
        out += line.encode() + b"\r\n"
        if signs:
            digest = hashlib.sha256((line + "\n").encode()).hexdigest()
            out += b"x-amz-trailer-signature:" + follow("AWS4-HMAC-SHA256-TRAILER", digest).encode()
            out += b"\r\n"
    return out + b"\r\n"


def sha256_base64(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


class GatewayTest(unittest.TestCase):
    URL, ARGS = "local:", ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.URL, *cls.ARGS)
        cls.addClassCleanup(cls.end)
        answer = cls.ask("PUT", "/bucket")
        assert answer.status == 200, answer.body

    @classmethod
    def end(cls):
        status = cls.server.stop()
        assert status == 0, f"the server ended with {status}"

    @classmethod
    def ask(cls, method, path, **options):
        return Request(cls.server, method, path, **options).by_header().send()

    def put(self, key, data, **headers):
        answer = self.ask("PUT", "/bucket/" + key, body=data, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def stored(self, key):
        """The bytes, or None."""
        answer = self.ask("GET", "/bucket/" + key)
        return answer.body if answer.status == 200 else None
