"""A filesystem for fsspec, and so for pandas, pyarrow, Dask, Zarr and DuckDB.

    fsspec.open('pail-s3://my-bucket/data.csv', aws_region='eu-west-1')
    pandas.read_csv('pail-local://my-bucket/data.csv')
    fsspec.filesystem('pail', url='s3:', aws_region='eu-west-1')

A path is 'bucket/key'. Listings are never cached: what others write is seen at once. Keywords that
fsspec does not know are settings of docs/settings.md.
"""
from __future__ import annotations

import contextlib
import os
from datetime import datetime, timezone

from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]
from fsspec.utils import stringify_path  # type: ignore[import-untyped]

from . import exceptions
from .files import ObjectWriter
from .native import Client, text, with_defaults

# What fsspec's own classes take; everything else is a setting.
OWN_OPTIONS = frozenset("""asynchronous loop batch_size use_listings_cache listings_expiry_time
    max_paths skip_instance_cache auto_mkdir""".split())


@contextlib.contextmanager
def os_errors(path):
    """Pail's errors by the names that fsspec's users catch."""
    try:
        yield
    except exceptions.NotFound as error:
        raise FileNotFoundError(path) from error
    except exceptions.Forbidden as error:
        raise PermissionError(str(error)) from error
    except exceptions.DuplicateResourceException as error:
        raise FileExistsError(path) from error
    except exceptions.BadBucketName as error:
        raise FileNotFoundError(path) from error


class Writer(ObjectWriter):
    """Within a transaction close() only ends the writing; commit() or discard() comes later."""

    def __init__(self, writer, name, autocommit):
        super().__init__(writer, name)
        self.autocommit = autocommit

    def close(self):
        if self.autocommit:
            self.commit()

    def commit(self):
        """Makes the object visible."""
        with os_errors(self.name):
            super().close()


def split(path):
    """(bucket, key) of a path without protocol."""
    bucket, _, key = path.partition("/")
    return bucket, key


