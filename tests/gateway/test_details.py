"""What S3's documentation says beyond the plain calls: parts, additional checksums, conditional deletes, pages."""
import base64
import hashlib
import random
import unittest
import urllib.parse
import zlib

import gateway

MIB = 1 << 20


def b64(data):
    return base64.b64encode(data).decode()


def sha(data):
    return b64(hashlib.sha256(data).digest())


def crc(data):
    return b64(zlib.crc32(data).to_bytes(4, "big"))


class Details(gateway.GatewayTest):
    def upload(self, key, pieces, algorithm, kind, value, total=None):
        """Begins, sends and completes; the two answers of the ends."""
        name = f"x-amz-checksum-{algorithm.lower()}"
        begun = self.ask("POST", "/bucket/" + key, query={"uploads": ""},
                         headers={"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind})
        self.assertEqual(begun.status, 200, begun.body)
        self.assertEqual((begun.headers["x-amz-checksum-algorithm"], begun.headers["x-amz-checksum-type"]),
                         (algorithm, kind))
        upload, body = begun.texts("UploadId")[0], ""
        for number, piece in enumerate(pieces, 1):
            part = self.ask("PUT", "/bucket/" + key, body=piece, headers={name: value(piece)},
                            query={"uploadId": upload, "partNumber": str(number)})
            self.assertEqual(part.headers[name], value(piece))
            body += (f"<Part><PartNumber>{number}</PartNumber><ETag>{part.headers['ETag']}</ETag>"
                     f"<Checksum{algorithm}>{value(piece)}</Checksum{algorithm}></Part>")
        listed = self.ask("GET", "/bucket/" + key, query={"uploadId": upload})
        self.assertEqual(listed.texts("Checksum" + algorithm), [value(p) for p in pieces])
        self.assertEqual(listed.texts("ChecksumType"), [kind])
        body = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
        wrong = self.ask("POST", "/bucket/" + key, query={"uploadId": upload}, body=body, headers={name: "bad"})
        self.assertEqual(wrong.code, "BadDigest")
        return self.ask("POST", "/bucket/" + key, query={"uploadId": upload}, body=body,
                        headers={name: total} if total else {})

    PIECES = [random.Random(n).randbytes(size) for n, size in enumerate((5 * MIB, 5 * MIB, 1000))]

    def told(self, key, algorithm, kind, total):
        name, mode = f"x-amz-checksum-{algorithm.lower()}", {"x-amz-checksum-mode": "ENABLED"}
        self.assertIsNone(self.ask("HEAD", "/bucket/" + key).headers[name])
        head = self.ask("HEAD", "/bucket/" + key, headers=mode)
        self.assertEqual((head.headers[name], head.headers["x-amz-checksum-type"]), (total, kind))
        attributes = self.ask("GET", "/bucket/" + key, query={"attributes": ""},
                              headers={"x-amz-object-attributes": "Checksum,ObjectParts,ObjectSize",
                                       "x-amz-max-parts": "1", "x-amz-part-number-marker": "1"})
        self.assertEqual(attributes.texts("PartsCount"), ["3"])
        self.assertEqual(attributes.texts("PartNumber"), ["2"])
        self.assertEqual((attributes.texts("IsTruncated"), attributes.texts("NextPartNumberMarker")),
                         (["true"], ["2"]))
        self.assertEqual(attributes.texts("Checksum" + algorithm)[0], total)

    def test_composite_checksums(self):
        whole = sha(b"".join(hashlib.sha256(p).digest() for p in self.PIECES)) + "-3"
        done = self.upload("composite", self.PIECES, "SHA256", "COMPOSITE", sha, whole)
        self.assertEqual((done.texts("ChecksumSHA256"), done.texts("ChecksumType")), ([whole], ["COMPOSITE"]))
        self.told("composite", "SHA256", "COMPOSITE", whole)
        at = 0
        for number, piece in enumerate(self.PIECES, 1):
            part = self.ask("GET", "/bucket/composite", query={"partNumber": str(number)},
                            headers={"x-amz-checksum-mode": "ENABLED"})
            self.assertEqual((part.status, part.body == piece), (206, True))
            self.assertEqual(part.headers["x-amz-mp-parts-count"], "3")
            self.assertEqual(part.headers["x-amz-checksum-sha256"], sha(piece))
            self.assertEqual(part.headers["Content-Range"],
                             f"bytes {at}-{at + len(piece) - 1}/{sum(map(len, self.PIECES))}")
            at += len(piece)
        for query, code in (("4", "InvalidPart"), ("0", "InvalidArgument"), ("x", "InvalidArgument")):
            self.assertEqual(self.ask("GET", "/bucket/composite", query={"partNumber": query}).code, code)
        copy = {"x-amz-copy-source": "/bucket/composite", "x-amz-metadata-directive": "REPLACE"}
        self.assertEqual(self.ask("PUT", "/bucket/composite-2", headers=copy).status, 200)
        self.told("composite-2", "SHA256", "COMPOSITE", whole)

    def test_full_object_checksums(self):
        whole = crc(b"".join(self.PIECES))
        done = self.upload("full", self.PIECES, "CRC32", "FULL_OBJECT", crc)
        self.assertEqual((done.texts("ChecksumCRC32"), done.texts("ChecksumType")), ([whole], ["FULL_OBJECT"]))
        self.told("full", "CRC32", "FULL_OBJECT", whole)

    def test_a_sum_of_a_put_is_kept(self):
        for name, value in (("sha256", sha(b"bytes")), ("crc32", crc(b"bytes"))):
            self.put("sum", b"bytes", **{"x-amz-checksum-" + name: value})
            head = self.ask("HEAD", "/bucket/sum", headers={"x-amz-checksum-mode": "ENABLED"})
            self.assertEqual((head.headers["x-amz-checksum-" + name], head.headers["x-amz-checksum-type"]),
                             (value, "FULL_OBJECT"))
            self.assertIsNone(head.headers["x-amz-checksum-crc64nvme"])

    def test_algorithms_that_do_not_go_together(self):
        for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD5", "COMPOSITE"),
                                ("CRC32", "HALF")):
            answer = self.ask("POST", "/bucket/none", query={"uploads": ""},
                              headers={"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind})
            self.assertEqual(answer.code, "InvalidRequest")

    def test_a_part_with_another_checksum_than_its_uploads(self):
        begun = self.ask("POST", "/bucket/mixed", query={"uploads": ""}, headers={"x-amz-checksum-algorithm": "SHA256"})
        upload = begun.texts("UploadId")[0]
        query = {"uploadId": upload, "partNumber": "1"}
        answer = self.ask("PUT", "/bucket/mixed", query=query, body=b"x", headers={"x-amz-checksum-crc32": crc(b"x")})
        self.assertEqual(answer.code, "InvalidRequest")
        self.assertEqual(self.ask("GET", "/bucket/mixed", query={"uploadId": upload}).texts("PartNumber"), [])
        answer = self.ask("PUT", "/bucket/mixed", query=query, body=b"x", headers={"x-amz-checksum-sha256": sha(b"x")})
        self.assertEqual(answer.status, 200)
        free = self.ask("POST", "/bucket/mixed", query={"uploads": ""}).texts("UploadId")[0]
        answer = self.ask("PUT", "/bucket/mixed", query={"uploadId": free, "partNumber": "1"}, body=b"x",
                          headers={"x-amz-checksum-crc32": crc(b"x")})
        self.assertEqual(answer.status, 200)

    def test_parts_that_are_too_small(self):
        upload = self.ask("POST", "/bucket/small", query={"uploads": ""}).texts("UploadId")[0]
        body = ""
        for number in (1, 2):
            etag = self.ask("PUT", "/bucket/small", body=b"x" * 1000,
                            query={"uploadId": upload, "partNumber": str(number)}).headers["ETag"]
            body += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        answer = self.ask("POST", "/bucket/small", query={"uploadId": upload},
                          body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode())
        self.assertEqual(answer.code, "EntityTooSmall")
        self.assertIsNone(self.stored("small"))

    def test_an_empty_last_part_is_not_all_of_the_object(self):
        upload = self.ask("POST", "/bucket/hollow", query={"uploads": ""}).texts("UploadId")[0]
        body = ""
        for number, piece in enumerate((self.PIECES[0], b""), 1):
            etag = self.ask("PUT", "/bucket/hollow", body=piece,
                            query={"uploadId": upload, "partNumber": str(number)}).headers["ETag"]
            body += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        done = self.ask("POST", "/bucket/hollow", query={"uploadId": upload},
                        body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode())
        self.assertEqual(done.status, 200, done.body)
        first = self.ask("GET", "/bucket/hollow", query={"partNumber": "1"})
        self.assertEqual((first.status, first.body == self.PIECES[0]), (206, True))
        self.assertEqual(self.ask("GET", "/bucket/hollow", query={"partNumber": "2"}).code, "InvalidRange")
        self.assertEqual(self.ask("HEAD", "/bucket/hollow", query={"partNumber": "2"}).status, 416)

    def test_one_piece_is_its_first_part(self):
        self.put("piece", b"bytes")
        first = self.ask("GET", "/bucket/piece", query={"partNumber": "1"})
        self.assertEqual((first.status, first.body, first.headers["x-amz-mp-parts-count"]), (200, b"bytes", None))
        self.assertEqual(self.ask("GET", "/bucket/piece", query={"partNumber": "2"}).code, "InvalidPart")
        both = self.ask("GET", "/bucket/piece", query={"partNumber": "1"}, headers={"range": "bytes=0-1"})
        self.assertEqual(both.code, "InvalidRequest")

    def test_conditional_deletes(self):
        self.put("kept", b"bytes")
        for headers in ({"x-amz-if-match-size": "6"}, {"if-match": '"other"'},
                        {"x-amz-if-match-last-modified-time": "Thu, 01 Jan 2015 00:00:00 GMT"}):
            self.assertEqual(self.ask("DELETE", "/bucket/kept", headers=headers).status, 412)
        body = b"<Delete><Object><Key>kept</Key><Size>6</Size></Object><Object><Key>none</Key></Object></Delete>"
        answer = self.ask("POST", "/bucket", query={"delete": ""}, body=body)
        self.assertEqual((answer.texts("Code"), answer.texts("Key")), (["PreconditionFailed"], ["kept", "none"]))
        self.assertEqual(self.stored("kept"), b"bytes")
        for timed in (True, False):
            self.put("kept", b"bytes")
            headers = {"x-amz-if-match-size": "5", "if-match": "*"}
            if timed:
                time = self.ask("HEAD", "/bucket/kept").headers["Last-Modified"]
                headers["x-amz-if-match-last-modified-time"] = time
            self.assertEqual(self.ask("DELETE", "/bucket/kept", headers=headers).status, 204)
            self.assertIsNone(self.stored("kept"))
            del headers["if-match"]
            self.assertEqual(self.ask("DELETE", "/bucket/kept", headers=headers).status, 204)
        self.assertIsNone(self.stored("kept"))

    def test_if_match_without_an_object(self):
        for match in ("*", '"0123"'):
            answer = self.ask("PUT", "/bucket/absent", body=b"x", headers={"if-match": match})
            self.assertEqual((answer.status, answer.code), (404, "NoSuchKey"))

    def test_a_304_has_the_etag(self):
        etag = self.put("known", b"x").headers["ETag"]
        since = self.ask("HEAD", "/bucket/known").headers["Last-Modified"]
        answer = self.ask("GET", "/bucket/known", headers={"if-modified-since": since})
        self.assertEqual((answer.status, answer.headers["ETag"]), (304, etag))

    def test_acls_that_are_so_already(self):
        self.put("private", b"x")
        for path in ("/bucket", "/bucket/private"):
            for acl, status in (("private", 200), ("public-read", 501)):
                answer = self.ask("PUT", path, query={"acl": ""}, headers={"x-amz-acl": acl})
                self.assertEqual(answer.status, status)
        missing = self.ask("PUT", "/bucket/missing", query={"acl": ""}, headers={"x-amz-acl": "private"})
        self.assertEqual(missing.code, "NoSuchKey")

    def test_what_objects_never_have_is_refused(self):
        self.put("plain", b"x")
        for headers in ({"x-amz-server-side-encryption": "AES256"}, {"x-amz-object-lock-mode": "GOVERNANCE"},
                        {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
                        {"x-amz-website-redirect-location": "/"}):
            for more in ({}, {"x-amz-copy-source": "/bucket/plain"}):
                answer = self.ask("PUT", "/bucket/extra", headers=dict(headers, **more))
                self.assertEqual(answer.code, "NotImplemented")
            begun = self.ask("POST", "/bucket/extra", query={"uploads": ""}, headers=headers)
            self.assertEqual(begun.code, "NotImplemented")
        self.assertIsNone(self.stored("extra"))

    def test_what_buckets_never_have(self):
        for name, code in (("policyStatus", "NoSuchBucketPolicy"), ("cors", "NoSuchCORSConfiguration"),
                           ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
                           ("object-lock", "ObjectLockConfigurationNotFoundError"), ("torrent", "NotImplemented")):
            self.assertEqual(self.ask("GET", "/bucket", query={name: ""}).code, code)

    def test_tags_of_a_header_are_those_of_a_body(self):
        longest = urllib.parse.urlencode({"\u00e9" * 128: "\U0001f600" * 256})
        self.put("tags", b"x", **{"x-amz-tagging": longest})
        answer = self.ask("GET", "/bucket/tags", query={"tagging": ""})
        self.assertEqual((answer.texts("Key"), answer.texts("Value")), (["\u00e9" * 128], ["\U0001f600" * 256]))
        body = ("<Tagging><TagSet><Tag><Key>%s</Key><Value>%s</Value></Tag></TagSet></Tagging>"
                % ("\u00e9" * 128, "\u00e9" * 256))
        answer = self.ask("PUT", "/bucket/tags", query={"tagging": ""}, body=body.encode())
        self.assertEqual(answer.status, 200)
        for tags in ("a=1&a=2", "a=1&b=2&a=1", "=1", urllib.parse.urlencode({"\u00e9" * 129: "x"}), "k=" + "v" * 257,
                     "&".join(f"{n}=" for n in range(11))):
            self.assertEqual(self.ask("PUT", "/bucket/none", body=b"x", headers={"x-amz-tagging": tags}).code,
                             "InvalidTag", tags[:40])
        self.assertIsNone(self.stored("none"))

    def test_words_that_are_none(self):
        self.put("word", b"x")
        copy = {"x-amz-copy-source": "/bucket/word"}
        for header in ("x-amz-metadata-directive", "x-amz-tagging-directive"):
            for value in ("FOO", "replace", ""):
                answer = self.ask("PUT", "/bucket/none", headers=dict(copy, **{header: value}))
                self.assertEqual(answer.code, "InvalidArgument")
        acl = {"x-amz-acl": "foo"}
        for method, path, query, more in (
                ("PUT", "/bucket/none", {}, {}), ("PUT", "/bucket/none", {}, copy), ("POST", "/bucket/none", {"uploads": ""}, {}),
                ("PUT", "/no-bucket", {}, {}), ("PUT", "/bucket", {"acl": ""}, {}), ("PUT", "/bucket/word", {"acl": ""}, {})):
            answer = self.ask(method, path, query=query, headers=dict(acl, **more))
            self.assertEqual((answer.status, answer.code), (400, "InvalidArgument"))
        self.assertIsNone(self.stored("none"))
        self.assertEqual(self.ask("HEAD", "/no-bucket").status, 404)
        locked = self.ask("PUT", "/no-bucket", headers={"x-amz-bucket-object-lock-enabled": "true"})
        self.assertEqual(locked.code, "NotImplemented")
        free = self.ask("PUT", "/yes-bucket", headers={"x-amz-bucket-object-lock-enabled": "false"})
        self.assertEqual(free.status, 200)

    def test_a_copys_storage_class_is_taken_as_a_puts(self):
        self.put("class", b"x", **{"x-amz-meta-a": "1", "x-amz-tagging": "a=1"})
        copy = {"x-amz-copy-source": "/bucket/class"}
        for value in ("GLACIER", "FOO"):
            put = self.ask("PUT", "/bucket/none", body=b"x", headers={"x-amz-storage-class": value})
            for more in ({}, {"x-amz-metadata-directive": "REPLACE"}, {"x-amz-tagging-directive": "REPLACE"}):
                answer = self.ask("PUT", "/bucket/none", headers=dict(copy, **{"x-amz-storage-class": value}, **more))
                self.assertEqual((answer.status, answer.code), (put.status, put.code))
                self.assertEqual(answer.status == 200, self.stored("none") is not None)
        answer = self.ask("PUT", "/bucket/same", headers=dict(copy, **{"x-amz-storage-class": "STANDARD"}))
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.ask("HEAD", "/bucket/same").headers["x-amz-meta-a"], "1")

    def test_buckets_in_pages(self):
        for name in ("page-a", "page-b", "page-c"):
            self.ask("PUT", "/" + name)
        query, seen = {"max-buckets": "2", "prefix": "page-"}, []
        while True:
            answer = self.ask("GET", "/", query=query)
            seen.append(answer.texts("Name"))
            token = answer.texts("ContinuationToken")
            if not token:
                break
            query["continuation-token"] = token[0]
        self.assertEqual(seen, [["page-a", "page-b"], ["page-c"]])
        for bad in ({"max-buckets": "0"}, {"max-buckets": "10001"}, {"continuation-token": "?"}):
            self.assertEqual(self.ask("GET", "/", query=bad).code, "InvalidArgument")

    def test_tags_come_by_name(self):
        self.put("tags", b"x", **{"x-amz-tagging": "foo=bar&bar"})
        answer = self.ask("GET", "/bucket/tags", query={"tagging": ""})
        self.assertEqual((answer.texts("Key"), answer.texts("Value")), (["bar", "foo"], ["", "bar"]))


class Log(unittest.TestCase):
    def test_a_line_stays_a_line(self):
        for kind in ("text", "json"):
            server = gateway.Server("memory:", "--access-log", kind)
            path = "/log/" + urllib.parse.quote("a\x01\x7f\u0085\u009b\u2028\u2029b\u00a0\u2027\u00e9")
            gateway.Request(server, "GET", path).by_header().send()
            server.process.terminate()
            server.process.wait(60)
            with open(server.log.name, encoding="utf-8") as file:
                text = file.read()
            server.stop()
            self.assertIn(r'"a\u0001\u007f\u0085\u009b\u2028\u2029b' + "\u00a0\u2027\u00e9" + '"', text)
            self.assertEqual(len(text.splitlines()), text.count("\n"))


class InMemory(Details):
    URL = "memory:"


if __name__ == "__main__":
    unittest.main()
