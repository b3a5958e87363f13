"""Providers: what CloudBridge's configurations mean to the library."""
from __future__ import annotations

import copy
from typing import Any

from .config import Configuration, TransferConfig, as_bool, file_values, get_env, is_set
from .events import Middleware
from .exceptions import (BadConfig, Error, InvalidParamException, ProviderConnectionException,
                         Unsupported)
from .native import Client, text, with_defaults
from .objects import BucketObject
from .storage import Bucket, StorageService

# What a configuration may hold for other parts of a cloud than its object storage, and what this
# package reads itself: nothing of it goes to the library.
NOT_SETTINGS = frozenset("""
    aws_page_size aws_zone_name ec2_endpoint_url ec2_is_secure ec2_retries_value ec2_validate_certs
    azure_subscription_id azure_region_name azure_zone_name azure_resource_group
    azure_networking_resource_group azure_vm_default_username
    azure_public_key_storage_table_name gcp_region_name gcp_zone_name gcp_vm_default_username
    os_zone_name os_compute_zone_name os_networking_zone_name os_security_zone_name
    os_storage_zone_name os_compute_api_version nova_service_name
    cb_debug default_result_limit default_wait_interval default_wait_timeout iter_chunk_size
    multipart_max_concurrency multipart_part_size multipart_threshold
    """.split())


class TestMockHelperMixin:
    """A provider that stands in for another in tests."""

    __test__ = False  # for pytest

    def setUpMock(self):
        raise NotImplementedError("TestMockHelperMixin.setUpMock not implemented")

    def tearDownMock(self):
        raise NotImplementedError("TestMockHelperMixin.tearDownMock not implemented")


class CloudProvider:
    """An account: `storage.buckets` are its buckets. `config` as given; None and '' are unset."""

    PROVIDER_ID: Any = None
    URL: Any = None
    PREFIX = "Pail"
    BUCKET, OBJECT = Bucket, BucketObject
    SIGNS_TYPE = True  # a signed URL may say the type of the answer
    _zone_name: str | None = None
    # Key of the configuration: (setting of the library, environment variables). A variable is read
    # here where the library does not read it itself.
    KEYS: dict[str, tuple[str, list[str]]] = {}

    def __init__(self, config: Any) -> None:
        self._config = Configuration(config)
        self._files = file_values(self.PROVIDER_ID) if self.PROVIDER_ID else {}
        self._client: Any = None
        self._storage = StorageService(self)
        self._middleware = Middleware()
        self._check()

    def _check(self):
        self._client = self._open()

    def _open(self):
        try:
            return Client(self.URL, with_defaults(self.URL, self.settings()))
        except BadConfig as error:
            if error.message.startswith("unknown scheme"):
                raise Unsupported(f"A provider with name {self.PROVIDER_ID} could not be found: "
                                  f"this build of Pail has no {self.URL} store") from error
            raise

    @property
    def client(self) -> Client:
        """The pail.Client behind it."""
        return self._client

    @property
    def config(self) -> Configuration:
        return self._config

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def storage(self) -> StorageService:
        return self._storage

    @property
    def middleware(self) -> Middleware:
        """What is hooked around this provider's calls; see pail.events."""
        return self._middleware

    @property
    def region_name(self) -> str | None:
        return None

    @property
    def zone_name(self) -> str | None:
        return self._zone_name

    def authenticate(self) -> bool:
        """True, or ProviderConnectionException. 1 request; not being allowed to list is fine."""
        try:
            next(self._client.buckets(page_size=1), None)
        except ProviderConnectionException:
            raise
        except Error as error:
            if error.code not in ("forbidden", "unsupported"):
                raise ProviderConnectionException(str(error)) from error
        return True

    def has_service(self, service_type: str) -> bool:
        """Whether provider.<service_type> is there: 'storage.buckets'."""
        found = self
        try:
            for part in service_type.split("."):
                found = getattr(found, part)
        except (AttributeError, NotImplementedError):
            return False
        return bool(found is not None)

    def clone(self, zone: Any = None) -> CloudProvider:
        """The same account with a configuration of its own; connections are shared."""
        made = copy.copy(self)
        made._config = Configuration(self._config)
        made._storage = StorageService(made)
        made._middleware = Middleware()
        if zone is not None:
            made._zone_name = getattr(zone, "name", zone)
        return made

    def _get_config_value(self, key, default_value=None):
        for value in (self._config.get(key), getattr(self._config, key, None),
                      self._files.get(key)):
            if is_set(value):
                return value
        return default_value

    def settings(self) -> dict[str, str]:
        """The library's settings of this configuration."""
        made: dict[str, str] = {}
        given = {**self._files, **{k: v for k, v in self._config.items() if is_set(v)}}
        for key, value in given.items():
            if key not in NOT_SETTINGS:
                self._set(made, key, value)
        for key, (_, variables) in self.KEYS.items():
            value = next((get_env(v) for v in variables if get_env(v)), None)
            if value and key not in given and self._takes_variable(key, given):
                self._set(made, key, value)
        return made

    def _set(self, settings, key, value):
        """One value of the configuration: most have a setting of their own."""
        name = self.KEYS[key][0] if key in self.KEYS else key
        if name:
            settings[name] = text(value)

    def _takes_variable(self, key, given):
        return True

    def _transfer_values(self, config):
        """(threshold, part size, concurrency); None: not said. The call, the configuration, the
        environment, the class of the objects, in this order."""
        config = config or TransferConfig()
        number, of = self._config.number, self.OBJECT
        return tuple(value if value is not None else
                     number(name, getattr(of, "CB_" + name.upper()), "CB_" + name.upper())
                     for name, value in (("multipart_threshold", config.threshold),
                                         ("multipart_part_size", config.part_size),
                                         ("multipart_max_concurrency", config.max_concurrency)))

    @staticmethod
    def _wanted_name(criteria):
        """The one criterion there is; None: everything."""
        name = criteria.pop("name", None)
        if criteria:
            raise InvalidParamException(
                f"Unrecognised parameters for search: {', '.join(criteria)}. Supported: name")
        return name

    def _elsewhere(self):
        raise NotImplementedError(f"Pail has object storage only: {self.name}.storage.buckets")

    compute = networking = security = dns = property(_elsewhere)

    def __repr__(self):
        return f"<{self.name}: {self._client.scheme}>"


