"""The filesystem for fsspec: its own calls, fsspec's and pyarrow's generic suites, and those who use it."""
import os
import pickle
import subprocess
import sys
import unittest

import pail
import stores
from pail import exceptions

CLIENTS = stores.add_clients()
try:
    import fsspec
    from pail import fsspec as ours
    ours.register()
except ImportError:
    fsspec = None

GENERIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fsspec_generic.py")
BIG = os.urandom(1 << 20) * 9


def has(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


@unittest.skipUnless(fsspec, "the package fsspec is not installed")
class Files(unittest.TestCase):
    def setUp(self):
        self.folder = stores.folder(self)
        try:
            pail.open("local:", local_home=self.folder)
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")
        self.fs = fsspec.filesystem("pail-local", local_home=self.folder, skip_instance_cache=True)
        self.fs.mkdir("my-bucket")
        for key in ("a.txt", "dir/b.txt", "dir/sub/c.txt"):
            self.fs.pipe(f"my-bucket/{key}", key.encode())

    def test_listings__as_folders(self):
        fs = self.fs
        self.assertEqual(fs.ls("", detail=False), ["my-bucket"])
        self.assertEqual(fs.ls("my-bucket", detail=False), ["my-bucket/a.txt", "my-bucket/dir"])
        self.assertEqual(fs.ls("my-bucket/dir/", detail=False),
                         ["my-bucket/dir/b.txt", "my-bucket/dir/sub"])
        self.assertEqual(fs.find("my-bucket"), ["my-bucket/a.txt", "my-bucket/dir/b.txt",
                                                "my-bucket/dir/sub/c.txt"])
        self.assertEqual(fs.find("my-bucket/dir", maxdepth=1), ["my-bucket/dir/b.txt"])
        self.assertEqual(fs.glob("pail-local://my-bucket/*/*.txt"), ["my-bucket/dir/b.txt"])
        self.assertEqual(fs.du("my-bucket"), sum(map(len, ("a.txt", "dir/b.txt", "dir/sub/c.txt"))))
        self.assertTrue(fs.isdir("my-bucket/dir") and fs.isfile("my-bucket/a.txt"))
        self.assertFalse(fs.exists("my-bucket/no") or fs.exists("no-bucket/a"))
        info = fs.info("my-bucket/a.txt")
        self.assertEqual((info["size"], info["type"], info["name"]), (5, "file", "my-bucket/a.txt"))
        self.assertEqual(fs.ls("my-bucket/a.txt", detail=False), ["my-bucket/a.txt"])
        self.assertEqual(len(list(fs.walk("my-bucket"))), 3)

    def test_listings__see_others_writes_at_once(self):
        self.assertEqual(len(self.fs.ls("my-bucket")), 2)
        pail.open("local:my-bucket", local_home=self.folder).put("new", b"")
        self.assertEqual(len(self.fs.ls("my-bucket")), 3)

    def test_content__whole_ranges_and_files(self):
        fs = self.fs
        fs.pipe("my-bucket/big", BIG)
        self.assertTrue(fs.cat("my-bucket/big") == BIG)
        self.assertEqual(fs.cat_file("my-bucket/big", 5, 9), BIG[5:9])
        self.assertEqual(fs.cat_file("my-bucket/big", -4), BIG[-4:])
        self.assertEqual(fs.cat_file("my-bucket/big", len(BIG)), b"")
        self.assertEqual(fs.cat_ranges(["my-bucket/big"] * 2 + ["my-bucket/a.txt"], [0, 9, 1],
                                       [2, 12, 3]), [BIG[:2], BIG[9:12], b".t"])
        self.assertIsInstance(fs.cat_ranges(["my-bucket/no"], [0], [1])[0], FileNotFoundError)
        with fs.open("my-bucket/big") as file:
            file.seek(-3, 2)
            self.assertEqual(file.read(), BIG[-3:])
        with fs.open("my-bucket/text", "w") as file:
            file.write("grün")
        with fs.open("my-bucket/text", "r") as file:
            self.assertEqual(file.read(), "grün")
        self.assertEqual(fs.head("my-bucket/big", 3), BIG[:3])
        fs.put_file(__file__, "my-bucket/me.py")
        target = os.path.join(self.folder, "deep", "me.py")
        fs.get_file("my-bucket/me.py", target)
        with open(target, "rb") as mine, open(__file__, "rb") as file:
            self.assertEqual(mine.read(), file.read())

    def test_errors__are_pythons(self):
        for call in (lambda: self.fs.cat("my-bucket/no"), lambda: self.fs.open("my-bucket/no"),
                     lambda: self.fs.info("no-bucket/a"), lambda: self.fs.cat("Not_A_Bucket/a"),
                     lambda: self.fs.cp_file("my-bucket/no", "my-bucket/b")):
            with self.assertRaises(FileNotFoundError):
                call()
        with self.assertRaises(FileExistsError):
            self.fs.mkdir("my-bucket")
        with self.assertRaises(FileExistsError):
            self.fs.pipe_file("my-bucket/a.txt", b"", mode="create")
        with self.assertRaises(NotImplementedError):
            self.fs.open("my-bucket/a.txt", "ab")
        with self.assertRaises(OSError):
            self.fs.rmdir("my-bucket")

    def test_changes__copy_move_remove(self):
        fs = self.fs
        fs.copy("my-bucket/a.txt", "my-bucket/copy")
        fs.mv("my-bucket/copy", "my-bucket/moved")
        self.assertEqual(fs.cat("my-bucket/moved"), b"a.txt")
        self.assertFalse(fs.exists("my-bucket/copy"))
        fs.rm("my-bucket/dir", recursive=True)
        self.assertEqual(fs.find("my-bucket"), ["my-bucket/a.txt", "my-bucket/moved"])
        fs.touch("my-bucket/a.txt", truncate=False)
        self.assertEqual(fs.size("my-bucket/a.txt"), 5)
        fs.rm("my-bucket", recursive=True)
        self.assertFalse(fs.exists("my-bucket"))

    def test_transaction__all_or_nothing(self):
        with self.fs.transaction:
            with self.fs.open("my-bucket/t1", "wb") as file:
                file.write(b"1")
            self.assertFalse(self.fs.exists("my-bucket/t1"))
        self.assertEqual(self.fs.cat("my-bucket/t1"), b"1")
        with self.assertRaises(ZeroDivisionError), self.fs.transaction:
            with self.fs.open("my-bucket/t2", "wb") as file:
                file.write(b"2")
            1 / 0
        self.assertFalse(self.fs.exists("my-bucket/t2"))

    def test_pickle__and_fork(self):
        again = pickle.loads(pickle.dumps(self.fs))
        self.assertEqual(again.cat("my-bucket/a.txt"), b"a.txt")
        pid = os.fork()
        if pid == 0:
            os._exit(0 if self.fs.cat("my-bucket/a.txt") == b"a.txt" else 1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    @unittest.skipUnless(has("pandas"), "pandas is not installed")
    def test_pandas__reads_and_writes(self):
        import pandas
        options = {"local_home": self.folder}
        frame = pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]})
        frame.to_csv("pail-local://my-bucket/f.csv", index=False, storage_options=options)
        self.assertTrue(pandas.read_csv("pail-local://my-bucket/f.csv",
                                        storage_options=options).equals(frame))
        if has("pyarrow"):
            frame.to_parquet("pail-local://my-bucket/f.parquet", storage_options=options)
            self.assertTrue(pandas.read_parquet("pail-local://my-bucket/f.parquet",
                                                storage_options=options).equals(frame))

    @unittest.skipUnless(has("duckdb"), "duckdb is not installed")
    def test_duckdb__queries_and_writes(self):
        import duckdb
        connection = duckdb.connect()
        connection.register_filesystem(self.fs)
        connection.execute("copy (select range as n from range(1000)) "
                           "to 'pail-local://my-bucket/d.parquet'")
        found = connection.execute("select sum(n), count(*) from "
                                   "read_parquet('pail-local://my-bucket/*.parquet')").fetchall()
        self.assertEqual(found, [(499500, 1000)])

    @unittest.skipUnless(has("zarr"), "zarr is not installed")
    def test_zarr__stores_an_array(self):
        import numpy
        import zarr
        options = {"local_home": self.folder}
        stored = zarr.create_array(store="pail-local://my-bucket/z", shape=(4, 4), chunks=(2, 2),
                                   dtype="i4", storage_options=options)
        stored[:] = numpy.arange(16).reshape(4, 4)
        again = zarr.open_array("pail-local://my-bucket/z", mode="r", storage_options=options)
        self.assertEqual(again[:].tolist(), numpy.arange(16).reshape(4, 4).tolist())

    @unittest.skipUnless(has("pytest"), "pytest is not installed")
    def test_generic__suite_of_fsspec(self):
        self.suite(GENERIC)

    @unittest.skipUnless(has("pytest") and has("pyarrow") and has("hypothesis"),
                         "pytest, pyarrow or hypothesis is not installed")
    def test_generic__suite_of_pyarrow(self):
        self.suite(GENERIC.replace("fsspec_generic", "pyarrow_generic"))

    def suite(self, path):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-W", "ignore", "-p", "no:cacheprovider",
             path], capture_output=True, text=True, env={
                **os.environ, "PAIL_HOME": self.folder, "PYTHONPATH": os.pathsep.join(
                    (os.path.dirname(os.path.dirname(pail.__file__)), *sys.path[1:]))})
        self.assertEqual(run.returncode, 0, run.stdout[-3000:] + run.stderr[-1000:])


if __name__ == "__main__":
    unittest.main()
