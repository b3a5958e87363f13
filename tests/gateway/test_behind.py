"""`pail serve` over a store that is no S3: what a multipart upload was begun with is there at its end."""
import os
import unittest
import urllib.parse
import uuid

import gateway

MIB = 1 << 20


@unittest.skipUnless(os.environ.get("PAIL_TEST_SWIFT_AUTH_URL"), "no Swift is up (tests/servers/servers.sh start swift)")
class Swift(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        get = lambda name: os.environ["PAIL_TEST_SWIFT_" + name]
        query = urllib.parse.urlencode({"st_auth": get("AUTH_URL"), "st_user": get("USER"), "st_key": get("KEY")})
        cls.server = gateway.Server("swift://?" + query)
        cls.addClassCleanup(cls.server.stop)
        cls.bucket = "/behind-" + uuid.uuid4().hex[:12]
        assert cls.ask("PUT", cls.bucket).status == 200

    @classmethod
    def tearDownClass(cls):
        cls.ask("DELETE", cls.bucket + "/key")
        cls.ask("DELETE", cls.bucket)

    @classmethod
    def ask(cls, method, path, **options):
        return gateway.Request(cls.server, method, path, **options).by_header().send()

    def test_attributes_of_an_upload_in_parts(self):
        headers = {"content-type": "text/x-parts; a=b", "cache-control": "no-cache", "x-amz-meta-one": "1 & 2"}
        begun = self.ask("POST", self.bucket + "/key", query={"uploads": ""}, headers=headers)
        self.assertEqual(begun.status, 200, begun.body)
        upload, body = begun.texts("UploadId")[0], ""
        for number, data in ((1, b"a" * 5 * MIB), (2, b"b")):
            part = self.ask("PUT", self.bucket + "/key", body=data,
                            query={"uploadId": upload, "partNumber": str(number)})
            self.assertEqual(part.status, 200, part.body)
            body += f"<Part><PartNumber>{number}</PartNumber><ETag>{part.headers['ETag']}</ETag></Part>"
        done = self.ask("POST", self.bucket + "/key", query={"uploadId": upload},
                        body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode())
        self.assertEqual(done.status, 200, done.body)
        head = self.ask("HEAD", self.bucket + "/key")
        self.assertEqual(head.headers["Content-Length"], str(5 * MIB + 1))
        for name, value in headers.items():
            self.assertEqual(head.headers[name], value)

    def test_attributes_that_no_id_can_carry(self):
        begun = self.ask("POST", self.bucket + "/key-3", query={"uploads": ""},
                         headers={"content-disposition": "a" * (17 << 10)})
        self.assertEqual((begun.status, begun.code), (400, "InvalidArgument"), begun.body)

    def test_an_upload_that_is_given_up(self):
        begun = self.ask("POST", self.bucket + "/key-2", query={"uploads": ""}, headers={"x-amz-meta-a": "b"})
        gone = self.ask("DELETE", self.bucket + "/key-2", query={"uploadId": begun.texts("UploadId")[0]})
        self.assertEqual(gone.status, 204, gone.body)


if __name__ == "__main__":
    unittest.main()