class AWSCloudProvider(CloudProvider):
    """Amazon S3, or with `s3_endpoint_url` a service like it."""

    PROVIDER_ID, URL, PREFIX = "aws", "s3:", "CB-AWS"

    def settings(self):
        secure = self._get_config_value("s3_is_secure", True)
        made = super().settings()
        endpoint = made.get("s3_endpoint_url")
        if endpoint and "://" not in endpoint:
            made["s3_endpoint_url"] = ("https://" if as_bool(secure) else "http://") + endpoint
        return made

    def _set(self, settings, key, value):
        if key == "s3_validate_certs":
            if not as_bool(value):
                settings["insecure"] = "true"
        elif key == "s3_signature_version":
            if value not in ("s3v4", "v4"):
                raise BadConfig(f"s3_signature_version is {value!r}: Pail signs with version 4")
        elif key != "s3_is_secure":
            super()._set(settings, key, value)

    @property
    def region_name(self) -> str | None:
        return self._client.setting("aws_region")


class AzureCloudProvider(CloudProvider):
    """Azure Blob Storage."""

    PROVIDER_ID, URL, PREFIX = "azure", "az:", "CB-Azure"
    KEYS = {
        "azure_client_id": ("azure_client_id", ["AZURE_CLIENT_ID"]),
        "azure_secret": ("azure_client_secret", ["AZURE_SECRET"]),
        "azure_tenant": ("azure_tenant_id", ["AZURE_TENANT"]),
        "azure_access_token": ("azure_storage_token", ["AZURE_ACCESS_TOKEN"]),
        "azure_storage_account": ("azure_storage_account_name", ["AZURE_STORAGE_ACCOUNT"]),
    }

    @property
    def region_name(self) -> str | None:
        return self._get_config_value("azure_region_name", "eastus")


class GCPCloudProvider(CloudProvider):
    """Google Cloud Storage."""

    PROVIDER_ID, URL, PREFIX = "gcp", "gs:", "CB-GCP"
    KEYS = {
        "gcp_service_creds_file": ("google_application_credentials", ["GCP_SERVICE_CREDS_FILE"]),
        "gcp_service_creds_dict": ("google_service_account_key", ["GCP_SERVICE_CREDS_DICT"]),
        "gcp_project_name": ("google_project_id", ["GCP_PROJECT_NAME"]),
    }

    def _set(self, settings, key, value):
        if key == "gcp_credentials_obj":
            raise Unsupported("gcp_credentials_obj is an object of Google's library: give "
                              "gcp_service_creds_dict or gcp_service_creds_file")
        if key == "gcp_service_creds_dict" and not isinstance(value, str):
            import json
            value = json.dumps(dict(value))
        super()._set(settings, key, value)

    @property
    def region_name(self) -> str | None:
        return self._get_config_value(
            "gcp_region_name", get_env("GCP_DEFAULT_REGION", get_env("GCP_REGION_NAME",
                                                                      "us-central1")))


# One of these sets is used whole; the environment completes only the one that was begun.
OS_SETS = (
    ("os_storage_url", "os_auth_token"),
    ("os_application_credential_id", "os_application_credential_secret"),
    ("os_username", "os_password", "os_user_domain_name"),
)


class OpenStackCloudProvider(CloudProvider):
    """OpenStack Swift."""

    PROVIDER_ID, URL, PREFIX = "openstack", "swift:", "CB-OpenStack"
    SIGNS_TYPE = False
    KEYS = {name: (name, [name.upper()]) for name in (
        "os_username", "os_password", "os_application_credential_id",
        "os_application_credential_secret", "os_auth_url", "os_region_name",
        "os_project_domain_id", "os_project_domain_name", "os_user_domain_name",
        "os_storage_url", "os_auth_token")}
    KEYS["os_project_name"] = ("os_project_name", ["OS_PROJECT_NAME", "OS_TENANT_NAME"])

    def _takes_variable(self, key, given):
        of = [names for names in OS_SETS if key in names]
        begun = [names for names in OS_SETS if any(name in given for name in names)]
        return not of or not begun or of[0] in begun

    @property
    def region_name(self) -> str | None:
        return self._get_config_value("os_region_name", get_env("OS_REGION_NAME"))


class LocalCloudProvider(CloudProvider):
    """The store on this machine; `local_home` says where, else PAIL_HOME."""

    PROVIDER_ID, URL, PREFIX = "local", "local:", "Local"


class MemoryCloudProvider(CloudProvider):
    """Gone with the provider."""

    PROVIDER_ID, URL, PREFIX = "memory", "memory:", "Memory"


class MockCloudProvider(MemoryCloudProvider, TestMockHelperMixin):
    """Stands in for AWS in tests, in memory: the configuration is accepted and not used."""

    PROVIDER_ID = "mock"

    def settings(self):
        return {}

    def setUpMock(self):
        """Nothing to intercept: no request is made."""

    def tearDownMock(self):
        """See setUpMock."""


BUILT_IN = (AWSCloudProvider, AzureCloudProvider, GCPCloudProvider, OpenStackCloudProvider,
            LocalCloudProvider, MemoryCloudProvider, MockCloudProvider)
