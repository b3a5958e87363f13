"""An object store of a workflow system over CloudBridge's interface: the calls that Galaxy's makes, on LOCAL and on the
S3 servers that are up. What its users met with CloudBridge (galaxyproject/galaxy#23098, #18099, #19255) is asserted."""
import os
import unittest
import urllib.parse
import urllib.request

import stores
from pail import CloudProviderFactory, ProviderList, TransferConfig
from pail.exceptions import CloudBridgeBaseException

MIB = 1 << 20
DATASETS = 120  # more than the page of 50 that CloudBridge gives


class OnLocal(unittest.TestCase):
    def providers(self):
        yield "local", stores.provider(self, ProviderList.LOCAL)

    def each(self, run):
        for name, provider in self.providers():
            with self.subTest(store=name):
                bucket = provider.storage.buckets.create(stores.bucket_name())
                try:
                    run(provider, bucket)
                finally:
                    bucket.delete(delete_contents=True)

    def test_listings__are_whole(self):
        def run(provider, bucket):
            names = [f"000/dataset_{i:03}.dat" for i in range(DATASETS)]
            for name in names:
                bucket.objects.create(name).upload(name)
            bucket.objects.create("other/dataset.dat").upload("x")
            self.assertEqual([o.name for o in bucket.objects.iter(prefix="000/")], names)
            self.assertEqual(len(list(bucket.objects)), DATASETS + 1)
            page = bucket.objects.list(prefix="000/", limit=100)
            self.assertTrue(page.is_truncated)
            page += bucket.objects.list(prefix="000/", limit=100, marker=page.marker)
            self.assertEqual([o.name for o in page], names)
            self.assertEqual(sum(o.size for o in page), sum(map(len, names)))
            for found in bucket.objects.iter(prefix="000/"):
                found.delete()
            self.assertEqual([o.name for o in bucket.objects], ["other/dataset.dat"])

        self.each(run)

    def test_dataset__goes_up_and_comes_down_in_parts(self):
        path = os.path.join(stores.folder(self), "dataset.dat")
        data = os.urandom(17 * MIB + 5)
        with open(path, "wb") as file:
            file.write(data)

        def run(provider, bucket):
            config = TransferConfig(threshold=5 * MIB, part_size=5 * MIB, max_concurrency=4)
            key = "001/dataset_1.dat"
            self.assertIsNone(bucket.objects.get(key))
            obj = bucket.objects.create(key)
            obj.upload_from_file(path, config=config)
            self.assertEqual(obj.size, len(data))  # without asking again
            obj = bucket.objects.get(key)
            obj.download_to_file(path + ".cache", config=config)
            with open(path + ".cache", "rb") as file:
                self.assertTrue(file.read() == data)
            self.assertEqual(os.listdir(os.path.dirname(path)).count("dataset.dat.cache"), 1)
            upload = bucket.objects.create(key + ".parts").create_multipart_upload()
            parts = [upload.upload_part(n, data[at:at + 6 * MIB])
                     for n, at in enumerate(range(0, len(data), 6 * MIB), 1)]
            self.assertEqual(upload.complete(reversed(parts)).size, len(data))
            with self.assertRaises(CloudBridgeBaseException):
                bucket.objects.create("none").download_to_file(path + ".none")
            self.assertFalse(os.path.exists(path + ".none"))

        self.each(run)

    def test_links__name_the_download(self):
        def run(provider, bucket):
            obj = bucket.objects.create("dataset.dat")
            obj.upload(b"content")
            url = obj.generate_url(expires_in=3600, content_type="text/plain",
                                   content_disposition='attachment; filename="reads 1.txt"')
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
                self.assertEqual(answer.read(), b"content")
                self.assertEqual(answer.headers["Content-Type"], "text/plain")
                self.assertEqual(answer.headers["Content-Disposition"],
                                 'attachment; filename="reads 1.txt"')

        self.each(run)


class OnServers(OnLocal):
    def setUp(self):
        if not list(stores.servers()):
            self.skipTest("no S3 server is up (PAIL_TEST_MINIO_ENDPOINT and others are not set)")

    def providers(self):
        for name, endpoint, key, secret, region in stores.servers():
            yield name, CloudProviderFactory().create_provider(ProviderList.AWS, {
                "aws_access_key": key, "aws_secret_key": secret, "aws_region_name": region,
                "s3_endpoint_url": endpoint})


class Region(unittest.TestCase):
    def test_region__is_in_the_signature_and_in_the_host(self):
        made = CloudProviderFactory().create_provider(ProviderList.AWS, {
            "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "eu-central-1"})
        bucket = made.BUCKET(made, "my-bucket")
        url = urllib.parse.urlsplit(bucket.objects.create("a").generate_url(60))
        self.assertEqual(url.netloc, "my-bucket.s3.eu-central-1.amazonaws.com")
        self.assertIn("/eu-central-1/s3/aws4_request",
                      urllib.parse.parse_qs(url.query)["X-Amz-Credential"][0])
        self.assertEqual(made.region_name, "eu-central-1")


if __name__ == "__main__":
    unittest.main()
