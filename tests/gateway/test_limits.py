"""What a server bears: clients that are too many, too slow, too wordy, or gone; a store that is down."""
import http.client
import os
import random
import socket
import threading
import unittest

import gateway
from gateway import Request, Server

ASK = b"GET /-/healthz HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(server):
    host, port = server.host.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def rest(s):
    """What comes until the end."""
    answer = b""
    try:
        while piece := s.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def head(request, length):
    query = request.canonical_query()
    lines = [f"{request.method} {request.path}{'?' + query if query else ''} HTTP/1.1", "Host: " + request.server.host]
    lines += [f"{k}: {v}" for k, v in request.headers.items()] + [f"Content-Length: {length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Connections(unittest.TestCase):
    def setUp(self):
        self.server = Server("memory:", "--connections", "4", "--idle-timeout", "2")
        self.addCleanup(self.server.stop)
        self.assertEqual(Request(self.server, "PUT", "/bucket").by_header().send().status, 200)

    def test_more_than_may_be_are_told_to_come_again(self):
        busy = []
        while len(busy) < 4:  # the one of before may count until its end was noticed
            s = connect(self.server)
            self.addCleanup(s.close)
            s.sendall(ASK)
            busy += [s] if s.recv(1000).startswith(b"HTTP/1.1 200") else []
        with connect(self.server) as more:
            more.sendall(ASK)
            answer = rest(more)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503"), answer)
        self.assertIn(b"<Code>SlowDown</Code>", answer)
        self.assertIn(b"\r\nRetry-After: 1\r\n", answer)
        self.assertEqual(answer.count(b"\r\nDate: "), 1)
        self.assertEqual([rest(s) for s in busy], [b""] * 4)  # they said nothing for two seconds
        status = 503
        for _ in range(1000):  # until their ends were noticed
            if status == 503:
                status = Request(self.server, "GET", "/bucket").by_header().send().status
        self.assertEqual(status, 200)

    def drip(self, s, text):
        """Sends byte by byte until the server has enough; what it said."""
        stop = threading.Event()

        def send():
            for i in range(600):
                try:
                    s.send(text[i:i + 1] or b"x")
                except OSError:
                    return
                if stop.wait(0.05):
                    return

        thread = threading.Thread(target=send)
        thread.start()
        try:
            return rest(s)
        finally:
            stop.set()
            thread.join()

    def test_a_head_in_drops_is_cut_although_it_is_never_idle(self):
        for text in (b"", b"GET /bucket HTTP/1.1\r\nHost: a\r\nX: ", b"PUT /bucket/k HTTP/1.1\r\nHost: a\r\n"):
            with self.subTest(text=text), connect(self.server) as s:
                self.assertNotIn(b" 200 ", self.drip(s, text))

    def test_an_unwanted_body_in_drops_is_cut(self):
        with connect(self.server) as s:
            s.sendall(b"PUT /bucket/k HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            self.assertNotIn(b" 200 ", self.drip(s, b""))

    def test_who_was_let_in_may_take_his_time(self):
        put = Request(self.server, "PUT", "/bucket/slow", payload="UNSIGNED-PAYLOAD").by_header()
        with connect(self.server) as s:
            s.sendall(head(put, 50))
            for _ in range(50):  # more than the time that a head has
                s.sendall(b"x")
                threading.Event().wait(0.05)
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200"))


class Wordy(gateway.GatewayTest):
    URL = "memory:"

    def test_headers_that_are_too_long_or_too_many(self):
        for extra, status, code in (("X: " + "a" * 100000, 431, None), ("\r\n".join(f"A{i}: b" for i in range(200)),
                                                                      400, b"RequestHeaderSectionTooLarge")):
            with connect(self.server) as s:
                s.sendall(b"GET /bucket HTTP/1.1\r\nHost: a\r\n" + extra.encode() + b"\r\n\r\n")
                s.shutdown(socket.SHUT_WR)
                answer = rest(s)
            self.assertTrue(not answer or answer.startswith(b"HTTP/1.1 %d" % status), answer[:200])
            if code:
                self.assertIn(code, answer)

    def test_a_refusal_leaves_the_connection_open(self):
        connection = http.client.HTTPConnection(self.server.host, timeout=60)
        connection.connect()
        before = connection.sock
        for path, status in (("/bucket/none", 404), ("/-/healthz", 200), ("/bucket", 403)):
            secret = "wrong" if status == 403 else gateway.SECRET
            request = Request(self.server, "GET", path, secret=secret).by_header()
            self.assertEqual(request.send(connection).status, status)
            self.assertIs(connection.sock, before)
        connection.close()


class Broken(gateway.GatewayTest):
    """Bodies whose framing is wrong or that end too early: nothing of them is stored."""

    def test_framing_of_http(self):
        for body in (b"zz\r\nabc\r\n0\r\n\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"-1\r\nabc\r\n", b"ffffffffffffffffff\r\nabc\r\n",
                     b"3\r\nabc0\r\n\r\n", b"3\r\nabc\r\n", b"5"):
            with self.subTest(body=body):
                put = Request(self.server, "PUT", "/bucket/framed", payload="UNSIGNED-PAYLOAD").by_header()
                text = head(put, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
                with connect(self.server) as s:
                    s.sendall(text + body)
                    s.shutdown(socket.SHUT_WR)
                    self.assertFalse(rest(s).startswith(b"HTTP/1.1 2"))
                self.assertIsNone(self.stored("framed"))

    def test_two_lengths_or_none(self):
        put = Request(self.server, "PUT", "/bucket/framed", payload="UNSIGNED-PAYLOAD").by_header()
        for lines in (b"Content-Length: 3\r\nContent-Length: 4", b"Content-Length: 3\r\nTransfer-Encoding: chunked",
                      b"Content-Length: +3", b"Content-Length: 3, 3", b"X: y"):
            with self.subTest(lines=lines), connect(self.server) as s:
                s.sendall(head(put, 0).replace(b"Content-Length: 0", lines) + b"abc")
                s.shutdown(socket.SHUT_WR)
                answer = rest(s)
                self.assertTrue(not answer or answer.startswith(b"HTTP/1.1 4"), answer)
                self.assertIsNone(self.stored("framed"))

    def test_bodies_that_end_too_early(self):
        for size in (10, 100 << 10, 1 << 20, 9 << 20):
            data = random.Random(size).randbytes(size)
            for cut in {0, 1, size // 2, size - 1}:
                with self.subTest(size=size, cut=cut), connect(self.server) as s:
                    put = Request(self.server, "PUT", "/bucket/cut", payload="UNSIGNED-PAYLOAD").by_header()
                    s.sendall(head(put, size) + data[:cut])
                    s.shutdown(socket.SHUT_WR)
                    self.assertFalse(rest(s).startswith(b"HTTP/1.1 2"))
                self.assertIsNone(self.stored("cut"))
        status, out, err = self.server.pail("fsck", "local:")
        self.assertEqual(status, 0, out + err.encode())

    def test_where_a_key_leads(self):
        """No key is a path: not as it stands, not encoded, not encoded twice."""
        for path in ("/bucket/../../../../etc/passwd", "/bucket/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/bucket/..%2f..%2fx",
                     "/bucket/%252e%252e%252fx", "/bucket//etc/passwd", "/bucket/./x", "/bucket/a/../b", "/bucket/..",
                     "/bucket/%5c..%5cx", "/../bucket/x", "/%2e%2e/x", "/bucket/%2f%2fx"):
            with self.subTest(path=path):
                request = Request(self.server, "PUT", path, body=b"mine").by_header()
                answer = request.send()
                if path.startswith("/bucket/"):
                    self.assertEqual(answer.status, 200, answer.body)
                    back = Request(self.server, "GET", path).by_header().send()
                    self.assertEqual((back.status, back.body), (200, b"mine"))
                else:
                    self.assertIn(answer.status, (400, 403, 404))
        names = {name for _, folders, files in os.walk(self.server.dir) for name in folders + files}
        self.assertFalse(names & {"passwd", "etc", "x"}, names)


class Refused(gateway.GatewayTest):
    """The answer to a body that is wrong, or not wanted at all, arrives however much of it is still to come."""

    def converse(self, text, meanwhile):
        """Sends all of it, reads meanwhile or after it; what came, and how it ended."""
        said, ends = [], []

        def read():
            try:
                while piece := s.recv(65536):
                    said.append(piece)
                ends.append("end")
            except ConnectionError as e:
                ends.append(repr(e))

        with connect(self.server) as s:
            reader = threading.Thread(target=read)
            if meanwhile:
                reader.start()
            try:
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
            except OSError as e:
                ends.append(repr(e))
            if not meanwhile:
                reader.start()
            reader.join()
        return b"".join(said), ends

    def forged(self, size):
        data = bytes(size)
        put = Request(self.server, "PUT", "/bucket/forged", headers={"x-amz-decoded-content-length": str(size)},
                      payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD").by_header()
        body = bytearray(gateway.chunks(put, data, 65536))
        body[70000] ^= 1
        return head(put, len(body)) + body

    def test_a_forged_chunk_with_much_behind_it(self):
        for size in (1 << 20, 4 << 20, 40 << 20):
            text = self.forged(size)
            for meanwhile in (False, True):
                with self.subTest(size=size, meanwhile=meanwhile):
                    answer, ends = self.converse(text, meanwhile)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 403"), (answer[:100], ends))
                    self.assertIn(b"<Code>SignatureDoesNotMatch</Code>", answer)
                    self.assertEqual(ends, ["end"])
        self.assertIsNone(self.stored("forged"))

    def test_a_signature_that_is_wrong_with_much_behind_it(self):
        for size in (1 << 20, 4 << 20, 40 << 20):
            put = Request(self.server, "PUT", "/bucket/k", secret="wrong", payload="UNSIGNED-PAYLOAD").by_header()
            for meanwhile in (False, True):
                with self.subTest(size=size, meanwhile=meanwhile):
                    answer, ends = self.converse(head(put, size) + bytes(size), meanwhile)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 403"), (answer[:100], ends))
                    self.assertIn(b"<Code>SignatureDoesNotMatch</Code>", answer)
                    self.assertEqual(ends, ["end"])

    def test_a_put_of_more_than_5_gib(self):
        for query in ({}, {"uploadId": "none", "partNumber": "1"}):
            for size, status in ((5 << 30, b"100 Continue"), ((5 << 30) + 1, b"400 "), (6 << 30, b"400 ")):
                put = Request(self.server, "PUT", "/bucket/huge", query=query, headers={"expect": "100-continue"},
                              payload="UNSIGNED-PAYLOAD").by_header()
                with self.subTest(size=size), connect(self.server) as s:
                    s.sendall(head(put, size))
                    answer = s.recv(65536)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer[:100])
                    self.assertEqual(b"<Code>EntityTooLarge</Code>" in answer, status == b"400 ")

    def test_a_body_without_a_length_that_is_too_long(self):
        block = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        put = Request(self.server, "PUT", "/bucket/endless", payload="UNSIGNED-PAYLOAD").by_header()
        text = head(put, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        for meanwhile in (False, True):
            with self.subTest(meanwhile=meanwhile):
                answer, ends = self.converse(text + 150 * block + b"0\r\n\r\n", meanwhile)
                self.assertTrue(answer.startswith(b"HTTP/1.1 411"), (answer[:100], ends))
                self.assertIn(b"<Code>MissingContentLength</Code>", answer)
                self.assertIn(b"Content-Length", answer)
                self.assertEqual(ends, ["end"])
        self.assertIsNone(self.stored("endless"))


class Slow(unittest.TestCase):
    def test_readers_that_stop_hold_no_memory_of_the_store(self):
        server = Server("memory:?memory_limit=16777216")
        self.addCleanup(server.stop)
        data = random.Random(8).randbytes(24 << 20)
        for path, body in (("/bucket", b""), ("/bucket/k", data)):
            self.assertEqual(Request(server, "PUT", path, body=body).by_header().send().status, 200)
        get = Request(server, "GET", "/bucket/k").by_header()
        lines = "".join(f"{k}: {v}\r\n" for k, v in get.headers.items())
        for _ in range(20):  # more than there are blocks
            host, port = server.host.split(":")
            s = socket.socket()
            self.addCleanup(s.close)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            s.connect((host, int(port)))
            s.sendall(f"GET /bucket/k HTTP/1.1\r\nHost: {server.host}\r\n{lines}\r\n".encode())
            answer = b""
            while len(answer) < 2000:
                answer += s.recv(2000)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer[:200])
        answer = Request(server, "GET", "/bucket/k").by_header().send()
        self.assertEqual((answer.status, answer.body == data), (200, True))


class Ending(unittest.TestCase):
    """SIGTERM: what is under way gets its time, and nobody new is let in."""

    def setUp(self):
        self.server = Server("memory:")
        self.addCleanup(self.server.stop)
        self.assertEqual(Request(self.server, "PUT", "/bucket").by_header().send().status, 200)

    def test_what_is_under_way_ends_and_nothing_begins(self):
        put = Request(self.server, "PUT", "/bucket/k", payload="UNSIGNED-PAYLOAD").by_header()
        idle = [http.client.HTTPConnection(self.server.host, timeout=60) for _ in range(2)]
        for connection in idle:
            self.addCleanup(connection.close)
            connection.request("GET", "/-/readyz")
            self.assertEqual(connection.getresponse().read(), b"ready\n")
        with connect(self.server) as s:
            s.sendall(head(put, 2 << 20).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            self.assertEqual(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")  # it is under way
            s.sendall(bytes(1 << 20))
            self.server.process.terminate()
            refused = False
            for _ in range(1000):  # until it has heard the signal
                try:
                    connect(self.server).close()
                except ConnectionError:
                    refused = True
                    break
                threading.Event().wait(0.01)
            self.assertTrue(refused)
            for connection, path, status in zip(idle, ("/-/readyz", "/-/healthz"), (503, 200)):
                connection.request("GET", path)
                answer = connection.getresponse()
                self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"), answer.read())
            s.sendall(bytes(1 << 20))
            answer = rest(s)
            self.assertTrue(answer.startswith(b"HTTP/1.1 200"), answer)
            self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertEqual(self.server.process.wait(60), 0)


class Down(unittest.TestCase):
    def test_a_part_that_no_memory_will_ever_hold(self):
        server = Server("s3:?aws_endpoint_url=http://127.0.0.1:9&aws_region=us-east-1&aws_access_key_id=a"
                        "&aws_secret_access_key=bbbbbbbb&max_attempts=1&memory_limit=16777216")
        self.addCleanup(server.stop)
        put = Request(server, "PUT", "/bucket/k", query={"uploadId": "u", "partNumber": "1"},
                      payload="UNSIGNED-PAYLOAD").by_header()
        with connect(server) as s:
            s.sendall(head(put, 17 << 20))
            response = http.client.HTTPResponse(s)
            response.begin()
            self.assertIn(b"<Code>EntityTooLarge</Code>", response.read())

    def test_a_store_that_does_not_answer(self):
        with socket.socket() as closed:  # bound and never listening: nobody is there
            closed.bind(("127.0.0.1", 0))
            store = f"http://127.0.0.1:{closed.getsockname()[1]}"
            server = Server(f"s3:?aws_endpoint_url={store}&aws_region=us-east-1&aws_access_key_id=a"
                            "&aws_secret_access_key=bbbbbbbb&max_attempts=1")
            self.addCleanup(server.stop)
            for method, path, body in (("GET", "/bucket", b""), ("GET", "/bucket/k", b""), ("GET", "/", b""),
                                       ("HEAD", "/bucket/k", b""), ("PUT", "/bucket/k", b"x"), ("DELETE", "/bucket/k", b""),
                                       ("PUT", "/bucket/k", bytes(2 << 20)), ("POST", "/bucket/k?uploads", b"")):
                with self.subTest(method=method, path=path, size=len(body)):
                    path, _, query = path.partition("?")
                    answer = Request(server, method, path, query={query: ""} if query else (), body=body).by_header().send()
                    self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"), answer.body)
                    if method != "HEAD":
                        self.assertEqual(answer.code, "ServiceUnavailable")
            with connect(server) as s:
                s.sendall(b"GET /-/readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertTrue(rest(s).startswith(b"HTTP/1.1 503"))
            with connect(server) as s:
                s.sendall(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                self.assertTrue(rest(s).startswith(b"HTTP/1.1 200"))


if __name__ == "__main__":
    unittest.main()
