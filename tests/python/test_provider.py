"""The contract of CloudBridge's storage calls, and where CloudBridge itself goes wrong."""
import io
import json
import time
import unittest
import urllib.request

import stores
from pail.native import knows
from pail import CloudProviderFactory, ProviderList
from pail.exceptions import (CloudBridgeBaseException, DuplicateResourceException,
                             InvalidConfigurationException, InvalidNameException,
                             InvalidParamException, InvalidValueException, NotFound, Unsupported)


class OnMemory(unittest.TestCase):
    NAME = ProviderList.MEMORY

    def setUp(self):
        self.provider = stores.provider(self, self.NAME)
        self.buckets = self.provider.storage.buckets
        self.bucket = self.buckets.create("my-bucket")

    # ---- buckets

    def test_create__existing_name_is_a_duplicate(self):
        with self.assertRaises(DuplicateResourceException):
            self.buckets.create("my-bucket")

    def test_create__bad_names_are_refused(self):
        for name in (None, "", "ab", "a" * 64, "Capital", "a b", "a.b", "a_b", "-ab", "ab-", "1ab",
                     "127.0.0.1"):
            with self.subTest(name=name), self.assertRaises(InvalidNameException):
                self.buckets.create(name)

    def test_find_bucket__exact_name_only(self):
        self.buckets.create("xmy-bucket")
        self.buckets.create("my-bucket2")
        self.assertEqual([b.name for b in self.buckets.find(name="my-bucket")], ["my-bucket"])
        self.assertEqual(self.buckets.find(name="y-bucke"), [])
        self.assertEqual([b.name for b in self.buckets.find(name="my-*")],
                         ["my-bucket", "my-bucket2"])
        self.assertEqual(len(self.buckets.find()), 3)
        with self.assertRaises(InvalidParamException):
            self.buckets.find(label="my-bucket")

    def test_get_bucket__none_where_there_is_none(self):
        self.assertEqual(self.buckets.get("my-bucket"), self.bucket)
        self.assertIsNone(self.buckets.get("my-buck"))
        self.assertIsNone(self.buckets.get("No Bucket"))

    def test_list_buckets__in_pages(self):
        for name in ("aaa", "zzz"):
            self.buckets.create(name)
        first = self.buckets.list(limit=2)
        self.assertEqual(([b.id for b in first], first.is_truncated), (["aaa", "my-bucket"], True))
        rest = self.buckets.list(marker=first.marker)
        self.assertEqual(([b.id for b in rest], rest.is_truncated, rest.marker),
                         (["zzz"], False, None))
        self.assertEqual([b.id for b in self.buckets], ["aaa", "my-bucket", "zzz"])

    def test_delete_bucket__full_only_with_its_contents(self):
        self.bucket.objects.create("a").upload("1")
        with self.assertRaises(CloudBridgeBaseException):
            self.buckets.delete("my-bucket")
        self.bucket.delete(delete_contents=True)
        self.assertIsNone(self.buckets.get("my-bucket"))
        self.buckets.delete("my-bucket")

    def test_bucket__equal_hashable_and_as_json(self):
        self.assertEqual({self.bucket, self.buckets.get("my-bucket")}, {self.bucket})
        self.assertEqual(json.loads(json.dumps(self.bucket.to_json())),
                         {"id": "my-bucket", "name": "my-bucket"})
        self.assertIn("my-bucket", repr(self.bucket))
        with self.assertRaises(AttributeError):
            self.bucket.name = "other"

    # ---- objects

    def test_create_object__leaves_what_is_there(self):
        self.bucket.objects.create("a").upload("old")
        again = self.bucket.objects.create("a")
        self.assertEqual(again.size, 3)
        self.assertEqual(len(self.bucket.objects.list()), 1)

    def test_create_object__nothing_exists_before_the_upload(self):
        made = self.bucket.objects.create("a")
        self.assertIsNone(self.bucket.objects.get("a"))
        self.assertEqual(self.bucket.objects.list(), [])
        with self.assertRaises(NotFound):
            made.size
        with self.assertRaises(NotFound):
            made.save_content(io.BytesIO())

    def test_upload__takes_text_bytes_and_streams(self):
        made = self.bucket.objects.create("a")
        for data in ("grün", "grün".encode(), bytearray("grün".encode()),
                     io.BytesIO("grün".encode())):
            self.assertIs(made.upload(data), made)
            self.assertEqual((made.size, b"".join(made.iter_content())), (5, "grün".encode()))
        for data in (7, None, ["a"]):
            with self.assertRaises(TypeError):
                made.upload(data)
        with self.assertRaises(TypeError):
            made.upload_from_file(io.BytesIO(b""))

    def test_size_and_time__are_fresh_after_an_upload(self):
        made = self.bucket.objects.create("a")
        made.upload("1")
        self.assertEqual(made.size, 1)
        made.upload("12")
        self.assertEqual(made.size, 2)
        other = self.bucket.objects.get("a")
        made.upload("123")
        self.assertEqual(other.size, 2)
        other.refresh()
        self.assertEqual(other.size, 3)
        time.strptime(other.last_modified[:19], "%Y-%m-%dT%H:%M:%S")
        self.assertRegex(other.last_modified[19:], r"^\.\d{6}$")

    def test_find_object__exact_name_first_then_pattern(self):
        for name in ("a.txt", "ba.txt", "dir/a.txt", "[1].txt", "1.txt"):
            self.bucket.objects.create(name).upload("x")
        found = lambda name: [o.name for o in self.bucket.objects.find(name=name)]
        self.assertEqual(found("a.txt"), ["a.txt"])
        self.assertEqual(found("[1].txt"), ["[1].txt"])
        self.assertEqual(found("[12].txt"), ["1.txt"])
        self.assertEqual(found("*a.txt"), ["a.txt", "ba.txt", "dir/a.txt"])
        self.assertEqual(found("b"), [])
        self.assertEqual(self.bucket.objects.find(name="a.txt").total_results, 1)

    def test_list_objects__markers_go_through_everything(self):
        names = [f"{i:03}" for i in range(120)]
        for name in names:
            self.bucket.objects.create(name).upload(name)
        page = self.bucket.objects.list()
        self.assertEqual((len(page), page.is_truncated), (50, True))
        with self.assertRaises(NotImplementedError):
            page.data
        everything = self.bucket.objects.list(limit=7)
        page = everything
        while page.is_truncated:
            page = self.bucket.objects.list(limit=7, marker=page.marker)
            everything += page
        self.assertEqual([o.name for o in everything], names)
        self.assertEqual([o.name for o in self.bucket.objects.iter(limit=7)], names)
        self.assertEqual([o.name for o in self.bucket.objects.list(prefix="01")], names[10:20])
        with self.assertRaises(InvalidValueException):
            self.bucket.objects.list(limit=0)

    def test_iter_content__gives_pieces_of_the_size_asked_for(self):
        made = self.bucket.objects.create("a").upload(b"0123456789\n" * 10)
        pieces = list(made.iter_content(chunk_size=33))
        self.assertEqual([len(p) for p in pieces], [33, 33, 33, 11])
        with self.assertRaises(InvalidValueException):
            made.iter_content(chunk_size=0)
        with self.assertRaises(InvalidValueException):
            made.save_content(io.BytesIO(), chunk_size=-1)
        content = made.iter_content()
        self.assertEqual(content.read(5), b"01234")
        content.close()

    def test_delete_object__then_it_is_gone(self):
        made = self.bucket.objects.create("a").upload("x")
        made.delete()
        self.assertIsNone(self.bucket.objects.get("a"))
        with self.assertRaises(NotFound):
            made.refresh()

    def test_object__equal_hashable_and_as_json(self):
        made = self.bucket.objects.create("a").upload("x")
        self.assertEqual({made, self.bucket.objects.get("a")}, {made})
        self.assertEqual(made.id, "a")
        json.dumps(made.to_json())

    @unittest.skipUnless(knows("local_presign"), "built without the gateway")
    def test_generate_url__is_answered_by_this_process(self):
        made = self.bucket.objects.create("a b").upload("x")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(made.generate_url(60), timeout=30) as answer:
            self.assertEqual(answer.read(), b"x")

    def test_generate_url__says_what_to_use_instead(self):
        if knows("local_presign"):
            self.provider = stores.provider(self, self.NAME, local_presign="never")
            self.bucket = self.provider.storage.buckets.create("my-bucket")
        made = self.bucket.objects.create("a")
        for writable in (False, True):
            with self.assertRaises(Unsupported) as caught:
                made.generate_url(60, writable=writable)
            self.assertTrue(caught.exception.hint)


