"""asyncio over the library's queue: one descriptor per event loop, no thread per call.

    bucket = pail.open('s3://my-bucket').aio()
    data = await bucket.get('key')
    async for info in bucket.list(prefix='a/'):
        ...

The arguments are those of Bucket's methods. Cancelling a task ends its request.
"""
from __future__ import annotations

import asyncio
import weakref
from typing import Any, AsyncIterator, Iterable, Mapping, Sequence

from . import _pail
from .native import Bucket

TICK_S = 0.1
PART, PART_MIN = 8 << 20, 5 << 20  # what the services in general take
_loops: weakref.WeakKeyDictionary[Any, Loop] = weakref.WeakKeyDictionary()  # gone with the loop


class Loop:
    """The queue of one event loop."""

    def __init__(self, loop):
        self.loop, self.queue = weakref.proxy(loop), _pail.Queue()  # else it would keep its own key
        self.watched, self.timer = False, None

    def watch(self):
        self.loop.add_reader(self.queue.fileno(), self.dispatch)
        self.watched = True
        self.timer = self.loop.call_later(TICK_S, self.tick)

    def tick(self):
        """Deadlines, cancels and progress are looked for ten times a second."""
        self.timer = self.loop.call_later(TICK_S, self.tick)
        self.dispatch()

    def dispatch(self):
        """The descriptor is readable. An idle loop has nothing of ours to look at."""
        self.queue.dispatch()
        if not self.queue.under_way and self.watched:
            self.loop.remove_reader(self.queue.fileno())
            self.timer.cancel()
            self.timer = None  # it holds the loop
            self.watched = False

    async def run(self, submit, *args, **options):
        """Submits and waits; a cancelled task cancels its operation and waits for its end."""
        future = self.loop.create_future()
        if not self.watched:
            self.watch()
        try:
            operation = submit(args[0], future, *args[1:], **options)
        except BaseException:
            if not self.queue.under_way:
                self.dispatch()
            raise
        if operation is None:
            return None
        try:
            return await future
        except asyncio.CancelledError:
            end = self.loop.create_future()
            if operation.cancel(lambda result, error: end.done() or end.set_result(None)):
                await end
            raise


def current():
    loop = asyncio.get_running_loop()
    if loop not in _loops:
        _loops[loop] = Loop(loop)
    return _loops[loop]


