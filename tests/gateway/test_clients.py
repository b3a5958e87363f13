"""The suite that boto3 and pail pass over other servers, over `pail serve`; and boto3's own ways."""
import io
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "interop")]
import servers

servers.NAMES = {"gateway": "PAIL_TEST_GATEWAY_"}
import gateway
import test_boto3

SERVER = None


def setUpModule():
    global SERVER
    if servers.boto3 is None:
        raise unittest.SkipTest("boto3 is not installed (tests/servers/servers.sh install clients)")
    SERVER = gateway.Server("local:")
    os.environ.update(PAIL_TEST_GATEWAY_ENDPOINT=SERVER.address,
                      PAIL_TEST_GATEWAY_ACCESS_KEY=gateway.KEY,
                      PAIL_TEST_GATEWAY_SECRET_KEY=gateway.SECRET)


def tearDownModule():
    if SERVER is not None:
        status = SERVER.stop()
        assert status == 0, status


class Interop(test_boto3.Boto3Case, unittest.TestCase):
    name = "gateway"


class Ways(unittest.TestCase):
    """boto3 with its defaults: checksums, aws-chunked, transfers in parts."""

    @classmethod
    def setUpClass(cls):
        from botocore.config import Config
        cls.s3 = servers.boto3.client(
            "s3", endpoint_url=SERVER.address, aws_access_key_id=gateway.KEY,
            aws_secret_access_key=gateway.SECRET, region_name="us-east-1",
            config=Config(proxies={}, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
        cls.s3.create_bucket(Bucket="ways")
        cls.addClassCleanup(servers.empty_and_delete, cls.s3, "ways")

    def test_each_checksum(self):
        for name in ("CRC32", "SHA1", "SHA256"):
            put = self.s3.put_object(Bucket="ways", Key=name, Body=b"summed", ChecksumAlgorithm=name)
            self.assertIn("Checksum" + name, put)
            body = self.s3.get_object(Bucket="ways", Key=name, ChecksumMode="ENABLED")["Body"].read()
            self.assertEqual(body, b"summed")

    def test_a_transfer_in_parts_both_ways(self):
        data = os.urandom(20 << 20)
        self.s3.upload_fileobj(io.BytesIO(data), "ways", "large", ExtraArgs={"Metadata": {"a": "b"}})
        out = io.BytesIO()
        self.s3.download_fileobj("ways", "large", out)
        self.assertEqual(out.getvalue() == data, True)
        head = self.s3.head_object(Bucket="ways", Key="large")
        self.assertRegex(head["ETag"], '^"[0-9a-f]{32}-3"$')
        self.s3.copy_object(Bucket="ways", Key="again", CopySource={"Bucket": "ways", "Key": "large"})
        self.assertEqual(self.s3.head_object(Bucket="ways", Key="again")["Metadata"], {"a": "b"})

    def test_errors_have_their_names(self):
        for call, options, code in (
                ("get_object", {"Bucket": "ways", "Key": "none"}, "NoSuchKey"),
                ("get_object", {"Bucket": "no-such-bucket", "Key": "x"}, "NoSuchBucket"),
                ("create_bucket", {"Bucket": "ways"}, "BucketAlreadyOwnedByYou"),
                ("get_bucket_policy", {"Bucket": "ways"}, "NoSuchBucketPolicy"),
                ("put_bucket_acl", {"Bucket": "ways", "ACL": "public-read"}, "NotImplemented")):
            with self.assertRaises(self.s3.exceptions.ClientError) as raised:
                getattr(self.s3, call)(**options)
            self.assertEqual(raised.exception.response["Error"]["Code"], code)


if __name__ == "__main__":
    unittest.main()
