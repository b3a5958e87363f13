"""Pickled handles, and handles after a fork."""
import multiprocessing
import os
import pickle
import unittest

import pail
import stores
from pail import exceptions


def read_in_child(bucket):
    return bucket.get("a"), os.getpid()


class Processes(unittest.TestCase):
    def setUp(self):
        try:
            self.client = pail.open("local:", local_home=stores.folder(self))
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")
        self.bucket = self.client["my-bucket"]
        self.bucket.create()
        self.bucket.put("a", b"content")

    def test_pickle__handles_open_anew(self):
        client, bucket, made = pickle.loads(pickle.dumps(
            (self.client, self.bucket, self.bucket["a"])))
        self.assertEqual(client["my-bucket"].get("a"), b"content")
        self.assertEqual(bucket.get("a"), b"content")
        self.assertEqual(made.get(), b"content")
        by_url = pail.open("local:my-bucket", local_home=self.client.setting("local_home"))
        self.assertEqual(pickle.loads(pickle.dumps(by_url)).get("a"), b"content")
        for held in (self.bucket.reader("a"), self.bucket.list(), pail.Cancel()):
            with self.assertRaises(TypeError):
                pickle.dumps(held)

    def test_workers__get_handles_by_pickle(self):
        for method in ("spawn", "fork"):
            with self.subTest(method=method):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    for data, pid in pool.map(read_in_child, [self.bucket] * 4):
                        self.assertEqual(data, b"content")
                        self.assertNotEqual(pid, os.getpid())

    def test_fork__old_handles_say_so_and_new_ones_work(self):
        reader, listing = self.bucket.reader("a"), self.bucket.list()
        read_fd, write_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            said = []
            for call in (lambda: self.bucket.get("a"), reader.read, lambda: next(listing)):
                try:
                    call()
                    said.append("nothing")
                except exceptions.Forked as error:
                    said.append(error.code)
            said.append(pickle.loads(pickle.dumps(self.bucket)).get("a").decode())
            os.write(write_fd, " ".join(said).encode())
            os._exit(0)
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as pipe:
            self.assertEqual(pipe.read(), b"forked forked forked content")
        os.waitpid(pid, 0)
        self.assertEqual(reader.read(), b"content")
        self.assertEqual([i.key for i in listing], ["a"])


if __name__ == "__main__":
    unittest.main()
