"""The real Swift, as if its configuration were another one: smaller limits, middlewares left out."""
import json
import os
import unittest
import urllib.parse

from swift_bed import MIB, SwiftTest, relay


class Lacks(SwiftTest):
    def setUp(self):
        super().setUp()
        storage, token = self.swift.get_auth()
        self.server, url = relay(self, storage)
        self.login = {"OS_STORAGE_URL": url, "OS_AUTH_TOKEN": token}

    def without(self, *sections, **limits):
        def change(info):
            for name in sections:
                del info[name]
            for name, value in limits.items():
                section = "slo" if name == "max_manifest_segments" else "swift"
                info[section][name] = value
            return info
        self.server.change_info = change

    def folder(self, count):
        path = os.path.join(self.pail.home, self.bucket)
        os.makedirs(path)
        for i in range(count):
            with open(os.path.join(path, f"{i:03}"), "wb") as file:
                file.write(b"x")
        return path

    def lines(self, method):
        return [line for line in self.server.seen if line.startswith(method + " ")]

    def test_pages_are_as_large_as_the_service_makes_them(self):
        self.without(container_listing_limit=7)

        def refuse(request):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
            if request.command == "GET" and int(query.get("limit", ["0"])[0]) > 7:
                return 412, {"Content-Type": "text/plain"}, b"Maximum limit is 7"
            return None
        self.server.instead = refuse
        self.do("cp", "-r", self.folder(30), self.url("d"))
        names = self.do("ls", "-r", self.url()).decode().split()
        self.assertEqual(names, [f"d/{i:03}" for i in range(30)])
        self.assertEqual(len(self.lines("GET")), 2 + 5 + 0, self.server.seen[-10:])
        self.assertIn(self.bucket.encode(), self.do("ls", "swift://"))

    def test_what_cannot_be_deleted_keeps_its_parts(self):
        data = self.put_large("d/large", 40 * MIB)
        self.put_large("d/other", 40 * MIB)
        path = f"/{self.bucket}/d/large"
        refusal = {"Response Status": "400 Bad Request", "Response Body": "", "Number Deleted": 1,
                   "Number Not Found": 0, "Errors": [[urllib.parse.quote(path), "403 Forbidden"]]}

        def refuse(request):
            if request.command == "POST" and len(self.lines("POST")) == 1:
                self.swift.delete_object(self.bucket, "d/other")
                return 200, {"Content-Type": "application/json"}, json.dumps(refusal).encode()
            return None
        self.server.instead = refuse
        run = self.run_pail("rm", "-r", self.url("d/"))
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"d/large", run.stderr)
        self.assertEqual(len(self.lines("POST")), 2, self.server.seen)
        self.assertTrue(self.segments())
        self.assertTrue(all(name.startswith("d/large/") for name in self.segments()))
        self.assertEqual(self.swift.get_object(self.bucket, "d/large")[1], data)

    def test_many_that_need_requests_of_their_own_go_one_by_one(self):
        self.swift.put_container(self.bucket + "+segments")
        for i in range(70):
            self.swift.put_object(self.bucket, f"d/{i}", b"")
        self.put_large("d/large", 40 * MIB)
        self.do("rm", "-r", self.url("d/"))
        self.assertEqual(self.swift.get_container(self.bucket)[1], [])
        self.assertEqual(self.segments(), [])
        self.assertEqual(len(self.lines("DELETE")), 70 + 1 + 1)  # and the mark of the upload

    def test_a_service_whose_listings_do_not_tell_goes_one_by_one(self):
        self.without(version="17.2.6")
        for name in ("d/one", "d/two"):
            self.put_large(name, 40 * MIB)
        self.do("rm", "-r", self.url("d/"))
        self.assertEqual(self.segments(), [])
        self.assertEqual(len(self.lines("DELETE")), 2 + 2)  # two marks

    def test_without_bulk_delete_names_go_one_by_one(self):
        self.without("bulk_delete")
        self.put_large("d/large", 40 * MIB)
        self.do("cp", "-r", self.folder(5), self.url("d"))
        self.do("rm", "-r", self.url("d/"))
        self.assertEqual(self.swift.get_container(self.bucket)[1], [])
        self.assertEqual(self.segments(), [])
        self.assertEqual(self.lines("POST"), [])

    def test_without_large_objects_a_file_goes_as_a_whole(self):
        self.without("slo", max_file_size=50 * MIB)
        data = self.put_large("big", 40 * MIB)
        headers, body = self.swift.get_object(self.bucket, "big")
        self.assertNotIn("x-static-large-object", headers)
        self.assertEqual(body, data)
        self.assertEqual(self.segments(), [])
        run = self.run_pail("cp", self.pail.path("huge", bytes(60 * MIB)), self.url("huge"))
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"static large objects", run.stderr)
        run = self.run_pail("cp", "-", self.url("stream"), data=bytes(40 * MIB))
        self.assertIn(b"static large objects", run.stderr)
        self.assertEqual([item["name"] for item in self.swift.get_container(self.bucket)[1]], ["big"])

    def test_parts_are_larger_where_fewer_are_allowed(self):
        self.without(max_manifest_segments=2)
        data = self.put_large("big", 40 * MIB)
        self.assertEqual(len(self.segments()), 2)
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)

    def test_a_copy_beyond_the_largest_object_is_made_of_parts_of_its_own(self):
        data = self.put_large("big", 40 * MIB)

        def refuse(request):
            if request.command == "PUT" and "X-Copy-From" in request.headers \
                    and "Range" not in request.headers:
                return 413, {"Content-Type": "text/html"}, b"<html><h1>Request Entity Too Large</h1>"
            return None
        self.server.instead = refuse
        self.without(max_file_size=32 * MIB)
        self.server.seen.clear()
        self.do("cp", self.url("big"), self.url("copy"))
        self.assertEqual(len([line for line in self.lines("GET") if "info" not in line]), 0)
        self.do("rm", self.url("big"))
        self.assertEqual(self.swift.get_object(self.bucket, "copy")[1], data)
        self.assertTrue(all(name.startswith("copy/") for name in self.segments()))
        self.do("rm", self.url("copy"))
        self.assertEqual(self.segments(), [])


if __name__ == "__main__":
    unittest.main()
