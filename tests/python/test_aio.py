"""asyncio over the queue's descriptor."""
import asyncio
import gc
import io
import os
import socket
import threading
import unittest

import pail
import stores
from pail import exceptions

BIG = os.urandom(1 << 20) * 9


class OnMemory(unittest.IsolatedAsyncioTestCase):
    def open_client(self):
        return pail.open("memory:")

    async def asyncSetUp(self):
        self.client = self.open_client()
        self.bucket = self.client["my-bucket"].aio()
        await self.bucket.create()

    async def test_verbs__as_their_blocking_twins(self):
        bucket = self.bucket
        put = await bucket.put("a", BIG, metadata={"x": "1"}, tags={"t": "u"})
        self.assertEqual(put.size, len(BIG))
        self.assertTrue(await bucket.get("a") == BIG)
        self.assertEqual(await bucket.get("a", offset=2, length=3), BIG[2:5])
        data, info = await bucket.get("a", suffix=2, with_info=True)
        self.assertEqual((data, info.etag), (BIG[-2:], put.etag))
        room = bytearray(len(BIG))
        self.assertEqual(await bucket.get("a", room), len(BIG))
        self.assertTrue(room == BIG)
        self.assertEqual((await bucket.stat("a")).metadata, {"x": "1"})
        self.assertEqual(await bucket.tags("a"), {"t": "u"})
        self.assertEqual((await bucket.copy("a", "b")).size, len(BIG))
        await bucket.rename("b", "c")
        self.assertEqual(await bucket.get_ranges("c", [(0, 2), (len(BIG) - 1, 9)]),
                         [BIG[:2], BIG[-1:]])
        await bucket.delete("a")
        with self.assertRaises(exceptions.NotFound):
            await bucket.get("a")
        await bucket.delete_many(["c", "none"])
        self.assertEqual([i.key async for i in bucket.list()], [])

    async def test_tags__and_signed_urls(self):
        await self.bucket.put("a", b"x")
        await self.bucket.set_tags("a", {"k": "v"})
        self.assertEqual(await self.bucket.tags("a"), {"k": "v"})
        if pail.native.knows("local_presign"):
            self.assertIn("my-bucket/a", (await self.bucket.presign("a")).url)

    async def test_uploads__in_parts_by_hand(self):
        bucket = self.bucket
        upload = await bucket.upload_begin("a", content_type="x/y")
        parts = await asyncio.gather(bucket.upload_part("a", upload, 2, BIG[5 << 20:]),
                                     bucket.upload_part("a", upload, 1, BIG[:5 << 20]))
        info = await bucket.upload_finish("a", upload, [(2, parts[0]), (1, parts[1])])
        self.assertEqual(info.size, len(BIG))
        self.assertTrue(await bucket.get("a") == BIG)
        self.assertEqual((await bucket.stat("a")).content_type, "x/y")
        upload = await bucket.upload_begin("b")
        await bucket.upload_abort("b", upload)
        with self.assertRaises(exceptions.UploadNotFound):
            await bucket.upload_part("b", upload, 1, b"late")
        with self.assertRaises(exceptions.BadArgument):
            await bucket.upload_part("b", "", 1, b"no id")
        with self.assertRaises(TypeError):
            await bucket.upload_finish("b", upload, [1])

    async def test_writer__small_and_large(self):
        async with self.bucket.writer("small", content_type="x/y") as file:
            await file.write(b"one")
            await file.write(memoryview(b"two"))
        self.assertEqual(await self.bucket.get("small"), b"onetwo")
        self.assertEqual(file.info.size, 6)
        async with self.bucket.writer("large", part_size=5 << 20, concurrency=2,
                                      metadata={"m": "1"}) as file:
            for _ in range(3):
                await file.write(BIG)
        self.assertTrue(await self.bucket.get("large") == BIG * 3)
        self.assertEqual((await self.bucket.stat("large")).metadata, {"m": "1"})
        with self.assertRaises(ValueError):
            await file.write(b"late")
        with self.assertRaises(exceptions.BadArgument):
            self.bucket.writer("a", part_size=1)

    async def test_writer__leaves_nothing_where_it_fails(self):
        with self.assertRaises(ZeroDivisionError):
            async with self.bucket.writer("a", part_size=5 << 20) as file:
                await file.write(BIG)
                raise ZeroDivisionError
        with self.assertRaises(exceptions.NotFound):
            await self.bucket.stat("a")
        self.assertEqual(list(self.bucket.bucket.uploads()), [])
        with self.assertRaises(exceptions.Exists):
            await self.bucket.put("there", b"x")
            async with self.bucket.writer("there", if_none_match="*") as file:
                await file.write(b"y")
        self.assertEqual(await self.bucket.get("there"), b"x")

    async def test_writer__leaves_nothing_where_its_task_is_cancelled(self):
        async def write(name):
            async with self.bucket.writer(name, part_size=5 << 20) as file:
                for _ in range(3):
                    await file.write(BIG)

        for turns in range(14):  # wherever it is
            for again in (False, True):
                name = f"w{turns}"
                task = asyncio.ensure_future(write(name))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                if again:
                    await asyncio.sleep(0)
                    task.cancel()
                await asyncio.wait([task])
                self.assertTrue(task.cancelled() or task.exception() is None)
                self.assertEqual(list(self.bucket.bucket.uploads()), [], f"{turns} {again}")

    async def test_writer__options_are_the_same_for_every_size(self):
        with self.assertRaises(TypeError):
            self.bucket.writer("a", progress=print)
        async with self.bucket.writer("a", part_size=5 << 20, timeout=60, content_type="x/y",
                                      headers={}) as file:
            await file.write(BIG)
        self.assertEqual((await self.bucket.stat("a")).content_type, "x/y")

    async def test_put__streams_and_files(self):
        path = os.path.join(stores.folder(self), "a")
        await self.bucket.put("a", io.BytesIO(BIG))
        self.assertEqual(await self.bucket.get("a", path), len(BIG))
        await self.bucket.put("b", path)
        self.assertTrue(await self.bucket.get("b") == BIG)

        class Bad(io.RawIOBase):
            def read(self, n=-1):
                raise ZeroDivisionError("in read")

        with self.assertRaisesRegex(ZeroDivisionError, "in read"):
            await self.bucket.put("c", Bad())
        with self.assertRaises(TypeError):
            await self.bucket.put("c", 1.5)
        self.assertEqual(await self.bucket.get("b", suffix=1), BIG[-1:])

    async def test_many__at_once_on_one_thread(self):
        before = threading.active_count()
        await asyncio.gather(*(self.bucket.put(f"k{i:03}", b"%d" % i) for i in range(200)))
        got = await asyncio.gather(*(self.bucket.get(f"k{i:03}") for i in range(200)))
        self.assertEqual(got, [b"%d" % i for i in range(200)])
        self.assertEqual(threading.active_count(), before)

    async def test_list__page_by_page(self):
        await asyncio.gather(*(self.bucket.put(f"k{i:02}", b"") for i in range(25)))
        keys = [i.key async for i in self.bucket.list(page_size=4)]
        self.assertEqual(keys, [f"k{i:02}" for i in range(25)])
        async for info in self.bucket.list(page_size=4, prefix="k1"):
            self.assertEqual(info.key, "k10")
            break
        pages = [len(page) async for page in self.bucket.pages(page_size=10)]
        self.assertEqual(pages, [10, 10, 5])
        with self.assertRaises(exceptions.BucketNotFound):
            async for _ in self.client["not-there"].aio().list():
                pass

    async def test_stream__pieces_of_one_version(self):
        await self.bucket.put("a", BIG)
        pieces = [piece async for piece in self.bucket.stream("a", 4 << 20)]
        self.assertEqual([len(p) for p in pieces], [4 << 20, 4 << 20, 1 << 20])
        self.assertTrue(b"".join(pieces) == BIG)
        with self.assertRaises(exceptions.Changed):
            async for _ in self.bucket.stream("a", 4 << 20):
                await self.bucket.put("a", b"new" * 4000000)

    async def test_bucket__exists_and_remove(self):
        self.assertTrue(await self.bucket.exists())
        await self.bucket.create(exist_ok=True)
        with self.assertRaises(exceptions.BucketExists):
            await self.bucket.create()
        await self.bucket.put("a", b"")
        with self.assertRaises(exceptions.BucketNotEmpty):
            await self.bucket.remove()
        await self.bucket.remove(delete_contents=True)
        self.assertFalse(await self.bucket.exists())

    async def test_progress__is_told_on_the_loop(self):
        seen, thread = [], threading.current_thread()
        await self.bucket.put("a", BIG, progress=lambda done, total: seen.append(
            (done, total, threading.current_thread() is thread)))
        self.assertEqual(seen[-1], (len(BIG), len(BIG), True))

    async def test_wrong_use__is_told(self):
        with self.assertRaises(TypeError):
            pail.AsyncBucket("my-bucket")
        with self.assertRaises(TypeError):
            await self.bucket.get(7)
        with self.assertRaises(exceptions.BadArgument):
            await self.bucket.rename("a", "a")


