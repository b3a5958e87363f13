"""The code of the origin page, word for word, on Azure, Google Cloud Storage and Swift."""
import contextlib
import io
import os
import unittest
from unittest import mock

import clouds
import page
import stores
from pail import CloudProviderFactory, ProviderList

stores.add_clients()
CONTENT = b"Some data, with a \r\n and a \0 in it.\n" * 1000


class Pages:
    """The blocks, in the order of the page; a class for each kind of cloud below."""
    scheme = None

    def clouds(self):
        """Every cloud of this kind that is up."""

    def setUp(self):
        if not stores.has_scheme(self.scheme):
            self.skipTest(f"this build has no {self.scheme} store")
        try:
            import requests
        except ImportError:
            self.skipTest("the package requests is not installed")
        self.requests = requests
        self.source = os.path.join(stores.folder(self), "myfile.txt")
        self.target = self.source + ".downloaded"
        with open(self.source, "wb") as file:
            file.write(CONTENT)

    def each(self, run):
        count = 0
        for cloud in self.clouds():
            with self.subTest(server=cloud.name):
                count += 1
                self.empty(cloud.make())
                try:
                    run(cloud)
                finally:
                    self.empty(cloud.make())
        if not count:
            self.skipTest(f"no server for {self.scheme} is up")

    @staticmethod
    def empty(provider):
        left = provider.storage.buckets.get("my-bucket")
        if left:
            left.delete(delete_contents=True)

    @staticmethod
    def factory_of(provider):
        """The page's constructor with the provider under test in the place of AWS's."""
        made = mock.Mock()
        made.create_provider.return_value = provider
        return made

    def names(self, provider):
        return {"CloudProviderFactory": lambda: self.factory_of(provider),
                "ProviderList": ProviderList}

    def store_and_find(self, provider):
        names, printed = {"provider": provider}, io.StringIO()
        page.run(page.CREATE, names)
        page.run(page.UPLOAD, names, upload_path=self.source)
        with contextlib.redirect_stdout(printed):
            page.run(page.FIND_AND_DOWNLOAD, names, download_path=self.target)
        with open(self.target, "rb") as file:
            self.assertEqual(file.read(), CONTENT)
        self.assertRegex(printed.getvalue(), rf"^Size: {len(CONTENT)}, "
                                             r"Modified: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\n$")

    def put_to_url(self, cloud, names):
        """The page's last block, and what the service answered."""
        answers, real = [], self.requests.api.put

        def put(url, **rest):
            answers.append(real(url, verify=cloud.ca or True, **rest))
            return answers[-1]

        with mock.patch.object(self.requests, "put", put):
            page.run(page.PUT_TO_URL, names)
        return answers[0].status_code

    def signed_urls(self, cloud, provider):
        bucket = provider.storage.buckets.create("my-bucket")
        bucket.objects.create("my-file.txt").upload(CONTENT)
        names = self.names(provider)
        page.run(page.SIGN_GET, names)
        answer = self.requests.get(names["url"], verify=cloud.ca or True)
        self.assertEqual((answer.status_code, answer.content), (200, CONTENT))
        refused = self.requests.put(names["url"], data=b"no", verify=cloud.ca or True,
                                    headers={"x-ms-blob-type": "BlockBlob"})
        self.assertIn(refused.status_code, (401, 403))
        page.run(page.SIGN_PUT, names)
        self.assertIn(self.put_to_url(cloud, names), cloud.put_without_header)
        answer = self.requests.put(names["url"], data=names["content"], headers=names["headers"],
                                   verify=cloud.ca or True)
        self.assertIn(answer.status_code, (200, 201))
        self.assertIn(self.requests.get(names["url"], verify=cloud.ca or True).status_code,
                      (401, 403))  # it is for PUT alone
        self.assertEqual(b"".join(names["obj"].iter_content()), b"Hello world!")

    def test_story__as_printed(self):
        def run(cloud):
            provider = cloud.make()
            self.store_and_find(provider)
            names = page.run(page.UPLOAD_TO_CONTAINER, {
                "provider": provider, "container": "my-bucket", "source": self.source})
            self.assertEqual(names["obj"].size, len(CONTENT))

        self.each(run)

    def test_signed_urls__for_get_and_put(self):
        self.each(lambda cloud: self.signed_urls(cloud, cloud.make()))


class Azure(Pages, unittest.TestCase):
    scheme = "az:"

    def clouds(self):
        return clouds.azure()


class Google(Pages, unittest.TestCase):
    scheme = "gs:"

    def clouds(self):
        with clouds.google(self) as cloud:
            yield cloud


class Swift(Pages, unittest.TestCase):
    scheme = "swift:"

    def clouds(self):
        return clouds.swift()

    def token_provider(self, cloud):
        """The page's block with a storage URL and a token, and nothing else."""
        names = {"CloudProviderFactory": CloudProviderFactory, "ProviderList": ProviderList}
        page.run(page.SWIFT_TOKEN, names, storage_url=cloud.token[0], token=cloud.token[1])
        return names["provider"]

    def test_token__stores_and_finds(self):
        self.each(lambda cloud: self.store_and_find(self.token_provider(cloud)))

    def test_token__reaches_the_container(self):
        def run(cloud):
            cloud.make().storage.buckets.create("my-bucket")
            names = page.run(page.UPLOAD_TO_CONTAINER, {
                "provider": self.token_provider(cloud), "container": "my-bucket",
                "source": self.source})
            self.assertEqual(names["obj"].size, len(CONTENT))

        self.each(run)

    def test_signed_url__names_the_download_and_leaves_the_type(self):
        def run(cloud):
            obj = cloud.make().storage.buckets.create("my-bucket").objects.create("my-file.txt")
            obj.upload(CONTENT)
            answer = self.requests.get(obj.generate_url(
                60, content_disposition='attachment; filename="a.txt"', content_type="x/y"))
            self.assertEqual((answer.status_code, answer.content), (200, CONTENT))
            self.assertRegex(answer.headers["Content-Disposition"], '^attachment; filename="a.txt"')
            self.assertNotEqual(answer.headers["Content-Type"], "x/y")

        self.each(run)

    def test_token__signs_with_the_containers_key(self):
        """With a token alone: the key that the container has is read."""
        def run(cloud):
            provider = self.token_provider(cloud)
            bucket = provider.storage.buckets.create("my-bucket")
            request = self.requests.post(f"{cloud.token[0]}/my-bucket", headers={
                "X-Auth-Token": cloud.token[1], "X-Container-Meta-Temp-URL-Key": "of-the-container"})
            self.assertEqual(request.status_code, 204)
            obj = bucket.objects.create("my-file.txt")
            obj.upload(CONTENT)
            self.assertEqual(self.requests.get(obj.generate_url(expires_in=60)).content, CONTENT)

        self.each(run)


if __name__ == "__main__":
    unittest.main()
