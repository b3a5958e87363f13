"""The module's calls, on the memory store and, where it is built, on LOCAL."""
import array
import io
import os
import pickle
import threading
import unittest

import pail
import stores
from pail import exceptions

BIG = bytes(range(256)) * (9 << 12)  # 9 MiB: more than one part of a stream


class Socket(io.RawIOBase):
    """A stream without a length or a position, that gives little at a time."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def read(self, n=-1):
        return self.data.read(min(n, 70000))


class OnMemory(unittest.TestCase):
    def open_client(self):
        return pail.open("memory:")

    def setUp(self):
        self.client = self.open_client()
        self.bucket = self.client.bucket("my-bucket")
        self.bucket.create()
        self.folder = stores.folder(self)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    # ---- bytes in and out

    def test_put__takes_every_kind_of_source(self):
        read_fd, write_fd = os.pipe()
        self.addCleanup(os.close, read_fd)
        with os.fdopen(write_fd, "wb") as file:
            file.write(b"12345678")
        with open(self.path("source", b"12345678"), "rb") as file:
            for source in (b"12345678", bytearray(b"12345678"), memoryview(b"12345678"),
                           array.array("Q", [0x3837363534333231]), self.path("source"),
                           io.BytesIO(b"12345678"), Socket(b"12345678"), file.fileno(), read_fd):
                with self.subTest(source=type(source).__name__):
                    self.assertEqual(self.bucket.put("a", source).size, 8)
                    self.assertEqual(self.bucket.get("a"), b"12345678")

    def test_put__stream_of_unknown_length_in_parts(self):
        self.assertEqual(self.bucket.put("big", Socket(BIG)).size, len(BIG))
        self.assertEqual(self.bucket.get("big"), BIG)

    def test_get__fills_every_kind_of_sink(self):
        self.bucket.put("big", BIG)
        room, stream = bytearray(len(BIG)), io.BytesIO()
        self.assertEqual(self.bucket.get("big", room), len(BIG))
        self.assertEqual(self.bucket.get("big", self.path("target")), len(BIG))
        self.assertEqual(self.bucket.get("big", stream), len(BIG))
        with open(self.path("target"), "rb") as file:
            self.assertTrue(room == BIG == stream.getvalue() == file.read())
        with open(self.path("target"), "wb") as file:
            self.assertEqual(self.bucket.get("big", file.fileno(), length=5), 5)
        self.assertEqual(os.path.getsize(self.path("target")), 5)

    def test_get__pipe_gets_all_while_somebody_reads(self):
        self.bucket.put("big", BIG)
        read_fd, write_fd = os.pipe()
        got = []

        def read_all():
            with os.fdopen(read_fd, "rb") as file:
                got.append(file.read())

        reader = threading.Thread(target=read_all)
        reader.start()
        self.bucket.get("big", write_fd)
        os.close(write_fd)
        reader.join()
        self.assertTrue(got[0] == BIG)

    def test_get__ranges(self):
        self.bucket.put("a", b"0123456789")
        self.assertEqual(self.bucket.get("a", offset=3), b"3456789")
        self.assertEqual(self.bucket.get("a", offset=3, length=2), b"34")
        self.assertEqual(self.bucket.get("a", suffix=4), b"6789")
        with self.assertRaises(exceptions.BadRange):
            self.bucket.get("a", offset=11)

    def test_get__empty_object_is_empty_bytes(self):
        self.bucket.put("a", b"")
        self.assertEqual(self.bucket.get("a"), b"")
        self.assertEqual(self.bucket.reader("a").read(), b"")

    def test_get__small_buffer_is_refused(self):
        self.bucket.put("a", b"12345678")
        with self.assertRaises(exceptions.TooLarge):
            self.bucket.get("a", bytearray(7))
        with self.assertRaises((TypeError, BufferError)):
            self.bucket.get("a", b"read-only")

    def test_reader__gives_pieces_and_the_rest(self):
        self.bucket.put("a", b"0123456789")
        reader = self.bucket.reader("a")
        self.assertEqual([reader.read(4), reader.read(), reader.read(1)], [b"0123", b"456789", b""])
        reader.close()
        reader.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            reader.read()

    # ---- callbacks

    def test_put__exception_of_read_comes_out_and_nothing_is_stored(self):
        class Bad(io.RawIOBase):
            def read(self, n=-1):
                raise ZeroDivisionError("in read")

        with self.assertRaisesRegex(ZeroDivisionError, "in read"):
            self.bucket.put("a", Bad())
        with self.assertRaises(exceptions.NotFound):
            self.bucket.stat("a")

    def test_put__text_file_is_a_type_error(self):
        with self.assertRaisesRegex(TypeError, "binary mode"):
            self.bucket.put("a", io.StringIO("text"))
        with self.assertRaises(TypeError):
            self.bucket.put("a", None)
        with self.assertRaises(TypeError):
            self.bucket.put("a", 1.5)

    def test_get__exception_of_write_comes_out(self):
        class Full(io.RawIOBase):
            def write(self, data):
                raise OSError(28, "full")

        self.bucket.put("a", b"1")
        with self.assertRaisesRegex(OSError, "full"):
            self.bucket.get("a", Full())

    def test_get__short_writes_go_on(self):
        class Slow(io.BytesIO):
            def write(self, data):
                return super().write(data[:3])

        self.bucket.put("a", b"0123456789")
        sink = Slow()
        self.bucket.get("a", sink)
        self.assertEqual(sink.getvalue(), b"0123456789")

    # ---- what is known of objects

    def test_stat__tells_what_was_stored(self):
        put = self.bucket.put("a.json", b"{}", metadata={"made-by": "me"})
        info = self.bucket.stat("a.json")
        self.assertEqual((info.key, info.size, info.etag), ("a.json", 2, put.etag))
        self.assertEqual(info.content_type, "application/json")
        self.assertEqual(info.metadata, {"made-by": "me"})
        self.assertGreater(info.mtime_ms, 0)
        self.assertFalse(info.is_prefix)
        self.bucket.put("b", b"", content_type="text/x-mine")
        self.assertEqual(self.bucket.stat("b").content_type, "text/x-mine")

    def test_put__conditions(self):
        first = self.bucket.put("a", b"1", if_none_match="*")
        with self.assertRaises(exceptions.Exists):
            self.bucket.put("a", b"2", if_none_match="*")
        self.bucket.put("a", b"3", if_match=first.etag)
        with self.assertRaises(exceptions.PreconditionFailed):
            self.bucket.put("a", b"4", if_match=first.etag)
        self.assertEqual(self.bucket.get("a"), b"3")

    def test_list__keys_prefixes_and_patterns(self):
        for key in ("a", "a/1", "a/2", "b.txt", "ü"):
            self.bucket.put(key, b"")

        def keys(**options):
            return [info.key for info in self.bucket.list(**options)]

        self.assertEqual(keys(), ["a", "a/1", "a/2", "b.txt", "ü"])
        self.assertEqual(keys(page_size=2), keys())
        self.assertEqual(keys(prefix="a/"), ["a/1", "a/2"])
        self.assertEqual(keys(delimiter="/"), ["a", "a/", "b.txt", "ü"])
        self.assertEqual(keys(start_after="a/1"), ["a/2", "b.txt", "ü"])
        self.assertEqual(keys(pattern="*.txt"), ["b.txt"])
        self.assertEqual([i.is_prefix for i in self.bucket.list(prefix="a", delimiter="/")],
                         [False, True])

    def test_delete_and_copy(self):
        for key in "abc":
            self.bucket.put(key, key.encode())
        other = self.client.bucket("other")
        other.create()
        self.assertEqual(self.bucket.copy("a", "d").size, 1)
        self.bucket.copy("a", "e", other)
        self.assertEqual((self.bucket.get("d"), other.get("e")), (b"a", b"a"))
        self.bucket.delete("a")
        self.bucket.delete("never there")
        self.bucket.delete_many(iter(["b", "d"]))
        self.assertEqual([info.key for info in self.bucket.list()], ["c"])
        with self.assertRaises(TypeError):
            self.bucket.delete_many("c")

    def test_bucket__create_exists_list_remove(self):
        self.assertTrue(self.bucket.exists())
        self.bucket.create(exist_ok=True)
        with self.assertRaises(exceptions.BucketExists):
            self.bucket.create()
        self.assertEqual([info.key for info in self.client.buckets()], ["my-bucket"])
        self.bucket.put("a", b"")
        with self.assertRaises(exceptions.BucketNotEmpty):
            self.bucket.remove()
        self.bucket.remove(delete_contents=True)
        self.assertFalse(self.bucket.exists())

    # ---- errors

    def test_error__carries_what_is_known(self):
        with self.assertRaises(exceptions.NotFound) as caught:
            self.bucket.get("no such key")
        error = caught.exception
        self.assertIsInstance(error, pail.Error)
        self.assertEqual((error.code, error.operation, error.bucket, error.key),
                         ("not_found", "get", "my-bucket", "no such key"))
        self.assertIn("get my-bucket/no such key: ", str(error))
        self.assertEqual((error.status, error.retryable, error.maybe_applied), (0, False, False))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.key), (type(error), str(error), error.key))

    def test_error__tree(self):
        for name in ("BucketNotFound", "VersionNotFound", "UploadNotFound"):
            self.assertTrue(issubclass(getattr(exceptions, name), exceptions.NotFound))
        self.assertTrue(issubclass(exceptions.BadKey, exceptions.InvalidNameException))
        self.assertTrue(issubclass(exceptions.Unsupported, NotImplementedError))
        self.assertEqual(exceptions.Checksum.code, "checksum")
        for made in vars(exceptions).values():
            if isinstance(made, type):
                self.assertTrue(issubclass(made, exceptions.CloudBridgeBaseException), made)

    def test_keys__bad_ones_are_refused(self):
        with self.assertRaises(exceptions.BadKey):
            self.bucket.put("", b"")
        with self.assertRaises(exceptions.BadKey):
            self.bucket.put("x" * 1025, b"")
        with self.assertRaises(ValueError):
            self.bucket.put("a\0b", b"")
        with self.assertRaises(TypeError):
            self.bucket.put(b"a", b"")
        for key in ("..", "a//b", "a/", "\x01", "日本"):
            self.bucket.put(key, key.encode())
            self.assertEqual(self.bucket.get(key), key.encode())

    def test_iterator__outlives_its_bucket(self):
        self.bucket.put("a", b"")
        listing = self.bucket.list()
        self.bucket = self.client = None
        self.assertEqual([info.key for info in listing], ["a"])

    def test_threads__share_a_bucket(self):
        failed = []

        def work(number):
            try:
                for i in range(20):
                    key = f"{number}/{i}"
                    self.bucket.put(key, Socket(key.encode()))
                    assert self.bucket.get(key) == key.encode()
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(sum(1 for _ in self.bucket.list()), 160)


class OnLocal(OnMemory):
    def open_client(self):
        try:
            return pail.open("local:", local_home=stores.folder(self))
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")

    def test_open__second_client_sees_the_same(self):
        home = stores.folder(self)
        pail.open("local:one", local_home=home).create()
        self.assertTrue(pail.open(f"local:one?local_home={home}").exists())


class Open(unittest.TestCase):
    def test_open__bucket_or_client_by_url(self):
        self.assertIsInstance(pail.open("memory:"), pail.Client)
        self.assertEqual(pail.open("memory:").scheme, "memory")
        self.assertIsInstance(pail.open("memory:my-bucket"), pail.Bucket)
        self.assertEqual(pail.open("memory:my-bucket").name, "my-bucket")

    def test_open__says_what_is_wrong(self):
        with self.assertRaisesRegex(exceptions.BadConfig, "memory:"):
            pail.open("memori:")
        with self.assertRaisesRegex(exceptions.BadConfig, "part_size"):
            pail.open("memory:", part_sise="8M")
        with self.assertRaises(exceptions.BadBucketName):
            pail.open("memory:Not_A_Name")
        with self.assertRaises(exceptions.BadConfig):
            pail.open("memory:bucket/key")
        with self.assertRaises(TypeError):
            pail.open(7)

    def test_open__settings_are_explained(self):
        text = pail.open("memory:", part_size="8M", verify=True).explain()
        self.assertRegex(text, r"part_size = .*\(option\)")
        self.assertRegex(text, r"verify = true +\(option\)")

    def test_types__are_made_where_they_make_sense(self):
        for made in (pail.Bucket, pail.Listing, pail.Reader, pail.Writer):
            with self.assertRaises(TypeError):
                made()
        with self.assertRaises(TypeError):
            pail.Bucket("memory:", "my-bucket")
        self.assertEqual(pail.Bucket(pail.Client("memory:"), "my-bucket").name, "my-bucket")


if __name__ == "__main__":
    unittest.main()