class OnLocal(OnMemory):
    def open_client(self):
        try:
            return pail.open("local:", local_home=stores.folder(self))
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")


class Loops(unittest.TestCase):
    def test_loops__give_their_descriptors_back(self):
        bucket = pail.open("memory:my-bucket")
        bucket.create()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            asyncio.run(bucket.aio().put("a", b"x"))
        gc.collect()
        self.assertLess(len(os.listdir("/proc/self/fd")), before + 5)

    def test_callback__that_raises_stop_iteration_ends_the_wait(self):
        class Source(io.RawIOBase):
            def read(self, n=-1):
                return next(iter(()))

        bucket = pail.open("memory:my-bucket")
        bucket.create()
        with self.assertRaises(RuntimeError) as caught:
            asyncio.run(asyncio.wait_for(bucket.aio().put("a", Source()), 10))
        self.assertIsInstance(caught.exception.__cause__, StopIteration)

    def test_loops__each_has_its_own_queue(self):
        bucket = pail.open("memory:my-bucket")
        bucket.create()
        failed = []

        async def work(number):
            mine = bucket.aio()
            await mine.put(f"{number}", b"x" * number)
            assert await mine.get(f"{number}") == b"x" * number

        def run(number):
            try:
                asyncio.run(work(number))
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(1, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])

    def test_cancelled_task__ends_its_request(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        try:
            bucket = pail.open("s3://my-bucket", ignore_environment=True, aws_access_key="AK",
                               aws_secret_key="SK", aws_region="us-east-1", aws_endpoint_url=(
                                   "http://127.0.0.1:%d" % server.getsockname()[1])).aio()
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no S3: {error}")

        async def work():
            task = asyncio.create_task(bucket.get("a"))
            loop = asyncio.get_running_loop()
            server.setblocking(False)
            connection, _ = await loop.sock_accept(server)
            await loop.sock_recv(connection, 1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            with self.assertRaises(exceptions.Timeout):
                await bucket.get("a", timeout=0.05)
            connection.close()

        asyncio.run(work())


if __name__ == "__main__":
    unittest.main()
