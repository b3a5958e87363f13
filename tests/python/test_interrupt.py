"""Ctrl-C ends a call that waits, and leaves nothing behind."""
import os
import signal
import socket
import threading
import unittest

import pail
import stores
from pail import exceptions


def setUpModule():
    """Who starts tests in the background may have them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupt_main():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


class SilentServer:
    """Takes requests, answers none, and sends Ctrl-C once one has come."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            if connection.recv(1):
                interrupt_main()

    def close(self):
        self.socket.close()
        for connection in self.connections:
            connection.close()


class Pipes(unittest.TestCase):
    def setUp(self):
        self.bucket = pail.open("memory:my-bucket")
        self.bucket.create()

    def test_ctrl_c__ends_a_put_from_a_pipe_and_nothing_is_stored(self):
        read_fd, write_fd = os.pipe()

        def feed():
            os.write(write_fd, b"some")
            interrupt_main()

        feeder = threading.Thread(target=feed)
        with self.assertRaises(KeyboardInterrupt):
            feeder.start()
            self.bucket.put("a", read_fd)
        feeder.join()
        os.close(read_fd)
        os.close(write_fd)
        with self.assertRaises(exceptions.NotFound):
            self.bucket.stat("a")

    def test_ctrl_c__ends_a_get_into_a_pipe_that_nobody_reads(self):
        self.bucket.put("a", bytes(1 << 20))
        read_fd, write_fd = os.pipe()

        def wait_for_first():
            os.read(read_fd, 1)
            interrupt_main()

        reader = threading.Thread(target=wait_for_first)
        with self.assertRaises(KeyboardInterrupt):
            reader.start()
            self.bucket.get("a", write_fd)
        reader.join()
        os.close(read_fd)
        os.close(write_fd)


class Servers(unittest.TestCase):
    def setUp(self):
        self.server = SilentServer()
        self.addCleanup(self.server.close)
        try:
            self.bucket = pail.open("s3://my-bucket", ignore_environment=True, aws_access_key="AK",
                                    aws_secret_key="SK", aws_region="us-east-1",
                                    aws_endpoint_url=self.server.url)
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no S3: {error}")
        self.folder = stores.folder(self)

    def check(self, call):
        with self.assertRaises(KeyboardInterrupt):
            call()

    def test_ctrl_c__ends_stat(self):
        self.check(lambda: self.bucket.stat("a"))

    def test_ctrl_c__ends_get_and_leaves_no_file(self):
        self.check(lambda: self.bucket.get("a", os.path.join(self.folder, "a")))
        self.assertEqual(os.listdir(self.folder), [])

    def test_ctrl_c__ends_put(self):
        self.check(lambda: self.bucket.put("a", bytes(1000)))

    def test_ctrl_c__ends_a_listing(self):
        self.check(lambda: next(self.bucket.list()))

    def test_ctrl_c__ends_delete_and_delete_many(self):
        self.check(lambda: self.bucket.delete("a"))
        self.check(lambda: self.bucket.delete_many(["a", "b"]))

    def test_ctrl_c__ends_bucket_calls(self):
        self.check(self.bucket.create)
        self.check(self.bucket.exists)
        self.check(self.bucket.remove)

    def test_ctrl_c__ends_readers_writers_and_uploads(self):
        self.check(lambda: self.bucket.reader("a"))
        self.check(lambda: self.bucket.get_ranges("a", [(0, 1)]))
        self.check(lambda: self.bucket.upload_begin("a"))
        self.check(lambda: self.bucket.upload_part("a", "id", 1, b"x"))
        self.check(lambda: self.bucket.upload_abort("a", "id"))
        writer = self.bucket.writer("a")
        writer.write(b"x")
        self.check(writer.commit)
        self.assertTrue(writer.ended)

    def test_ctrl_c__ends_copies_and_tags(self):
        self.check(lambda: self.bucket.copy("a", "b"))
        self.check(lambda: self.bucket.rename("a", "b"))
        self.check(lambda: self.bucket.tags("a"))
        self.check(lambda: self.bucket.set_tags("a", {"x": "y"}))


if __name__ == "__main__":
    unittest.main()