class OnLocal(OnMemory):
    NAME = ProviderList.LOCAL


class Config(unittest.TestCase):
    def test_config__unknown_key_names_the_nearest(self):
        with self.assertRaisesRegex(InvalidConfigurationException, "part_size"):
            CloudProviderFactory().create_provider(ProviderList.MEMORY, {"part_sise": "8M"})

    def test_config__pairs_and_unset_values_are_fine(self):
        made = CloudProviderFactory().create_provider(
            ProviderList.MEMORY, [("default_result_limit", 2), ("part_size", ""),
                                  ("aws_session_token", None), ("cb_debug", False)])
        self.assertEqual(made.name, "MemoryCloudProvider")
        for name in ("aaa", "bbb", "ccc"):
            made.storage.buckets.create(name)
        self.assertEqual(len(made.storage.buckets.list()), 2)

    def test_config__aws_keys_are_settings(self):
        made = CloudProviderFactory().create_provider(ProviderList.AWS, {
            "aws_access_key": "AK", "aws_secret_key": "SK-secret", "aws_session_token": "T-secret",
            "aws_region_name": "eu-west-1", "s3_endpoint_url": "http://127.0.0.1:9",
            "s3_validate_certs": False, "aws_zone_name": "eu-west-1a"})
        text = made.client.explain()
        for line in ("aws_access_key_id = AK ", "aws_region = eu-west-1 ", "insecure = true ",
                     "aws_endpoint_url = http://127.0.0.1:9 "):
            self.assertIn(line, text)
        self.assertNotIn("secret ", text)

    def test_generate_url__is_signed_without_a_request(self):
        made = CloudProviderFactory().create_provider(ProviderList.AWS, {
            "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "eu-west-1",
            "s3_endpoint_url": "http://127.0.0.1:9"})
        signed = made.storage.buckets
        bucket = signed.provider.client.bucket("my-bucket")
        url = bucket.presign("a b", "GET", expires_s=60, response_content_type="text/plain").url
        self.assertIn("/my-bucket/a%20b?", url)
        self.assertIn("X-Amz-Expires=60", url)
        self.assertIn("response-content-type=text%2Fplain", url)


if __name__ == "__main__":
    unittest.main()
