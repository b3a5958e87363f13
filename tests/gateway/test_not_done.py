"""What S3 can do and is not done here: refused, with object and bucket as they were. The names come from the model of
the service that botocore carries, so that none is forgotten because the server has never heard of it."""
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "interop")]
import servers
import gateway

# What is done here. Everything else of the model is not.
DONE = set("""AbortMultipartUpload CompleteMultipartUpload CopyObject CreateBucket CreateMultipartUpload DeleteBucket
    DeleteObject DeleteObjectTagging DeleteObjects GetBucketAcl GetBucketLocation GetBucketVersioning GetObject
    GetObjectAcl GetObjectAttributes GetObjectTagging HeadBucket HeadObject ListBuckets ListMultipartUploads
    ListObjectVersions ListObjects ListObjectsV2 ListParts PutBucketAcl PutObject PutObjectAcl PutObjectTagging
    UploadPart UploadPartCopy""".split())
# Those of other endpoints: S3 Object Lambda and S3 Express have hosts of their own.
ELSEWHERE = {"WriteGetObjectResponse", "ListDirectoryBuckets"}
# What S3 answers where a bucket has none of it.
NOT_CONFIGURED = set("""NoSuchBucketPolicy NoSuchCORSConfiguration NoSuchLifecycleConfiguration NoSuchTagSet
    NoSuchPublicAccessBlockConfiguration NoSuchWebsiteConfiguration ObjectLockConfigurationNotFoundError
    OwnershipControlsNotFoundError ReplicationConfigurationNotFoundError
    ServerSideEncryptionConfigurationNotFoundError""".split())
# Headers that are done here, or ask for what is so anyway: a canned ACL gives nobody a right, the MFA of a bucket
# without versions and the lock of an object without one are in nobody's way, requests cost nobody anything.
HEADERS = set("""cache-control content-disposition content-encoding content-language content-length content-md5
    content-type expires if-match if-none-match x-amz-acl x-amz-bypass-governance-retention x-amz-checksum-algorithm
    x-amz-checksum-type x-amz-copy-source x-amz-copy-source-if-match x-amz-copy-source-if-modified-since
    x-amz-copy-source-if-none-match x-amz-copy-source-if-unmodified-since x-amz-copy-source-range
    x-amz-expected-bucket-owner x-amz-if-match-last-modified-time x-amz-if-match-size x-amz-metadata-directive x-amz-mfa
    x-amz-mp-object-size x-amz-object-ownership x-amz-request-payer x-amz-sdk-checksum-algorithm
    x-amz-source-expected-bucket-owner x-amz-storage-class x-amz-tagging x-amz-tagging-directive x-amz-checksum-crc32
    x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-sha1 x-amz-checksum-sha256""".split())
WRITES = {"PutObject": ("PUT", "/bucket/key", {}), "CopyObject": ("PUT", "/bucket/key", {}),
          "CreateMultipartUpload": ("POST", "/bucket/key", {"uploads": ""}),
          "UploadPart": ("PUT", "/bucket/key", {"uploadId": "none", "partNumber": "1"}),
          "DeleteObject": ("DELETE", "/bucket/key", {}), "CreateBucket": ("PUT", "/fresh", {})}


def model():
    import botocore.session
    return botocore.session.get_session().get_service_model("s3")


def asked(operation):
    """(path, query of the URI alone, query with all that may be asked) of an operation."""
    path, _, text = operation.http["requestUri"].partition("?")
    bare = dict((part.split("=") + [""])[:2] for part in text.split("&")) if text else {}
    full = dict(bare)
    for member in operation.input_shape.members.values() if operation.input_shape else ():
        if member.serialization.get("location") == "querystring":
            full[member.serialization["name"]] = "1"
    return path, bare, full