class AsyncBucket:
    """A bucket whose methods are awaited. Made by Bucket.aio(); `bucket` is the blocking one."""

    def __init__(self, bucket: Bucket) -> None:
        if not isinstance(bucket, Bucket):
            raise TypeError(f"takes a Bucket, not {type(bucket).__name__}")
        self.bucket = bucket

    @property
    def name(self) -> str:
        return self.bucket.name

    async def get(self, key: str, sink: Any = None, **options: Any) -> Any:
        """Bytes, or their count with a sink."""
        loop = current()
        return await loop.run(loop.queue.get, self.bucket, key, sink, **options)

    async def put(self, key: str, source: Any, **options: Any) -> _pail.Info:
        """Info. source: not a pipe, which would hold the loop up."""
        loop = current()
        return await loop.run(loop.queue.put, self.bucket, key, source, **options)

    async def stat(self, key: str, **options: Any) -> _pail.Info:
        loop = current()
        return await loop.run(loop.queue.stat, self.bucket, key, **options)

    async def delete(self, key: str, **options: Any) -> None:
        loop = current()
        await loop.run(loop.queue.delete, self.bucket, key, **options)

    async def copy(self, key: str, to_key: str, to_bucket: Any = None,
                   **options: Any) -> _pail.Info:
        loop = current()
        to_bucket = to_bucket.bucket if isinstance(to_bucket, AsyncBucket) else to_bucket
        return await loop.run(loop.queue.copy, self.bucket, key, to_key, to_bucket, **options)

    async def rename(self, key: str, to_key: str, **options: Any) -> None:
        """Copies, then deletes the source: not atomic."""
        if key == to_key:
            raise _pail.BadArgument(f"{key!r} cannot be renamed to itself")
        await self.copy(key, to_key, **options)
        await self.delete(key)

    async def get_ranges(self, key: str, ranges: Iterable[tuple[int, int]],
                         **options: Any) -> list[bytes]:
        """A list of bytes, all of one version."""
        loop = current()
        return await loop.run(loop.queue.get_ranges, self.bucket, key, ranges, **options)

    async def delete_many(self, keys: Iterable[str], **options: Any) -> None:
        loop = current()
        return await loop.run(loop.queue.delete_many, self.bucket, keys, **options)

    async def tags(self, key: str, **options: Any) -> dict[str, str]:
        loop = current()
        return await loop.run(loop.queue.tags, self.bucket, key, **options)

    async def set_tags(self, key: str, tags: Mapping[str, str], **options: Any) -> None:
        """Replaces all tags."""
        loop = current()
        await loop.run(loop.queue.set_tags, self.bucket, key, tags, **options)

    async def presign(self, key: str, method: str = "GET", **options: Any) -> _pail.Presigned:
        """A signed URL. In a thread of the loop's executor, where a service gives the key for it."""
        return await asyncio.to_thread(self.bucket.presign, key, method, **options)

    async def upload_begin(self, key: str, **options: Any) -> str:
        """Begins an upload in parts; its id."""
        loop = current()
        return await loop.run(loop.queue.upload_begin, self.bucket, key, **options)

    async def upload_part(self, key: str, upload_id: str, number: int, source: Any,
                          **options: Any) -> _pail.Info:
        """Sends a part; its Info goes to upload_finish()."""
        loop = current()
        return await loop.run(loop.queue.upload_part, self.bucket, key, upload_id, number, source,
                              **options)

    async def upload_finish(self, key: str, upload_id: str,
                            parts: Iterable[tuple[int, _pail.Info]],
                            **options: Any) -> _pail.Info:
        """Makes the object of its parts: pairs (number, Info)."""
        loop = current()
        return await loop.run(loop.queue.upload_finish, self.bucket, key, upload_id, parts,
                              **options)

    async def upload_abort(self, key: str, upload_id: str, **options: Any) -> None:
        """Drops an unfinished upload with its parts."""
        loop = current()
        await loop.run(loop.queue.upload_abort, self.bucket, key, upload_id, **options)

    def writer(self, key: str, *, part_size: int = PART, concurrency: int = 4,
               **options: Any) -> AsyncWriter:
        """An AsyncWriter: `async with bucket.writer(key) as file: await file.write(data)`."""
        return AsyncWriter(self, key, part_size, concurrency, options)

    async def create(self, *, exist_ok: bool = False) -> None:
        loop = current()
        try:
            await loop.run(loop.queue.bucket_create, self.bucket)
        except _pail.BucketExists:
            if not exist_ok or not await self.exists():
                raise

    async def exists(self) -> bool:
        loop = current()
        try:
            await loop.run(loop.queue.bucket_exists, self.bucket)
            return True
        except _pail.BucketNotFound:
            return False

    async def remove(self, *, delete_contents: bool = False) -> None:
        loop = current()
        if delete_contents:
            async for page in self.pages():
                await self.delete_many([info.key for info in page])
        await loop.run(loop.queue.bucket_delete, self.bucket)

    async def pages(self, **options: Any) -> AsyncIterator[Sequence[_pail.Info]]:
        """Lists of Info, a page each; the next page is under way while one is read."""
        loop = current()
        listing = self.bucket.list(**options)
        ahead = asyncio.ensure_future(loop.run(_fetch, loop.queue, listing))
        try:
            while await ahead:
                page = listing.ready()
                ahead = asyncio.ensure_future(loop.run(_fetch, loop.queue, listing))
                yield page
        finally:
            ahead.cancel()
            await asyncio.wait([ahead])

    async def list(self, **options: Any) -> AsyncIterator[_pail.Info]:
        """Every Info, in byte order of the keys."""
        async for page in self.pages(**options):
            for info in page:
                yield info

    async def stream(self, key: str, chunk_size: int = 8 << 20, *,
                     version: str | None = None) -> AsyncIterator[bytes]:
        """The bytes in pieces, all of one version. Raises Changed where it was replaced."""
        info = await self.stat(key, version=version)
        at = 0
        while at < info.size:
            try:
                data = await self.get(key, offset=at, length=chunk_size, version=version,
                                      if_match=info.etag)
            except (_pail.PreconditionFailed, _pail.NotFound) as error:
                raise _pail.Changed(f"{key!r} was replaced while it was read") from error
            yield data
            at += len(data)

    def __repr__(self):
        return f"<pail.AsyncBucket {self.bucket.scheme}:{self.bucket.name}>"


