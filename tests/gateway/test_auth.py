"""Who gets in: signatures, times, rights, and all the ways to have none."""
import datetime
import http.client
import itertools
import os
import re
import subprocess
import tempfile
import unittest

import gateway
from gateway import Request, Server, chunks, now, sha256_base64

ROUTE = re.compile(r'\{"(\w+)",\s*"([A-Z]+)",\s*PL_GW_(SERVICE|BUCKET|OBJECT),\s*(?:"([^"]+)"|NULL),\s*'
                   r'(?:"([^"]+)"|NULL),\s*(true|false),\s*(NO|XML|BYTES|FORM)\b')
HEADER_VALUES = {"x-amz-copy-source": "/bucket/key", "content-type": "multipart/form-data; boundary=b"}


def operations():
    """(name, method, path, query, headers) of each route, read from the server's own table, so that none can be
    forgotten."""
    with open(os.path.join(gateway.ROOT, "src", "gateway", "route.c"), encoding="utf-8") as file:
        text = file.read()
    table = text[text.index("routes[] = {"):text.index("};", text.index("routes[] = {"))]
    found = []
    for name, method, level, param, header, writes, _ in ROUTE.findall(table):
        path = {"SERVICE": "/", "BUCKET": "/other" if name == "CreateBucket" else "/bucket",
                "OBJECT": "/bucket/key"}[level]
        query = {param: "1" if param in ("uploadId", "list-type") else ""} if param else {}
        if name.startswith("UploadPart"):
            query["partNumber"] = "1"
        found.append((name, method, path, query, {header: HEADER_VALUES[header]} if header else {}, writes == "true"))
    assert len(found) == table.count("PL_GW_SERVICE") + table.count("PL_GW_BUCKET,") + table.count("PL_GW_OBJECT,")
    return found


