"""Uploads in parts that end badly on Swift: nothing is lost, and nothing is left that cannot be found."""
import json
import re
import signal
import subprocess
import threading
import unittest

import servers
from swift_bed import MIB, SwiftTest, relay

PART = re.compile(r"segments/.*/[0-9a-f]{32}/[0-9]+$")


class Uploads(SwiftTest):
    def setUp(self):
        super().setUp()
        storage, token = self.swift.get_auth()
        self.server, url = relay(self, storage)
        self.login = {"OS_STORAGE_URL": url, "OS_AUTH_TOKEN": token}

    def tearDown(self):
        self.server.loses, self.server.instead = lambda request: False, lambda request: None

    def is_part(self, request):
        return request.command == "PUT" and PART.search(request.path)

    def is_manifest(self, request):
        return request.command == "PUT" and "multipart-manifest=put" in request.path

    def uploads(self):
        return self.do("uploads", "ls", self.url()).decode().splitlines()

    def test_a_killed_upload_is_shown_and_cleaned_up(self):
        second, go_on = threading.Event(), threading.Event()

        def wait(request):
            if self.is_part(request) and request.path.endswith("/2"):
                second.set()
                go_on.wait(60)
        self.server.instead = wait
        pail = subprocess.Popen(
            [servers.PAIL, "cp", "--concurrency", "1", self.pail.path("in", bytes(40 * MIB)),
             self.url("dir/big")], env={**self.pail.env, **self.login}, cwd=self.pail.home)
        self.assertTrue(second.wait(60))
        pail.send_signal(signal.SIGKILL)
        pail.wait(60)
        go_on.set()
        self.assertGreaterEqual(len(self.segments()), 2)  # the mark and a part
        shown = self.uploads()
        self.assertEqual(len(shown), 1)
        self.assertTrue(shown[0].endswith(" dir/big"), shown)
        self.assertEqual(self.do("ls", "-r", self.url()), b"")
        self.do("uploads", "abort", "--all", self.url())
        self.assertEqual(self.uploads(), [])
        self.assertEqual([name for name in self.segments() if not name.endswith("/2")], [])

    def test_a_failed_upload_leaves_nothing_and_what_was_there(self):
        self.swift.put_object(self.bucket, "big", b"before")
        self.server.instead = lambda request: (403, {}, b"") if self.is_part(request) and \
            request.path.endswith("/2") else None
        run = self.run_pail("cp", "--concurrency", "1", self.pail.path("in", bytes(40 * MIB)),
                            self.url("big"))
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertEqual(self.segments(), [])
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], b"before")

    def test_a_finish_whose_answer_is_lost_is_a_success(self):
        lost = []

        def lose(request):
            if self.is_manifest(request) and not lost:
                lost.append(request.path)
                return True
            return False
        self.server.loses = lose
        data = self.put_large("big", 40 * MIB)
        self.assertEqual(len(lost), 1)
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)
        self.assertEqual(len(self.segments()), 3)
        self.assertEqual(self.uploads(), [])

    def test_an_upload_that_was_finished_unheard_is_not_aborted(self):
        self.server.loses = self.is_manifest
        run = self.run_pail("cp", "--set", "max_attempts=1", self.pail.path("in", bytes(40 * MIB)),
                            self.url("big"))
        self.assertNotEqual(run.returncode, 0)
        self.assertEqual(len(self.uploads()), 1)
        self.do("uploads", "abort", "--all", self.url())
        self.assertEqual(self.uploads(), [])
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], bytes(40 * MIB))

    def test_a_finish_that_may_still_come_keeps_its_parts(self):
        def refuse(request):
            if self.is_manifest(request):
                return 503, {}, b""
            whole = "X-Copy-From" in request.headers and "Range" not in request.headers
            return (413, {}, b"") if whole else None
        self.server.instead = refuse
        self.server.change_info = lambda info: {**info, "swift": {**info["swift"],
                                                                  "max_file_size": 32 * MIB}}
        self.swift.put_object(self.bucket, "from", bytes(40 * MIB))
        for count, source in ((1, self.pail.path("in", bytes(40 * MIB))), (2, self.url("from"))):
            run = self.run_pail("cp", "--set", "max_attempts=1", source, self.url("big"))
            self.assertNotEqual(run.returncode, 0)
            self.assertEqual(len(self.uploads()), count, self.server.seen[-20:])
        self.assertGreaterEqual(len(self.segments()), 2 * (2 + 1))

    def test_what_cannot_be_cleared_up_is_no_failure(self):
        self.put_large("big", 40 * MIB)
        self.server.instead = lambda request: (401, {}, b"") if "segments/" in request.path or \
            request.command == "POST" else None
        self.do("cp", self.pail.path("small", b"new"), self.url("big"))
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], b"new")
        self.assertEqual(len(self.segments()), 3)

    def test_an_abort_that_may_not_delete_fails(self):
        self.swift.put_container(self.bucket + "+segments")
        names = [f"big/{'0123456789abcdef' * 2}{part}" for part in ("", "/1", "/2")]
        for name in names:
            self.swift.put_object(self.bucket + "+segments", name, b"")
        refusal = {"Response Status": "400 Bad Request", "Response Body": "", "Number Deleted": 2,
                   "Number Not Found": 0, "Errors": [["/x", "403 Forbidden"]]}
        self.server.instead = lambda request: (200, {"Content-Type": "application/json"}, json.dumps(
            refusal).encode()) if request.command == "POST" else None
        run = self.run_pail("uploads", "abort", "--all", self.url())
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"did not delete all parts", run.stderr)
        self.server.instead = lambda request: None
        self.do("uploads", "abort", "--all", self.url())
        self.assertEqual(self.segments(), [])

    def test_not_knowing_whether_versions_are_kept_removes_nothing(self):
        self.put_large("big", 40 * MIB)
        before = self.segments()
        self.server.instead = lambda request: (500, {}, b"") if request.command == "HEAD" and \
            request.path.endswith("/" + self.bucket) else None
        self.put_large("big", 40 * MIB)
        self.assertTrue(set(before) <= set(self.segments()))

    def test_a_write_behind_a_newer_one_takes_no_parts_away(self):
        data = self.put_large("big", 40 * MIB)
        before = self.segments()
        self.server.instead = lambda request: (202, {}, b"") if request.command == "PUT" and \
            request.path.split("?")[0].endswith("/big") else None
        self.do("cp", self.pail.path("small", b"late"), self.url("big"))
        self.do("cp", self.pail.path("in", bytes(40 * MIB)), self.url("big"))
        self.assertTrue(set(before) <= set(self.segments()))
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)
        self.assertEqual(self.uploads(), [])

    def test_long_names_are_put_as_a_whole(self):
        long = self.bucket + "x" * (256 - len(self.bucket))
        self.do("mb", "swift://" + long)
        self.addCleanup(self.swift.delete_container, long)
        self.addCleanup(self.swift.delete_object, long, "big")
        large = self.pail.path("in", bytes(40 * MIB))
        self.do("cp", large, f"swift://{long}/big")
        self.assertEqual(self.do("uploads", "ls", "swift://" + long), b"")
        self.do("cp", large, self.url("k" * 1024))
        self.do("cp", large, self.url("k" * 985))
        for key, parts in (("k" * 1024, False), ("k" * 985, True)):
            headers = self.swift.head_object(self.bucket, key)
            self.assertEqual(headers["content-length"], str(40 * MIB))
            self.assertEqual("x-static-large-object" in headers, parts)
        run = self.run_pail("cp", large, self.url("k" * 1025))
        self.assertNotEqual(run.returncode, 0)
        run = self.run_pail("mb", "swift://" + long + "x")
        self.assertIn(b"at most 256 bytes", run.stderr)

    def test_what_replaces_a_dynamic_large_object_takes_its_parts_away(self):
        other = self.bucket + "_segments"
        self.swift.put_container(other)
        self.swift.put_container(self.bucket + "+segments")
        for i in range(3):
            self.swift.put_object(other, f"dlo/{i}", b"part%d" % i)
        self.swift.put_object(other, "else", b"stays")
        self.swift.put_object(self.bucket, "dlo", b"", headers={"X-Object-Manifest": f"{other}/dlo/"})
        self.assertEqual(self.do("cat", self.url("dlo")), b"part0part1part2")
        self.do("cp", self.url("dlo"), self.url("copy"))
        self.do("cp", self.pail.path("in", b"new"), self.url("dlo"))
        self.assertEqual(self.segments("_segments"), ["else"])
        self.assertEqual(self.do("cat", self.url("dlo")), b"new")
        self.assertEqual(self.swift.get_object(self.bucket, "copy")[1], b"part0part1part2")


if __name__ == "__main__":
    unittest.main()