# What of a writer's options the steps of its upload take; the first holds for a put as well.
PART_OPTIONS = frozenset(("timeout", "cancel", "headers", "request_payer", "customer_key"))
ABORT_OPTIONS = frozenset(("timeout", "headers"))


class AsyncWriter:
    """What is written becomes an object when the block ends, and nothing where it raises.

    At most `concurrency` parts of `part_size` bytes are under way, and one is gathered: memory is
    (concurrency + 1) * part_size. Up to one part goes in a single request. One task writes.
    Options: those of upload_begin().
    """

    def __init__(self, bucket: AsyncBucket, key: str, part_size: int, concurrency: int,
                 options: dict[str, Any]) -> None:
        if part_size < PART_MIN or concurrency < 1:
            raise _pail.BadArgument(f"a part has {PART_MIN} bytes or more, and one is under way")
        if "progress" in options:
            raise TypeError("a writer has no progress: its program knows what it wrote")
        self.bucket, self.key, self.info = bucket, key, None
        self._part_size, self._concurrency, self._options = part_size, concurrency, options
        self._buffer = bytearray()
        self._begun: Any = None  # the task that begins the upload
        self._parts: Any = []  # (number, task)
        self._ending: Any = None  # the task that drops what was written
        self._closed = False

    async def write(self, data: Any) -> int:
        """Takes bytes-like data; waits while enough is under way. Raises what a part failed of."""
        if self._closed:
            raise ValueError("the writer is closed")
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            if len(self._buffer) == self._part_size:
                await self._send()
            take = min(self._part_size - len(self._buffer), len(view) - at)
            self._buffer += view[at:at + take]
            at += take
        return len(view)

    def _some(self, names):
        return {name: value for name, value in self._options.items() if name in names}

    async def _id(self):
        """The upload's id; a cancelled caller leaves the beginning to abort()."""
        if self._begun is None:
            self._begun = asyncio.ensure_future(
                self.bucket.upload_begin(self.key, **self._options))
        return await asyncio.shield(self._begun)

    async def _send(self):
        upload = await self._id()
        under_way = [task for _, task in self._parts if not task.done()]
        while len(under_way) >= self._concurrency:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            under_way = [task for task in under_way if not task.done()]
        for _, task in self._parts:
            if task.done():
                task.result()
        part, self._buffer = self._buffer, bytearray()
        number = len(self._parts) + 1
        self._parts.append((number, asyncio.ensure_future(self.bucket.upload_part(
            self.key, upload, number, part, **self._some(PART_OPTIONS)))))

    async def close(self) -> _pail.Info:
        """Makes the object; its Info, also in `info`. Where it fails nothing is left."""
        if self._closed:
            return self.info
        try:
            if self._begun is None:
                self.info = await self.bucket.put(self.key, self._buffer, **self._options)
            else:
                await self._send()
                parts = [(number, await task) for number, task in self._parts]
                self.info = await self.bucket.upload_finish(self.key, await self._id(), parts,
                                                            **self._options)
        except BaseException:
            await self._drop_quietly()
            raise
        self._closed = True
        return self.info

    async def abort(self) -> None:
        """Drops what was written. Again, or closed: nothing."""
        if self._closed and self._ending is None:
            return
        self._closed = True
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._drop())
        try:
            await asyncio.shield(self._ending)
        except asyncio.CancelledError:
            if not self._ending.done():  # the caller was cancelled again: first this, then that
                await asyncio.wait([self._ending])
            raise

    async def _drop(self):
        tasks = [task for _, task in self._parts]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            upload = await self._begun if self._begun is not None else None
        except _pail.Error:
            return  # it never began
        if upload is not None:
            try:
                await self.bucket.upload_abort(self.key, upload, **self._some(ABORT_OPTIONS))
            except _pail.UploadNotFound:
                pass

    async def _drop_quietly(self):
        """Beside an exception that goes on: what abort() fails of does not take its place."""
        try:
            await self.abort()
        except Exception:  # the upload stays listed
            pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, *rest):
        if kind is None:
            await self.close()
        else:
            await self._drop_quietly()


def _fetch(queue, done, listing):
    return queue.page(listing, done)
