"""A session token that may use one bucket only: Pail needs no request on the account."""
import json
import unittest
import urllib.request

import servers


def limited_to(server, bucket):
    """Temporary credentials of MinIO's STS whose policy names one bucket."""
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["s3:*"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]}
    sts = servers.boto3.client("sts", endpoint_url=server.endpoint, aws_access_key_id=server.key,
                               aws_secret_access_key=server.secret, region_name=server.region,
                               verify=server.ca or True)
    answer = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/pail", RoleSessionName="pail",
                             Policy=json.dumps(policy))
    return answer["Credentials"]


class OneBucket(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.Server("minio")
        missing = cls.server.missing()
        if missing:
            raise unittest.SkipTest(missing)
        cls.s3 = cls.server.client()
        cls.bucket, cls.other = servers.bucket_name(), servers.bucket_name()
        cls.s3.create_bucket(Bucket=cls.other)
        given = limited_to(cls.server, cls.bucket)
        cls.pail = servers.Pail(cls.server)
        cls.pail.env.update(AWS_ACCESS_KEY_ID=given["AccessKeyId"],
                            AWS_SECRET_ACCESS_KEY=given["SecretAccessKey"],
                            AWS_SESSION_TOKEN=given["SessionToken"])
        cls.pail("mb", "s3://" + cls.bucket)

    @classmethod
    def tearDownClass(cls):
        cls.s3.delete_bucket(Bucket=cls.other)
        servers.empty_and_delete(cls.s3, cls.bucket)
        cls.pail.close()

    def test_its_bucket_is_created_written_listed_found_and_read(self):
        pail, url = self.pail, f"s3://{self.bucket}/dir/my data.txt"
        source = pail.path("in.txt", b"through a token" * 1000)
        pail("cp", source, url)
        self.assertIn(b"dir/my data.txt\n", pail("ls", "-r", "s3://" + self.bucket))
        self.assertIn(b"size: 15000", b" ".join(pail("stat", url).split()))
        pail("cp", url, pail.path("out.txt"))
        with open(pail.path("out.txt"), "rb") as file:
            self.assertEqual(file.read(), b"through a token" * 1000)

    def test_a_signed_url_carries_the_token(self):
        self.pail("cp", "-", f"s3://{self.bucket}/signed", data=b"signed")
        url = self.pail("presign", f"s3://{self.bucket}/signed").decode().splitlines()[0]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
            self.assertEqual(answer.read(), b"signed")

    def test_another_bucket_and_the_account_are_refused(self):
        for command in (["ls", "s3://" + self.other], ["cp", "-", f"s3://{self.other}/x"]):
            run = self.pail.run(*command, data=b"x")
            self.assertEqual(run.returncode, 5, run.stderr)
            self.assertNotIn(self.pail.env["AWS_SECRET_ACCESS_KEY"].encode(), run.stderr)

    def test_a_token_that_is_wrong_is_refused(self):
        run = self.pail.run("ls", "s3://" + self.bucket, AWS_SESSION_TOKEN="wrong")
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertNotIn(b"wrong", run.stderr.replace(b"wrong credentials", b""))


if __name__ == "__main__":
    unittest.main()
