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
from ._pail import (Bucket, Client, Error, Info, Listing, Presigned, Reader,
                    version as __version__)
from .factory import CloudProviderFactory, ProviderList, open

__all__ = ["Bucket", "Client", "CloudProviderFactory", "Error", "Info", "Listing", "Presigned",
           "ProviderList", "Reader", "exceptions", "open"]
