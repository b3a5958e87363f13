"""CloudBridge's interface beyond the page: multipart, transfers, result lists, configuration."""
import io
import json
import os
import pickle
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

import pail
import stores
from pail import CloudProviderFactory, ProviderList, TransferConfig
from pail.config import Configuration
from pail.exceptions import (CloudBridgeBaseException, InvalidConfigurationException,
                             InvalidNameException, InvalidParamException, InvalidValueException,
                             NotFound, Unsupported)
from pail.providers import (AWSCloudProvider, CloudProvider, MemoryCloudProvider,
                            OpenStackCloudProvider, TestMockHelperMixin)
from pail.results import ClientPagedResultList, ServerPagedResultList

MIB = 1 << 20


class OnMemory(unittest.TestCase):
    NAME = ProviderList.MEMORY

    def setUp(self):
        self.provider = stores.provider(self, self.NAME)
        self.bucket = self.provider.storage.buckets.create("my-bucket")
        self.folder = stores.folder(self)

    def content(self, obj):
        return b"".join(obj.iter_content())

    # ---- multipart

    def test_multipart__parts_in_any_order_from_threads(self):
        obj = self.bucket.objects.create("big")
        upload = obj.create_multipart_upload()
        data = {n: os.urandom(5 * MIB) for n in (1, 2)}
        data[3] = b"the end"
        parts = []

        def send(number):
            parts.append(upload.upload_part(number, io.BytesIO(data[number])))

        threads = [threading.Thread(target=send, args=(n,)) for n in (3, 1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((upload.object_name, upload.name, upload.bucket.name),
                         ("big", "big", "my-bucket"))
        self.assertTrue(upload.id)
        self.assertIsNone(self.bucket.objects.get("big"))
        made = upload.complete(pickle.loads(pickle.dumps(parts)))
        self.assertEqual(made.size, 10 * MIB + 7)
        self.assertTrue(self.content(made) == data[1] + data[2] + data[3])
        self.assertEqual(self.bucket.objects.get("big"), made)

    def test_multipart__aborted_leaves_nothing(self):
        upload = self.bucket.objects.create("big").create_multipart_upload()
        part = upload.upload_part(1, "text")
        self.assertTrue(part.part_number == 1 and part.etag)
        upload.abort()
        upload.abort()
        self.assertIsNone(self.bucket.objects.get("big"))
        with self.assertRaises(NotFound):
            upload.upload_part(2, b"late")
        for number in (0, -1, "1", None):
            with self.assertRaises(InvalidValueException):
                upload.upload_part(number, b"")

    def test_multipart__by_the_private_service(self):
        service = self.provider.storage._bucket_objects
        upload = service.create_multipart_upload(self.bucket, "a")
        part = service.upload_part(self.bucket, upload, 1, b"0123456789")
        service.complete_multipart_upload(self.bucket, upload, [part])
        self.assertEqual(service.download_range(self.bucket, "a", 2, 3), b"234")
        self.assertEqual(service.download_range(self.bucket, "a", 8, 30), b"89")
        service.abort_multipart_upload(self.bucket,
                                       service.create_multipart_upload(self.bucket, "b"))
        self.assertEqual(service.get(self.bucket, "a").size, 10)
        self.assertEqual([o.name for o in service.list(self.bucket)], ["a"])
        self.assertEqual([o.name for o in service.find(self.bucket, name="a")], ["a"])
        self.assertEqual(service.create(self.bucket, "c").name, "c")

    # ---- transfers

    def test_upload__by_transfer_config(self):
        obj = self.bucket.objects.create("a")
        data = os.urandom(11 * MIB)
        config = TransferConfig(threshold=6 * MIB, part_size=5 * MIB, max_concurrency=2)
        for given in (data, io.BytesIO(data)):
            self.assertIs(obj.upload(given, config=config), obj)
            self.assertEqual(obj.size, len(data))
            self.assertTrue(self.content(obj) == data)
        path = os.path.join(self.folder, "source")
        with open(path, "wb") as file:
            file.write(data)
        obj.upload_from_file(path, config=TransferConfig(threshold=1 << 30))
        target = os.path.join(self.folder, "target")
        obj.download_to_file(target, config=TransferConfig(part_size=MIB, max_concurrency=3))
        with open(target, "rb") as file:
            self.assertTrue(file.read() == data)

    def test_transfer__wrong_part_sizes_are_refused_before_anything(self):
        obj = self.bucket.objects.create("a")
        with self.assertRaisesRegex(InvalidValueException, "multipart_part_size"):
            obj.upload(b"x", config=TransferConfig(part_size=5 * MIB - 1))
        with self.assertRaises(InvalidValueException):
            obj.upload_from_file(__file__, config=TransferConfig(part_size=1))
        self.assertIsNone(self.bucket.objects.get("a"))
        obj.upload(b"x")
        with self.assertRaises(InvalidValueException):
            obj.download_to_file(os.path.join(self.folder, "a"), TransferConfig(part_size=0))
        self.assertEqual(os.listdir(self.folder), [])

    def test_transfer__configured_for_all_calls(self):
        config = self.provider.config
        config["multipart_part_size"] = MIB
        with self.assertRaises(InvalidValueException):
            self.bucket.objects.create("a").upload(b"x")
        self.bucket.objects.create("a").upload(b"x", TransferConfig(part_size=8 * MIB))
        del config["multipart_part_size"]
        with mock.patch.dict(os.environ, {"CB_MULTIPART_PART_SIZE": "1"}):
            with self.assertRaises(InvalidValueException):
                self.bucket.objects.create("a").upload(b"x")
        with mock.patch.dict(os.environ, {"CB_ITER_CHUNK_SIZE": "4"}):
            obj = self.bucket.objects.create("b").upload(b"0123456789")
            self.assertEqual([len(c) for c in obj.iter_content()], [4, 4, 2])
        config["iter_chunk_size"] = 5
        self.assertEqual([len(c) for c in obj.iter_content()], [5, 5])

    def test_download_to_file__failure_leaves_the_old_file(self):
        path = os.path.join(self.folder, "a")
        with open(path, "w", encoding="utf-8") as file:
            file.write("old")
        with self.assertRaises(NotFound):
            self.bucket.objects.create("none").download_to_file(path)
        self.assertEqual(os.listdir(self.folder), ["a"])
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "old")
        with self.assertRaises(TypeError):
            self.bucket.objects.create("none").download_to_file(io.BytesIO())

    def test_download_to_file__at_once_to_one_path(self):
        obj = self.bucket.objects.create("a").upload(os.urandom(3 * MIB))
        path = os.path.join(self.folder, "a")
        threads = [threading.Thread(target=obj.download_to_file, args=(path,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(os.listdir(self.folder), ["a"])
        with open(path, "rb") as file:
            self.assertTrue(file.read() == self.content(obj))

    def test_upload__stream_of_unknown_length(self):
        class Socket(io.RawIOBase):
            left = 12 * MIB + 3

            def read(self, n=-1):
                n = min(n, 65537, self.left)
                self.left -= n
                return b"s" * n

        obj = self.bucket.objects.create("a").upload(Socket())
        self.assertEqual(obj.size, 12 * MIB + 3)

    # ---- searching and listing

    def test_find__goes_beyond_the_first_page(self):
        for i in range(60):
            self.bucket.objects.create(f"k{i:02}").upload("x")
        found = self.bucket.objects.find(name="k*")
        self.assertEqual((len(found), found.is_truncated, found.total_results), (60, False, 60))
        self.assertEqual(len(found.data), 60)
        page = self.bucket.objects.list()
        self.assertEqual((len(page), page.supports_total, page.total_results), (50, False, None))
        self.assertIsInstance(page, ServerPagedResultList)
        self.assertTrue(page.supports_server_paging)
        with self.assertRaises(InvalidParamException):
            self.bucket.objects.find(size=3)
        with self.assertRaises(InvalidNameException):
            self.bucket.objects.find(size=3)

    def test_resources__names_cannot_be_set(self):
        obj = self.bucket.objects.create("a").upload("x")
        for made in (obj, self.bucket):
            for name in ("id", "name"):
                attribute = getattr(type(made), name)
                self.assertIsInstance(attribute, property)
                self.assertIsNone(attribute.fset)
        self.assertEqual(obj.to_json()["size"], 1)
        json.dumps(self.bucket.to_json())
        self.assertIs(obj.bucket, self.bucket)
        self.assertIs(self.bucket.objects.bucket, self.bucket)
        time.strptime(obj.last_modified[:23], "%Y-%m-%dT%H:%M:%S.%f")
        self.assertTrue(self.bucket.exists("a") and not self.bucket.exists("b"))

    def test_services__have_their_names(self):
        storage = self.provider.storage
        self.assertEqual(storage.buckets._service_event_pattern, "provider.storage.buckets")
        self.assertEqual(storage._bucket_objects._service_event_pattern,
                         "provider.storage._bucket_objects")

    # ---- the provider

    def test_provider__members(self):
        for name in ("storage.buckets", "storage._bucket_objects", "storage"):
            self.assertTrue(self.provider.has_service(name))
        for name in ("NON_EXISTENT_SERVICE", "compute", "networking", "security", "dns",
                     "storage.volumes", "storage.buckets.no"):
            self.assertFalse(self.provider.has_service(name))
        self.assertTrue(self.provider.authenticate())
        self.assertEqual(self.provider.name, type(self.provider).__name__)
        copy = self.provider.config.copy()
        self.assertIs(type(copy), dict)
        self.assertEqual(self.provider.config.default_result_limit, 50)
        self.assertEqual(self.provider.config.default_wait_timeout, 600)
        self.assertEqual(self.provider.config.default_wait_interval, 5)
        self.provider.config["default_result_limit"] = 7
        self.assertEqual(self.provider.config.default_result_limit, 7)
        self.assertIsNone(self.provider._get_config_value("none"))
        self.assertEqual(self.provider._get_config_value("none", 3), 3)
        self.provider.config["zero"] = 0
        self.assertEqual(self.provider._get_config_value("zero", 3), 0)

    def test_clone__is_the_same_account(self):
        clone = self.provider.clone(zone="zone-b")
        self.assertIs(type(clone), type(self.provider))
        self.assertEqual((clone.zone_name, self.provider.zone_name), ("zone-b", None))
        clone.config["default_result_limit"] = 1
        self.assertEqual(self.provider.config.default_result_limit, 50)
        self.assertEqual(clone.storage.buckets.get("my-bucket"), self.bucket)


class OnLocal(OnMemory):
    NAME = ProviderList.LOCAL


class Factory(unittest.TestCase):
    def test_factory__names_and_classes(self):
        factory = CloudProviderFactory()
        self.assertLessEqual({"aws", "azure", "gcp", "openstack", "local", "memory", "mock"},
                             set(factory.list_providers()))
        self.assertIs(factory.get_provider_class("aws"), AWSCloudProvider)
        self.assertIs(factory.list_providers()["aws"]["class"], AWSCloudProvider)
        self.assertIsNone(factory.get_provider_class("none"))
        with self.assertRaisesRegex(NotImplementedError, "name none could not be found"):
            factory.create_provider("none", {})
        mocks = set(factory.get_all_provider_classes()) - set(
            factory.get_all_provider_classes(ignore_mocks=True))
        self.assertTrue(mocks and all(issubclass(m, TestMockHelperMixin) for m in mocks))
        with self.assertRaises(NotImplementedError):
            TestMockHelperMixin().setUpMock()

    def test_factory__registered_class_goes_first(self):
        class Mine(MemoryCloudProvider):
            PROVIDER_ID = "aws"

        factory = CloudProviderFactory()
        factory.register_provider_class(Mine)
        for ignored in (object, 7, CloudProvider):
            factory.register_provider_class(ignored)
        self.assertIsInstance(factory.create_provider("aws", {}), Mine)
        self.assertIs(CloudProviderFactory().get_provider_class("aws"), AWSCloudProvider)

    def test_factory__mock_takes_any_aws_configuration(self):
        made = CloudProviderFactory().create_provider(
            ProviderList.MOCK, {"aws_access_key": "a", "aws_secret_key": "b", "ec2_is_secure": 1})
        made.setUpMock()
        self.assertEqual(made.storage.buckets.create("my-bucket").objects.list(), [])

    def test_factory__store_that_a_build_has_not(self):
        for name, scheme in ((ProviderList.AZURE, "az:"), (ProviderList.GCP, "gs:"),
                             (ProviderList.OPENSTACK, "swift:")):
            if stores.has_scheme(scheme):
                continue
            with self.assertRaisesRegex(Unsupported, scheme):
                CloudProviderFactory().create_provider(name, {})


def settings_of(cls, config, **environment):
    """What a configuration and an environment mean to the library, without a store."""
    with mock.patch.dict(os.environ, environment):
        made = cls.__new__(cls)
        made._config, made._files = Configuration(config), {}
        return made.settings()


class Config(unittest.TestCase):
    def test_aws__endpoint_and_flags(self):
        made = settings_of(AWSCloudProvider, {
            "s3_endpoint_url": "127.0.0.1:9000", "s3_is_secure": False, "s3_validate_certs": False,
            "s3_signature_version": "s3v4", "aws_page_size": 500, "ec2_is_secure": True})
        self.assertEqual(made, {"s3_endpoint_url": "http://127.0.0.1:9000", "insecure": "true"})
        with self.assertRaises(InvalidConfigurationException):
            settings_of(AWSCloudProvider, {"s3_signature_version": "s3"})

    def test_openstack__environment_completes_what_was_begun(self):
        environment = {"OS_USERNAME": "me", "OS_PASSWORD": "pw", "OS_AUTH_URL": "http://k",
                       "OS_TENANT_NAME": "tenant", "OS_AUTH_TOKEN": "t"}
        token = settings_of(OpenStackCloudProvider, {"os_storage_url": "http://s"}, **environment)
        self.assertEqual((token["os_auth_token"], token.get("os_username")), ("t", None))
        password = settings_of(OpenStackCloudProvider, {"os_username": "you"}, **environment)
        self.assertEqual((password["os_username"], password["os_password"]), ("you", "pw"))
        self.assertNotIn("os_auth_token", password)
        self.assertEqual(password["os_project_name"], "tenant")

    def test_azure_and_gcp__names(self):
        classes = CloudProviderFactory().provider_list
        azure = settings_of(classes["azure"]["class"], {
            "azure_subscription_id": "s", "azure_client_id": "c", "azure_secret": "x",
            "azure_tenant": "t", "azure_storage_account": "a", "azure_resource_group": "g"})
        self.assertEqual(azure, {"azure_client_id": "c", "azure_client_secret": "x",
                                 "azure_tenant_id": "t", "azure_storage_account_name": "a"})
        gcp = settings_of(classes["gcp"]["class"], {"gcp_service_creds_dict": {"a": 1},
                                                    "gcp_region_name": "r"})
        self.assertEqual(gcp, {"google_service_account_key": '{"a": 1}'})

    def test_files__section_of_the_provider(self):
        home = stores.folder(self)
        with open(os.path.join(home, ".cloudbridge"), "w", encoding="utf-8") as file:
            file.write("[memory]\naws_zone_name = z\npart_size = 9M\n[aws]\nx = y\n")
        program = ("from pail import *; p = CloudProviderFactory().create_provider('memory', "
                   "{'part_size': ''}); print(p.client.setting('part_size'), "
                   "p._get_config_value('aws_zone_name'))")
        run = subprocess.run([sys.executable, "-c", program], env={**os.environ, "HOME": home},
                             capture_output=True, text=True)
        self.assertEqual((run.stdout, run.stderr), ("9M z\n", ""))

    def test_debug_mode__reads_flags_as_people_write_them(self):
        for value, want in ((True, True), ("False", False), ("0", False), ("yes", True)):
            self.assertIs(Configuration({"cb_debug": value}).debug_mode, want)


class Results(unittest.TestCase):
    def test_client_paged__by_marker(self):
        items = [mock.Mock(id=f"i{n}") for n in range(5)]
        provider = mock.Mock()
        provider.config.default_result_limit = 2
        first = ClientPagedResultList(provider, items)
        self.assertEqual((list(first), first.marker, first.is_truncated, first.total_results),
                         (items[:2], "i1", True, 5))
        self.assertEqual(first.data, items)
        rest = ClientPagedResultList(provider, items, limit=9, marker="i1")
        self.assertEqual((list(rest), rest.marker, rest.is_truncated), (items[2:], None, False))
        self.assertEqual(list(ClientPagedResultList(provider, items, marker="none")), [])
        self.assertFalse(first.supports_server_paging)
        first += rest
        self.assertEqual(len(first), 5)

    def test_server_paged__as_told(self):
        page = ServerPagedResultList(True, "m", True, 9, [1, 2])
        self.assertEqual((list(page), page.marker, page.is_truncated, page.supports_total,
                          page.total_results), ([1, 2], "m", True, True, 9))
        with self.assertRaises(NotImplementedError):
            page.data


class Compat(unittest.TestCase):
    def test_install__programs_for_cloudbridge_run(self):
        program = """
import pail.compat.cloudbridge as c
c.install(); c.install()
import cloudbridge, cloudbridge.base.helpers as h
from cloudbridge.factory import CloudProviderFactory, ProviderList
from cloudbridge.cloud.factory import CloudProviderFactory as Old
from cloudbridge.interfaces import CloudProvider, TestMockHelperMixin, CloudServiceType
from cloudbridge.interfaces.exceptions import DuplicateResourceException, InvalidNameException
from cloudbridge.interfaces.resources import Bucket, BucketObject, TransferConfig, UploadPart
from cloudbridge.interfaces.subservices import BucketObjectSubService
from cloudbridge.base.resources import ClientPagedResultList, BaseBucketObject
from cloudbridge.providers.aws import AWSCloudProvider
from cloudbridge.providers.aws.services import AWSImageService
assert Old is CloudProviderFactory and cloudbridge.get_version() == cloudbridge.__version__
p = CloudProviderFactory().create_provider('memory', {})
assert isinstance(p, CloudProvider) and p.has_service(CloudServiceType.BUCKET)
b = p.storage.buckets.create('my-bucket')
with h.cleanup_action(lambda: b.delete(delete_contents=True)):
    o = b.objects.create('a').upload('x')
    assert isinstance(b, Bucket) and isinstance(o, BucketObject)
    try:
        p.storage.buckets.create('my-bucket')
    except DuplicateResourceException as error:
        print(type(error).__name__)
assert p.storage.buckets.get('my-bucket') is None
assert h.to_resource_name('My Bucket!') == 'my-bucket'
c.uninstall()
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual((run.stderr, run.stdout), ("", "BucketExists\n"))

    def test_errors__one_tree(self):
        self.assertIs(CloudBridgeBaseException, pail.Error)
        error = InvalidValueException("size", 3)
        self.assertEqual(str(error), "Param size has been given an unrecognised value 3")
        self.assertIsInstance(pickle.loads(pickle.dumps(error)), InvalidValueException)
        from pail import exceptions
        for name in ("InvalidLabelException", "InvalidParamException"):
            self.assertTrue(issubclass(getattr(exceptions, name), InvalidNameException))


if __name__ == "__main__":
    unittest.main()
