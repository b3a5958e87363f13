"""How many requests a call costs, by an S3 server that counts and holds 5,000 keys."""
import collections
import http.server
import io
import threading
import unittest
import urllib.parse

from pail import CloudProviderFactory, ProviderList
from pail.exceptions import BadConfig, Unsupported

KEYS = [f"key-{i:05}" for i in range(5000)]
XML = '<?xml version="1.0" encoding="UTF-8"?>'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, what, status=200, body="", **headers):
        self.server.seen[what] += 1
        body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def query(self):
        split = urllib.parse.urlsplit(self.path)
        self.key = split.path.partition("/my-bucket")[2].lstrip("/")
        return dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))

    def do_GET(self):
        query = self.query()
        if "uploads" in query:
            uploads = "".join(f"<Upload><Key>{key}</Key><UploadId>u</UploadId></Upload>"
                              for key in self.server.uploads)
            return self.answer("uploads", body=f"{XML}<ListMultipartUploadsResult>{uploads}"
                               "</ListMultipartUploadsResult>")
        if "versions" in query:
            return self.answer("versions", 501)
        if self.key:
            return self.answer("get", body=self.server.put[self.key], ETag='"e"')
        keys = [k for k in KEYS if k not in self.server.gone
                and k > query.get("continuation-token", query.get("start-after", ""))
                and k.startswith(query.get("prefix", ""))]
        most = int(query.get("max-keys", 1000))
        page, more = keys[:most], len(keys) > most
        self.answer("list", body=XML + "<ListBucketResult>" + "".join(
            f"<Contents><Key>{k}</Key><Size>1</Size><ETag>\"e\"</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>" for k in page)
            + f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
            + (f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else "")
            + "</ListBucketResult>")

    def do_HEAD(self):
        self.query()
        there = not self.key or self.key in KEYS or self.key in self.server.put
        self.answer("head", 200 if there else 404, self.server.put.get(self.key, ""), ETag='"e"',
                    Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT")

    def do_PUT(self):
        self.query()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.put[self.key] = body.decode()
        self.answer("put", ETag='"e"')

    def do_POST(self):
        self.query()
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.gone |= {part.partition("</Key>")[0] for part in body.split("<Key>")[1:]}
        self.answer("delete_many", body=XML + "<DeleteResult/>")

    def do_DELETE(self):
        query = self.query()
        if "uploadId" in query:
            self.server.uploads.remove(self.key)
            return self.answer("abort", 204)
        if self.server.uploads:
            return self.answer("refused", 409, "<Error><Code>BucketNotEmpty</Code></Error>")
        self.answer("delete", 204)


class Requests(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.seen, self.server.gone = collections.Counter(), set()
        self.server.put, self.server.uploads = {}, []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        try:
            self.provider = CloudProviderFactory().create_provider(ProviderList.AWS, {
                "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "us-east-1",
                "s3_endpoint_url": "http://127.0.0.1:%d" % self.server.server_port,
                "s3_versions": False})
        except (BadConfig, Unsupported) as error:
            self.skipTest(f"this build has no S3: {error}")
        self.bucket = self.provider.storage.buckets.get("my-bucket")
        self.server.seen.clear()

    def seen(self):
        seen = dict(self.server.seen)
        self.server.seen.clear()
        return seen

    def test_list__of_five_is_one_request(self):
        page = self.bucket.objects.list(limit=5)
        self.assertEqual((len(page), page.is_truncated, self.seen()), (5, True, {"list": 1}))
        self.assertEqual(next(self.bucket.objects.iter()).name, KEYS[0])
        self.assertEqual(self.seen(), {"list": 1})

    def test_iteration__is_a_request_a_page(self):
        self.assertEqual([o.name for o in self.bucket.objects], KEYS)
        self.assertEqual(self.seen(), {"list": 5})

    def test_find__asks_for_the_name(self):
        self.assertEqual(self.bucket.objects.find(name="none"), [])
        self.assertEqual(self.seen(), {"head": 1})
        self.assertEqual(len(self.bucket.objects.find(name="key-0000*")), 10)
        self.assertEqual(self.seen(), {"head": 1, "list": 1})

    def test_upload_and_download__are_one_request_each(self):
        obj = self.bucket.objects.create("a")
        self.assertEqual(self.seen(), {})
        obj.upload("text")
        self.assertEqual(self.seen(), {"put": 1})
        obj.upload_from_file(__file__)
        self.assertEqual(self.seen(), {"put": 1})
        obj.save_content(io.BytesIO())
        self.assertEqual(self.seen(), {"get": 1})
        self.assertGreater(len(b"".join(obj.iter_content())), 1000)
        self.assertEqual(self.seen(), {"head": 1, "get": 1})
        obj.generate_url(60)
        obj.generate_url(60, writable=True)
        self.assertEqual(self.seen(), {})

    def test_delete_contents__goes_by_the_thousand(self):
        self.bucket.delete(delete_contents=True)
        seen = self.seen()
        self.assertEqual(len(self.server.gone), 5000)
        self.assertEqual(seen, {"list": 5, "delete_many": 5, "delete": 1})

    def test_delete_contents__uploads_that_hold_the_bucket_are_ended(self):
        self.server.gone, self.server.uploads = set(KEYS), ["begun"]
        self.bucket.delete(delete_contents=True)
        self.assertEqual(self.seen(), {"list": 1, "refused": 1, "uploads": 1, "abort": 1,
                                       "delete": 1})


if __name__ == "__main__":
    unittest.main()
