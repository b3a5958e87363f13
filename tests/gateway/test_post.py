"""Files that browsers post: forms by boto3, and each way in which a policy is not met."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import random
import socket
import sys
import threading
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "interop")]
import gateway
import servers
from gateway import KEY, SECRET, Request, now

BOUNDARY = "----boundary-of-the-test"


def encode(fields, data, filename="name.bin", behind=(), end=True):
    out = b""
    parts = [(k, None, v.encode()) for k, v in fields]
    parts += [("file", filename, data)] if data is not None else []
    parts += [(k, None, v.encode()) for k, v in behind]
    for name, file, value in parts:
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{file}"\r\nContent-Type: text/of-the-part'.encode() if file else b""
        out += b"\r\n\r\n" + value + b"\r\n"
    return out + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


class Post(gateway.GatewayTest):
    def form(self, conditions=(), fields=None, key="posted", until=600, secret=SECRET, access=KEY, policy=None):
        """The fields of a signed form, with the conditions that they need."""
        at = now()
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        signed = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-date": stamp,
                  "x-amz-credential": f"{access}/{stamp[:8]}/us-east-1/s3/aws4_request"}
        expires = (at + datetime.timedelta(seconds=until)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        text = policy if policy is not None else json.dumps({
            "expiration": expires, "conditions": [
                {"bucket": "bucket"}, ["starts-with", "$key", ""], *({k: v} for k, v in signed.items()), *conditions]})
        policy = base64.b64encode(text.encode()).decode()
        signature = hmac.new(gateway.signing_key(secret, stamp[:8]), policy.encode(), hashlib.sha256).hexdigest()
        return [("key", key), *(fields or {}).items(), *signed.items(), ("policy", policy),
                ("x-amz-signature", signature)]

    def post(self, fields, data=b"by a form", **options):
        return self.send(encode(fields, data, **options))

    def send(self, body, kind="multipart/form-data; boundary=" + BOUNDARY, **headers):
        return Request(self.server, "POST", "/bucket", body=body, headers={"Content-Type": kind, **headers}).send()

    def refused(self, answer, status, code, key="posted"):
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        self.assertIsNone(self.stored(key))

    def test_a_form_is_stored_with_what_its_fields_say(self):
        data = os.urandom(300000) + b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n"
        fields = {"Content-Type": "image/x-test", "x-amz-meta-From": "browser", "X-Ignore-This": "1"}
        conditions = [["starts-with", "$Content-Type", "image/"], ["eq", "$X-amz-meta-from", "browser"],
                      ["content-length-range", len(data), len(data)]]
        answer = self.post(self.form(conditions, fields, key="dir/${filename}"), data,
                           filename="C:\\dir\\a b\u00e9.bin", behind=[("submit", "Upload")])
        self.assertEqual((answer.status, answer.body), (204, b""))
        got = self.ask("GET", "/bucket/dir/a%20b%C3%A9.bin")
        self.assertTrue(got.body == data)
        self.assertEqual(got.headers["ETag"], f'"{hashlib.md5(data).hexdigest()}"')
        self.assertEqual(got.headers["ETag"], answer.headers["ETag"])
        self.assertEqual(got.headers["Content-Type"], "image/x-test")
        self.assertEqual(got.headers["x-amz-meta-from"], "browser")
        self.assertIn("PostObject", {r["operation"] for r in self.server.records()})

    def test_what_success_looks_like(self):
        for status in ("200", "201", "204", "999"):
            fields = {"success_action_status": status}
            answer = self.post(self.form([{"success_action_status": status}], fields, key="s&<" + status), b"")
            self.assertEqual(answer.status, int(status) if status != "999" else 204)
            if status == "201":
                self.assertEqual(answer.texts("Key") + answer.texts("Bucket"), ["s&<201", "bucket"])
        for url, joined in (("http://page.example/done", "?"), ("http://page.example/?a=b", "&")):
            fields = {"success_action_redirect": url}
            answer = self.post(self.form([fields], fields, key="re direct"))
            self.assertEqual(answer.status, 303)
            self.assertEqual(answer.headers["Location"], url + joined + "bucket=bucket&key=re%20direct&etag=%22" +
                             hashlib.md5(b"by a form").hexdigest() + "%22")
        answer = self.post(self.form([["starts-with", "$redirect", ""]], {"redirect": "javascript:x"}))
        self.assertEqual(answer.status, 204)
        self.assertEqual(self.ask("DELETE", "/bucket/posted").status, 204)

    def test_a_policy_that_is_not_met(self):
        for conditions, fields in (
                ([["eq", "$key", "another"]], {}), ([["starts-with", "$key", "another"]], {}),
                ([{"bucket": "other"}], {}), ([], {"x-amz-meta-more": "1"}), ([{"acl": "private"}], {}),
                ([{"acl": "private"}], {"acl": "public-read"}), ([], {"success_action_status": "200"}),
                ([["starts-with", "$Content-Type", "image/"]], {"Content-Type": "image/a,text/b"})):
            self.refused(self.post(self.form(conditions, fields)), 403, "AccessDenied")
        self.refused(self.post(self.form(until=-1)), 403, "AccessDenied")
        for size, code in (((10, 20), "EntityTooSmall"), ((0, 8), "EntityTooLarge")):
            self.refused(self.post(self.form([["content-length-range", *size]])), 400, code)
        large = self.post(self.form([["content-length-range", 0, 10]]), bytes(900000))
        self.refused(large, 400, "EntityTooLarge")

    def test_a_form_is_good_for_the_buckets_that_its_policy_names(self):
        text = json.loads(base64.b64decode(dict(self.form())["policy"]))
        text["conditions"] = [["starts-with", "$" + name, ""]
                              for name in ("key", "x-amz-algorithm", "x-amz-date", "x-amz-credential")]
        answer = self.post(self.form(policy=json.dumps(text)))
        self.refused(answer, 403, "AccessDenied")
        self.assertIn(b"Extra input fields: bucket", answer.body)
        answer = self.post(self.form(fields={"x-amz-meta-more": "1"}))
        self.refused(answer, 403, "AccessDenied")
        self.assertIn(b"Extra input fields: x-amz-meta-more", answer.body)
        text["conditions"].append(["starts-with", "$bucket", "buck"])
        answer = self.post(self.form(policy=json.dumps(text), key="begun-so"))
        self.assertEqual((answer.status, self.stored("begun-so")), (204, b"by a form"))

    def test_a_signature_that_is_not_right(self):
        self.refused(self.post(self.form(secret="wrong")), 403, "SignatureDoesNotMatch")
        self.refused(self.post(self.form(access="nobody")), 403, "InvalidAccessKeyId")
        good = self.form()
        for missing, status, code in (("policy", 403, "AccessDenied"), ("x-amz-signature", 400, "InvalidArgument"),
                                      ("x-amz-algorithm", 400, "InvalidArgument"),
                                      ("x-amz-credential", 403, "AccessDenied"),
                                      ("x-amz-date", 403, "AccessDenied"), ("key", 400, "InvalidArgument")):
            self.refused(self.post([f for f in good if f[0] != missing]), status, code)
        other = dict(self.form([["starts-with", "$x", ""]]))["policy"]
        changed = [(k, other if k == "policy" else v) for k, v in good]
        self.refused(self.post(changed), 403, "SignatureDoesNotMatch")
        behind = self.send(encode(good[:1], b"x", behind=good[1:]))
        self.refused(behind, 403, "AccessDenied")
        mixed = Request(self.server, "POST", "/bucket", body=encode(good, b"x"),
                        headers={"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}).by_header()
        self.refused(mixed.send(), 403, "AccessDenied")

    def test_a_server_that_takes_no_writes(self):
        server = gateway.Server("local:", "--read-only", home=self.server.home)
        headers = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}
        answer = Request(server, "POST", "/bucket", body=encode(self.form(), b"x"), headers=headers).send()
        self.refused(answer, 403, "AccessDenied")
        self.assertEqual(server.stop(), 0)

    def test_policies_that_are_none(self):
        head = '{"expiration":"2999-01-01T00:00:00Z"'
        for policy in ("", "{", "[]", "{}", head + "}", head + ',"conditions":{}}', head + ',"conditions":[1]}',
                       head + ',"conditions":[{"a":1}]}', head + ',"conditions":[["like","$key","x"]]}',
                       head + ',"conditions":[["eq","key","x"]]}', head + ',"conditions":[["eq","$key"]]}',
                       head + ',"conditions":[["content-length-range","a",1]]}', "[" * 5000,
                       '{"expiration":"soon","conditions":[]}'):
            self.refused(self.post(self.form(policy=policy)), 400, "InvalidPolicyDocument")

    def test_forms_that_are_none(self):
        good = self.form()
        whole = encode(good, b"data")
        for body in (b"", b"garbage", whole[5:], encode(good, b"data", end=False), encode(good, None),
                     whole.replace(b"; name=\"key\"", b""), whole.replace(b"\r\n\r\n", b"\n\n"),
                     encode([good[0], *good], b"twice"), encode(good + [("x-ignore-nul", "a\0b")], b"x"),
                     encode([(f"x-ignore-{i}", "") for i in range(200)] + good, b"many")):
            self.refused(self.send(body), 400, "MalformedPOSTRequest")
        self.refused(self.send(encode(good + [("x-ignore-a", "x" * 30000)], b"x")), 400,
                     "MaxPostPreDataLengthExceededError")
        for kind in ("text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 71):
            self.refused(self.send(whole, kind), 412, "PreconditionFailed")
        self.refused(self.post(self.form([["starts-with", "$tagging", ""]], {"tagging": "<T/>"})), 501,
                     "NotImplemented")

    def test_damaged_forms(self):
        rng = random.Random(20240608)
        whole = encode(self.form(key="damaged"), b"data of a form")
        for number in range(300):
            body = bytearray(whole)
            for _ in range(rng.randrange(1, 4)):
                at = rng.randrange(len(body))
                if rng.random() < 0.5:
                    body[at] = rng.randrange(256)
                else:
                    del body[at:at + rng.randrange(1, 60)]
            answer = self.send(bytes(body))
            self.assertTrue(answer.status < 500 or answer.status == 501, (number, answer.status, bytes(body)))

    def test_a_checksum_that_nobody_knows(self):
        fields = {"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}
        self.refused(self.post(self.form([["starts-with", "$x-amz-checksum-xxhash64", ""]], fields)), 400, "InvalidRequest")

    def test_a_checksum_is_held_against_the_file(self):
        for data, status in ((b"summed", 204), (b"another", 400)):
            fields = {"x-amz-checksum-sha256": gateway.sha256_base64(b"summed")}
            answer = self.post(self.form([fields], fields, key="summed"), data)
            self.assertEqual(answer.status, status)
        self.assertEqual(self.stored("summed"), b"summed")

    def test_byte_by_byte(self):
        import socket
        body = encode(self.form(key="slow"), b"slow bytes")
        host, port = self.server.host.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall((f"POST /bucket HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
                       f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n").encode())
            for i in range(len(body)):
                s.sendall(body[i:i + 1])
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 204"))
        self.assertEqual(self.stored("slow"), b"slow bytes")


@unittest.skipIf(servers.boto3 is None, "boto3 is not installed (tests/servers/servers.sh install clients)")
class Boto3(gateway.GatewayTest):
    def test_its_form(self):
        from botocore.config import Config
        s3 = servers.boto3.client(
            "s3", endpoint_url=self.server.address, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
            region_name="us-east-1", config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"))
        form = s3.generate_presigned_post("bucket", "by boto3/${filename}", Fields={"acl": "private"}, ExpiresIn=60,
                                          Conditions=[{"acl": "private"}, ["content-length-range", 1, 100]])
        self.assertEqual(form["url"], self.server.address + "/bucket")
        body = encode(form["fields"].items(), b"of boto3", filename="a.txt")
        kind = {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY}
        self.assertEqual(Request(self.server, "POST", "/bucket", body=body, headers=kind).send().status, 204)
        self.assertEqual(s3.get_object(Bucket="bucket", Key="by boto3/a.txt")["Body"].read(), b"of boto3")


MIB = 1 << 20


class Many(unittest.TestCase):
    """More than memory_limit allows at once: each has its turn."""
    FORMS, BYTES, LIMIT = 24, 6 * MIB, 16 * MIB
    form, URL = Post.form, "local:?memory_limit=" + str(LIMIT)

    def setUp(self):
        # Else ASan keeps what was freed, which counts as what is used.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        with unittest.mock.patch.dict(os.environ, ASAN_OPTIONS=options):
            self.server = gateway.Server(self.URL)
        self.addCleanup(self.server.stop)
        self.assertEqual(Request(self.server, "PUT", "/bucket").by_header().send().status, 200)

    def peak(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))

    def lines(self, method, path, body, headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: " + self.server.host, *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def begin(self, text):
        host, port = self.server.host.split(":")
        s = socket.create_connection((host, int(port)), timeout=60)
        self.addCleanup(s.close)
        s.sendall(text)
        return s

    def post(self, key, size):
        body = encode(self.form(key=key), bytes(size))
        return self.lines("POST", "/bucket", body, {"Content-Type": "multipart/form-data; boundary=" + BOUNDARY,
                                                    "Content-Length": len(body)})

    def put(self, key, size):
        """In chunks, without a length."""
        request = Request(self.server, "PUT", "/bucket/" + key, payload="UNSIGNED-PAYLOAD").by_header()
        body = b"%x\r\n" % size + bytes(size) + b"\r\n0\r\n\r\n"
        return self.lines("PUT", "/bucket/" + key, body, {**request.headers, "Transfer-Encoding": "chunked"})

    def answer(self, s):
        response = http.client.HTTPResponse(s)
        response.begin()
        return gateway.Answer(response, response.read())

    def test_forms_wait_for_memory(self):
        before, statuses = self.peak(), []

        def one(i):
            statuses.append(self.answer(self.begin(self.post(f"k{i:02}", self.BYTES))).status)

        threads = [threading.Thread(target=one, args=(i,)) for i in range(self.FORMS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(statuses, [204] * self.FORMS)
        if "TSAN_OPTIONS" not in os.environ:  # whose shadow of all that was touched counts there
            self.assertLess(self.peak() - before, self.LIMIT + 64 * MIB)  # without the limit 300 MB

    def test_a_body_of_unknown_length_that_outgrows_the_rest_is_told_to_come_again(self):
        text = self.post("held", 13 * MIB)
        held = self.begin(text[:-1])  # 13 of the 16 MiB are taken once enough of it was read
        answer = self.answer(self.begin(self.put("more", 7 * MIB)))
        for _ in range(100):
            if answer.status == 200:
                answer = self.answer(self.begin(self.put("more", 7 * MIB)))
        self.assertEqual((answer.status, answer.code, answer.headers["Retry-After"]), (503, "SlowDown", "1"))
        held.sendall(text[-1:])
        self.assertEqual(self.answer(held).status, 204)
        for _ in range(3):  # all of it came back
            self.assertEqual(self.answer(self.begin(self.put("more", 7 * MIB))).status, 200)
            self.assertEqual(self.answer(self.begin(self.post("held", 14 * MIB))).status, 204)

    def test_what_will_never_fit_is_too_large(self):
        for text, told in ((self.post("k", 17 * MIB), (400, "EntityTooLarge")),
                           (self.put("k", 17 * MIB), (411, "MissingContentLength"))):
            answer = self.answer(self.begin(text))
            self.assertEqual((answer.status, answer.code), told)
            self.assertIn(b"memory_limit", answer.body)


if __name__ == "__main__":
    unittest.main()
