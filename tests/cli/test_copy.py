"""cp and mv: files, objects and streams in any combination, trees, and what is refused."""
import hashlib
import os
import signal
import stat
import time
import unittest

from cli import CliTest

# Two providers in one program: `memory:` ends with it, so the second is another store by --dst.


class CopyTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt", "local:cop")

    def test_every_pair_of_ends__gives_the_same_bytes(self):
        data = os.urandom(3_000_000)
        self.write("file", data)
        self.pail("cp", "file", "local:bkt/1")
        self.pail("cp", "local:bkt/1", "local:cop/2")
        self.pail("cp", "local:cop/2", "copy")
        self.pail("cp", "copy", "copy2")
        self.assertEqual(self.pail("cp", "copy2", "-").raw, data)
        self.assertEqual(self.pail("cp", "local:bkt/1", "-").raw, data)
        self.pail("cp", "-", "local:bkt/3", input=data)
        self.pail("cp", "-", "copy3", input=data)
        self.assertEqual(self.pail("cp", "-", "-", input=data).raw, data)
        self.assertEqual(self.cat("local:bkt/3"), data)
        self.assertEqual((self.read("copy3"), self.read("copy2")), (data, data))

    def test_stdin__as_a_file_is_read_from_its_position(self):
        path = self.write("file", b"0123456789")
        with open(path, "rb") as file:
            os.lseek(file.fileno(), 4, os.SEEK_SET)
            self.pail("cp", "-", "local:bkt/k", stdin=file)
        self.assertEqual(self.cat("local:bkt/k"), b"456789")

    def test_two_stores__one_by_a_setting_of_its_side(self):
        other = "local_home=" + self.path("other")
        self.pail("mb", "local:far", "--set", other)
        self.put("local:bkt/k", b"over there")
        self.pail("cp", "--dst", other, "local:bkt/k", "local:far/k")
        self.pail("cp", "--src", other, "local:far/k", "local:bkt/back")
        self.assertEqual(self.cat("local:bkt/back"), b"over there")
        self.pail("cp", "-r", "--dst", other, "local:bkt", "local:far/all")
        self.assertEqual(self.pail("ls", "-r", "--set", other, "local:far").lines,
                         ["all/back", "all/k", "k"])

    def test_empty_and_missing_sources(self):
        self.write("empty", b"")
        self.pail("cp", "empty", "local:bkt/empty")
        self.assertEqual(self.cat("local:bkt/empty"), b"")
        self.fails(4, "cp", "missing", "local:bkt/k")
        self.fails(4, "cp", "local:bkt/missing", "out")
        self.fails(4, "cp", "local:none/k", "out")
        self.fails(4, "cp", "empty", "local:none/k")
        self.assertEqual(self.tree(), sorted(set(self.tree()) - {"out"}))

    def test_failed_download__leaves_the_old_file_and_nothing_else(self):
        self.write("d/out", b"old")
        self.fails(4, "cp", "local:bkt/missing", "d/out")
        self.assertEqual((self.tree("d"), self.read("d", "out")), (["out"], b"old"))

    def test_folder_as_destination__takes_the_name_of_the_source(self):
        self.write("file", b"1")
        os.mkdir(self.path("dir"))
        self.pail("cp", "file", "local:bkt")
        self.pail("cp", "file", "local:bkt/p/")
        self.assertEqual(self.keys("local:bkt"), ["file", "p/file"])
        self.pail("cp", "local:bkt/p/file", "dir")
        self.pail("cp", "local:bkt/p/file", "new/")
        self.pail("cp", "local:bkt/p/file", "local:cop/q/")
        self.assertEqual((self.tree("dir"), self.tree("new")), (["file"], ["file"]))
        self.assertEqual(self.keys("local:cop"), ["q/file"])

    def test_several_sources__need_a_folder(self):
        self.write("1", b"1")
        self.write("2", b"2")
        self.fails(2, "cp", "1", "2", "local:bkt/key")
        self.pail("cp", "1", "2", "local:bkt/p/")
        self.assertEqual(self.keys("local:bkt"), ["p/1", "p/2"])
        self.fails(1, "cp", "1", "missing", "local:cop/")
        self.assertEqual(self.keys("local:cop"), ["1"])

    def test_source_without_a_name__needs_a_whole_destination(self):
        self.put("local:bkt/a/")
        self.fails(2, "cp", "local:bkt/a/", "local:cop/")
        self.fails(2, "cp", "-", "local:bkt", input=b"x")
        self.pail("cp", "local:bkt/a/", "local:cop/a/x")
        self.put("local:bkt/..")
        self.fails(2, "cp", "local:bkt/..", self.dir)

    def test_directory__needs_the_flag(self):
        os.mkdir(self.path("dir"))
        self.assertIn("add -r", self.fails(2, "cp", "dir", "local:bkt/").err)
        self.assertIn("add -r", self.fails(2, "cp", "local:bkt", "dir").err)

    def test_destination_that_is_a_directory_by_its_file_name(self):
        self.put("local:bkt/x", b"1")
        os.makedirs(self.path("out", "x"))
        self.fails(6, "cp", "local:bkt/x", "out")
        self.assertTrue(os.path.isdir(self.path("out", "x")))

    def test_unreadable_file_and_directory(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        os.chmod(self.write("d/f"), 0)
        self.fails(5, "cp", "d/f", "local:bkt/f")
        os.chmod(self.path("d"), 0)
        self.addCleanup(os.chmod, self.path("d"), 0o700)
        self.fails(5, "cp", "-r", "d", "local:bkt/")

    def test_no_clobber__is_create_only(self):
        self.put("local:bkt/k", b"old")
        self.write("file", b"new")
        self.fails(6, "cp", "-n", "file", "local:bkt/k")
        self.fails(6, "cp", "-n", "local:bkt/k", "file")
        self.fails(6, "cp", "-n", "local:bkt/k", "local:bkt/k")
        self.fails(6, "cp", "-n", "file", "file2" if self.write("file2", b"2") else "")
        self.assertEqual((self.cat("local:bkt/k"), self.read("file")), (b"old", b"new"))
        self.pail("cp", "-n", "local:bkt/k", "fresh")
        self.pail("cp", "-n", "file", "fresh2")
        self.assertEqual((self.read("fresh"), self.read("fresh2")), (b"old", b"new"))
        self.assertFalse([name for name in os.listdir(self.dir) if ".pail" in name])

    def test_if_match__guards_the_object(self):
        self.put("local:bkt/k", b"one")
        etag = self.pail("stat", "--json", "local:bkt/k").records[0]["etag"]
        self.fails(6, "cp", "--if-match", "other", "-", "local:bkt/k", input=b"two")
        self.pail("cp", "--if-match", etag, "local:bkt/k", "out")
        self.pail("cp", "--if-match", etag, "-", "local:bkt/k", input=b"two")
        self.assertEqual(self.cat("local:bkt/k"), b"two")

    def test_attributes__are_kept_by_a_copy_and_changed_by_flags(self):
        self.put("local:bkt/k", b"1", "--content-type", "text/x-a", "--meta", "m=1",
                 "--cache-control", "no-store")
        self.pail("cp", "local:bkt/k", "local:cop/same")
        self.pail("cp", "--content-type", "text/x-b", "local:bkt/k", "local:cop/new")
        same, new = (self.pail("stat", "--json", f"local:cop/{k}").records[0] for k in ("same", "new"))
        self.assertEqual((same["content_type"], same["metadata"]), ("text/x-a", {"m": "1"}))
        self.assertEqual((new["content_type"], new["metadata"]), ("text/x-b", {"m": "1"}))
        self.assertEqual(new["cache_control"], "no-store")

    def test_content_type__is_guessed_from_the_name(self):
        self.put("local:bkt/x.json", b"{}")
        self.assertEqual(self.pail("stat", "--json", "local:bkt/x.json").records[0]["content_type"],
                         "application/json")

    def test_version__of_the_source(self):
        self.put("local:bkt/k", b"1")
        version = self.pail("stat", "--json", "local:bkt/k").records[0]["version"]
        self.pail("cp", "--version-id", version, "local:bkt/k", "out")
        self.fails(4, "cp", "--version-id", "nope", "local:bkt/k", "out2")

    def test_json__tells_each_transfer(self):
        self.write("file", b"12345")
        record = self.pail("cp", "--json", "file", "local:bkt/k").records[0]
        self.assertEqual((record["op"], record["src"], record["dst"], record["bytes"]),
                         ("upload", "file", "local:bkt/k", 5))
        self.assertEqual(self.pail("cp", "--json", "local:bkt/k", "-").raw, b"12345")

    def test_json__file_name_that_is_no_text(self):
        self.write("file")
        os.rename(self.path("file"), os.fsencode(self.path("")) + b"\xff")
        record = self.pail("cp", "--json", b"\xff", "local:bkt/k").records[0]
        self.assertEqual(record["src_b64"], "/w==")

    def test_same_file__is_refused(self):
        self.write("file", b"1")
        os.symlink("file", self.path("link"))
        self.fails(2, "cp", "file", "./file")
        self.fails(2, "cp", "file", "link")
        self.assertEqual(self.read("file"), b"1")

    def test_device_as_destination__is_written(self):
        self.put("local:bkt/k")
        self.pail("cp", "local:bkt/k", "/dev/null")
        self.pail("cp", "/dev/null", "local:bkt/null")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.write("file", b"x")
        self.fails(1, "cp", "file", "/dev/full")

    def test_local_copy__keeps_the_mode_of_the_file(self):
        os.chmod(self.write("tool"), 0o755)
        self.pail("cp", "tool", "copy")
        self.assertEqual(os.stat(self.path("copy")).st_mode & 0o700, 0o700)

    def test_part_flags__are_taken(self):
        data = os.urandom(12_000_000)
        self.pail("cp", "--part-size", "5MiB", "--concurrency", "2", "--expected-size", "12M", "-",
                  "local:bkt/k", input=data)
        self.pail("cp", "--sync", "--part-size", "5M", "local:bkt/k", "out")
        self.assertEqual(hashlib.sha256(self.read("out")).digest(), hashlib.sha256(data).digest())


class TreeTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt", "local:cop")
        for name in ("t/1", "t/s/2", "t/s/u/3"):
            self.write(name, name.encode())

    def test_tree__to_the_store_and_back(self):
        self.pail("cp", "-r", "t", "local:bkt")
        self.assertEqual(self.keys("local:bkt"), ["t/1", "t/s/2", "t/s/u/3"])
        self.pail("cp", "-r", "local:bkt/t", "back")
        self.assertEqual(self.tree("back"), ["1", "s/2", "s/u/3"])
        self.assertEqual(self.read("back", "s", "u", "3"), b"t/s/u/3")

    def test_tree__trailing_slash_means_what_is_in_it(self):
        self.pail("cp", "-r", "t/", "local:bkt")
        self.pail("cp", "-r", "t/", "local:bkt/p")
        self.pail("cp", "-r", "t", "local:bkt/q")
        self.pail("cp", "-r", "t", "local:bkt/r/")
        self.assertEqual(self.keys("local:bkt"),
                         ["1", "p/1", "p/s/2", "p/s/u/3", "q/1", "q/s/2", "q/s/u/3", "r/t/1",
                          "r/t/s/2", "r/t/s/u/3", "s/2", "s/u/3"])

    def test_tree__between_prefixes(self):
        self.pail("cp", "-r", "t", "local:bkt")
        self.pail("cp", "-r", "local:bkt/t/", "local:cop/x")
        self.pail("cp", "-r", "local:bkt/t", "local:cop/y/")
        self.pail("cp", "-r", "local:bkt", "local:cop/z/")
        self.assertEqual(self.keys("local:cop"),
                         ["x/1", "x/s/2", "x/s/u/3", "y/t/1", "y/t/s/2", "y/t/s/u/3", "z/t/1",
                          "z/t/s/2", "z/t/s/u/3"])

    def test_tree__local_to_local_with_empty_folders(self):
        os.mkdir(self.path("t", "empty"))
        self.pail("cp", "-r", "t", "copy")
        self.assertEqual(self.tree("copy"), ["1", "s/2", "s/u/3"])
        self.assertTrue(os.path.isdir(self.path("copy", "empty")))

    def test_tree__into_an_existing_folder_goes_under_its_name(self):
        os.mkdir(self.path("out"))
        self.pail("cp", "-r", "t", "local:bkt")
        self.pail("cp", "-r", "local:bkt/t", "out")
        self.assertEqual(self.tree("out"), ["t/1", "t/s/2", "t/s/u/3"])

    def test_tree__prefix_never_takes_a_longer_name(self):
        for key in ("p", "p/1", "px"):
            self.put(f"local:bkt/{key}")
        self.pail("cp", "-r", "local:bkt/p", "local:cop/q")
        self.assertEqual(self.keys("local:cop"), ["q", "q/1"])

    def test_tree__of_a_single_key(self):
        self.put("local:bkt/only", b"1")
        self.pail("cp", "-r", "local:bkt/only", "out")
        self.assertEqual(self.read("out"), b"1")
        self.pail("cp", "-r", "t/1", "local:cop/one")
        self.assertEqual(self.keys("local:cop"), ["one"])
        self.fails(4, "cp", "-r", "local:bkt/none", "out2")

    def test_keys_that_would_leave_the_folder__are_refused(self):
        bad = ["../evil", "a/../../evil", "/abs", "a//b", "./dot", ".."]
        for key in bad + ["good", "d/"]:
            self.put(f"local:bkt/{key}", b"" if key == "d/" else b"x")
        result = self.fails(1, "cp", "-r", "local:bkt", "out/deep")
        self.assertEqual(self.tree("out"), ["deep/good"])
        self.assertTrue(os.path.isdir(self.path("out", "deep", "d")))
        self.assertEqual(result.err.count("pail: cp: local:bkt/"), len(bad))
        self.assertFalse(os.path.exists(self.path("evil")))

    def test_symbolic_link_in_the_target__is_not_followed_out(self):
        os.makedirs(self.path("out"))
        os.makedirs(self.path("outside"))
        os.symlink(self.path("outside"), self.path("out", "sub"))
        os.symlink("../outside", self.path("out", "sub2"))
        for key in ("sub/k", "sub2/k", "fine"):
            self.put(f"local:bkt/{key}")
        self.fails(1, "cp", "-r", "local:bkt", "out")
        self.assertEqual(self.tree("outside"), [])
        self.assertIn("fine", self.tree("out"))

    def test_symbolic_link_with_the_name_of_a_file__is_replaced(self):
        os.makedirs(self.path("out"))
        self.write("secret", b"keep")
        os.symlink(self.path("secret"), self.path("out", "k"))
        self.put("local:bkt/k", b"new")
        self.pail("cp", "-r", "local:bkt", "out")
        self.assertEqual((self.read("secret"), self.read("out", "k")), (b"keep", b"new"))

    def test_symbolic_link_in_the_source__is_skipped_and_said(self):
        os.symlink("/etc/passwd", self.path("t", "link"))
        result = self.pail("cp", "-r", "t", "local:bkt")
        self.assertIn("t/link", result.err)
        self.assertNotIn("t/link", self.keys("local:bkt"))

    def test_key_and_folder_of_one_name__one_of_them_fails(self):
        for key in ("a", "a/b"):
            self.put(f"local:bkt/{key}")
        self.fails(1, "cp", "-r", "local:bkt", "out")

    def test_no_clobber__skips_what_is_there(self):
        self.write("out/1", b"old")
        self.pail("cp", "-r", "t", "local:bkt")
        self.pail("cp", "-rn", "local:bkt/t/", "out")
        self.assertEqual((self.read("out", "1"), self.read("out", "s", "2")), (b"old", b"t/s/2"))
        records = self.pail("cp", "-rn", "--json", "t", "local:bkt").records
        self.assertEqual({r["op"] for r in records[:-1]}, {"skip"})
        self.assertEqual((records[-1]["type"], records[-1]["skipped"]), ("summary", 3))

    def test_dry_run__only_tells(self):
        out = self.pail("cp", "-r", "--dry-run", "t", "local:bkt").out
        self.assertIn("cp t/s/2 local:bkt/t/s/2\n", out)
        self.assertEqual(self.keys("local:bkt"), [])
        self.pail("cp", "-r", "t", "local:bkt")
        self.pail("cp", "-r", "--dry-run", "local:bkt/t", "new")
        self.assertFalse(os.path.exists(self.path("new")))

    def test_tree__into_itself_is_refused(self):
        self.fails(2, "cp", "-r", "t", "t/s")
        self.pail("cp", "-r", "t", "local:bkt")
        self.fails(2, "cp", "-r", "local:bkt/t", "local:bkt/t/s")
        self.fails(2, "cp", "-r", "local:bkt", "local:bkt/new/")
        self.pail("cp", "-r", "local:bkt/t", "local:bkt/t2")

    def test_tree__more_objects_than_run_at_once(self):
        for i in range(300):
            self.write(f"many/{i:03}", str(i).encode() * 100)
        self.pail("cp", "-r", "many", "local:bkt")
        self.pail("cp", "-r", "local:bkt/many", "local:cop/")
        self.pail("cp", "-r", "local:cop/many", "back")
        self.assertEqual(self.tree("back"), self.tree("many"))
        self.assertEqual(self.read("back", "299"), self.read("many", "299"))

    def test_many_failures__are_summed_up(self):
        for i in range(30):
            self.put(f"local:bkt//{i}")
        err = self.fails(2, "cp", "-r", "local:bkt", "out").err
        self.assertEqual(err.count("pail: cp: local:bkt"), 10)
        self.assertIn("20 more", err)


class MoveTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt", "local:cop")

    def test_mv__removes_the_source_after_the_copy(self):
        self.write("file", b"1")
        self.pail("mv", "file", "local:bkt/1")
        self.assertFalse(os.path.exists(self.path("file")))
        self.pail("mv", "local:bkt/1", "local:bkt/2")
        self.pail("mv", "local:bkt/2", "local:cop/3")
        self.pail("mv", "local:cop/3", "back")
        self.assertEqual((self.read("back"), self.keys("local:bkt"), self.keys("local:cop")),
                         (b"1", [], []))
        self.pail("mv", "back", "again")
        self.assertEqual(self.tree(), sorted(set(self.tree()) - {"back"}))

    def test_mv__keeps_the_source_when_the_copy_fails(self):
        self.write("file", b"1")
        self.fails(4, "mv", "file", "local:none/k")
        self.assertEqual(self.read("file"), b"1")
        self.put("local:bkt/k")
        self.fails(4, "mv", "local:bkt/k", "local:none/k")
        self.assertEqual(self.keys("local:bkt"), ["k"])

    def test_mv__onto_itself_is_refused(self):
        self.put("local:bkt/k")
        self.fails(2, "mv", "local:bkt/k", "local:bkt/k")
        self.assertEqual(self.keys("local:bkt"), ["k"])
        self.fails(2, "mv", "-", "local:bkt/x", input=b"x")

    def test_mv_tree__leaves_nothing_behind(self):
        for name in ("t/1", "t/s/2"):
            self.write(name)
        self.pail("mv", "-r", "t", "local:bkt")
        self.assertFalse(os.path.exists(self.path("t")))
        self.pail("mv", "-r", "local:bkt/t", "local:cop/u")
        self.assertEqual((self.keys("local:bkt"), self.keys("local:cop")), ([], ["u/1", "u/s/2"]))
        self.pail("mv", "-r", "local:cop/u", "out")
        self.assertEqual((self.keys("local:cop"), self.tree("out")), ([], ["1", "s/2"]))

    def test_mv_tree__keeps_what_could_not_go(self):
        self.write("t/good")
        self.write("t/fine")
        os.rename(self.path("t", "good"), os.fsencode(self.path("t", "")) + b"\xff")
        self.fails(1, "mv", "-r", "t", "local:bkt")
        self.assertEqual(os.listdir(os.fsencode(self.path("t"))), [b"\xff"])

    def test_mv__dry_run_moves_nothing(self):
        self.write("t/1")
        self.assertEqual(self.pail("mv", "-r", "--dry-run", "t", "local:bkt").out,
                         "mv t/1 local:bkt/t/1\n")
        self.assertEqual(self.tree("t"), ["1"])


class InterruptTest(CliTest):
    def test_interrupt__stops_an_upload_and_leaves_nothing(self):
        self.pail("mb", "local:bkt")
        for number in (signal.SIGINT, signal.SIGTERM):
            reader, writer = os.pipe()
            process = self.start("cp", "-", "local:bkt/k", stdin=reader)
            os.close(reader)
            os.write(writer, b"x" * 40_000)
            self.wait_until_read(writer)
            process.send_signal(number)
            self.assertEqual(process.wait(60), 130)
            self.assertEqual(process.communicate()[0], b"")
            os.close(writer)
            self.assertEqual(self.keys("local:bkt"), [])
            self.assertEqual(self.pail("uploads", "ls", "local:bkt").out, "")

    def wait_until_read(self, writer):
        """The pipe takes a whole new buffer only when the program has emptied it."""
        import array
        import fcntl
        import termios
        left = array.array("i", [1])
        while left[0] > 0:
            fcntl.ioctl(writer, termios.FIONREAD, left)
            time.sleep(0.01)

    def test_interrupt__of_a_local_copy_leaves_no_part(self):
        os.mkdir(self.path("out"))
        reader, writer = os.pipe()
        process = self.start("cp", "-", "out/file", stdin=reader)
        os.close(reader)
        os.write(writer, b"x" * 1000)
        self.wait_until_read(writer)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), 130)
        process.communicate()
        os.close(writer)
        self.assertEqual(self.tree("out"), [])


if __name__ == "__main__":
    unittest.main()
