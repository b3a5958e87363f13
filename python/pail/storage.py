"""provider.storage: buckets and objects with the names that CloudBridge's users know."""
import re
import time

from .exceptions import (BadBucketName, BucketNotFound, Forbidden, InvalidNameException,
                         InvalidParamException, InvalidValueException, NotFound)

BUCKET_NAME = re.compile(r"[a-z][-a-z0-9]{1,61}[a-z0-9]")
CHUNK = 1 << 20


def is_pattern(name):
    return any(c in name for c in "*?[")


def wanted_name(criteria):
    """The one criterion there is; None: everything."""
    name = criteria.pop("name", None)
    if criteria:
        raise InvalidParamException(
            f"Unrecognised parameters for search: {', '.join(criteria)}. Supported: name")
    return name


class ResultList(list):
    """One page. `marker` of a truncated one goes to the next list()."""

    def __init__(self, items, marker=None, paged=True):
        super().__init__(items)
        self.marker = marker
        self.is_truncated = marker is not None
        self.supports_server_paging = paged
        self.supports_total = not paged
        self.total_results = None if paged else len(self)

    @property
    def data(self):
        if self.supports_server_paging:
            raise NotImplementedError("the service pages: use iter() for everything")
        return self


def page_of(entries, limit):
    """The first `limit` of an iterator whose pages have one entry more, and whether more follow."""
    items = []
    for item in entries:
        if len(items) == limit:
            return ResultList(items, marker=items[-1].name)
        items.append(item)
    return ResultList(items)


def checked_limit(limit, provider):
    limit = provider.result_limit if limit is None else limit
    if limit < 1:
        raise InvalidValueException("limit", limit)
    return limit


class StorageService:
    def __init__(self, provider):
        self.buckets = BucketService(provider)


class BucketService:
    """The buckets of an account; iterable."""

    def __init__(self, provider):
        self.provider = provider

    def __iter__(self):
        return self.iter()

    def iter(self, limit=None, marker=None, pattern=None):
        """Every bucket in name order; limit: how many are asked for at a time."""
        for info in self.provider.client.buckets(pattern=pattern, page_size=limit or 0):
            if marker is None or info.key > marker:
                yield Bucket(self.provider, info.key)

    def list(self, limit=None, marker=None):
        limit = checked_limit(limit, self.provider)
        return page_of(self.iter(limit + 1, marker), limit)

    def get(self, bucket_id):
        """The bucket, or None. One that may not be asked for is returned: it may well be used."""
        try:
            bucket = Bucket(self.provider, bucket_id)
            return bucket if bucket.handle.exists() else None
        except Forbidden:
            return bucket
        except BadBucketName:
            return None

    def find(self, **criteria):
        """By exact name, or with * ? [] by pattern; a name that is there as it stands goes first."""
        name = wanted_name(criteria)
        exact = self.get(name) if name is not None else None
        if exact or (name is not None and not is_pattern(name)):
            return ResultList([exact] if exact else [], paged=False)
        return ResultList(self.iter(pattern=name), paged=False)

    def create(self, name, location=None):
        """Raises InvalidNameException, DuplicateResourceException."""
        if not isinstance(name, str) or not BUCKET_NAME.fullmatch(name):
            raise InvalidNameException(
                f"Invalid bucket name {name!r}: 3 to 63 of a-z, 0-9 and -, from a letter to a "
                "letter or digit")
        bucket = Bucket(self.provider, name)
        bucket.handle.create(location)
        return bucket

    def delete(self, bucket):
        """A bucket or its id. One that is not there is fine."""
        bucket = bucket if isinstance(bucket, Bucket) else Bucket(self.provider, bucket)
        try:
            bucket.delete()
        except BucketNotFound:
            pass


class Bucket:
    def __init__(self, provider, name):
        self.provider = provider
        self.handle = provider.client.bucket(name)
        self.objects = BucketObjectService(self)

    @property
    def id(self):
        return self.handle.name

    @property
    def name(self):
        return self.handle.name

    def delete(self, delete_contents=False):
        self.handle.remove(delete_contents=delete_contents)

    def to_json(self):
        return {"id": self.id, "name": self.name}

    def __eq__(self, other):
        return (isinstance(other, Bucket) and self.provider is other.provider
                and self.name == other.name)

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f"<Bucket: {self.name}>"


