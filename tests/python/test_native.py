"""The library's own calls: files, ranges, attributes, uploads by hand, progress and cancel."""
import datetime
import io
import os
import pickle
import threading
import time
import unittest

import pail
import stores
from pail import exceptions

BIG = os.urandom(1 << 20) * 12  # 12 MiB: more than one part of anything


class OnMemory(unittest.TestCase):
    def open_client(self):
        return pail.open("memory:")

    name = "my-bucket"

    def setUp(self):
        self.client = self.open_client()
        self.bucket = self.client[self.name]
        self.bucket.create()

    # ---- files

    def test_open__reads_anywhere(self):
        self.bucket.put("a", BIG)
        with self.bucket.open("a") as file:
            self.assertIsInstance(file, io.BufferedReader)
            self.assertTrue(file.seekable() and file.readable() and not file.writable())
            self.assertEqual(file.read(5), BIG[:5])
            self.assertEqual(file.seek(-7, io.SEEK_END), len(BIG) - 7)
            self.assertEqual(file.read(), BIG[-7:])
            self.assertEqual(file.seek(1 << 20), 1 << 20)
            self.assertEqual(file.read(3), BIG[:3])
            self.assertEqual(file.raw.pread(4, 2), BIG[2:6])
            self.assertEqual(file.raw.info.size, len(BIG))
            with self.assertRaises(ValueError):
                file.seek(-1)
        with self.assertRaises(ValueError):
            file.read()

    def test_open__raw_fills_buffers(self):
        self.bucket.put("a", b"0123456789")
        raw = self.bucket.open("a", buffering=0)
        self.assertIsInstance(raw, io.RawIOBase)
        room = bytearray(4)
        self.assertEqual((raw.readinto(room), bytes(room)), (4, b"0123"))
        self.assertEqual(raw.readall(), b"456789")
        self.assertEqual(raw.readinto(room), 0)
        self.assertEqual(raw.seek(20), 20)
        self.assertEqual(raw.read(), b"")
        raw.close()
        with self.assertRaises(ValueError):
            raw.tell()

    def test_open__one_version_throughout(self):
        self.bucket.put("a", BIG)
        with self.bucket.open("a", buffering=0) as raw:
            self.assertEqual(raw.read(3), BIG[:3])
            self.bucket.put("a", b"x" * len(BIG))
            raw.seek(-(5 << 20), io.SEEK_END)
            try:
                self.assertEqual(raw.read(3), BIG[-(5 << 20):][:3])
            except exceptions.Changed:
                pass

    def test_open__text_lines(self):
        self.bucket.put("a", "eins\nzwölf\n".encode())
        with self.bucket.open("a", "r") as file:
            self.assertEqual(list(file), ["eins\n", "zwölf\n"])
        with self.bucket.open("b", "w", content_type="text/x-mine") as file:
            file.write("grün\n")
            self.assertFalse(self.bucket["b"].exists())
        self.assertEqual(self.bucket.get("b"), "grün\n".encode())
        self.assertEqual(self.bucket.stat("b").content_type, "text/x-mine")

    def test_open__writes_show_on_close(self):
        with self.bucket.open("a", "wb", metadata={"made-by": "me"}) as file:
            for at in range(0, len(BIG), 100003):
                file.write(memoryview(BIG)[at:at + 100003])
            self.assertEqual(file.tell(), len(BIG))
            self.assertFalse(self.bucket["a"].exists())
        self.assertEqual(file.info.size, len(BIG))
        self.assertTrue(self.bucket.get("a") == BIG)
        self.assertEqual(self.bucket.stat("a").metadata, {"made-by": "me"})
        with self.assertRaises(ValueError):
            file.write(b"more")

    def test_open__an_exception_drops_what_was_written(self):
        self.bucket.put("a", b"old")
        for mode, data in (("wb", b"new"), ("w", "new")):
            with self.assertRaises(ZeroDivisionError), self.bucket.open("a", mode) as file:
                file.write(data)
                1 / 0
        file = self.bucket.open("a", "wb")
        file.write(BIG)
        del file
        self.assertEqual(self.bucket.get("a"), b"old")
        self.assertEqual(list(self.bucket.uploads()), [])

    def test_open__exclusive_and_wrong_modes(self):
        with self.bucket.open("a", "xb") as file:
            file.write(b"1")
        with self.assertRaises(exceptions.Exists), self.bucket.open("a", "xb") as file:
            file.write(b"2")
        self.assertEqual(self.bucket.get("a"), b"1")
        for mode in ("a", "r+", "rw", "", "b"):
            with self.assertRaises(ValueError):
                self.bucket.open("a", mode)
        with self.assertRaises(exceptions.NotFound):
            self.bucket.open("nothing")

    # ---- ranges and versions

    def test_get_ranges__of_one_version(self):
        self.bucket.put("a", BIG)
        ranges = [(0, 4), (3 << 20, 1 << 20), (5, 0), (len(BIG) - 2, 100), (len(BIG) + 5, 10)]
        got = self.bucket.get_ranges("a", ranges)
        self.assertEqual([len(data) for data in got], [4, 1 << 20, 0, 2, 0])
        self.assertTrue(all(data == BIG[at:at + n] for data, (at, n) in zip(got, ranges)))
        with self.assertRaises(exceptions.NotFound):
            self.bucket.get_ranges("nothing", [(0, 1)])
        for wrong in (7, [7], [(1,)], ["ab"], [(-1, 2)]):
            with self.assertRaises((TypeError, OverflowError, exceptions.Error)):
                self.bucket.get_ranges("a", wrong)

    def test_get__with_info_and_conditions(self):
        put = self.bucket.put("a", b"123")
        data, info = self.bucket.get("a", with_info=True)
        self.assertEqual((data, info.etag, info.size), (b"123", put.etag, 3))
        self.assertEqual(self.bucket.get("a", if_match=put.etag), b"123")
        with self.assertRaises(exceptions.NotModified):
            self.bucket.get("a", if_none_match=put.etag)
        with self.assertRaises(exceptions.PreconditionFailed):
            self.bucket.get("a", if_match="other")
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        for value in (later, int(later.timestamp() * 1000)):
            with self.assertRaises(exceptions.NotModified):
                self.bucket.stat("a", if_modified_since=value)
            self.assertEqual(self.bucket.stat("a", if_unmodified_since=value).size, 3)
        with self.assertRaises((exceptions.VersionNotFound, exceptions.BadArgument)):
            self.bucket.get("a", version="none-such")
        if info.version:
            self.assertEqual(self.bucket.get("a", version=info.version), b"123")

    # ---- attributes

    def test_put__attributes_come_back(self):
        given = {"content_type": "text/x-a", "content_encoding": "x-none",
                 "content_language": "de", "content_disposition": "attachment",
                 "cache_control": "no-store", "metadata": {"a": "1", "b": "zwölf"}}
        self.bucket.put("a", b"", **given)
        info = self.bucket.stat("a")
        self.assertEqual({name: getattr(info, name) for name in given}, given)
        self.bucket.copy("a", "kept")
        self.assertEqual(self.bucket.stat("kept").metadata, given["metadata"])
        self.bucket.copy("a", "new", replace=True, content_type="text/x-b")
        info = self.bucket.stat("new")
        self.assertEqual((info.content_type, info.metadata), ("text/x-b", {}))

    def test_tags__set_and_read(self):
        self.bucket.put("a", b"", tags={"one": "1"})
        self.assertEqual(self.bucket.tags("a"), {"one": "1"})
        self.bucket.set_tags("a", {"two": "2", "three": "3"})
        self.assertEqual(self.bucket["a"].tags(), {"two": "2", "three": "3"})
        with self.assertRaises(TypeError):
            self.bucket.set_tags("a", {"two": 2})

    # ---- object handles

    def test_object__does_what_the_bucket_does(self):
        made = self.bucket["a"]
        self.assertFalse(made.exists())
        self.assertEqual(made.put(b"12").size, 2)
        self.assertEqual((made.get(), made.stat().size, made.exists()), (b"12", 2, True))
        made.copy("b")
        moved = made.rename("c")
        self.assertEqual((moved.key, moved.get(), made.exists()), ("c", b"12", False))
        with moved.open() as file:
            self.assertEqual(file.read(), b"12")
        moved.delete()
        self.assertFalse(moved.exists())
        self.assertEqual({self.bucket["a"], made}, {made})
        self.assertIn(self.bucket.name + "/a", repr(made))
        if self.client.scheme != "s3":  # which answers a HEAD of an object with a bare 404
            with self.assertRaises(exceptions.BucketNotFound):
                self.client["not-there"]["a"].exists()
        self.assertEqual([info.key for info in self.bucket], ["b"])

    def test_rename__onto_itself_is_refused(self):
        self.bucket.put("a", b"1")
        with self.assertRaises(exceptions.BadArgument):
            self.bucket.rename("a", "a")
        with self.assertRaises(TypeError):
            self.bucket.rename("a", "b", self.bucket)
        self.assertEqual(self.bucket.get("a"), b"1")

    def test_copy__to_another_store(self):
        other = pail.open("memory:other")
        other.create()
        self.bucket.put("a", BIG, content_type="text/x-a")
        self.assertEqual(self.bucket.copy("a", "b", other).size, len(BIG))
        self.assertTrue(other.get("b") == BIG)
        self.assertEqual(other.stat("b").content_type, "text/x-a")

    # ---- many, and uploads by hand

    def test_delete_many__tells_the_failures(self):
        for key in "abc":
            self.bucket.put(key, b"")
        self.assertEqual(self.bucket.delete_many(["a", "b", "none"], errors=True), {})
        self.assertEqual([info.key for info in self.bucket.list()], ["c"])
        self.assertIsNone(self.bucket.delete_many([]))
        with self.assertRaises(exceptions.BadKey):
            self.bucket.delete_many(["c", ""])
        with self.assertRaises(TypeError):
            self.bucket.delete_many(["c", 7])

    def test_upload__by_hand(self):
        part = max(self.client.limit("part_min"), 1 << 20)
        upload = self.bucket.upload_begin("a", content_type="text/x-u")
        second = self.bucket.upload_part("a", upload, 2, b"end")
        first = self.bucket.upload_part("a", upload, 1, BIG[:part])
        self.assertEqual([(u.key, u.upload_id) for u in self.bucket.uploads()], [("a", upload)])
        parts = pickle.loads(pickle.dumps([(2, second), (1, first)]))
        info = self.bucket.upload_finish("a", upload, parts)
        self.assertEqual(info.size, part + 3)
        self.assertTrue(self.bucket.get("a") == BIG[:part] + b"end")
        self.assertEqual(self.bucket.stat("a").content_type, "text/x-u")
        if self.client.scheme != "s3":  # MinIO answers 204 to that
            with self.assertRaises(exceptions.UploadNotFound):
                self.bucket.upload_abort("a", upload)
        with self.assertRaises(TypeError):
            self.bucket.upload_finish("a", upload, [1])

    # ---- progress, cancel and time

    def test_progress__ends_with_everything(self):
        seen = []
        self.bucket.put("a", BIG, progress=lambda done, total: seen.append((done, total)))
        self.assertEqual(seen[-1], (len(BIG), len(BIG)))
        seen.clear()
        self.bucket.get("a", progress=lambda done, total: seen.append((done, total)))
        self.assertEqual(seen[-1], (len(BIG), len(BIG)))

        class Bar:
            total, n = None, 0

            def update(self, n):
                self.n += n

        bar = Bar()
        self.bucket.put("b", b"1234", progress=pail.Bar(bar))
        self.assertEqual((bar.n, bar.total), (4, 4))
        with self.assertRaises(TypeError):
            self.bucket.put("a", b"", progress=7)

    def test_progress__exception_comes_out(self):
        def stop(done, total):
            raise ZeroDivisionError("in progress")

        with self.assertRaisesRegex(ZeroDivisionError, "in progress"):
            self.bucket.put("a", b"1", progress=stop)

    def test_cancel__before_a_call(self):
        flag = pail.Cancel()
        self.bucket.put("a", b"1", cancel=flag)
        flag.fire()
        for call in (lambda: self.bucket.get("a", cancel=flag),
                     lambda: self.bucket.put("b", b"1", cancel=flag),
                     lambda: self.bucket.stat("a", cancel=flag),
                     lambda: list(self.bucket.list(cancel=flag)),
                     lambda: self.bucket.delete_many(["a"], cancel=flag)):
            with self.assertRaises(exceptions.Cancelled):
                call()
        self.assertEqual([info.key for info in self.bucket.list()], ["a"])
        with self.assertRaises(TypeError):
            self.bucket.get("a", cancel="now")

    def test_cancel__from_another_thread(self):
        flag, read_fd, write_fd = pail.Cancel(), *os.pipe()
        self.addCleanup(os.close, read_fd)
        self.addCleanup(os.close, write_fd)

        class Slow(io.RawIOBase):
            def read(self, n=-1):
                time.sleep(0.01)
                return b"x" * (1 << 16)

        timer = threading.Timer(0.1, flag.fire)
        timer.start()
        with self.assertRaises(exceptions.Cancelled):
            self.bucket.put("a", Slow(), cancel=flag, part_size=5 << 20, expected_size=1 << 30)
        timer.join()
        self.assertFalse(self.bucket["a"].exists())
        self.assertEqual(list(self.bucket.uploads()), [])

    def test_timeout__wrong_values(self):
        self.bucket.put("a", b"1", timeout=60)
        for wrong in (0, -1, float("nan"), 1e12):
            with self.assertRaises(ValueError):
                self.bucket.get("a", timeout=wrong)
        with self.assertRaises(TypeError):
            self.bucket.get("a", timeout="soon")

    # ---- wrong arguments

    def test_arguments__are_checked_at_the_call(self):
        for call in (lambda: self.bucket.get(), lambda: self.bucket.get(None),
                     lambda: self.bucket.get("a", None, 3), lambda: self.bucket.get("a", key="b"),
                     lambda: self.bucket.get("a", no_such=1), lambda: self.bucket.put("a"),
                     lambda: self.bucket.put("a", b"", metadata={"a": 1}),
                     lambda: self.bucket.copy("a", "b", "my-bucket"),
                     lambda: self.bucket.list("prefix"), lambda: self.client.buckets(1),
                     lambda: self.client.setting(7), lambda: self.client.supports(None)):
            with self.assertRaises(TypeError):
                call()
        for call in (lambda: self.bucket.get("a\0b"), lambda: self.bucket.get("a", offset=-1),
                     lambda: self.client.supports("flying"), lambda: self.client.limit("sky")):
            with self.assertRaises(ValueError):
                call()

    def test_client__tells_what_it_can(self):
        self.assertEqual(self.client.supports("get_if"), "native")
        self.assertIn(self.client.supports("versions"), ("no", "native"))
        self.assertGreater(self.client.limit("list_page"), 0)
        self.assertEqual(self.client.setting("part_size"), None)
        self.assertEqual(pail.split_url("s3://b/k/%20?#"), ("s3://", "b", "k/%20?#"))

    # ---- ends

    def test_handles__closed_ones_say_so(self):
        self.bucket.put("a", b"1")
        reader, writer = self.bucket.reader("a"), self.bucket.writer("b")
        reader.close()
        reader.close()
        for call in (reader.read, lambda: reader.seek(0), lambda: reader.info,
                     lambda: reader.readinto(bytearray(1)), lambda: reader.pread(1, 0)):
            with self.assertRaisesRegex(ValueError, "closed"):
                call()
        self.assertFalse(writer.ended)
        writer.discard()
        writer.discard()
        self.assertTrue(writer.ended)
        with self.assertRaisesRegex(ValueError, "ended"):
            writer.write(b"1")
        self.assertFalse(self.bucket["b"].exists())

    def test_handles__are_for_one_thread_at_a_time(self):
        self.bucket.put("a", BIG)
        reader, wrong = self.bucket.reader("a"), []

        def read():
            try:
                for _ in range(200):
                    reader.pread(1000, 0)
            except RuntimeError as error:
                if "another thread" not in str(error):
                    wrong.append(error)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class OnMinio(OnMemory):
    def open_client(self):
        for name, endpoint, key, secret, region in stores.servers():
            if name == "minio":
                self.name = stores.bucket_name()
                self.addCleanup(lambda: self.bucket.remove(delete_contents=True))
                return pail.open("s3:", aws_access_key=key, aws_secret_key=secret,
                                 aws_region=region, aws_endpoint_url=endpoint)
        self.skipTest("MinIO is not up")


class OnLocal(OnMemory):
    def open_client(self):
        try:
            return pail.open("local:", local_home=stores.folder(self))
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")

    def test_fsck_and_backup(self):
        self.bucket.put("a", BIG)
        report = self.client.fsck()
        self.assertEqual((report["objects"], report["damaged"], report["findings"]), (1, 0, []))
        folder = os.path.join(stores.folder(self), "copy")
        self.client.backup(folder)
        self.assertTrue(pail.open("local:my-bucket", local_home=folder).get("a") == BIG)
        with self.assertRaises(exceptions.Exists):
            self.client.backup(folder)
        with self.assertRaises(exceptions.Unsupported):
            pail.open("memory:").fsck()


if __name__ == "__main__":
    unittest.main()
