"""Object storage: S3 and the services like it, a store of your own on this machine, or memory.

The calls that CloudBridge's users know:

    from pail import CloudProviderFactory, ProviderList
    provider = CloudProviderFactory().create_provider(ProviderList.LOCAL, {})
    bucket = provider.storage.buckets.create('my-bucket')

and the library's own, by URL:

    bucket = pail.open('local:my-bucket')
    bucket.put('greeting.txt', b'Hello')
"""
from . import exceptions
from ._pail import (Cancel, Error, Info, Listing, Presigned, Reader, Writer, split_url,
                    version as __version__)
from .config import TransferConfig
from .factory import CloudProviderFactory, ProviderList
from .native import Bucket, Client, Object, open
from .progress import Bar

__all__ = ["Bar", "Bucket", "Cancel", "Client", "CloudProviderFactory", "Error", "Info", "Listing",
           "Object", "Presigned", "ProviderList", "Reader", "TransferConfig", "Writer",
           "exceptions", "open", "split_url"]


def __getattr__(name):
    """AsyncBucket is imported where it is used: asyncio costs more than all the rest."""
    if name == "AsyncBucket":
        from .aio import AsyncBucket
        return AsyncBucket
    raise AttributeError(f"module 'pail' has no attribute {name!r}")
