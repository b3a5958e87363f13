"""bucket.objects: objects with the names that CloudBridge's users know."""
from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Iterator

from .events import event
from .exceptions import InvalidValueException, NotFound
from .multipart import MultipartUpload
from .results import ResultList, ServerPagedResultList, found

if TYPE_CHECKING:
    from ._pail import Info
    from .config import TransferConfig
    from .storage import Bucket

CHUNK = 1 << 20
PART_MIN = 5 << 20  # of an upload: what the services in general take


def is_pattern(name):
    return any(c in name for c in "*?[")


def checked_limit(limit, provider):
    limit = provider.config.default_result_limit if limit is None else limit
    if limit < 1:
        raise InvalidValueException("limit", limit)
    return limit


def page_of(entries, limit):
    """The first `limit` of an iterator whose pages have one entry more, and whether more follow."""
    items = []
    for item in entries:
        if len(items) == limit:
            return ServerPagedResultList(True, items[-1].name, data=items)
        items.append(item)
    return ServerPagedResultList(False, data=items)


class BucketObjectSubService:
    """The objects of a bucket; iterable."""

    def __init__(self, bucket):
        self._bucket = bucket

    @property
    def bucket(self) -> Bucket:
        return self._bucket

    @property
    def _service(self):
        return self._bucket.provider.storage._bucket_objects

    def __iter__(self) -> Iterator[BucketObject]:
        return self.iter()

    def iter(self, **options: Any) -> Iterator[BucketObject]:
        """Every object in byte order of the names; limit: how many are asked for at a time."""
        return self._service.iter(self._bucket, **options)

    def list(self, limit: int | None = None, marker: str | None = None,
             prefix: str | None = None) -> ResultList:
        """A page; `marker` of the page before it goes on behind that."""
        return self._service.list(self._bucket, limit, marker, prefix)

    def get(self, name: str) -> BucketObject | None:
        """The object, or None. Raises what else goes wrong: Forbidden, Unavailable, ..."""
        return self._service.get(self._bucket, name)

    def find(self, **criteria: str) -> ResultList:
        """name=: exact, or with * ? [] by pattern; a name that is there as it stands goes first."""
        return self._service.find(self._bucket, **criteria)

    def create(self, name: str) -> BucketObject:
        """A name for content to come: no request, and nothing exists until it was uploaded."""
        return self._service.create(self._bucket, name)


class BucketObjectService:
    """provider.storage._bucket_objects: the same calls with the bucket as an argument."""

    _service_event_pattern = "provider.storage._bucket_objects"

    def __init__(self, provider):
        self.provider = provider

    def iter(self, bucket, limit=None, marker=None, prefix=None, pattern=None):
        for info in bucket.handle.list(prefix=prefix, start_after=marker, pattern=pattern,
                                       page_size=limit or 0):
            yield self.provider.OBJECT(self.provider, bucket, info.key, info)

    @event
    def list(self, bucket, limit=None, marker=None, prefix=None):
        limit = checked_limit(limit, self.provider)
        return page_of(self.iter(bucket, limit + 1, marker, prefix), limit)

    @event
    def get(self, bucket, object_id):
        try:
            return self.provider.OBJECT(self.provider, bucket, object_id,
                                        bucket.handle.stat(object_id))
        except NotFound:
            return None

    @event
    def find(self, bucket, **criteria):
        name = self.provider._wanted_name(criteria)
        exact = self.get(bucket, name) if name is not None else None
        if exact or (name is not None and not is_pattern(name)):
            return found([exact] if exact else [])
        return found(self.iter(bucket, pattern=name))

    @event
    def create(self, bucket, name):
        return self.provider.OBJECT(self.provider, bucket, name)

    @event
    def create_multipart_upload(self, bucket, object_name):
        return MultipartUpload(bucket, object_name, bucket.handle.upload_begin(object_name))

    @event
    def upload_part(self, bucket, upload, part_number, data):
        return upload._send(part_number, data)

    @event
    def complete_multipart_upload(self, bucket, upload, parts):
        return upload._finish(parts)

    @event
    def abort_multipart_upload(self, bucket, upload):
        upload._drop()

    @event
    def download_range(self, bucket, object_name, offset, length):
        """The bytes of [offset, offset + length) that there are."""
        return bucket.handle.get_ranges(object_name, [(offset, length)])[0]