class PailFileSystem(AbstractFileSystem):
    """url: an account ('s3:', 'local:', 'memory:'); keywords: its settings."""

    protocol = "pail"
    URL = "local:"
    root_marker = ""

    def __init__(self, url=None, **options):
        super().__init__(**options)
        self.url = url or self.URL
        self.settings = {name: text(value) for name, value in options.items()
                         if name not in OWN_OPTIONS and value is not None}
        self._opened = None

    @property
    def client(self):
        """The pail.Client; a process that was forked makes one of its own."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), Client(self.url, with_defaults(self.url, self.settings))
        return self._opened[1]

    def _at(self, path):
        """(Bucket, key) of a path."""
        name, key = split(self._strip_protocol(path))
        with os_errors(path):
            return self.client.bucket(name), key

    def _object(self, path):
        bucket, key = self._at(path)
        if not key:
            raise IsADirectoryError(path)
        return bucket, key

    def invalidate_cache(self, path=None):
        """Nothing is cached."""

    # ---- what there is

    @staticmethod
    def _entry(bucket, info):
        name = f"{bucket.name}/{info.key}"
        if info.is_prefix:
            return {"name": name.rstrip("/"), "size": 0, "type": "directory"}
        return {"name": name, "size": info.size, "type": "file", "ETag": info.etag,
                "mtime": info.mtime_ms / 1000, "LastModified": as_time(info.mtime_ms),
                "version": info.version, "content_type": info.content_type,
                "metadata": info.metadata}

    def ls(self, path, detail=True, **options):
        """The entries of a folder, or of a file itself."""
        path = self._strip_protocol(path)
        if not path:
            found = [{"name": info.key, "size": 0, "type": "directory"}
                     for info in self.client.buckets()]
        else:
            found = self._ls_bucket(path)
        return found if detail else [entry["name"] for entry in found]

    def _ls_bucket(self, path):
        bucket, key = self._at(path)
        prefix = key.rstrip("/") + "/" if key else ""
        with os_errors(path):
            found = [self._entry(bucket, info)
                     for info in bucket.list(prefix=prefix, delimiter="/") if info.key != prefix]
            if not found and key:
                found = [self.info(path)]
                if found[0]["type"] == "directory":
                    return []
        return found

    def info(self, path, **options):
        """Of a file, a folder (something lies below it) or a bucket. Raises FileNotFoundError."""
        path = self._strip_protocol(path)
        if not path:
            return {"name": "", "size": 0, "type": "directory"}
        bucket, key = self._at(path)
        with os_errors(path):
            if not key:
                if not bucket.exists():
                    raise FileNotFoundError(path)
                return {"name": path, "size": 0, "type": "directory"}
            try:
                return self._entry(bucket, bucket.stat(key))
            except exceptions.BucketNotFound:
                raise
            except exceptions.NotFound:
                below = bucket.list(prefix=key.rstrip("/") + "/", page_size=1)
                if next(below, None) is None:
                    raise
                return {"name": path, "size": 0, "type": "directory"}

    def find(self, path, maxdepth=None, withdirs=False, detail=False, **options):
        """Every file below a path: one listing, however deep it goes."""
        path = self._strip_protocol(path)
        prefix = options.pop("prefix", "")
        if maxdepth is not None or withdirs or not path:
            if prefix:
                raise ValueError("prefix goes with neither maxdepth nor withdirs")
            return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail)
        bucket, key = self._at(path)
        start = (key.rstrip("/") + "/" if key else "") + prefix
        found = {}
        try:
            for info in bucket.list(prefix=start):
                if not info.key.endswith("/"):
                    entry = self._entry(bucket, info)
                    found[entry["name"]] = entry
            if not found and key and not prefix:
                entry = self._entry(bucket, bucket.stat(key))
                found[entry["name"]] = entry
        except exceptions.NotFound:
            pass
        return found if detail else list(found)

    def created(self, path):
        return self.modified(path)

    def modified(self, path):
        """When it was written last, as a datetime in UTC."""
        return self.info(path)["LastModified"]

    def ukey(self, path):
        """The ETag: another content has another."""
        return self.info(path)["ETag"]

    checksum = ukey

    def sign(self, path, expiration=3600, method="GET", **options):
        """A URL with which anyone may read the file for `expiration` seconds."""
        bucket, key = self._object(path)
        return bucket.presign(key, method, expires_s=expiration, **options).url

    # ---- content

    def _open(self, path, mode="rb", block_size=None, autocommit=True, cache_options=None,
              **options):
        bucket, key = self._object(path)
        options.pop("compression", None)
        options.pop("size", None)
        with os_errors(path):
            if mode == "rb":
                buffering = block_size if isinstance(block_size, int) else -1
                return bucket.open(key, "rb", buffering=max(buffering, -1), **options)
            if mode in ("wb", "xb"):
                if mode == "xb":
                    options["if_none_match"] = "*"  # what counts, when it is closed
                    if bucket.object(key).exists():  # sooner, where it is plain already
                        raise FileExistsError(path)
                return Writer(bucket.writer(key, **options), path, autocommit)
        raise NotImplementedError(f"mode {mode!r}: an object is written whole, with wb or xb")

    def cat_file(self, path, start=None, end=None, **options):
        bucket, key = self._object(path)
        with os_errors(path):
            if start is None and end is None:
                return bucket.get(key, **options)
            if (start or 0) < 0 or (end or 0) < 0:
                size = bucket.stat(key).size
                start, end = (max(0, size + n) if n is not None and n < 0 else n
                              for n in (start, end))
            start = start or 0
            if end is None:
                size = bucket.stat(key).size
                return bucket.get(key, offset=start, **options) if start < size else b""
            return bucket.get_ranges(key, [(start, max(0, end - start))], **options)[0]

    def cat_ranges(self, paths, starts, ends, max_gap=None, on_error="return", **options):
        """Ranges of many files; those of one file share requests."""
        count = len(paths)
        starts = [starts] * count if not isinstance(starts, (list, tuple)) else starts
        ends = [ends] * count if not isinstance(ends, (list, tuple)) else ends
        results, by_path = [None] * count, {}
        for i, (path, start, end) in enumerate(zip(paths, starts, ends)):
            if start is None or end is None or start < 0 or end < 0:
                by_path[i] = [i]
            else:
                by_path.setdefault(path, []).append(i)
        for group, indexes in by_path.items():
            try:
                got = self._cat_group(paths[indexes[0]], [(starts[i], ends[i]) for i in indexes],
                                      isinstance(group, int), max_gap)
            except Exception as error:
                if on_error != "return":
                    raise
                got = [error] * len(indexes)
            for i, data in zip(indexes, got):
                results[i] = data
        return results

    def _cat_group(self, path, limits, is_open, max_gap):
        if is_open:
            return [self.cat_file(path, *limits[0])]
        bucket, key = self._object(path)
        gap = {} if max_gap is None else {"coalesce_gap": max(1, max_gap)}
        with os_errors(path):
            return bucket.get_ranges(key, [(a, max(0, b - a)) for a, b in limits], **gap)

    def pipe_file(self, path, value, mode="overwrite", **options):
        bucket, key = self._object(path)
        if mode == "create":
            options["if_none_match"] = "*"
        with os_errors(path):
            bucket.put(key, value, **options)

    def put_file(self, lpath, rpath, callback=None, mode="overwrite", **options):
        if os.path.isdir(lpath):
            return self.makedirs(rpath, exist_ok=True)
        bucket, key = self._object(rpath)
        if mode == "create":
            options["if_none_match"] = "*"
        with os_errors(rpath):
            bucket.put(key, stringify_path(lpath), progress=progress_of(callback), **options)

    def get_file(self, rpath, lpath, callback=None, outfile=None, **options):
        if outfile is None and self.isdir(rpath):
            return os.makedirs(lpath, exist_ok=True)
        bucket, key = self._object(rpath)
        if outfile is None:
            parent = os.path.dirname(stringify_path(lpath))
            if parent:
                os.makedirs(parent, exist_ok=True)
        with os_errors(rpath):
            bucket.get(key, stringify_path(lpath) if outfile is None else outfile,
                       progress=progress_of(callback), **options)

    def touch(self, path, truncate=True, **options):
        """An empty file; one that is there stays whole unless truncate."""
        if truncate:
            self.pipe_file(path, b"", **options)
        else:
            with contextlib.suppress(FileExistsError):
                self.pipe_file(path, b"", mode="create", **options)

    # ---- changes

    def cp_file(self, path1, path2, **options):
        if not split(self._strip_protocol(path1))[1] or self.isdir(path1):
            return self.makedirs(path2, exist_ok=True)
        bucket, key = self._object(path1)
        to_bucket, to_key = self._object(path2)
        with os_errors(path1):
            bucket.copy(key, to_key, to_bucket, **options)

    def rm_file(self, path):
        bucket, key = self._object(path)
        with os_errors(path):
            bucket.delete(key)

    _rm = rm_file

    def rm(self, path, recursive=False, maxdepth=None):
        """Deletes by the thousand. A bucket goes with all in it where recursive."""
        paths = path if isinstance(path, list) else [path]
        keys = {}
        for found in self.expand_path(paths, recursive=recursive, maxdepth=maxdepth):
            name, key = split(found)
            keys.setdefault(name, [])
            if key:
                keys[name].append(key)
        whole = {self._strip_protocol(p).rstrip("/") for p in paths if recursive}
        for name, several in keys.items():
            bucket = self.client.bucket(name)
            with os_errors(name):
                if name in whole:
                    bucket.remove(delete_contents=True)
                else:
                    bucket.delete_many(several)

    def mkdir(self, path, create_parents=True, **options):
        """Makes a bucket; folders in it are there with their first file."""
        bucket, key = self._at(path)
        if not key:
            with os_errors(path):
                bucket.create(**options)
        elif create_parents and not bucket.exists():
            bucket.create(exist_ok=True)

    def makedirs(self, path, exist_ok=False):
        bucket, key = self._at(path)
        with os_errors(path):
            if key:
                if not bucket.exists():
                    bucket.create(exist_ok=True)
            else:
                bucket.create(exist_ok=exist_ok)

    def rmdir(self, path):
        bucket, key = self._at(path)
        if not key:
            try:
                with os_errors(path):
                    bucket.remove()
            except exceptions.BucketNotEmpty as error:
                raise OSError(39, "the bucket is not empty", path) from error


class S3(PailFileSystem):
    """pail-s3://bucket/key"""

    protocol, URL = "pail-s3", "s3:"


class Local(PailFileSystem):
    """pail-local://bucket/key"""

    protocol, URL = "pail-local", "local:"


class Azure(PailFileSystem):
    """pail-az://container/key"""

    protocol, URL = "pail-az", "az:"


class Google(PailFileSystem):
    """pail-gs://bucket/key"""

    protocol, URL = "pail-gs", "gs:"


class Swift(PailFileSystem):
    """pail-swift://container/key"""

    protocol, URL = "pail-swift", "swift:"


def as_time(mtime_ms):
    return datetime.fromtimestamp(mtime_ms / 1000, timezone.utc)


def progress_of(callback):
    """Pail's progress for fsspec's callbacks."""
    if callback is None:
        return None

    def tell(done, total):
        if total is not None:
            callback.set_size(total)
        callback.absolute_update(done)

    return tell


def register():
    """Makes the protocols known where the package is not installed, only found by its path."""
    import fsspec  # type: ignore[import-untyped]
    for made in (PailFileSystem, S3, Local, Azure, Google, Swift):
        fsspec.register_implementation(made.protocol, made, clobber=True)