OPERATIONS = operations()
PAYLOADS = [None, "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]


class Auth(gateway.GatewayTest):
    def refused(self, how, answer, method, form):
        codes = {"header": "SignatureDoesNotMatch", "query": "SignatureDoesNotMatch", "none": "AccessDenied",
                 "both": "InvalidArgument"}
        if form:  # signed by its policy alone, and this one has none
            codes = {"header": "AccessDenied", "query": "AccessDenied", "none": "MalformedPOSTRequest",
                     "both": "AccessDenied"}
        self.assertEqual(answer.status, 400 if codes[how] in ("InvalidArgument", "MalformedPOSTRequest") else 403,
                         answer.body)
        if method != "HEAD":
            self.assertEqual(answer.code, codes[how])

    def test_nothing_is_let_in_with_a_wrong_secret(self):
        self.put("key", b"kept")
        self.assertGreater(len(OPERATIONS), 35)
        connection = http.client.HTTPConnection(self.server.host, timeout=60)
        for (name, method, path, query, headers, _), payload, how in itertools.product(
                OPERATIONS, PAYLOADS, ("header", "query", "none", "both")):
            with self.subTest(operation=name, payload=payload, how=how):
                body = b"" if method in ("GET", "HEAD", "DELETE") else b"0\r\n\r\n"
                request = Request(self.server, method, path, query=query, headers=headers, body=body,
                                  secret="wrong", payload=payload)
                if payload and payload.startswith("STREAMING"):
                    request.headers["x-amz-decoded-content-length"] = "0"
                if how in ("query", "both"):
                    request.by_query()
                if how in ("header", "both"):
                    request.by_header()
                self.refused(how, request.send(connection), method, name == "PostObject")
        connection.close()
        self.assertEqual(self.stored("key"), b"kept")
        self.assertEqual(self.ask("HEAD", "/other").status, 404)

    def test_each_route_that_writes_is_refused_to_a_key_that_may_only_read(self):
        self.put("key", b"kept")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("reader reader-secret read-only\nother other-secret buckets=elsewhere\n")
            file.flush()
            server = Server("local:", "--credentials", file.name, home=self.server.home)
            self.addCleanup(server.stop)
            for name, method, path, query, headers, writes in OPERATIONS:
                for key in ("reader", "other"):
                    if name in ("PostObject", "ListBuckets") or (key == "reader" and not writes):
                        continue
                    with self.subTest(operation=name, key=key):
                        answer = Request(server, method, path, query=query, headers=headers, key=key,
                                         secret=key + "-secret").by_header().send()
                        self.assertEqual(answer.status, 403, answer.body)
        self.assertEqual(self.stored("key"), b"kept")

    def test_an_unknown_key_and_a_bad_scheme(self):
        unknown = Request(self.server, "GET", "/bucket", key="nobody").by_header().send()
        self.assertEqual((unknown.status, unknown.code), (403, "InvalidAccessKeyId"))
        good = Request(self.server, "GET", "/bucket").by_header().headers
        whole = good["Authorization"]
        for text, status, code in (
                ("AWS key:signature", 400, "InvalidRequest"), ("AWS4-ECDSA-P256-SHA256 x=y", 400, "InvalidRequest"),
                ("Basic abc", 400, "InvalidArgument"), ("Bearer abc", 400, "InvalidArgument"), ("", 403, "AccessDenied"),
                ("AWS4-HMAC-SHA256", 400, "AuthorizationHeaderMalformed"),
                ("AWS4-HMAC-SHA256 x=y", 400, "AuthorizationHeaderMalformed"),
                ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0", 400, "AuthorizationHeaderMalformed"),
                (whole.replace("/s3/", "/ec2/"), 400, "AuthorizationHeaderMalformed"), (whole[:-1], 400,
                 "AuthorizationHeaderMalformed"), (whole.replace("host;", ""), 400, "AuthorizationHeaderMalformed")):
            answer = Request(self.server, "GET", "/bucket", headers=dict(good, Authorization=text)).send()
            self.assertEqual((answer.status, answer.code), (status, code), text)
        undated = Request(self.server, "GET", "/bucket", headers=dict(good, **{"x-amz-date": "today"})).send()
        self.assertEqual((undated.status, undated.code), (403, "AccessDenied"))

    def test_a_link_of_signature_version_2(self):
        for method in ("GET", "PUT", "DELETE"):
            answer = Request(self.server, method, "/bucket/link", query={
                "AWSAccessKeyId": gateway.KEY, "Signature": "c2lnbmF0dXJl", "Expires": "4000000000"}).send()
            self.assertEqual((answer.status, answer.code), (400, "InvalidRequest"))

    def test_a_clock_that_is_off(self):
        for minutes in (-20, 20):
            at = now() + datetime.timedelta(minutes=minutes)
            answer = self.ask("GET", "/bucket", at=at)
            self.assertEqual((answer.status, answer.code), (403, "RequestTimeTooSkewed"))
        self.assertEqual(self.ask("GET", "/bucket", at=now() - datetime.timedelta(minutes=10)).status, 200)

    def test_an_unsigned_amz_header_is_refused(self):
        request = Request(self.server, "PUT", "/bucket/extra", body=b"x").by_header()
        request.headers["x-amz-meta-added"] = "later"
        answer = request.send()
        self.assertEqual((answer.status, answer.code), (403, "AccessDenied"))
        self.assertIsNone(self.stored("extra"))

    def test_a_body_that_was_changed_is_not_stored(self):
        request = Request(self.server, "PUT", "/bucket/swapped", body=b"right").by_header()
        request.body = b"wrong"
        answer = request.send()
        self.assertEqual((answer.status, answer.code), (400, "XAmzContentSHA256Mismatch"))
        self.assertIsNone(self.stored("swapped"))


class Presigned(gateway.GatewayTest):
    def url(self, method, path="/bucket/signed", expires=600, **options):
        return Request(self.server, method, path, **options).by_query(expires)

    def test_headers_that_an_sdk_moves_into_the_url(self):
        """As JavaScript's does: metadata, and the checksum of a body that it did not have yet."""
        query = {"x-amz-meta-colour": "blue", "x-amz-checksum-crc32": "AAAAAA==",
                 "x-amz-sdk-checksum-algorithm": "CRC32", "x-id": "PutObject"}
        put = Request(self.server, "PUT", "/bucket/moved", query=query, body=b"bytes").by_query()
        self.assertEqual(put.send().status, 200)
        head = Request(self.server, "HEAD", "/bucket/moved").by_header().send()
        self.assertEqual((head.headers["x-amz-meta-colour"], head.headers["content-length"]), ("blue", "5"))

    def test_it_works_once_and_again_until_it_expires(self):
        put = self.url("PUT", body=b"by link")
        self.assertEqual(put.send().status, 200)
        get = self.url("GET")
        self.assertEqual([get.send().body, get.send().body], [b"by link"] * 2)
        late = self.url("GET", expires=60, at=now() - datetime.timedelta(seconds=61)).send()
        self.assertEqual((late.status, late.code), (403, "AccessDenied"))
        early = self.url("GET", at=now() + datetime.timedelta(hours=1)).send()
        self.assertEqual(early.status, 403)
        for expires in (604801, 0, -1):
            wrong = self.url("GET", expires=expires).send()
            self.assertEqual((wrong.status, wrong.code), (403, "AccessDenied"))
        self.assertEqual(self.url("GET", expires=604800).send().status, 200)
        for name, value in (("X-Amz-Expires", "soon"), ("X-Amz-Expires", "-"), ("X-Amz-Date", "today"),
                            ("X-Amz-Credential", "a/b"), ("X-Amz-Algorithm", "AWS4"), ("X-Amz-SignedHeaders", "date"),
                            ("X-Amz-Signature", "0")):
            for changed in ({name: value}, {name: ""}):
                request = self.url("GET")
                request.query.update(changed)
                wrong = request.send()
                self.assertEqual((wrong.status, wrong.code), (400, "AuthorizationQueryParametersError"), changed)

    def test_it_is_good_for_its_method_key_and_parameters_alone(self):
        self.put("signed", b"by link")
        self.put("secret", b"not by link")
        for change in ({"method": "PUT"}, {"method": "DELETE"}, {"path": "/bucket/secret"},
                       {"expires": "9999"}, {"date": "20990101T000000Z"}, {"extra": "1"},
                       {"signature": "0" * 64}):
            request = self.url("GET")
            request.method = change.get("method", request.method)
            request.path = change.get("path", request.path)
            for name, parameter in (("expires", "X-Amz-Expires"), ("date", "X-Amz-Date"),
                                    ("signature", "X-Amz-Signature"), ("extra", "versionId")):
                if name in change:
                    request.query[parameter] = change[name]
            answer = request.send()
            self.assertEqual(answer.status, 400 if "date" in change else 403, change)  # its day is not the key's
        self.assertEqual(self.stored("signed"), b"by link")

    def test_a_get_says_what_the_answer_is_called(self):
        self.put("signed", b"by link")
        answer = self.url("GET", query={"response-content-type": "text/x-told",
                                        "response-content-disposition": 'attachment; filename="a b"'}).send()
        self.assertEqual(answer.headers["Content-Type"], "text/x-told")
        self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="a b"')

    def test_a_put_with_a_header_of_another_cloud(self):
        put = self.url("PUT", body=b"blob", headers={"x-ms-blob-type": "BlockBlob"})
        self.assertEqual(put.send().status, 200)
        self.assertEqual(self.stored("signed"), b"blob")


class Chunked(gateway.GatewayTest):
    DATA = bytes(range(256)) * 4000

    def upload(self, kind, data, size=65536, trailer=None, signs=True, good=True, change=None):
        headers = {"x-amz-decoded-content-length": str(len(data)), "content-encoding": "gzip, aws-chunked"}
        if trailer:
            headers["x-amz-trailer"] = trailer[0]
        request = Request(self.server, "PUT", "/bucket/chunked", headers=headers,
                          payload="STREAMING-" + kind).by_header()
        request.body = chunks(request, data, size, trailer, signs, good)
        if change:
            request.body = change(request.body)
        return request.send()

    def setUp(self):
        self.ask("DELETE", "/bucket/chunked")

    def test_each_form_is_taken_and_the_framing_is_gone(self):
        name = "x-amz-checksum-sha256"
        for data in (b"", b"small", self.DATA):
            right = (name, sha256_base64(data))
            for kind, trailer, signs in (("AWS4-HMAC-SHA256-PAYLOAD", None, True),
                                         ("AWS4-HMAC-SHA256-PAYLOAD-TRAILER", right, True),
                                         ("UNSIGNED-PAYLOAD-TRAILER", right, False)):
                with self.subTest(kind=kind, size=len(data)):
                    answer = self.upload(kind, data, trailer=trailer, signs=signs)
                    self.assertEqual(answer.status, 200, answer.body)
                    back = self.ask("GET", "/bucket/chunked")
                    self.assertEqual(back.body, data)
                    self.assertEqual(back.headers["Content-Encoding"], "gzip")

    def test_each_checksum_that_is_announced_is_held_to(self):
        right = sha256_base64(b"small")
        for names, trailer, header in (
                ("x-amz-checksum-sha256,x-amz-checksum-sha1", ("x-amz-checksum-sha256", right), {}),
                ("x-amz-checksum-foo", ("x-amz-checksum-foo", "zz"), {}), ("x-other", ("x-other", "zz"), {}),
                ("x-amz-checksum-sha256", ("x-amz-checksum-sha1", "zzz"), {}),
                (None, ("x-amz-checksum-sha256", right), {}),
                ("x-amz-checksum-sha256", ("x-amz-checksum-sha256", right + "\r\nx-amz-checksum-sha1:zzz"), {}),
                ("x-amz-checksum-sha256", ("x-amz-checksum-sha256", right), {"x-amz-checksum-sha1": "A" * 27 + "="}),
                ("x-amz-checksum-sha256", ("x-amz-checksum-sha256", right), {"x-amz-sdk-checksum-algorithm": "CRC32"})):
            for kind, signs in (("AWS4-HMAC-SHA256-PAYLOAD-TRAILER", True), ("UNSIGNED-PAYLOAD-TRAILER", False)):
                if signs and "\n" in trailer[1]:
                    continue  # the signer here signs one line
                headers = {"x-amz-decoded-content-length": "5", **({"x-amz-trailer": names} if names else {}), **header}
                request = Request(self.server, "PUT", "/bucket/chunked", headers=headers,
                                  payload="STREAMING-" + kind).by_header()
                request.body = chunks(request, b"small", 65536, trailer, signs)
                self.assertEqual(request.send().code, "InvalidRequest", (names, trailer, header))
                self.assertIsNone(self.stored("chunked"))

    def test_what_is_wrong_is_not_stored(self):
        name = "x-amz-checksum-sha256"
        for data in (b"small and wrong", self.DATA):
            wrong = (name, sha256_base64(b"other"))
            right = (name, sha256_base64(data))
            cases = {
                "signature": (("AWS4-HMAC-SHA256-PAYLOAD", None, True, False, None), "SignatureDoesNotMatch"),
                "flipped": (("AWS4-HMAC-SHA256-PAYLOAD", None, True, True,
                             lambda b: b[:200] + bytes([b[200] ^ 1]) + b[201:] if len(b) > 1000
                             else b.replace(b"small", b"smell")), "SignatureDoesNotMatch"),
                "trailer": (("AWS4-HMAC-SHA256-PAYLOAD-TRAILER", wrong, True, True, None), "BadDigest"),
                "unsigned": (("UNSIGNED-PAYLOAD-TRAILER", wrong, False, True, None), "BadDigest"),
                "no size": (("UNSIGNED-PAYLOAD-TRAILER", right, False, True,
                             lambda b: b"zz" + b[2:]), "IncompleteBody"),
                "cut": (("UNSIGNED-PAYLOAD-TRAILER", right, False, True,
                         lambda b: b[:len(b) // 2]), "IncompleteBody"),
                "forged trailer": (("AWS4-HMAC-SHA256-PAYLOAD-TRAILER", right, True, True,
                                    lambda b: b.replace(b"x-amz-trailer-signature:", b"x-amz-trailer-signature:0")[:-3] + b"\r\n\r\n"[1:]),
                                   "SignatureDoesNotMatch"),
            }
            for what, ((kind, trailer, signs, good, change), code) in cases.items():
                with self.subTest(what=what, size=len(data)):
                    answer = self.upload(kind, data, trailer=trailer, signs=signs, good=good, change=change)
                    self.assertEqual(answer.code, code, answer.body)
                    self.assertIsNone(self.stored("chunked"))


class Rights(unittest.TestCase):
    def test_keys_with_limits(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# keys\nreader reader-secret read-only\none one-secret buckets=bucket\n")
            file.flush()
            server = Server("memory:", "--credentials", file.name, "--public-read", "open")
            self.addCleanup(server.stop)

            def ask(key, method, path, body=b""):
                secret = {gateway.KEY: gateway.SECRET}.get(key, f"{key}-secret")
                request = Request(server, method, path, key=key, secret=secret, body=body)
                return (request.by_header() if key else request).send().status

            for bucket in ("bucket", "open", "other"):
                self.assertEqual(ask(gateway.KEY, "PUT", "/" + bucket), 200)
                self.assertEqual(ask(gateway.KEY, "PUT", f"/{bucket}/a", b"a"), 200)
            self.assertEqual(ask("reader", "GET", "/other/a"), 200)
            self.assertEqual(ask("reader", "PUT", "/other/a", b"b"), 403)
            self.assertEqual(ask("one", "PUT", "/bucket/a", b"b"), 200)
            self.assertEqual(ask("one", "GET", "/other/a"), 403)
            copied = Request(server, "PUT", "/bucket/stolen", key="one", secret="one-secret",
                             headers={"x-amz-copy-source": "/other/a"}).by_header().send()
            self.assertEqual(copied.code, "AccessDenied")
            self.assertEqual(ask(None, "GET", "/open/a"), 200)
            self.assertEqual(ask(None, "GET", "/bucket/a"), 403)
            self.assertEqual(ask(None, "PUT", "/open/a", b"b"), 403)
            self.assertEqual(ask(None, "GET", "/"), 403)

    def test_a_public_bucket_that_is_not_served(self):
        first = Server("local:")
        self.addCleanup(first.stop)
        for path in ("/open", "/hidden"):
            self.assertEqual(Request(first, "PUT", path).by_header().send().status, 200)
            self.assertEqual(Request(first, "PUT", path + "/a", body=b"a").by_header().send().status, 200)
        second = Server("local:", "--bucket", "open", "--public-read", "open,hidden", home=first.home)
        self.addCleanup(second.stop)
        for path in ("/hidden/a", "/hidden"):
            self.assertEqual(Request(second, "GET", path).send().code, "AccessDenied")
            self.assertEqual(Request(second, "HEAD", path).send().status, 403)
            self.assertEqual(Request(second, "GET", path).by_header().send().code, "AccessDenied")
        self.assertEqual(Request(second, "GET", "/open/a").send().body, b"a")

    def test_what_anybody_may_do(self):
        server = Server("local:", "--public-read", "open")
        self.addCleanup(server.stop)

        def ask(method, path, query=(), signed=False, **options):
            request = Request(server, method, path, query=query, **options)
            return (request.by_header() if signed else request).send()

        ask("PUT", "/open", signed=True)
        ask("PUT", "/open/key", signed=True, body=b"bytes", headers={"x-amz-tagging": "a=b"})
        upload = ask("POST", "/open/begun", {"uploads": ""}, signed=True).texts("UploadId")[0]
        ask("PUT", "/open/begun", {"uploadId": upload, "partNumber": "1"}, signed=True, body=b"part")
        let_in = {(name, method) for name, method, *_ in OPERATIONS
                  if name in ("GetObject", "HeadObject", "ListObjects", "ListObjectsV2", "HeadBucket", "GetBucketLocation")}
        self.assertEqual(len(let_in), 6)
        for name, method, path, query, headers, _ in OPERATIONS:
            path = path.replace("/bucket", "/open")
            query = {k: upload if k == "uploadId" else v for k, v in query.items()}
            with self.subTest(operation=name):
                answer = ask(method, path, query, headers=headers, body=b"x" if method in ("PUT", "POST") else b"")
                if (name, method) in let_in:
                    self.assertEqual(answer.status, 200)
                elif name == "PostObject":  # refused with its fields, before which nobody knows who asks
                    self.assertEqual(answer.status, 400)
                else:
                    self.assertEqual((answer.status, answer.code), (403, "AccessDenied"))
        for method in ("GET", "HEAD"):
            self.assertEqual(ask(method, "/open/key", {"versionId": "null"}).status, 403)
            for name in ("content-type", "expires", "cache-control"):
                self.assertEqual(ask(method, "/open/key", {"response-" + name: "x"}).status, 400)
        self.assertEqual(ask("GET", "/open/key", {"response-content-type": "text/html"}).code, "InvalidRequest")
        self.assertEqual(ask("GET", "/closed/key", {"response-content-type": "text/html"}).code, "AccessDenied")
        self.assertEqual(ask("GET", "/open/key", {"partNumber": "1"}).body, b"bytes")

    def test_read_only(self):
        server = Server("memory:", "--read-only")
        self.addCleanup(server.stop)
        answer = Request(server, "PUT", "/bucket").by_header().send()
        self.assertEqual((answer.status, answer.code), (403, "AccessDenied"))

    def test_an_open_address_needs_a_key(self):
        done = subprocess.run([gateway.BIN, "serve", "--addr", "0.0.0.0:0", "memory:"],
                              capture_output=True, text=True, check=False, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no key was given", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_more_than_the_server_takes_is_said(self):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.writelines(f"key{n} secret{n}\n" for n in range(65))
            file.flush()
            many = ",".join(f"bucket-{n}" for n in range(65))
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as buckets:
                buckets.write(f"key secret buckets={many}\n")
                buckets.flush()
                for options, text in ((["--credentials", file.name], "more than 64 keys"),
                                      (["--credentials", buckets.name], "with 64 buckets at most"),
                                      (["--bucket", many], "more than 64 names"),
                                      (["--public-read", many], "more than 64 names")):
                    done = subprocess.run([gateway.BIN, "serve", "--addr", "127.0.0.1:0", *options, "memory:"],
                                          capture_output=True, text=True, check=False, timeout=30)
                    self.assertEqual((done.returncode, done.stdout), (2, ""))
                    self.assertIn(text, done.stderr)

    def test_a_key_made_by_pail_is_in_no_log(self):
        server = Server("local:", key=False)
        self.addCleanup(server.stop)
        with open(server.log.name, encoding="utf-8") as file:
            self.assertEqual(file.read(), "")


if __name__ == "__main__":
    unittest.main()