class BucketObject:
    """One object, or the name of one to come. What the service says of it is kept: refresh()."""

    def __init__(self, provider, bucket, name, info=None):
        self._provider, self._bucket, self._name, self._known = provider, bucket, name, info

    _service_event_pattern = "provider.storage._bucket_objects"
    # What a program may set for all that no configuration says anything of; None: Pail's own.
    CB_MULTIPART_THRESHOLD: int | None = None
    CB_MULTIPART_PART_SIZE: int | None = None
    CB_MULTIPART_MAX_CONCURRENCY: int | None = None
    CB_ITER_CHUNK_SIZE = CHUNK

    @property
    def provider(self) -> Any:
        return self._provider

    @property
    def id(self) -> str:
        return self._name

    @property
    def name(self) -> str:
        return self._name

    @property
    def bucket(self) -> Bucket:
        return self._bucket

    @property
    def info(self) -> Info:
        """pail.Info: what the service last said of it; asked where it has not said all."""
        if self._known is None or self._known.mtime_ms < 0:
            self.refresh()
        return self._known

    @property
    def size(self) -> int:
        """Bytes. Raises NotFound before the first upload."""
        return self.info.size

    @property
    def last_modified(self) -> str:
        """UTC, 'YYYY-MM-DDThh:mm:ss.ffffff'."""
        seconds, ms = divmod(self.info.mtime_ms, 1000)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms * 1000:06d}"

    @event
    def refresh(self) -> None:
        """Raises NotFound."""
        self._known = self._bucket.handle.stat(self._name)

    def _stored(self, info):
        self._known = info

    # ---- content in

    @event
    def upload(self, data: Any, config: TransferConfig | None = None) -> BucketObject:
        """Content from str (as UTF-8), bytes-like or a binary stream; returns the object."""
        size = None
        if isinstance(data, str):
            data = data.encode()
        if isinstance(data, (bytes, bytearray, memoryview)):
            size = memoryview(data).nbytes
        elif not hasattr(data, "read"):
            raise TypeError(f"upload() takes str, bytes or a binary stream, not "
                            f"{type(data).__name__}")
        options = self._upload_options(config, size)
        self._stored(self._bucket.handle.put(self._name, data, **options))
        return self

    @event
    def upload_from_file(self, path: Any, config: TransferConfig | None = None) -> BucketObject:
        """Content from a file on this machine, which is never read into memory whole."""
        if not isinstance(path, str) and not hasattr(path, "__fspath__"):
            raise TypeError(f"upload_from_file() takes a path, not {type(path).__name__}")
        options = self._upload_options(config, path)
        self._stored(self._bucket.handle.put(self._name, path, **options))
        return self

    def _upload_options(self, config, size_or_path):
        threshold, part_size, concurrency = self._provider._transfer_values(config)
        if part_size is not None and part_size < PART_MIN:
            raise InvalidValueException("multipart_part_size", part_size)
        if threshold is not None and size_or_path is not None:
            size = size_or_path if isinstance(size_or_path, int) else os.path.getsize(size_or_path)
            if PART_MIN <= size <= threshold:
                part_size = size  # one request
        return options_of(part_size, concurrency)

    def create_multipart_upload(self) -> MultipartUpload:
        """Begins an upload whose parts the program sends itself. 1 request."""
        return self._provider.storage._bucket_objects.create_multipart_upload(
            self._bucket, self._name)

    # ---- content out

    @event
    def save_content(self, target_stream: Any, chunk_size: int | None = None) -> None:
        """Writes the content to a binary stream."""
        self._chunk(chunk_size)
        if not hasattr(target_stream, "write"):
            raise TypeError(f"save_content() takes a binary stream, not "
                            f"{type(target_stream).__name__}")
        self._bucket.handle.get(self._name, target_stream)

    @event
    def iter_content(self, chunk_size: int | None = None) -> Content:
        """The content in pieces of chunk_size bytes (1 MiB), all of one version."""
        return Content(self._bucket.handle, self._name, self._chunk(chunk_size))

    @event
    def download_to_file(self, path: Any, config: TransferConfig | None = None) -> None:
        """Content into a file, in one step at the end: one that was there survives a failure."""
        _, part_size, concurrency = self._provider._transfer_values(config)
        if part_size is not None and part_size <= 0:
            raise InvalidValueException("multipart_part_size", part_size)
        if not isinstance(path, str) and not hasattr(path, "__fspath__"):
            raise TypeError(f"download_to_file() takes a path, not {type(path).__name__}")
        self._bucket.handle.get(self._name, path, **options_of(part_size, concurrency))

    def _chunk(self, size):
        """The size before any request is made; as configured where there is none."""
        if size is None:
            size = self._provider.config.number("iter_chunk_size", self.CB_ITER_CHUNK_SIZE,
                                                 "CB_ITER_CHUNK_SIZE")
        if not isinstance(size, int) or size <= 0:
            raise InvalidValueException("chunk_size", size)
        return size

    # ---- the rest

    @event
    def generate_url(self, expires_in: int, writable: bool = False,
                     content_disposition: str | None = None,
                     content_type: str | None = None) -> str:
        """A URL that lets anyone get the object (or put it) for expires_in seconds.

        content_disposition, content_type: what the answer to a get will say. Swift has no such
        thing for the type: there it stays the object's own.
        """
        if not self._provider.SIGNS_TYPE:
            content_type = None
        options = {} if writable else {"response_content_type": content_type,
                                       "response_content_disposition": content_disposition}
        return self._bucket.handle.presign(self._name, "PUT" if writable else "GET",
                                           expires_s=int(expires_in), **options).url

    @event
    def delete(self) -> None:
        self._bucket.handle.delete(self._name)
        self._known = None

    def to_json(self) -> dict[str, Any]:
        """A dict that json.dumps() takes: id, name, bucket, and size and time where known."""
        known = {} if self._known is None or self._known.mtime_ms < 0 else {
            "size": self._known.size, "last_modified": self.last_modified}
        return {"id": self.id, "name": self.name, "bucket": self._bucket.name, **known}

    def __eq__(self, other):
        return (isinstance(other, BucketObject) and self._bucket == other._bucket
                and self._name == other._name)

    def __hash__(self):
        return hash(self._name)

    def __repr__(self):
        return f"<{self._provider.PREFIX}BucketObject: {self._name}>"


def options_of(part_size, concurrency):
    return {name: value for name, value in (("part_size", part_size), ("concurrency", concurrency))
            if value is not None}


class Content:
    """An object's content as an iterator of bytes, with read() and close()."""

    def __init__(self, handle, key, chunk_size):
        self._reader = handle.reader(key)
        self._chunk_size = chunk_size

    def read(self, size: int = -1) -> bytes:
        return self._reader.read(size)

    def close(self) -> None:
        self._reader.close()

    def __iter__(self) -> Content:
        return self

    def __next__(self) -> bytes:
        chunk = self._reader.read(self._chunk_size)
        if not chunk:
            raise StopIteration
        return chunk

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
