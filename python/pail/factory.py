"""Providers by name and configuration, and open() by URL."""
from . import _pail
from .exceptions import Unsupported
from .storage import StorageService

# What a configuration may hold for other parts of a cloud than its object storage.
ELSEWHERE = {
    "aws_page_size", "aws_zone_name", "cb_debug", "default_result_limit", "default_wait_interval",
    "default_wait_timeout", "ec2_endpoint_url", "ec2_is_secure", "ec2_retries_value",
    "ec2_validate_certs", "s3_is_secure", "s3_signature_version",
}


def text(value):
    """A setting as the library reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def open(url="local:", *, ignore_environment=False, **settings):
    """A Bucket where the URL names one ('s3://my-bucket'), else a Client. No request.

    Settings have the names of docs/settings.md: aws_region='eu-west-1'. With ignore_environment
    only they and the URL count. Raises BadConfig for what is unknown, with the nearest name.
    """
    return _pail.open(url, {name: text(value) for name, value in settings.items()},
                      ignore_environment=ignore_environment)


class ProviderList:
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    OPENSTACK = "openstack"
    LOCAL = "local"
    MEMORY = "memory"


class CloudProvider:
    """An account: `storage.buckets` are its buckets. `config` as given; None and '' are unset."""

    PROVIDER_ID = URL = None

    def __init__(self, config):
        self.config = dict(config)
        self.client = _pail.open(self.URL, self.settings())
        self.storage = StorageService(self)

    @property
    def name(self):
        return type(self).__name__

    def settings(self):
        given = {name: text(value) for name, value in self.config.items()
                 if value is not None and value != "" and name not in ELSEWHERE}
        validate = given.pop("s3_validate_certs", "true")
        if validate.lower() in ("false", "0", "no"):
            given["insecure"] = "true"
        return given

    @property
    def result_limit(self):
        return int(self.config.get("default_result_limit") or 50)


class AWSCloudProvider(CloudProvider):
    """Amazon S3, or with `s3_endpoint_url` a service like it."""

    PROVIDER_ID, URL = ProviderList.AWS, "s3:"


class LocalCloudProvider(CloudProvider):
    """The store on this machine; `local_home` says where, else PAIL_HOME."""

    PROVIDER_ID, URL = ProviderList.LOCAL, "local:"


class MemoryCloudProvider(CloudProvider):
    """Gone with the provider."""

    PROVIDER_ID, URL = ProviderList.MEMORY, "memory:"


PROVIDERS = {made.PROVIDER_ID: made
             for made in (AWSCloudProvider, LocalCloudProvider, MemoryCloudProvider)}


class CloudProviderFactory:
    def create_provider(self, name, config):
        """A provider; raises NotImplementedError (Unsupported) for a name that it has not."""
        if name in PROVIDERS:
            return PROVIDERS[name](config)
        raise Unsupported(f"A provider with name {name} could not be found: this version of Pail "
                          f"has {', '.join(sorted(PROVIDERS))}")
