"""Random and malformed requests: whatever comes, no crash, no hang, no 5xx but 501."""
import random
import socket
import unittest

import gateway
from gateway import Request

COUNT, SEED = 10000, 20240607
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "G\x01T", ""]
PATHS = ["/", "/bucket", "/bucket/", "/bucket/key", "/bucket/%", "/bucket/%zz", "/bucket/%00", "//", "*",
         "/bucket/../../etc/passwd", "/bucket/%2e%2e/%2e%2e/x", "/" + "b" * 300, "/bucket/" + "k" * 2000,
         "/-/healthz", "/-/none", "/B_/x", "/bucket/\u00e9", "/bucket//", "http://other/bucket/key", "bucket"]
PARAMS = ["uploads", "uploadId", "partNumber", "delete", "tagging", "acl", "list-type", "max-keys", "prefix",
          "marker", "delimiter", "continuation-token", "versions", "encoding-type", "versionId", "attributes",
          "response-content-type", "cors", "location", "policy", "max-uploads", "key-marker", "start-after"]
VALUES = ["", "0", "1", "2", "-1", "99999999999999999999", "null", "%", "%00", "a=b", "\u00fc", "x" * 500, "url",
          "application/xml", "text/html%0d%0aX: y", "../..", "18446744073709551616", "1.5", "true"]
HEADERS = ["Range", "If-Match", "If-None-Match", "If-Modified-Since", "x-amz-copy-source", "Content-MD5",
           "x-amz-copy-source-range", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm", "x-amz-tagging",
           "x-amz-trailer", "x-amz-decoded-content-length", "x-amz-meta-a", "x-amz-object-attributes", "Expect",
           "x-amz-checksum-type", "x-amz-mp-object-size", "Content-Encoding", "Origin", "x-amz-date", "Host",
           "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-expected-bucket-owner", "Content-Type"]
TEXTS = ["", "*", "bytes=0-", "bytes=5-1", "bytes=-0", "bytes=0-99999999999999999999", "bytes=a-b", "garbage",
         '"etag"', "bucket/key", "/bucket/none", "AAAA", "AAAAAA==", "CRC32", "NOPE", "a=b&a=c", "0", "-5", "100",
         "Thu, 01 Jan 1970 00:00:00 GMT", "aws-chunked", "100-continue", "http://a", "x" * 3000, "ETag,Nothing"]
BODIES = [b"", b"x", b"0\r\n\r\n", b"5\r\nabc", b"zz;chunk-signature=0\r\n", b"<Delete>", b"<a><b></a></b>",
          b"<Delete><Object><Key>x</Key></Object></Delete>", b"<!DOCTYPE a [<!ENTITY e 'e'>]><Delete>&e;</Delete>",
          b"<CompleteMultipartUpload><Part><PartNumber>0</PartNumber></Part></CompleteMultipartUpload>",
          b"<Tagging><TagSet><Tag><Key/></Tag></TagSet></Tagging>", b"<" * 5000, b"\xff\xfe\x00", b"<x>" * 3000]
PAYLOADS = [None, None, "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "0" * 64, "nonsense"]
LINES = [b"", b"\r\n\r\n", b"GET", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
         b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n",
         b"PUT /bucket/k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
         b"PUT /bucket/k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
         b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100]


class Malformed(gateway.GatewayTest):
    def exchange(self, data):
        """The answer's status; None: the connection ended without one."""
        host, port = self.server.host.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as s:
            answer = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while piece := s.recv(65536):
                    answer += piece
            except (BrokenPipeError, ConnectionResetError):
                pass
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else None

    def signed(self, rng):
        body = rng.choice(BODIES)
        headers = {rng.choice(HEADERS): rng.choice(TEXTS) for _ in range(rng.randrange(4))}
        query = {rng.choice(PARAMS): rng.choice(VALUES) for _ in range(rng.randrange(4))}
        request = Request(self.server, rng.choice(METHODS), rng.choice(PATHS), query=query, headers=headers,
                          body=body, payload=rng.choice(PAYLOADS))
        how = rng.randrange(8)
        if how == 0:
            request.by_query()
        elif how < 7:
            request.by_header()
        if rng.random() < 0.1:
            request.headers["Authorization"] = "".join(
                c for c in request.headers.get("Authorization", "AWS4-HMAC-SHA256 x") if rng.random() > 0.05)
        text = f"{request.method} {request.path}"
        text += "?" + request.canonical_query() if request.query else ""
        lines = [text + " HTTP/1.1", "Connection: close"]
        if "Host" not in request.headers or rng.random() < 0.5:
            lines.append("Host: " + self.server.host)
        lines += [f"{k}: {v}" for k, v in request.headers.items()]
        length = len(body) + (rng.choice([-1, 1, 1000]) if rng.random() < 0.1 else 0)
        lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    def damaged(self, rng):
        data = bytearray(self.signed(rng))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[at] = rng.randrange(256)
            else:
                del data[at:at + rng.randrange(1, 20)]
                if not data:
                    data = bytearray(b"x")
        return bytes(data)

    def test_whatever_comes(self):
        rng = random.Random(SEED)
        seen = {}
        for number in range(COUNT):
            kind = rng.random()
            data = (rng.choice(LINES) if kind < 0.05 else
                    self.damaged(rng) if kind < 0.4 else self.signed(rng))
            status = self.exchange(data)
            seen[status] = seen.get(status, 0) + 1
            self.assertTrue(status is None or status < 500 or status in (501, 505), (number, status, data[:3000]))
        self.assertIsNone(self.server.process.poll())
        self.assertTrue({200, 400, 403, 404} <= set(seen), seen)  # not all the same refusal
        self.assertEqual(self.ask("PUT", "/bucket/after", body=b"alive").status, 200)
        self.assertEqual(self.stored("after"), b"alive")


if __name__ == "__main__":
    unittest.main()
