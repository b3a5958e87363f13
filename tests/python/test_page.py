"""The code of the origin page, word for word, on every store that is at hand."""
import contextlib
import io
import os
import unittest
from unittest import mock

import page
import stores
from pail import CloudProviderFactory, ProviderList
from pail.exceptions import Forbidden, Unsupported
from pail.native import knows

CONTENT = b"Some data, with a \r\n and a \0 in it.\n" * 1000


class Page(unittest.TestCase):
    def setUp(self):
        self.folder = stores.folder(self)
        self.source = os.path.join(self.folder, "myfile.txt")
        self.target = os.path.join(self.folder, "downloaded.txt")
        with open(self.source, "wb") as file:
            file.write(CONTENT)

    def read_target(self):
        with open(self.target, "rb") as file:
            return file.read()

    def test_page__has_nine_blocks_that_compile(self):
        found = page.blocks()
        self.assertEqual(len(found), 9)
        for number, text in enumerate(found):
            compile(text, f"block {number}", "exec")

    def store_and_find(self, provider):
        """Blocks 1 to 3 as one program; what it printed."""
        names = {"provider": provider}
        printed = io.StringIO()
        page.run(page.CREATE, names)
        page.run(page.UPLOAD, names, upload_path=self.source)
        with contextlib.redirect_stdout(printed):
            page.run(page.FIND_AND_DOWNLOAD, names, download_path=self.target)
        return printed.getvalue()

    def story(self, name):
        provider = stores.provider(self, name)
        printed = self.store_and_find(provider)
        self.assertEqual(self.read_target(), CONTENT)
        self.assertRegex(printed, rf"^Size: {len(CONTENT)}, "
                                  r"Modified: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\n$")
        container = page.run(page.UPLOAD_TO_CONTAINER, {
            "provider": provider, "container": "my-bucket", "source": self.source})
        self.assertEqual(container["obj"].size, len(CONTENT))
        self.assertEqual([o.name for o in container["bucket"].objects],
                         ["my-data.txt", "my_object.txt"])

    def test_story__on_local(self):
        self.story(ProviderList.LOCAL)

    def test_story__on_memory(self):
        self.story(ProviderList.MEMORY)

    def test_signed_urls__on_local(self):
        self.signed_urls(ProviderList.LOCAL)

    def test_signed_urls__on_memory(self):
        self.signed_urls(ProviderList.MEMORY)

    def signed_urls(self, name):
        """By the gateway that the first signed URL starts in this program."""
        provider = stores.provider(self, name)
        if not knows("local_presign"):
            self.skipTest("this build has no gateway")
        requests = PageOnServers.requests(self)
        provider.storage.buckets.create("my-bucket").objects.create("my-file.txt").upload(CONTENT)
        names = {"CloudProviderFactory": lambda: self.factory_of(provider),
                 "ProviderList": ProviderList}
        page.run(page.SIGN_GET, names)
        answer = requests.get(names["url"])
        self.assertEqual((answer.status_code, answer.content), (200, CONTENT))
        page.run(page.SIGN_PUT, names)
        self.assertEqual(put_to_url(names).status_code, 200)
        self.assertEqual(requests.get(names["url"]).status_code, 403)  # it is for PUT alone
        self.assertEqual(b"".join(names["obj"].iter_content()), b"Hello world!")

    @staticmethod
    def factory_of(provider):
        """The page's constructor with the provider under test in the place of the cloud's."""
        made = mock.Mock()
        made.create_provider.return_value = provider
        return made

    def test_swift_token__says_which_providers_there_are(self):
        names = {"CloudProviderFactory": CloudProviderFactory, "ProviderList": ProviderList}
        if stores.has_scheme("swift:"):
            self.skipTest("this build has a Swift store")
        with self.assertRaises(NotImplementedError) as caught:
            page.run(page.SWIFT_TOKEN, names)
        self.assertIsInstance(caught.exception, Unsupported)
        self.assertIn("openstack", str(caught.exception))
        self.assertIn("swift:", str(caught.exception))


def put_to_url(names):
    """The page's last block: with requests where that is installed, and what it answered."""
    import requests
    answers = []

    def put(url, **rest):
        answers.append(requests.api.put(url, **rest))
        return answers[-1]

    with mock.patch.object(requests, "put", put):
        page.run(page.PUT_TO_URL, names)
    return answers[0]


