"""provider.storage: buckets with the names that CloudBridge's users know."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Iterator

from .events import event
from .exceptions import BadBucketName, BucketNotFound, Forbidden, InvalidNameException
from .objects import (BucketObjectService, BucketObjectSubService, checked_limit, is_pattern,
                      page_of)
from .results import ResultList, found

if TYPE_CHECKING:
    from . import native

BUCKET_NAME = re.compile(r"[a-z][-a-z0-9]{1,61}[a-z0-9]")


class StorageService:
    """provider.storage: `buckets` is what programs use."""

    _service_event_pattern = "provider.storage"

    def __init__(self, provider):
        self.provider = provider
        self.buckets = BucketService(provider)
        self._bucket_objects = BucketObjectService(provider)

    @property
    def volumes(self):
        raise NotImplementedError("Pail has object storage only: provider.storage.buckets")

    snapshots = volumes


class BucketService:
    """The buckets of an account; iterable."""

    _service_event_pattern = "provider.storage.buckets"

    def __init__(self, provider):
        self.provider = provider

    def __iter__(self) -> Iterator[Bucket]:
        return self.iter()

    def iter(self, limit: int | None = None, marker: str | None = None,
             pattern: str | None = None) -> Iterator[Bucket]:
        """Every bucket in name order; limit: how many are asked for at a time."""
        for info in self.provider.client.buckets(pattern=pattern, page_size=limit or 0):
            if marker is None or info.key > marker:
                yield self.provider.BUCKET(self.provider, info.key)

    @event
    def list(self, limit: int | None = None, marker: str | None = None) -> ResultList:
        """A page; `marker` of the page before it goes on behind that."""
        limit = checked_limit(limit, self.provider)
        return page_of(self.iter(limit + 1, marker), limit)

    @event
    def get(self, bucket_id: str) -> Bucket | None:
        """The bucket, or None. One that may not be asked for is returned: it may well be used."""
        try:
            bucket = self.provider.BUCKET(self.provider, bucket_id)
            return bucket if bucket.handle.exists() else None
        except Forbidden:
            return bucket
        except BadBucketName:
            return None

    @event
    def find(self, **criteria: str) -> ResultList:
        """name=: exact, or with * ? [] by pattern; a name that is there as it stands goes first."""
        name = self.provider._wanted_name(criteria)
        exact = self.get(name) if name is not None else None
        if exact or (name is not None and not is_pattern(name)):
            return found([exact] if exact else [])
        return found(self.iter(pattern=name))

    @event
    def create(self, name: str, location: Any = None) -> Bucket:
        """Raises InvalidNameException before any request, DuplicateResourceException."""
        if not isinstance(name, str) or not BUCKET_NAME.fullmatch(name):
            raise InvalidNameException(
                f"Invalid bucket name {name!r}: 3 to 63 of a-z, 0-9 and -, from a letter to a "
                "letter or digit")
        bucket = self.provider.BUCKET(self.provider, name)
        bucket.handle.create(getattr(location, "id", location))
        return bucket

    @event
    def delete(self, bucket: Bucket | str) -> None:
        """A bucket or its id. One that is not there is fine."""
        bucket = bucket if isinstance(bucket, Bucket) else self.provider.BUCKET(self.provider,
                                                                                bucket)
        try:
            bucket.delete()
        except BucketNotFound:
            pass


class Bucket:
    """A bucket. `handle` is the pail.Bucket behind it, with all that the library can do."""

    def __init__(self, provider, name):
        self._provider = provider
        self._handle = provider.client.bucket(name)
        self._objects = BucketObjectSubService(self)

    @property
    def provider(self) -> Any:
        return self._provider

    @property
    def handle(self) -> native.Bucket:
        return self._handle

    @property
    def id(self) -> str:
        return self._handle.name

    @property
    def name(self) -> str:
        return self._handle.name

    @property
    def objects(self) -> BucketObjectSubService:
        return self._objects

    def delete(self, delete_contents: bool = False) -> None:
        """With delete_contents all in it first, by the thousand. Raises BucketNotEmpty."""
        self._handle.remove(delete_contents=delete_contents)

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name. 1 request."""
        return self._handle.object(name).exists()

    def to_json(self) -> dict[str, Any]:
        """A dict that json.dumps() takes."""
        return {"id": self.id, "name": self.name}

    def __eq__(self, other):
        return (isinstance(other, Bucket) and self._provider.client is other._provider.client
                and self.name == other.name)

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f"<{self._provider.PREFIX}Bucket: {self.name}>"
