"""References that leak, allocations that fail, and what the import costs."""
import gc
import os
import pickle
import subprocess
import sys
import unittest

import pail
import stores
from pail import _pail, exceptions

try:
    import _testcapi
except ImportError:
    _testcapi = None

PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import test_memory
test_memory.grow({name!r})
"""


def swallow(call, *errors):
    try:
        call()
    except errors:
        pass


def files(bucket):
    with bucket.open("f", "wb", metadata={"a": "b"}) as file:
        file.write(b"12")
    with bucket.open("f") as file:
        file.seek(1)
        file.read()
    with bucket.open("f", "r") as file:
        file.readlines()
    writer = bucket.writer("g")
    writer.write(b"1")
    writer.discard()


def uploads(bucket):
    upload = bucket.upload_begin("u")
    part = bucket.upload_part("u", upload, 1, b"1")
    list(bucket.uploads())
    bucket.upload_finish("u", upload, [(1, part)])
    swallow(lambda: bucket.upload_finish("u", upload, [1]), TypeError)
    swallow(lambda: bucket.upload_abort("u", upload), exceptions.UploadNotFound)


def queue(bucket):
    made, out = _pail.Queue(), []
    made.put(bucket, lambda r, e: out.append(r), "q", b"1", metadata={"a": "b"})
    made.get(bucket, lambda r, e: out.append(r), "q", progress=lambda done, total: None)
    made.get(bucket, lambda r, e: out.append(e), "none")
    made.get_ranges(bucket, lambda r, e: out.append(r), "q", [(0, 1)])
    made.delete_many(bucket, lambda r, e: out.append(r), ["x"])
    made.page(bucket.list(), lambda r, e: out.append(r))
    while made.under_way:
        made.dispatch()
    swallow(lambda: made.get(bucket, None, "q"), TypeError)
    swallow(lambda: made.put(bucket, print, "q", 1.5), TypeError)


def errors(bucket):
    for call in (lambda: bucket.get("none"), lambda: bucket.get("", bytearray(1)),
                 lambda: bucket.put("a", 1.5), lambda: bucket.get("a", no=1),
                 lambda: bucket.put("a", b"", metadata={"a": 1}), lambda: bucket.get(),
                 lambda: bucket.get_ranges("a", [3]), lambda: bucket.delete_many([1]),
                 lambda: pail.open("no:"), lambda: pail.open("memory:", no_such="1")):
        swallow(call, Exception)


def objects(bucket):
    bucket.put("a", b"123", tags={"x": "y"}, progress=lambda done, total: None)
    bucket.get("a", with_info=True)
    bucket.get("a", bytearray(3))
    bucket.get_ranges("a", [(0, 1), (2, 9)])
    bucket.tags("a")
    bucket.set_tags("a", {"x": "z"})
    bucket.copy("a", "b", replace=True, metadata={"c": "d"})
    bucket.rename("b", "c")
    bucket.stat("a")
    bucket.delete_many(["c", "none"], errors=True)


def listings(bucket):
    list(bucket.list(prefix="a", progress=lambda done, total: None))
    next(bucket.list())
    client = bucket._client
    list(client.buckets())
    client.explain(), client.supports("tags"), client.limit("parts"), client.setting("part_size")


def handles(bucket):
    client = pail.open("memory:", part_size="8M")
    client["my-bucket"].object("a")
    pail.open("memory:my-bucket")
    pickle.loads(pickle.dumps(client))
    pail.Cancel().fire()
    listing = bucket.list(progress=lambda done, total: listing)  # a cycle for the collector


STEPS = {step.__name__: step for step in (files, uploads, queue, errors, objects, listings, handles)}


def bucket_of():
    bucket = pail.open("memory:")["my-bucket"]
    bucket.create()
    bucket.put("a", b"1")
    return bucket


def grow(name):
    """Runs one step many times and prints how many references and blocks it left each time."""
    step, bucket = STEPS[name], bucket_of()
    for _ in range(250):  # until caches of all kinds are full
        step(bucket)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        step(bucket)
    gc.collect()
    print((sys.getallocatedblocks() - before) / 200)


class Leaks(unittest.TestCase):
    def test_leaks__no_step_grows(self):
        tests = os.path.dirname(os.path.abspath(__file__))
        for name in STEPS:
            with self.subTest(step=name):
                run = subprocess.run([sys.executable, "-c", PROGRAM.format(tests=tests, name=name)],
                                     capture_output=True, text=True, timeout=120)
                self.assertEqual(run.stderr, "")
                self.assertLess(float(run.stdout), 0.5)


@unittest.skipUnless(_testcapi and hasattr(_testcapi, "set_nomemory"),
                     "this Python has no _testcapi.set_nomemory")
class NoMemory(unittest.TestCase):
    """Each allocation of Python's fails once: MemoryError or success, and no crash."""

    def test_no_memory__every_call_survives(self):
        bucket = bucket_of()
        listing_options = {"prefix": "a"}
        calls = {
            "put": lambda: bucket.put("a", b"1", metadata={"x": "y"}),
            "get": lambda: bucket.get("a"),
            "with_info": lambda: bucket.get("a", with_info=True),
            "stat": lambda: bucket.stat("a"),
            "ranges": lambda: bucket.get_ranges("a", [(0, 1)]),
            "list": lambda: next(bucket.list(**listing_options)),
            "not found": lambda: bucket.get("none"),
            "wrong type": lambda: bucket.put("a", 1.5),
            "reader": lambda: bucket.reader("a").read(),
            "writer": lambda: bucket.writer("w").discard(),
            "delete_many": lambda: bucket.delete_many(["x"], errors=True),
            "client": lambda: _pail.Client("memory:", {"part_size": "8M"}),
        }
        for name, call in calls.items():
            swallow(call, Exception)
            for n in range(1, 60):
                _testcapi.set_nomemory(n, n + 1)
                try:
                    call()
                except (MemoryError, exceptions.Error, TypeError):
                    pass
                finally:
                    _testcapi.remove_mem_hooks()
        self.assertEqual(bucket.get("a"), b"1")


class Costs(unittest.TestCase):
    def measure(self, program):
        """Least (seconds of CPU, KiB of memory) of three runs."""
        tail = ("\nimport resource; u = resource.getrusage(resource.RUSAGE_SELF)\n"
                "print(u.ru_utime + u.ru_stime, u.ru_maxrss)")
        found = []
        for _ in range(3):
            run = subprocess.run([sys.executable, "-c", program + tail], capture_output=True,
                                 text=True, check=True)
            found.append(tuple(float(n) for n in run.stdout.split()))
        return min(f[0] for f in found), min(f[1] for f in found)

    def test_import__is_cheap(self):
        bare = self.measure("pass")
        ours = self.measure("import pail\n"
                            "pail.CloudProviderFactory().create_provider('memory', {})")
        self.assertLess(ours[1] - bare[1], 20 << 10)
        self.assertLess(ours[0] - bare[0], 0.2)  # 0.04 on a machine of its own

    def test_import__takes_no_module_that_is_not_needed(self):
        run = subprocess.run([sys.executable, "-c", "import sys, pail; print(*sorted(sys.modules))"],
                             capture_output=True, text=True, check=True)
        self.assertFalse({"asyncio", "configparser", "json", "fsspec", "dask", "ssl"}
                         & set(run.stdout.split()))


if __name__ == "__main__":
    unittest.main()
