"""How many requests an operation is on Swift, counted between pail and the service."""
import json
import os
import tempfile
import unittest

from swift_bed import MIB, SwiftTest, relay


class Requests(SwiftTest):
    def setUp(self):
        super().setUp()
        storage, token = self.swift.get_auth()
        self.server, url = relay(self, storage)
        self.login = {"OS_STORAGE_URL": url, "OS_AUTH_TOKEN": token}
        self.addCleanup(lambda: setattr(self, "login", None))

    def count(self, *args, **kw):
        """The requests of a command, without the account's path."""
        self.server.seen.clear()
        self.do(*args, **kw)
        return [line.replace("/v1/AUTH_pail/" + self.bucket, "").split("?")[0]
                for line in self.server.seen]

    def make_segments(self):
        self.swift.put_container(self.bucket + "+segments")

    def folder(self, files):
        path = tempfile.mkdtemp(dir=self.pail.home)
        for file, data in files.items():
            with open(os.path.join(path, file), "wb") as out:
                out.write(data)
        return path

    def each(self, files, more):
        """What each file more costs in an upload of a folder, and all of the larger one's requests."""
        few = self.folder({f"a{i}": data for i, data in enumerate(files)})
        many = self.folder({f"b{i}": data for i, data in enumerate(files + more)})
        flags = ["-r", "--part-size", "1MiB"]
        first = self.count("cp", *flags, few, self.url("d"))
        second = self.count("cp", *flags, many, self.url("d"))
        return (len(second) - len(first)) / len(more), second

    def test_a_small_put_is_one(self):
        self.assertEqual(self.each([b"x"], [b"y"] * 4)[0], 1)

    def test_a_small_put_is_two_with_segments(self):
        self.make_segments()
        self.assertEqual(self.each([b"x"], [b"y"] * 4)[0], 2)

    def test_an_upload_of_n_parts_is_n_and_three(self):
        data = os.urandom(40 * MIB)
        self.make_segments()
        cost, seen = self.each([data], [data] * 2)
        self.assertEqual(cost, 40 + 3, seen[-60:])

    def test_what_an_upload_replaces_is_looked_at_and_removed(self):
        self.put_large("big", 40 * MIB)
        seen = self.count("cp", "--part-size", "8MiB", self.pail.path("large"), self.url("big"))
        self.assertEqual(seen.count("PUT /big"), 2, seen)
        self.assertEqual(seen.count("HEAD /big"), 1, seen)
        self.assertEqual(len(self.segments()), 5)

    def test_reading_is_one(self):
        self.swift.put_object(self.bucket, "k", b"data")
        self.make_segments()
        for args in (["cat", self.url("k")], ["stat", self.url("k")], ["ls", self.url()]):
            self.assertEqual(len(self.count(*args)), 1, args)

    def test_a_presigned_url_asks_for_the_key_alone(self):
        self.swift.post_container(self.bucket, {"X-Container-Meta-Temp-URL-Key": "key"})
        self.assertEqual(self.count("presign", self.url("k")), ["GET /info", "HEAD "])
        self.assertEqual(self.count("presign", "--set", "swift_tempurl_key=key", self.url("k")),
                         ["GET /info"])

    def test_many_are_deleted_in_one(self):
        for i in range(30):
            self.swift.put_object(self.bucket, f"d/{i}", b"x")
        seen = self.count("rm", "-r", self.url("d/"))
        self.assertEqual(seen, ["GET ", "HEAD ", "HEAD +segments", "HEAD _segments", "GET /info",
                                "POST /v1/AUTH_pail"])
        self.assertEqual(self.swift.get_container(self.bucket)[1], [])

    def test_many_are_deleted_in_bulk_with_their_parts(self):
        other = self.bucket + "_segments"
        self.swift.put_container(other)
        for i in range(60):
            self.swift.put_object(self.bucket, f"d/{i}", b"x")
        self.swift.put_object(self.bucket, "d/empty", b"")
        self.swift.put_object(self.bucket, "stays", b"x")
        data = self.put_large("d/large one", 40 * MIB)
        self.put_large("d/large ü/x", 40 * MIB)
        self.put_large("stays large", 40 * MIB)
        kept = [name for name in self.segments() if name.startswith("stays")]
        unfinished = "d/large one/" + "0" * 32
        self.swift.put_object(self.bucket + "+segments", unfinished, b"")
        self.swift.put_object(self.bucket + "+segments", unfinished + "/1", b"of another upload")
        etags = [self.swift.put_object(other, f"d/{kind}/{i}", b"ab") for kind in ("slo", "dlo")
                 for i in range(2)]
        self.swift.put_object(self.bucket, "d/slo", json.dumps(
            [{"path": f"/{other}/d/slo/{i}", "etag": etags[i], "size_bytes": 2} for i in range(2)]),
            query_string="multipart-manifest=put")
        self.swift.put_object(self.bucket, "d/dlo", b"",
                              headers={"X-Object-Manifest": f"{other}/d/dlo/"})
        self.assertEqual(len(data), 40 * MIB)
        seen = self.count("rm", "-r", self.url("d/"))
        self.assertEqual(sorted(seen), sorted([
            "GET ", "HEAD ", "HEAD +segments", "GET /info",  # the names; what is known of the container
            "GET ", "GET +segments",                         # which are large, and their parts
            "HEAD /d/dlo", "HEAD /d/empty", "GET _segments", "GET /d/slo",
            "POST /v1/AUTH_pail", "POST /v1/AUTH_pail"]))
        self.assertEqual([item["name"] for item in self.swift.get_container(self.bucket)[1]],
                         ["stays", "stays large"])
        self.assertEqual(sorted(self.segments()), sorted(kept + [unfinished, unfinished + "/1"]))
        self.assertEqual(self.segments("_segments"), [])


if __name__ == "__main__":
    unittest.main()
