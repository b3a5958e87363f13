"""Clients, buckets and objects by URL: the whole of the library."""
from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Mapping

from . import _pail

if TYPE_CHECKING:
    from .aio import AsyncBucket


def text(value: object) -> str:
    """A setting as the library reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.lru_cache(maxsize=None)
def knows(setting: str) -> bool:
    """Whether this build has such a setting."""
    try:
        _pail.Client("memory:", {setting: ""}, ignore_environment=True)
        return True
    except _pail.BadConfig as error:
        return not error.message.startswith("unknown setting")


def with_defaults(url: str | None, settings: dict[str, str]) -> dict[str, str]:
    """What a program in Python has where nothing else is said: a signed URL of a store on this
    machine starts the gateway that answers it."""
    name = "local_presign"
    is_here = url is None or url.startswith(("local:", "file:", "memory:", "mem:"))
    if (is_here and name not in settings and name not in (url or "") and knows(name)
            and not os.environ.get("PAIL_LOCAL_PRESIGN")):
        return {**settings, name: "serve"}
    return settings


def open(url: str = "local:", *, ignore_environment: bool = False,
         **settings: object) -> Any:
    """A Bucket where the URL names one ('s3://my-bucket'), else a Client. No request.

    Settings have the names of docs/settings.md: aws_region='eu-west-1'. With ignore_environment
    only they and the URL count. Raises BadConfig for what is unknown, with the nearest name.
    """
    given = {name: text(value) for name, value in settings.items() if value is not None}
    _, bucket, key = _pail.split_url(url)
    given = given if ignore_environment else with_defaults(url, given)
    if bucket is None and key is None:
        return Client(url, given, ignore_environment=ignore_environment)
    return Bucket.from_url(url, given, ignore_environment=ignore_environment)


class Client(_pail.Client):
    """Client(url='local:', settings=None, *, ignore_environment=False): an account.

    Shared freely between threads. Pickled by its URL and settings (secrets that were given here
    are among them); what came from the environment is read again where it is opened.
    """

    def __init__(self, url: str | None = "local:", settings: Mapping[str, str] | None = None, *,
                 ignore_environment: bool = False) -> None:
        self._origin = url, dict(settings or {}), bool(ignore_environment)

    def __reduce__(self):
        return _open_client, (type(self), *self._origin)

    def bucket(self, name: str) -> Bucket:
        """A handle on one bucket; no request. Raises BadBucketName."""
        made = Bucket(self, name)
        made._client = self
        return made

    def __getitem__(self, name: str) -> Bucket:
        return self.bucket(name)


def _open_client(of, url, settings, ignore_environment):
    return of(url, settings, ignore_environment=ignore_environment)


class Bucket(_pail.Bucket):
    """Bucket(client, name): a handle on one bucket, which need not exist; no request.

    Shared freely between threads. bucket['key'] is an Object. Made by open() or Client.bucket().
    """

    _client: Any = None
    _origin: Any = None

    @classmethod
    def from_url(cls, url: str, settings: Mapping[str, str] | None = None, *,
                 ignore_environment: bool = False) -> Bucket:
        """A bucket with a client of its own. Raises BadConfig, BadBucketName."""
        made: Any = super().from_url(url, settings, ignore_environment=ignore_environment)
        made._origin = url, dict(settings or {}), bool(ignore_environment)
        return made

    def __init__(self, client: _pail.Client, name: str) -> None:
        self._client = client

    def __reduce__(self):
        if self._origin:
            return _open_bucket, (type(self), *self._origin)
        return type(self), (self._client, self.name)

    def object(self, key: str) -> Object:
        """A handle on one object; no request."""
        return Object(self, key)

    def __getitem__(self, key: str) -> Object:
        return Object(self, key)

    def __iter__(self) -> Iterator[_pail.Info]:
        return self.list()

    def open(self, key: str, mode: str = "rb", *, buffering: int = -1,
             encoding: str | None = None, errors: str | None = None, newline: str | None = None,
             **options: Any) -> Any:
        """A file: 'rb' and 'r' seek anywhere in one version, 'wb', 'w', 'xb' and 'x' write.

        buffering: 0 gives the raw reader, else a BufferedReader of that many bytes (1 MiB).
        options: those of reader() or of put(). What is written becomes visible on close(); an
        exception inside `with` drops it. 'x' fails with Exists where there is one.
        """
        from .files import open_object
        return open_object(self, key, mode, buffering, encoding, errors, newline, options)

    def aio(self) -> AsyncBucket:
        """This bucket for asyncio: an AsyncBucket."""
        from .aio import AsyncBucket
        return AsyncBucket(self)


def _open_bucket(of, url, settings, ignore_environment):
    return of.from_url(url, settings, ignore_environment=ignore_environment)


class Object:
    """One key of a bucket. The arguments are those of Bucket's methods without the key."""

    __slots__ = "bucket", "key"

    def __init__(self, bucket: Bucket, key: str) -> None:
        self.bucket, self.key = bucket, key

    def get(self, sink: Any = None, **options: Any) -> Any:
        return self.bucket.get(self.key, sink, **options)

    def get_ranges(self, ranges: Iterable[tuple[int, int]], **options: Any) -> list[bytes]:
        return self.bucket.get_ranges(self.key, ranges, **options)

    def put(self, source: Any, **options: Any) -> _pail.Info:
        return self.bucket.put(self.key, source, **options)

    def stat(self, **options: Any) -> _pail.Info:
        return self.bucket.stat(self.key, **options)

    def exists(self, **options: Any) -> bool:
        """Whether it is there. 1 request."""
        try:
            self.stat(**options)
            return True
        except _pail.NotFound as error:
            if isinstance(error, _pail.BucketNotFound):
                raise
            return False

    def delete(self, **options: Any) -> None:
        return self.bucket.delete(self.key, **options)

    def copy(self, to_key: str, to_bucket: Bucket | None = None,
             **options: Any) -> _pail.Info:
        return self.bucket.copy(self.key, to_key, to_bucket, **options)

    def rename(self, to_key: str, **options: Any) -> Object:
        """The Object under its new name."""
        self.bucket.rename(self.key, to_key, **options)
        return Object(self.bucket, to_key)

    def open(self, mode: str = "rb", **options: Any) -> Any:
        return self.bucket.open(self.key, mode, **options)

    def presign(self, method: str = "GET", **options: Any) -> _pail.Presigned:
        return self.bucket.presign(self.key, method, **options)

    def tags(self, **options: Any) -> dict[str, str]:
        return self.bucket.tags(self.key, **options)

    def set_tags(self, tags: Mapping[str, str], **options: Any) -> None:
        return self.bucket.set_tags(self.key, tags, **options)

    def __eq__(self, other):
        return (isinstance(other, Object) and self.key == other.key
                and self.bucket is other.bucket)

    def __hash__(self):
        return hash(self.key)

    def __repr__(self):
        return f"<pail.Object {self.bucket.scheme}:{self.bucket.name}/{self.key}>"
