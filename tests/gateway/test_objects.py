"""What the server stores and tells, held against the S3 documentation over bare sockets."""
import base64
import hashlib
import http.client
import os
import random
import socket
import threading
import unittest
import urllib.parse
import zlib

import gateway
from gateway import quote

MIB = 1 << 20


def md5(data):
    return hashlib.md5(data).hexdigest()


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class Objects(gateway.GatewayTest):
    def test_sizes_and_etags(self):
        for size in (0, 1, 32 << 10, 512 << 10, (512 << 10) + 1, 576 << 10, 3 * MIB + 7, 4 * MIB, 4 * MIB + 1):
            with self.subTest(size=size):
                data = random.Random(size).randbytes(size)
                put = self.put(f"size-{size}", data)
                self.assertEqual(put.headers["ETag"], f'"{md5(data)}"')
                get = self.ask("GET", f"/bucket/size-{size}")
                self.assertEqual((get.body == data, get.headers["ETag"]), (True, put.headers["ETag"]))
                head = self.ask("HEAD", f"/bucket/size-{size}")
                self.assertEqual(int(head.headers["Content-Length"]), size)

    def test_ranges(self):
        data = random.Random(1).randbytes(2 * MIB + 100)
        self.put("range", data)
        size = len(data)
        for text, begin, end in (("0-0", 0, 1), ("5-9", 5, 10), (f"{MIB - 3}-{MIB + 3}", MIB - 3, MIB + 4),
                                 ("100-", 100, size), ("-7", size - 7, size), (f"0-{size * 2}", 0, size)):
            answer = self.ask("GET", "/bucket/range", headers={"range": "bytes=" + text})
            self.assertEqual((answer.status, answer.body == data[begin:end]), (206, True), text)
            self.assertEqual(answer.headers["Content-Range"], f"bytes {begin}-{end - 1}/{size}")
        large = random.Random(5).randbytes(5 * MIB + 11)
        self.put("ranges", large)
        for begin, end in ((0, 3 * MIB), (1, 3 * MIB + 2), (MIB - 1, 5 * MIB), (MIB, 4 * MIB), (7, 5 * MIB + 11)):
            answer = self.ask("GET", "/bucket/ranges", headers={"range": f"bytes={begin}-{end - 1}"})
            self.assertEqual((answer.status, answer.body == large[begin:end]), (206, True), begin)
        answer = self.ask("GET", "/bucket/range", headers={"range": f"bytes={size}-"})
        self.assertEqual((answer.status, answer.code), (416, "InvalidRange"))
        for text in ("bytes=9-5", "lines=1-2", "bytes=a-b"):
            self.assertEqual(self.ask("GET", "/bucket/range", headers={"range": text}).status, 200)
        self.assertEqual(self.ask("GET", "/bucket/range", headers={"range": "Bytes=5-9"}).body, data[5:10])

    def test_a_range_of_what_it_was_when_it_was_seen(self):
        """SPEC RFC 9110#13.1.5: where the validator is another, all is sent."""
        data = random.Random(2).randbytes(2 * MIB + 100)
        put = self.put("seen", data)
        etag, when = put.headers["ETag"], self.ask("HEAD", "/bucket/seen").headers["Last-Modified"]
        for text, begin, end in (("5-9", 5, 10), ("-7", len(data) - 7, len(data)), ("0-1500000", 0, 1500001)):
            for validator, same in ((etag, True), (when, True), ('"another"', False), ("W/" + etag, False), ("*", False),
                                    ("Sat, 01 Jan 2000 00:00:00 GMT", False), (f'"another", {etag}', False),
                                    ("Fri, 01 Jan 2100 00:00:00 GMT", False), ("noise", False)):
                headers = {"range": "bytes=" + text, "if-range": validator}
                with self.subTest(headers=headers):
                    answer = self.ask("GET", "/bucket/seen", headers=headers)
                    self.assertEqual(answer.status, 206 if same else 200)
                    self.assertTrue(answer.body == (data[begin:end] if same else data))
                    self.assertEqual(answer.headers["Content-Range"] is not None, same)
                    answer = self.ask("HEAD", "/bucket/seen", headers=headers)
                    self.assertEqual((answer.status, answer.headers["Content-Length"]),
                                     (206, str(end - begin)) if same else (200, str(len(data))))
        headers = {"range": f"bytes={len(data) + 1}-", "if-range": '"longer"'}  # the rest of one that was longer
        self.assertEqual(self.ask("GET", "/bucket/seen", headers=headers).status, 200)
        headers["if-range"] = etag
        self.assertEqual(self.ask("GET", "/bucket/seen", headers=headers).status, 416)
        self.assertEqual(self.ask("GET", "/bucket/seen", headers={"if-range": '"another"'}).status, 200)  # without Range

    def test_conditions(self):
        etag = self.put("cond", b"one").headers["ETag"]
        other = f'"{md5(b"two")}"'
        for method, headers, status in (
                ("GET", {"if-match": etag}, 200), ("GET", {"if-match": other}, 412),
                ("GET", {"if-none-match": etag}, 304), ("GET", {"if-none-match": other}, 200),
                ("GET", {"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304),
                ("GET", {"if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
                ("GET", {"if-match": f"{other}, {etag}"}, 200), ("GET", {"if-match": f'{other},"a"'}, 412),
                ("GET", {"if-none-match": f"{other} , {etag}"}, 304), ("GET", {"if-none-match": f'{other}, "a"'}, 200),
                ("GET", {"if-none-match": f"W/{etag}"}, 304), ("GET", {"if-match": f"W/{etag}"}, 412),
                ("GET", {"if-none-match": f'{other}, W/{etag}'}, 304),
                ("PUT", {"if-none-match": "*"}, 412), ("PUT", {"if-match": other}, 412),
                ("PUT", {"if-match": etag}, 200)):
            with self.subTest(method=method, headers=headers):
                body = b"one" if method == "PUT" else b""
                answer = self.ask(method, "/bucket/cond", headers=headers, body=body)
                self.assertEqual(answer.status, status, answer.body)
                if status == 304:
                    self.assertEqual((answer.body, answer.headers["ETag"]), (b"", etag))

    def test_a_large_put_that_may_not_be_is_refused_whole(self):
        self.put("taken", b"old")
        answer = self.ask("PUT", "/bucket/taken", headers={"if-none-match": "*"}, body=bytes(4 * MIB))
        self.assertEqual((answer.status, answer.code), (412, "PreconditionFailed"))
        self.assertEqual(self.stored("taken"), b"old")

    def test_a_large_put_to_a_name_that_none_may_have(self):
        """The connection may be answered while the store's own thread would still fail."""
        for path, code in (("/my_bucket/x", "InvalidBucketName"), ("/My.Bucket/x", "InvalidBucketName")):
            for query in ({}, {"uploadId": "none", "partNumber": "1"}):
                for _ in range(8):
                    request = gateway.Request(self.server, "PUT", path, query=query, body=bytes(2 * MIB)).by_header()
                    self.assertEqual(self.refused(request), code)
        body = b"<Delete><Object><Key>a</Key></Object></Delete>"
        self.assertEqual(self.ask("POST", "/my_bucket", query={"delete": ""}, body=body).code, "InvalidBucketName")

    def refused(self, request):
        """The code of an answer that comes before the body is read."""
        host, port = self.server.host.split(":")
        query = request.canonical_query()
        lines = [f"PUT {request.path}{'?' + query if query else ''} HTTP/1.1", "Host: " + self.server.host,
                 f"Content-Length: {len(request.body)}"] + [f"{k}: {v}" for k, v in request.headers.items()]
        with socket.create_connection((host, int(port)), timeout=60) as s:
            s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            response = http.client.HTTPResponse(s)
            response.begin()
            return gateway.Answer(response, response.read()).code

    def test_headers_and_metadata_come_back(self):
        headers = {"content-type": "text/x-thing", "content-language": "de", "cache-control": "no-cache",
                   "content-disposition": "inline", "content-encoding": "gzip", "x-amz-meta-one": "1",
                   "x-amz-meta-blank": "a  b", "x-amz-meta-empty": "",
                   "expires": "Wed, 21 Oct 2026 07:28:00 GMT"}
        self.put("meta", b"x", **headers)
        answer = self.ask("HEAD", "/bucket/meta")
        for name, value in headers.items():
            self.assertEqual(answer.headers[name], value)

    def test_wrong_checksums_store_nothing(self):
        for data in (b"small", random.Random(2).randbytes(MIB)):
            wrong = hashlib.sha256(b"other").digest()
            for headers, code in (
                    ({"content-md5": base64.b64encode(hashlib.md5(b"other").digest()).decode()}, "BadDigest"),
                    ({"content-md5": "bad"}, "InvalidDigest"),
                    ({"x-amz-checksum-sha256": base64.b64encode(wrong).decode()}, "BadDigest"),
                    ({"x-amz-checksum-crc32c": "AAAAAA=="}, "BadDigest"),
                    ({"x-amz-checksum-crc64nvme": "short"}, "BadDigest"),
                    ({"x-amz-checksum-crc32": "AAAAAAA="}, "BadDigest"),
                    ({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}, "InvalidRequest"),
                    ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "A" * 27 + "="}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "CRC32"}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "FOO"}, "InvalidRequest"),
                    ({"x-amz-sdk-checksum-algorithm": "SHA1", "x-amz-checksum-crc32": crc32(data)}, "InvalidRequest"),
                    ({"x-amz-trailer": "x-amz-checksum-crc32"}, "InvalidRequest")):
                with self.subTest(headers=headers, size=len(data)):
                    answer = self.ask("PUT", "/bucket/sums", headers=headers, body=data)
                    self.assertEqual((answer.status, answer.code), (400, code))
                    self.assertIsNone(self.stored("sums"))

    def test_a_checksum_that_was_promised_and_is_right(self):
        self.put("right", b"bytes", **{"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": crc32(b"bytes")})

    def test_a_body_that_breaks_off_is_not_stored(self):
        for size in (1000, 4 * MIB):
            request = gateway.Request(self.server, "PUT", "/bucket/broken",
                                      payload="UNSIGNED-PAYLOAD").by_header()
            head = [f"PUT /bucket/broken HTTP/1.1", f"Host: {self.server.host}", f"Content-Length: {size}"]
            head += [f"{k}: {v}" for k, v in request.headers.items()]
            host, port = self.server.host.split(":")
            with socket.create_connection((host, int(port)), timeout=30) as s:
                s.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + bytes(size // 2))
            self.assertIsNone(self.stored("broken"))

    def test_odd_keys_are_keys_and_never_paths(self):
        for path in ("%2e%2e/x", "../../etc/passwd", "a//b", "a/./b", "a%00b", "%ff", "%2F", "a%20b"):
            answer = self.ask("PUT", "/bucket/" + path, body=b"odd")
            expected = 400 if path in ("a%00b", "%ff") else 200
            self.assertEqual(answer.status, expected, (path, answer.body))
        keys = self.ask("GET", "/bucket", query={"encoding-type": "url"}).texts("Key")
        self.assertIn("../../etc/passwd", keys)
        self.assertIn("../x", keys)

    def test_a_write_in_chunks_of_http(self):
        request = gateway.Request(self.server, "PUT", "/bucket/te", payload="UNSIGNED-PAYLOAD").by_header()
        connection = http.client.HTTPConnection(self.server.host, timeout=30)
        connection.request("PUT", "/bucket/te", body=iter([b"one", b"two"]), headers=request.headers,
                           encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.assertEqual(self.stored("te"), b"onetwo")


class Large(gateway.GatewayTest):
    def test_sizes_around_the_blocks(self):
        for size in (5 * MIB + 4096, 20 * MIB - 1, 20 * MIB, 20 * MIB + 1):
            data = random.Random(size).randbytes(size)
            put = self.put("large", data)
            self.assertEqual(put.headers["ETag"], f'"{md5(data)}"')
            self.assertTrue(self.stored("large") == data)

    def test_a_large_upload_that_comes_in_drops(self):
        data = random.Random(3).randbytes(4 * MIB + 4095)
        put = gateway.Request(self.server, "PUT", "/bucket/drops", payload="UNSIGNED-PAYLOAD").by_header()
        put.headers["Content-Length"] = str(len(data))
        head = [f"PUT /bucket/drops HTTP/1.1\r\nHost: {self.server.host}"]
        head += [f"{k}: {v}" for k, v in put.headers.items()]
        host, port = self.server.host.split(":")
        rng = random.Random(4)
        with socket.create_connection((host, int(port)), timeout=60) as s:
            s.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
            at = 0
            while at < len(data):
                n = rng.choice((1, 100, 4096, 65536, 65537, 300000))
                s.sendall(data[at:at + n])
                at += n
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200"))
        self.assertTrue(self.stored("drops") == data)
        status, _, err = self.server.pail("fsck", "local:")
        self.assertEqual(status, 0, err)


class Multipart(gateway.GatewayTest):
    def begin(self, key, **headers):
        answer = self.ask("POST", "/bucket/" + key, query={"uploads": ""}, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.texts("UploadId")[0]

    def part(self, key, upload, number, data, **options):
        return self.ask("PUT", "/bucket/" + key, body=data,
                        query={"uploadId": upload, "partNumber": str(number)}, **options)

    def finish(self, key, upload, parts):
        body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts)
        body = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode()
        return self.ask("POST", "/bucket/" + key, query={"uploadId": upload}, body=body)

    def test_a_large_put_has_an_md5_where_it_is_asked_for_or_a_part(self):
        small, large = bytes(64 << 20), bytes((64 << 20) + 1)
        self.assertEqual(self.put("most", small).headers["ETag"], f'"{md5(small)}"')
        put = self.put("large", large)
        etag = put.headers["ETag"]
        self.assertRegex(etag, '^"[0-9a-f]{16}-[0-9a-f]+"$')  # clients take what has a hyphen for no MD5
        self.assertEqual(self.ask("HEAD", "/bucket/large", headers={"if-match": etag}).headers["ETag"], etag)
        self.assertEqual(self.ask("GET", "/bucket", query={"prefix": "large"}).texts("ETag"), [etag])
        self.assertEqual(self.put("large", large).headers["ETag"], etag)  # of equal bytes, not of the write
        copy = self.ask("PUT", "/bucket/copy", headers={"x-amz-copy-source": "/bucket/large"})
        self.assertEqual(copy.texts("ETag"), [etag])
        said = base64.b64encode(hashlib.md5(large).digest()).decode()
        put = self.put("large", large, **{"content-md5": said})
        self.assertEqual(put.headers["ETag"], f'"{md5(large)}"')
        upload = self.begin("large")
        self.assertEqual(self.part("large", upload, 1, large).headers["ETag"], f'"{md5(large)}"')
        self.assertEqual(self.ask("DELETE", "/bucket/large", query={"uploadId": upload}).status, 204)

    def test_an_upload_from_begin_to_end(self):
        pieces = [random.Random(n).randbytes(size) for n, size in enumerate((5 * MIB, 5 * MIB + 7, 3))]
        upload = self.begin("parts", **{"x-amz-meta-a": "b", "content-type": "text/x-p"})
        done = []
        for number, piece in enumerate(pieces, 1):
            answer = self.part("parts", upload, number, piece)
            self.assertEqual(answer.headers["ETag"], f'"{md5(piece)}"')
            done.append((number, answer.headers["ETag"]))
        listed = self.ask("GET", "/bucket/parts", query={"uploadId": upload, "max-parts": "2"})
        self.assertEqual(listed.texts("PartNumber"), ["1", "2"])
        self.assertEqual(listed.texts("IsTruncated"), ["true"])
        self.assertEqual(self.ask("GET", "/bucket", query={"uploads": ""}).texts("UploadId"), [upload])
        answer = self.finish("parts", upload, done)
        whole = md5(b"".join(hashlib.md5(p).digest() for p in pieces)) + "-3"
        self.assertEqual(answer.texts("ETag"), [f'"{whole}"'])
        get = self.ask("GET", "/bucket/parts")
        self.assertEqual((get.body == b"".join(pieces), get.headers["x-amz-meta-a"]), (True, "b"))
        self.assertEqual(self.finish("parts", upload, done).texts("ETag"), [f'"{whole}"'])  # asked again
        self.assertEqual(self.finish("parts", upload, done[:1]).code, "NoSuchUpload")

    def test_pages_of_uploads(self):
        """SPEC S3 ListMultipartUploads: key-marker alone goes behind all uploads of the key."""
        begun = [(key, self.begin(quote("pages/" + key))) for key in ("a", "a", "a", "a\t", "a/1", "a/2", "b", "b")]
        begun = [("pages/" + key, upload) for key, upload in begun]
        begun.sort(key=lambda one: one[0])  # those of one key in the order of their beginning

        def pages(most, both, **more):
            key, upload, got = "", "", []
            for _ in range(20):
                query = {"uploads": "", "prefix": "pages/", "max-uploads": str(most), "key-marker": key, **more}
                if both:
                    query["upload-id-marker"] = upload
                answer = self.ask("GET", "/bucket", query=query)
                got += zip(answer.texts("Key"), answer.texts("UploadId"))
                got += [(e.findtext(gateway.NS + "Prefix"), None) for e in answer.xml.iter(gateway.NS + "CommonPrefixes")]
                if answer.texts("IsTruncated") == ["false"]:
                    return got
                key, upload = answer.texts("NextKeyMarker")[0], answer.texts("NextUploadIdMarker")[0]
            self.fail(f"it does not end: {got}")

        grouped = [one for one in begun if "a/" not in one[0]]
        grouped.insert(4, ("pages/a/", None))
        for most in (1, 2, 3, 20):
            with self.subTest(most=most):
                self.assertEqual(pages(most, True), begun)
                listed = pages(most, True, delimiter="/")
                self.assertEqual(sorted(listed, key=lambda one: one[0]), grouped)
        keys = [key for key, _ in begun]
        self.assertEqual(pages(1, False), [one for i, one in enumerate(begun) if one[0] not in keys[:i]])
        for key, upload in begun:
            self.assertEqual(self.ask("DELETE", "/bucket/" + quote(key), query={"uploadId": upload}).status, 204)

    def test_an_upload_that_is_finished_twice_at_a_time(self):
        """As SDKs do when the answer to the first takes too long."""
        piece = bytes(MIB)
        for _ in range(20):
            upload = self.begin("twice")
            done = [(1, self.part("twice", upload, 1, piece).headers["ETag"])]
            both, answers = threading.Barrier(4), []

            def finish():
                both.wait()
                answers.append(self.finish("twice", upload, done))

            threads = [threading.Thread(target=finish) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([a.status for a in answers], [200] * 4, [a.body for a in answers])
            self.assertEqual(len({a.texts("ETag")[0] for a in answers}), 1)

    def test_what_cannot_be_finished(self):
        upload = self.begin("wrong")
        etag = self.part("wrong", upload, 1, b"one").headers["ETag"]
        self.part("wrong", upload, 2, b"two")
        for parts, code in (([(1, '"' + "0" * 32 + '"')], "InvalidPart"), ([(3, etag)], "InvalidPart"),
                            ([(2, etag), (1, etag)], "InvalidPartOrder"), ([], "MalformedXML")):
            self.assertEqual(self.finish("wrong", upload, parts).code, code)
        bad = self.ask("POST", "/bucket/wrong", query={"uploadId": upload}, body=b"<no")
        self.assertEqual(bad.code, "MalformedXML")
        self.assertIsNone(self.stored("wrong"))
        self.assertEqual(self.part("wrong", upload, 10001, b"x").code, "InvalidArgument")
        self.assertEqual(self.part("wrong", "nothing", 1, b"x").code, "NoSuchUpload")
        gone = self.ask("DELETE", "/bucket/wrong", query={"uploadId": upload})
        self.assertEqual(gone.status, 204)

    def test_parts_that_are_copied(self):
        data = random.Random(7).randbytes(MIB + 5)
        self.put("source", data)
        upload = self.begin("target")
        answer = self.ask("PUT", "/bucket/target", query={"uploadId": upload, "partNumber": "1"},
                          headers={"x-amz-copy-source": "/bucket/source",
                                   "x-amz-copy-source-range": "bytes=5-1048580"})
        self.assertEqual(answer.status, 200, answer.body)
        past = self.ask("PUT", "/bucket/target", query={"uploadId": upload, "partNumber": "2"},
                        headers={"x-amz-copy-source": "/bucket/source",
                                 "x-amz-copy-source-range": "bytes=0-99999999"})
        self.assertEqual(past.code, "InvalidRange")
        self.assertEqual(self.finish("target", upload, [(1, answer.texts("ETag")[0])]).status, 200)
        self.assertEqual(self.stored("target") == data[5:], True)


class MultipartInMemory(Multipart):
    URL = "memory:"


class Calls(gateway.GatewayTest):
    def test_copies(self):
        self.put("from", b"bytes", **{"x-amz-meta-a": "1", "x-amz-tagging": "t=1"})
        copy = {"x-amz-copy-source": "/bucket/from"}
        self.assertEqual(self.ask("PUT", "/bucket/to", headers=copy).texts("ETag"), [f'"{md5(b"bytes")}"'])
        self.assertEqual(self.ask("HEAD", "/bucket/to").headers["x-amz-meta-a"], "1")
        replace = dict(copy, **{"x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"})
        self.assertEqual(self.ask("PUT", "/bucket/from", headers=replace).status, 200)
        head = self.ask("HEAD", "/bucket/from")
        self.assertEqual((head.headers["x-amz-meta-a"], head.headers["x-amz-meta-b"],
                          head.headers["x-amz-tagging-count"]), (None, "2", "1"))
        self.assertEqual(self.ask("PUT", "/bucket/from", headers=copy).code, "InvalidRequest")
        missing = {"x-amz-copy-source": "/bucket/none"}
        self.assertEqual(self.ask("PUT", "/bucket/to", headers=missing).code, "NoSuchKey")

    def test_keys_that_xml_cannot_carry(self):
        for code in (1, 0x1f, 0xfffe, 0xffff):
            bucket, key = f"/odd-{code}", "a" + chr(code) + "b"
            path = bucket + "/" + urllib.parse.quote(key)
            self.assertEqual(self.ask("PUT", bucket).status, 200)
            if self.ask("PUT", path, body=b"x").status != 200:
                continue  # a store that has no such names
            for query in ({"list-type": "2"}, {}, {"versions": ""}):
                self.assertEqual(self.ask("GET", bucket, query=query).texts("Key"), ["a\ufffdb"])
                told = self.ask("GET", bucket, query=dict(query, **{"encoding-type": "url"})).texts("Key")
                self.assertEqual([urllib.parse.unquote(one) for one in told], [key])
            begun = self.ask("POST", path, query={"uploads": ""})
            self.assertEqual(begun.texts("Key"), ["a\ufffdb"])
            missing = self.ask("GET", path + "c")
            self.assertEqual(missing.xml.findtext("Key"), "a\ufffdbc")

    def test_tags(self):
        self.put("tagged", b"x")
        body = b"<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>1</Value></Tag></TagSet></Tagging>"
        self.assertEqual(self.ask("PUT", "/bucket/tagged", query={"tagging": ""}, body=body).status, 200)
        self.assertEqual(self.ask("GET", "/bucket/tagged", query={"tagging": ""}).texts("Key"), ["a&b"])
        many = "".join(f"<Tag><Key>{n}</Key><Value/></Tag>" for n in range(11))
        answer = self.ask("PUT", "/bucket/tagged", query={"tagging": ""},
                          body=f"<Tagging><TagSet>{many}</TagSet></Tagging>".encode())
        self.assertEqual(answer.code, "InvalidTag")
        self.assertEqual(self.ask("DELETE", "/bucket/tagged", query={"tagging": ""}).status, 204)
        self.assertEqual(self.ask("GET", "/bucket/tagged", query={"tagging": ""}).texts("Key"), [])

    def test_many_deletes(self):
        for key in ("del/a", "del/b", "del/c"):
            self.put(key, b"x")
        body = (b"<Delete><Object><Key>del/a</Key></Object><Object><Key>del/none</Key></Object>"
                b"<Object><Key>del/b</Key><VersionId>null</VersionId></Object></Delete>")
        answer = self.ask("POST", "/bucket", query={"delete": ""}, body=body)
        self.assertEqual(sorted(answer.texts("Key")), ["del/a", "del/b", "del/none"])
        self.assertEqual(self.ask("GET", "/bucket", query={"prefix": "del/"}).texts("Key"), ["del/c"])

    def test_attributes_and_versions(self):
        self.put("attr", b"12345")
        answer = self.ask("GET", "/bucket/attr", query={"attributes": ""},
                          headers={"x-amz-object-attributes": "ETag,ObjectSize"})
        self.assertEqual((answer.texts("ETag"), answer.texts("ObjectSize")), ([md5(b"12345")], ["5"]))
        listed = self.ask("GET", "/bucket", query={"versions": "", "prefix": "attr"})
        self.assertEqual((listed.texts("VersionId"), listed.texts("IsLatest")), (["null"], ["true"]))
        self.assertEqual(self.ask("GET", "/bucket/attr", query={"versionId": "null"}).body, b"12345")

    def test_pages_of_keys(self):
        for n in range(7):
            self.put(f"page/{n // 3}/{n}", b"x")
        seen, token = [], None
        while True:
            query = {"list-type": "2", "prefix": "page/", "max-keys": "2"}
            if token:
                query["continuation-token"] = token
            answer = self.ask("GET", "/bucket", query=query)
            seen += answer.texts("Key")
            token = (answer.texts("NextContinuationToken") or [None])[0]
            if answer.texts("IsTruncated") == ["false"]:
                break
        self.assertEqual(seen, [f"page/{n // 3}/{n}" for n in range(7)])
        answer = self.ask("GET", "/bucket", query={"prefix": "page/", "delimiter": "/", "max-keys": "2"})
        self.assertEqual(answer.texts("NextMarker"), ["page/1/"])

    def test_a_delete_with_conditions(self):
        etag = self.put("gone", b"one").headers["ETag"]
        for headers, status in (({"if-none-match": etag}, 501), ({"if-none-match": "*"}, 501),
                                ({"if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 501),
                                ({"if-modified-since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 501),
                                ({"if-match": '"another"'}, 412)):
            with self.subTest(headers=headers):
                self.assertEqual(self.ask("DELETE", "/bucket/gone", headers=headers).status, status)
                self.assertEqual(self.stored("gone"), b"one")
        self.assertEqual(self.ask("DELETE", "/bucket/gone", headers={"if-match": etag}).status, 204)
        self.assertIsNone(self.stored("gone"))

    def test_a_bucket_before_the_host(self):
        host = "bucket.localhost:" + self.server.host.split(":")[1]
        for key in ("virtual", "-/healthz", "-/ui"):  # there it is no page of the server's
            self.put(key, b"host")
            request = gateway.Request(self.server, "GET", "/" + key)
            real, request.server = self.server, type("Named", (), {"host": host})
            request.by_header().headers["Host"] = host
            request.server = real
            self.assertEqual(request.send().body, b"host")

    def test_what_is_not_done_here_says_so(self):
        for method, path, query, status in (("PUT", "/bucket", {"policy": ""}, 501),
                                            ("PUT", "/bucket/key", {"acl": ""}, 501),
                                            ("GET", "/bucket/key", {"torrent": ""}, 501),
                                            ("PATCH", "/bucket/key", {}, 405)):
            self.assertEqual(self.ask(method, path, query=query).status, status, (method, query))
        self.assertIsNone(self.stored("key"))

    def test_own_pages(self):
        for page in ("healthz", "readyz", "metrics"):
            connection = http.client.HTTPConnection(self.server.host, timeout=30)
            connection.request("GET", "/-/" + page)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            text = answer.read().decode()
            connection.close()
        self.assertIn("pail_requests_total", text)


class Malformed(gateway.GatewayTest):
    """Requests that nobody should send: each gets an answer or is cut, and the server goes on."""

    def test_noise_and_near_misses(self):
        noise = random.Random(os.environ.get("PAIL_SEED", "5"))
        host, port = self.server.host.split(":")
        words = [b"GET", b"PUT", b"POST", b"/", b"/bucket/", b"?", b"uploadId", b"=", b"%", b"%zz", b"\x00",
                 b" HTTP/1.1\r\n", b"\r\n", b"Host: x\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
                 b"Transfer-Encoding: chunked\r\n", b"Authorization: AWS4-HMAC-SHA256 ", b"Credential=a/b/c/s3/aws4_request",
                 b"SignedHeaders=host", b"Signature=" + b"0" * 64, b",", b"Expect: 100-continue\r\n", b"\xff" * 9,
                 b"Range: bytes=9999999999999999999999-\r\n", b"x-amz-date: 20990101T000000Z\r\n", b"A" * 5000]
        for round in range(400):
            text = b"".join(noise.choice(words) for _ in range(noise.randrange(1, 14)))
            if round % 3:
                text = (noise.choice([b"GET", b"PUT", b"DELETE", b"POST"]) + b" /bucket/" +
                        noise.choice(words).strip() + b" HTTP/1.1\r\nHost: x\r\n" + text + b"\r\n\r\n")
            with socket.create_connection((host, int(port)), timeout=30) as s:
                s.sendall(text)
                s.shutdown(socket.SHUT_WR)
                answer = b""
                while True:
                    try:
                        more = s.recv(65536)
                    except ConnectionError:
                        break
                    if not more:
                        break
                    answer += more
            if answer:
                self.assertRegex(answer[:13], rb"^HTTP/1\.[01] [1234]\d\d|^HTTP/1\.[01] 501|^HTTP/1\.[01] 505", text)
        self.put("after", b"noise")
        self.assertEqual(self.stored("after"), b"noise")


class Behind(Objects):
    """The same with another S3 behind: bodies go through part buffers, blocks come by request."""

    @classmethod
    def setUpClass(cls):
        store = gateway.Server("memory:")
        cls.addClassCleanup(store.stop)
        cls.URL = (f"s3:?aws_endpoint_url={store.address}&aws_region=us-east-1"
                   f"&aws_access_key_id={gateway.KEY}&aws_secret_access_key={gateway.SECRET}")
        super().setUpClass()


if __name__ == "__main__":
    unittest.main()