class NotDone(gateway.GatewayTest):
    @classmethod
    def setUpClass(cls):
        if servers.boto3 is None:
            raise unittest.SkipTest("boto3 is not installed (tests/servers/servers.sh install clients)")
        super().setUpClass()
        cls.ask("PUT", "/empty")

    def unharmed(self):
        self.assertEqual(self.stored("key"), b"kept")
        self.assertEqual((self.ask("HEAD", "/empty").status, self.ask("HEAD", "/fresh").status), (200, 404))

    def refused(self, name, answer):
        if answer.code not in NOT_CONFIGURED:
            self.assertEqual((answer.status, answer.code), (501, "NotImplemented"), name)

    def test_operations(self):
        self.put("key", b"kept")
        tried = 0
        for name in model().operation_names:
            operation = model().operation_model(name)
            path, bare, full = asked(operation)
            if name in DONE | ELSEWHERE:
                continue
            for bucket in ("empty", "bucket", "fresh") if "{Key+}" not in path else ("bucket",):
                for query in (bare, full):
                    method = operation.http["method"]
                    answer = self.ask(method, path.replace("{Bucket}", bucket).replace("{Key+}", "key"),
                                      query=query, body=b"other" if method in ("PUT", "POST") else b"")
                    if bucket != "fresh" or answer.code != "NoSuchBucket":
                        self.refused(name, answer)
                    self.unharmed()
                    tried += 1
        self.assertGreater(tried, 200)

    def test_each_subresource_with_each_method(self):
        """What is a subresource of one kind or for one method must not run as the plain operation of another."""
        self.put("key", b"kept")
        names, done = {"append", "lambdaArn"}, set()  # those are Ceph's and MinIO's
        for name in model().operation_names:
            path, bare, full = asked(model().operation_model(name))
            names.update(bare)
            if name in DONE:
                found = set(bare) | {"uploadId"} & set(full)
                done.update((model().operation_model(name).http["method"], "{Key+}" in path, one) for one in found)
        self.assertGreater(len(names), 40)
        for name in sorted(names - {"list-type", "select-type"}):
            for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
                for path in ("/bucket", "/empty", "/fresh", "/bucket/key"):
                    if (method, path.endswith("key"), name) in done:
                        continue
                    answer = self.ask(method, path, query={name: ""})
                    if method == "HEAD":
                        self.assertEqual(answer.status, 501, (path, name))
                    elif path != "/fresh" or answer.code != "NoSuchBucket":
                        self.refused((method, path, name), answer)
        self.unharmed()

    def test_parameters_that_nobody_knows(self):
        self.put("key", b"kept")
        for method in ("PUT", "DELETE", "POST"):
            for path in ("/bucket/key", "/empty", "/fresh"):
                for query in ({"somethingNew": ""}, {"somethingNew": "1"}, {"Acl": ""}, {"x-amz-new": "1"}):
                    answer = self.ask(method, path, query=query, body=b"" if method == "DELETE" else b"x")
                    self.assertEqual(answer.code, "NotImplemented", (method, path, query))
                    self.assertIn(list(query)[0].encode(), answer.body)
                    self.unharmed()
        for path in ("/bucket/key", "/bucket", "/"):
            self.assertEqual(self.ask("GET", path, query={"somethingNew": ""}).code, "NotImplemented")
        self.assertEqual(self.ask("HEAD", "/bucket/key", query={"somethingNew": ""}).status, 501)
        both = self.ask("GET", "/bucket", query={"uploads": "", "versions": ""})
        self.assertEqual(both.code, "NotImplemented")

    def test_parameters_that_mean_nothing(self):
        said = {"x-id": "PutObject", "x-trace": "7"}
        self.assertEqual(self.ask("PUT", "/bucket/said", query=said, body=b"x").status, 200)
        self.assertEqual(self.ask("GET", "/bucket/said", query={"x-id": "GetObject", "v": "3"}).body, b"x")
        listed = self.ask("GET", "/bucket", query={"list-type": "2", "prefix": "", "delimiter": "", "encoding-type": "url",
                                                   "fetch-owner": "true", "allow-unordered": "true", "start-after": ""})
        self.assertEqual(listed.status, 200)
        self.assertEqual(self.ask("DELETE", "/bucket/said", query={"x-id": "DeleteObject"}).status, 204)

    def test_headers(self):
        self.put("key", b"kept")
        tried = set()
        for name, (method, path, query) in WRITES.items():
            for member in model().operation_model(name).input_shape.members.values():
                header = member.serialization.get("name", "").lower()
                if member.serialization.get("location") != "header" or header in HEADERS:
                    continue
                headers = {header: "true" if member.type_name == "boolean" else "4"}
                if name == "CopyObject":
                    headers.update({"x-amz-copy-source": "/bucket/key", "x-amz-metadata-directive": "REPLACE"})
                body = b"more" if name in ("PutObject", "UploadPart") else b""
                answer = self.ask(method, path, query=query, headers=headers, body=body)
                wanted = (400, "InvalidRequest") if header.startswith("x-amz-checksum-") else (501, "NotImplemented")
                self.assertEqual((answer.status, answer.code), wanted, (name, header))
                self.unharmed()
                tried.add(header)
        self.assertIn("x-amz-write-offset-bytes", tried)
        self.assertGreater(len(tried), 20)
        self.assertFalse([h for h in tried if not re.match("x-amz-", h)])
        for method in ("GET", "HEAD"):  # an object that is told to be encrypted with a key of the client's
            answer = self.ask(method, "/bucket/key", headers={"x-amz-server-side-encryption-customer-algorithm": "AES256"})
            self.assertEqual(answer.status, 501)


if __name__ == "__main__":
    unittest.main()
