"""References that leak, allocations that fail, and what the import costs."""
import gc
import http.server
import os
import pickle
import subprocess
import sys
import threading
import unittest
import urllib.parse

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


class Future:
    """As much of asyncio's as the queue uses."""

    def __init__(self, is_done=False):
        self.is_done, self.result = is_done, None

    def done(self):
        return self.is_done

    def set_result(self, result):
        self.result = result

    set_exception = set_result


def queue(bucket):
    made, out = _pail.Queue(), []
    made.put(bucket, lambda r, e: out.append(r), "q", b"1", metadata={"a": "b"})
    made.get(bucket, lambda r, e: out.append(r), "q", progress=lambda done, total: None)
    made.get(bucket, lambda r, e: out.append(e), "none")
    made.get_ranges(bucket, lambda r, e: out.append(r), "q", [(0, 1)])
    made.delete_many(bucket, lambda r, e: out.append(r), ["x"])
    made.page(bucket.list(), lambda r, e: out.append(r))
    made.set_tags(bucket, lambda r, e: out.append(r), "q", {"x": "y"})
    made.upload_begin(bucket, lambda r, e: out.append(r), "u", metadata={"a": "b"})
    made.upload_part(bucket, lambda r, e: out.append(e), "u", "none", 1, b"1")
    swallow(lambda: made.upload_finish(bucket, print, "u", "none", [1]), TypeError)
    made.upload_abort(bucket, lambda r, e: out.append(e), "u", "none")
    futures = [Future(), Future(is_done=True), Future()]
    made.get(bucket, futures[0], "q")
    made.get(bucket, futures[1], "q")
    made.get(bucket, futures[2], "none")
    made.put(bucket, futures[0], "q", b"1").cancel(lambda r, e: out.append(e))
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
    grown = []
    for _ in range(3):  # what leaks does so each time; a cache that fills does not
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(200):
            step(bucket)
        gc.collect()
        grown.append((sys.getallocatedblocks() - before) / 200)
    print(min(grown))


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


# ru_maxrss has the peak of the program that started this one as well.
PEAK_KIB = ("next(int(line.split()[1]) for line in open('/proc/self/status')"
            " if line.startswith('VmHWM:'))")


class Pages(http.server.BaseHTTPRequestHandler):
    """S3 whose bucket holds as many keys as its name says."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        split = urllib.parse.urlsplit(self.path)
        count = int(split.path.strip("/").rpartition("-")[2])
        at = int(dict(urllib.parse.parse_qsl(split.query)).get("continuation-token", 0))
        end = min(at + 1000, count)
        entries = "".join(
            f"<Contents><Key>key-{i:08}</Key><Size>1</Size><ETag>\"e\"</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for i in range(at, end))
        more = (f"<IsTruncated>true</IsTruncated><NextContinuationToken>{end}"
                "</NextContinuationToken>") if end < count else ""
        body = f"<ListBucketResult>{entries}{more}</ListBucketResult>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Costs(unittest.TestCase):
    def setUp(self):
        if "libasan" in os.environ.get("LD_PRELOAD", ""):
            self.skipTest("with a sanitizer the memory is its own")

    def measure(self, program):
        """Least (seconds of CPU, KiB of memory) of three runs."""
        tail = ("\nimport resource; u = resource.getrusage(resource.RUSAGE_SELF)\n"
                f"print(u.ru_utime + u.ru_stime, {PEAK_KIB})")
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

    def test_list__takes_no_memory_for_keys_that_are_gone_by(self):
        try:
            pail.open("s3:", ignore_environment=True)
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no S3: {error}")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        program = ("import pail\n"
                   "provider = pail.CloudProviderFactory().create_provider('aws', {\n"
                   "    'aws_access_key': 'AK', 'aws_secret_key': 'SK',\n"
                   "    'aws_region_name': 'us-east-1',\n"
                   "    's3_endpoint_url': 'http://127.0.0.1:%d'})\n"
                   "bucket = provider.storage.buckets.get('keys-%d')\n"
                   "count = sum(1 for _ in bucket.objects)\n"
                   f"print(count, {PEAK_KIB})")
        peaks = []
        for count in (10_000, 100_000):
            run = subprocess.run([sys.executable, "-c", program % (server.server_port, count)],
                                 capture_output=True, text=True, timeout=120)
            self.assertEqual(run.stderr, "")
            listed, peak = map(int, run.stdout.split())
            self.assertEqual(listed, count)
            peaks.append(peak)
        self.assertLess(peaks[1], 40 << 10)
        self.assertLess(peaks[1] - peaks[0], 2 << 10)

    def test_import__takes_no_module_that_is_not_needed(self):
        run = subprocess.run([sys.executable, "-c", "import sys, pail; print(*sorted(sys.modules))"],
                             capture_output=True, text=True, check=True)
        self.assertFalse({"asyncio", "configparser", "json", "fsspec", "dask", "ssl"}
                         & set(run.stdout.split()))


if __name__ == "__main__":
    unittest.main()
