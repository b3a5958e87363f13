"""Copies and checksums by a Dask cluster, for what outgrows one machine.

    client = distributed.Client(...)
    report = pail.dask.copy(client, pail.open('s3://from'), pail.open('gs://to'), prefix='2024/')
    print(report)

A prefix is cut into ranges of keys from one listing; each range is a task that lists its part
again and works on it, so that nothing that is sent grows with the number of objects. What is at
the target already is left alone, so a copy that was broken off is resumed by running it again.
"""
from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator

from ._pail import Error, Info
from .native import Bucket

KEYS, BYTES = 10_000, 16 << 30  # of one range
CHUNK = 8 << 20


@dataclass(frozen=True)
class Range:
    """The keys behind `after` up to `last`, both of which a listing gave."""

    after: str | None
    last: str
    keys: int
    bytes: int


@dataclass
class Report:
    """What was done: counts of objects and bytes, and what failed."""

    done: int = 0
    skipped: int = 0
    bytes: int = 0
    seconds: float = 0.0
    failed: list[tuple[str, str]] = field(default_factory=list)  # (key, why)

    @property
    def ok(self) -> bool:
        return not self.failed

    def add(self, other: Report) -> None:
        self.done += other.done
        self.skipped += other.skipped
        self.bytes += other.bytes
        self.failed += other.failed

    def __str__(self) -> str:
        return (f"{self.done} objects, {self.bytes} bytes in {self.seconds:.1f} s; {self.skipped} "
                f"were there already, {len(self.failed)} failed")


def plan(bucket: Bucket, prefix: str = "", *, keys: int = KEYS,
         bytes: int = BYTES) -> Iterator[Range]:
    """Ranges of at most so many keys, or of few more bytes than that. 1 request a page."""
    after, last, count, size = None, None, 0, 0
    for info in bucket.list(prefix=prefix):
        if last is not None and (count >= keys or size >= bytes):
            yield Range(after, last, count, size)
            after, count, size = last, 0, 0
        last, count, size = info.key, count + 1, size + info.size
    if last is not None and count:
        yield Range(after, last, count, size)


def entries(bucket: Bucket, prefix: str, of: Range) -> Iterator[Info]:
    """What is in a range now: objects may have come and gone since it was planned."""
    for info in bucket.list(prefix=prefix, start_after=of.after):
        if info.key.encode() > of.last.encode():
            return
        yield info


def is_same(source: Info, target: Info | None) -> bool:
    """Whether the target is a copy of the source: as large, and not older."""
    return (target is not None and source.size == target.size
            and target.mtime_ms >= source.mtime_ms)


def copy(client: Any, source: Bucket, target: Bucket, prefix: str = "", *,
         to_prefix: str | None = None, resume: bool = True, at_once: int = 16, keys: int = KEYS,
         bytes: int = BYTES, progress: Callable[[Report], object] | None = None) -> Report:
    """Copies all below a prefix; to_prefix takes its place at the target.

    client: a distributed.Client. resume: what is at the target, as large and not older, is left
    alone. at_once: objects of one task. progress: called with the sum after each range. Failures
    are in the report; the rest goes on.
    """
    to_prefix = prefix if to_prefix is None else to_prefix
    return _run(client, plan(source, prefix, keys=keys, bytes=bytes), progress, _copy_range, source,
                target, prefix, to_prefix, resume, at_once)


def checksum(client: Any, bucket: Bucket, prefix: str = "", *, algorithm: str = "sha256",
             keys: int = KEYS, bytes: int = BYTES,
             each: Callable[[str, int, str], object] | None = None,
             progress: Callable[[Report], object] | None = None) -> Report:
    """Reads every byte below a prefix: the library holds it against the stored checksum.

    each: called with (key, size, hex digest by `algorithm` of hashlib) as the ranges end.
    """
    hashlib.new(algorithm)  # raises ValueError here, not on every worker
    return _run(client, plan(bucket, prefix, keys=keys, bytes=bytes), progress, _sum_range, bucket,
                prefix, algorithm, each=each)


def _run(client: Any, ranges: Iterator[Range], progress: Any, task: Any, *args: Any,
         each: Any = None) -> Report:
    from distributed import as_completed
    total, begun = Report(), time.monotonic()
    futures = [client.submit(task, of, *args, pure=False) for of in ranges]
    for future in as_completed(futures):
        report, found = future.result()
        total.add(report)
        total.seconds = time.monotonic() - begun
        for item in found if each else ():
            each(*item)
        if progress:
            progress(total)
    total.seconds = time.monotonic() - begun
    return total


# ---- on the workers

def _copy_range(of: Range, source: Bucket, target: Bucket, prefix: str, to_prefix: str,
                resume: bool, at_once: int) -> tuple[Report, list[Any]]:
    there = {}
    if resume:
        to_range = Range(None if of.after is None else to_prefix + of.after[len(prefix):],
                         to_prefix + of.last[len(prefix):], 0, 0)
        there = {info.key: info for info in entries(target, to_prefix, to_range)}
    report = Report()
    asyncio.run(_copy_all(of, source, target, prefix, to_prefix, there, at_once, report))
    return report, []


async def _copy_all(of: Range, source: Bucket, target: Bucket, prefix: str, to_prefix: str,
                    there: dict[str, Info], at_once: int, report: Report) -> None:
    bucket, free, tasks = source.aio(), asyncio.Semaphore(at_once), set()

    async def one(info: Info, to_key: str) -> None:
        try:
            await bucket.copy(info.key, to_key, target)
            report.done += 1
            report.bytes += info.size
        except Error as error:
            report.failed.append((info.key, str(error)))
        finally:
            free.release()

    for info in entries(source, prefix, of):
        to_key = to_prefix + info.key[len(prefix):]
        if is_same(info, there.get(to_key)):
            report.skipped += 1
            continue
        await free.acquire()
        task = asyncio.create_task(one(info, to_key))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


def _sum_range(of: Range, bucket: Bucket, prefix: str,
               algorithm: str) -> tuple[Report, list[tuple[str, int, str]]]:
    report, found, room = Report(), [], memoryview(bytearray(CHUNK))
    for info in entries(bucket, prefix, of):
        try:
            digest, size = hashlib.new(algorithm), 0
            with bucket.open(info.key, buffering=0) as file:
                while n := file.readinto(room):
                    digest.update(room[:n])
                    size += n
            found.append((info.key, size, digest.hexdigest()))
            report.done += 1
            report.bytes += size
        except Error as error:
            report.failed.append((info.key, str(error)))
    return report, found