class BucketObjectService:
    """The objects of a bucket; iterable."""

    def __init__(self, bucket):
        self.bucket = bucket

    def __iter__(self):
        return self.iter()

    def iter(self, limit=None, marker=None, prefix=None, pattern=None):
        """Every object in byte order of the names; limit: how many are asked for at a time."""
        for info in self.bucket.handle.list(prefix=prefix, start_after=marker, pattern=pattern,
                                            page_size=limit or 0):
            yield BucketObject(self.bucket, info.key, info)

    def list(self, limit=None, marker=None, prefix=None):
        limit = checked_limit(limit, self.bucket.provider)
        return page_of(self.iter(limit + 1, marker, prefix), limit)

    def get(self, name):
        """The object, or None."""
        try:
            return BucketObject(self.bucket, name, self.bucket.handle.stat(name))
        except NotFound:
            return None

    def find(self, **criteria):
        """By exact name, or with * ? [] by pattern; a name that is there as it stands goes first."""
        name = wanted_name(criteria)
        exact = self.get(name) if name is not None else None
        if exact or (name is not None and not is_pattern(name)):
            return ResultList([exact] if exact else [], paged=False)
        return ResultList(self.iter(pattern=name), paged=False)

    def create(self, name):
        """A name for content to come: no request, and nothing exists until it was uploaded."""
        return BucketObject(self.bucket, name)


class BucketObject:
    def __init__(self, bucket, name, info=None):
        self.bucket = bucket
        self.key = name
        self.known = info

    @property
    def id(self):
        return self.key

    @property
    def name(self):
        return self.key

    @property
    def info(self):
        """What the service last said of it; asked where it has not said all."""
        if self.known is None or self.known.mtime_ms < 0:
            self.refresh()
        return self.known

    def refresh(self):
        """Raises NotFound."""
        self.known = self.bucket.handle.stat(self.key)

    @property
    def size(self):
        return self.info.size

    @property
    def last_modified(self):
        """UTC, 'YYYY-MM-DDThh:mm:ss.ffffff'."""
        seconds, ms = divmod(self.info.mtime_ms, 1000)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms * 1000:06d}"

    def upload(self, data):
        """Content from str (as UTF-8), bytes or a binary stream; returns the object."""
        if isinstance(data, str):
            data = data.encode()
        elif not isinstance(data, (bytes, bytearray, memoryview)) and not hasattr(data, "read"):
            raise TypeError(f"upload() takes str, bytes or a binary stream, not "
                            f"{type(data).__name__}")
        self.known = self.bucket.handle.put(self.key, data)
        return self

    def upload_from_file(self, path):
        """Content from a file on this machine; returns the object."""
        self.known = self.bucket.handle.put(self.key, checked_path(path))
        return self

    def save_content(self, target_stream, chunk_size=None):
        """Writes the content to a binary stream."""
        checked_chunk(chunk_size)
        if not hasattr(target_stream, "write"):
            raise TypeError(f"save_content() takes a binary stream, not "
                            f"{type(target_stream).__name__}")
        self.bucket.handle.get(self.key, target_stream)

    def iter_content(self, chunk_size=None):
        """The content in pieces of chunk_size bytes (1 MiB), all of one version."""
        return Content(self.bucket.handle.reader(self.key), checked_chunk(chunk_size))

    def generate_url(self, expires_in, writable=False, content_disposition=None,
                     content_type=None):
        """A URL that lets anyone get the object (or put it) for expires_in seconds."""
        if writable:
            return self.bucket.handle.presign(self.key, "PUT", expires_s=expires_in).url
        return self.bucket.handle.presign(
            self.key, "GET", expires_s=expires_in, response_content_type=content_type,
            response_content_disposition=content_disposition).url

    def delete(self):
        self.bucket.handle.delete(self.key)
        self.known = None

    def to_json(self):
        return {"id": self.id, "name": self.name, "bucket": self.bucket.name}

    def __eq__(self, other):
        return (isinstance(other, BucketObject) and self.bucket == other.bucket
                and self.key == other.key)

    def __hash__(self):
        return hash(self.key)

    def __repr__(self):
        return f"<BucketObject: {self.key}>"


def checked_chunk(size):
    """The size before any request is made; 1 MiB where there is none."""
    if size is not None and size <= 0:
        raise InvalidValueException("chunk_size", size)
    return size or CHUNK


def checked_path(path):
    """A path and nothing else that put() would take."""
    if not isinstance(path, str) and not hasattr(path, "__fspath__"):
        raise TypeError(f"upload_from_file() takes a path, not {type(path).__name__}")
    return path


class Content:
    """An object's content as an iterator of bytes, with read() and close()."""

    def __init__(self, reader, chunk_size):
        self.read = reader.read
        self.close = reader.close
        self.chunk_size = chunk_size

    def __iter__(self):
        return self

    def __next__(self):
        chunk = self.read(self.chunk_size)
        if not chunk:
            raise StopIteration
        return chunk
