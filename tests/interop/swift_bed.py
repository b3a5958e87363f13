"""A container of the Swift of PAIL_TEST_SWIFT_*, seen by python-swiftclient and by pail; and a relay in front
of the service that counts requests."""
import http.client
import http.server
import json
import os
import subprocess
import threading
import unittest
import urllib.parse
import urllib.request

import servers  # the interpreter that has the independent clients

try:
    import swiftclient
except ImportError:
    swiftclient = None

PREFIX, KEYSTONE = "PAIL_TEST_SWIFT_", "PAIL_TEST_KEYSTONE_"
MIB = 1 << 20


def variable(name):
    return os.environ.get(name)


def opened(url, method="GET", data=None):
    request = urllib.request.Request(url, method=method, data=data)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return answer.read()


class Account:
    key = secret = region = ca = None
    endpoint = None


class SwiftTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if swiftclient is None:
            raise unittest.SkipTest("python-swiftclient is not installed "
                                    "(tests/servers/servers.sh install clients)")
        if not variable(PREFIX + "AUTH_URL"):
            raise unittest.SkipTest(f"Swift is not up ({PREFIX}AUTH_URL is not set)")
        cls.login = {"ST_AUTH": variable(PREFIX + "AUTH_URL"), "ST_USER": variable(PREFIX + "USER"),
                     "ST_KEY": variable(PREFIX + "KEY")}
        cls.swift = swiftclient.Connection(cls.login["ST_AUTH"], cls.login["ST_USER"],
                                           cls.login["ST_KEY"])
        account = Account()
        account.key, account.secret, account.region = "", "", ""
        cls.pail = servers.Pail(account)

    @classmethod
    def tearDownClass(cls):
        cls.pail.close()

    def setUp(self):
        self.bucket = servers.bucket_name()
        self.swift.put_container(self.bucket)
        self.addCleanup(self.remove)

    def remove(self):
        for name in (self.bucket, self.bucket + "+segments", self.bucket + "_segments"):
            try:
                for item in self.swift.get_container(name, full_listing=True)[1]:
                    self.swift.delete_object(name, item["name"])
                self.swift.delete_container(name)
            except swiftclient.ClientException as error:
                if error.http_status != 404:
                    raise

    def run_pail(self, command, *args, data=None, login=None):
        env = {**self.pail.env, **(login if login is not None else self.login)}
        return subprocess.run([servers.PAIL, command, *args], input=data or b"", env=env,
                              capture_output=True, cwd=self.pail.home,
                              timeout=servers.TIME_LIMIT_S)

    def do(self, command, *args, data=None, login=None):
        run = self.run_pail(command, *args, data=data, login=login)
        self.assertEqual(run.returncode, 0, run.stderr.decode(errors="replace"))
        return run.stdout

    def url(self, key=""):
        return f"swift://{self.bucket}/{key}" if key else f"swift://{self.bucket}"

    def segments(self, suffix="+segments"):
        try:
            return [item["name"] for item in
                    self.swift.get_container(self.bucket + suffix, full_listing=True)[1]]
        except swiftclient.ClientException as error:
            self.assertEqual(error.http_status, 404)
            return []

    def put_large(self, key, size):
        data = os.urandom(size)
        self.do("cp", self.pail.path("large", data), self.url(key))
        return data


class Relay(http.server.BaseHTTPRequestHandler):
    """Hands each request on to the server behind, and writes down its first line. `instead` may answer in
    its place; `change_info` makes another service of it; `loses` tells which answers get lost."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def go(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(f"{self.command} {urllib.parse.unquote(self.path)}")
        instead = self.server.instead(self)
        if instead is not None:
            self.answer(*instead)
            return
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        behind.request(self.command, self.path, body=body or None, headers=headers)
        answer = behind.getresponse()
        data = answer.read()
        behind.close()
        if self.server.loses(self):
            self.close_connection = True
            self.connection.close()
            return
        if self.path == "/info":
            data = json.dumps(self.server.change_info(json.loads(data))).encode()
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.answer(answer.status, {
            name: value for name, value in answer.getheaders()
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date")},
                    data, length)

    def answer(self, status, headers, data, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = go


def relay(test, storage_url):
    """Starts one in front of a storage URL: the server with `seen`, and the URL to use instead."""
    url = urllib.parse.urlsplit(storage_url)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.seen, server.behind, server.daemon_threads = [], url.netloc, True
    server.instead, server.change_info = lambda request: None, lambda info: info
    server.loses = lambda request: False
    server.handle_error = lambda *_: None  # clients that were killed
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server, url._replace(netloc=f"127.0.0.1:{server.server_port}").geturl()