class PageOnServers(unittest.TestCase):
    def setUp(self):
        self.found = list(stores.servers())
        if not self.found:
            self.skipTest("no S3 server is up (PAIL_TEST_MINIO_ENDPOINT and others are not set)")

    def each(self, run):
        for name, endpoint, key, secret, region in self.found:
            environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region}
            texts = {"key": key, "secret": secret, "token": ""}
            with self.subTest(server=name), mock.patch.dict(os.environ, environment):
                names = {"CloudProviderFactory": CloudProviderFactory,
                         "ProviderList": ProviderList}
                page.run(page.AWS_TOKEN, names, **texts)
                self.empty(names["provider"])
                try:
                    run(names, texts)
                finally:
                    self.empty(names["provider"])

    def empty(self, provider):
        left = provider.storage.buckets.get("my-bucket")
        if left:
            left.delete(delete_contents=True)

    def test_story__on_servers(self):
        def run(names, texts):
            test = Page()
            test.setUp()
            self.addCleanup(test.doCleanups)
            printed = test.store_and_find(names["provider"])
            self.assertEqual(test.read_target(), CONTENT)
            self.assertIn(f"Size: {len(CONTENT)}, ", printed)

        self.each(run)

    def test_signed_get__gives_the_content_to_anyone(self):
        requests = self.requests()

        def run(names, texts):
            bucket = names["provider"].storage.buckets.create("my-bucket")
            bucket.objects.create("my-file.txt").upload(CONTENT)
            page.run(page.SIGN_GET, names, **texts)
            answer = requests.get(names["url"])
            self.assertEqual((answer.status_code, answer.content), (200, CONTENT))

        self.each(run)

    def test_signed_put__takes_content_from_anyone(self):
        self.requests()

        def run(names, texts):
            bucket = names["provider"].storage.buckets.create("my-bucket")
            page.run(page.SIGN_PUT, names, **texts)
            self.assertEqual(put_to_url(names).status_code, 200)
            self.assertEqual(b"".join(bucket.objects.get("my-file.txt").iter_content()),
                             b"Hello world!")

        self.each(run)

    def with_token(self, run, limited):
        """Blocks of the page with a session token of MinIO's, the only one here that has STS."""
        minio = [found for found in self.found if found[0] == "minio"]
        if not minio:
            self.skipTest("MinIO is not up")
        _, endpoint, key, secret, region = minio[0]
        policy = stores.policy_for("my-bucket") if limited else None
        token = dict(zip(("key", "secret", "token"),
                         stores.session_token(endpoint, key, secret, region, policy)))
        environment = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region}
        with mock.patch.dict(os.environ, environment):
            owner = CloudProviderFactory().create_provider(ProviderList.AWS, {
                "aws_access_key": key, "aws_secret_key": secret})
            self.empty(owner)
            owner.storage.buckets.create("my-bucket")
            try:
                run(owner, token)
            finally:
                self.empty(owner)

    def token_story(self, limited):
        requests = self.requests()

        def run(owner, token):
            names = {"CloudProviderFactory": CloudProviderFactory, "ProviderList": ProviderList,
                     "container": "my-bucket", "source": __file__}
            page.run(page.AWS_TOKEN, names, **token)
            page.run(page.UPLOAD_TO_CONTAINER, names)
            self.assertEqual(names["obj"].size, os.path.getsize(__file__))
            page.run(page.SIGN_PUT, names, **token)
            self.assertEqual(put_to_url(names).status_code, 200)
            page.run(page.SIGN_GET, names, **token)
            self.assertEqual(requests.get(names["url"]).content, b"Hello world!")
            if limited:
                with self.assertRaises(Forbidden):
                    names["provider"].storage.buckets.create(stores.bucket_name())

        self.with_token(run, limited)

    def test_token__of_a_session(self):
        self.token_story(limited=False)

    def test_token__limited_to_one_bucket(self):
        self.token_story(limited=True)

    def requests(self):
        try:
            import requests
            return requests
        except ImportError:
            self.skipTest("the package requests is not installed")


if __name__ == "__main__":
    unittest.main()
