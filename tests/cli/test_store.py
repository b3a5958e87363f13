"""Buckets and objects of the embedded store: mb rb ls stat cat du rm and the upkeep."""
import datetime
import os
import re
import unittest

from cli import CliTest

# Names that a key may have although no file could.
ODD = ["a", "a/", "a//b", "a/b", "..", "../up", "./x", "/lead", "tab\there", "line\nbreak",
       "\x01\x7f", "back\\slash", "q?x=1#f", "%41", "ünï", "\U0001f600", "-r", " space "]


def byte_order(keys):
    return sorted(keys, key=lambda key: key.encode())


class BucketTest(CliTest):
    def test_mb__makes_and_ls_lists_in_name_order(self):
        self.pail("mb", "local:two", "local:one")
        self.assertEqual(self.pail("ls").out, "one\ntwo\n")
        self.assertEqual(self.pail("ls", "local:").out, "one\ntwo\n")

    def test_mb__of_an_existing_bucket_is_a_conflict(self):
        self.pail("mb", "local:one")
        self.fails(6, "mb", "local:one")
        self.pail("mb", "--exist-ok", "local:one")

    def test_mb__of_a_bad_name_is_a_usage_error(self):
        self.fails(2, "mb", "local:No_Good")

    def test_rb__refuses_a_full_bucket_without_force(self):
        self.pail("mb", "local:one")
        self.put("local:one/k")
        self.fails(6, "rb", "local:one")
        self.assertEqual(self.cat("local:one/k"), b"data")
        self.pail("rb", "--force", "local:one")
        self.assertEqual(self.pail("ls").out, "")
        self.fails(4, "rb", "local:one")

    def test_many__some_failing_is_1(self):
        self.pail("mb", "local:one")
        self.fails(1, "mb", "local:one", "local:two")
        self.assertEqual(self.pail("ls").out, "one\ntwo\n")

    def test_ls__pattern_of_buckets(self):
        self.pail("mb", "local:abc", "local:abd", "local:xyz")
        self.assertEqual(self.pail("ls", "--pattern", "ab*").out, "abc\nabd\n")
        self.fails(4, "ls", "--pattern", "q*")


class ObjectTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt")

    def test_ls__prefixes_end_in_a_slash_and_keys_are_whole(self):
        for key in ("top", "d/one", "d/e/two", "d-file"):
            self.put(f"local:bkt/{key}")
        self.assertEqual(self.pail("ls", "local:bkt").lines, ["d-file", "d/", "top"])
        self.assertEqual(self.pail("ls", "local:bkt/d/").lines, ["d/e/", "d/one"])
        self.assertEqual(self.pail("ls", "local:bkt/d").lines, ["d/e/", "d/one"])
        self.assertEqual(self.pail("ls", "-r", "local:bkt").lines,
                         ["d-file", "d/e/two", "d/one", "top"])

    def test_ls__a_key_and_what_is_below_it(self):
        for key in ("x", "x/1", "x-y", "xx"):
            self.put(f"local:bkt/{key}")
        self.assertEqual(self.pail("ls", "-r", "local:bkt/x").lines, ["x", "x/1"])
        self.assertEqual(self.pail("ls", "local:bkt/xx").lines, ["xx"])
        self.fails(4, "ls", "local:bkt/none")

    def test_ls__of_an_empty_bucket_is_nothing(self):
        self.assertEqual(self.pail("ls", "local:bkt").raw, b"")
        self.fails(4, "ls", "local:none")

    def test_ls__odd_keys_in_byte_order_one_a_line(self):
        for key in ODD:
            self.put(f"local:bkt/{key}")
        self.assertEqual(self.keys("local:bkt"), byte_order(ODD))
        shown = [re.sub(r"[\x00-\x1f\x7f]", lambda m: f"\\x{ord(m.group()):02x}", key)
                 for key in byte_order(ODD)]
        self.assertEqual(self.pail("ls", "-r", "local:bkt").raw.decode().split("\n"), shown + [""])

    def test_odd_keys__each_is_its_own_object(self):
        for key in ODD:
            self.put(f"local:bkt/{key}", key.encode())
        for key in ODD:
            self.assertEqual(self.cat(f"local:bkt/{key}"), key.encode())

    def test_ls_long__has_size_and_time_first(self):
        self.put("local:bkt/dir/k", b"12345")
        size, time, name = self.pail("ls", "-lr", "local:bkt").out.split()
        self.assertEqual((size, name), ("5", "dir/k"))
        self.assertRegex(time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(self.pail("ls", "-l", "local:bkt").out.split(), ["-", "-", "dir/"])
        self.assertEqual(self.pail("ls", "-l").out.split()[2], "bkt")

    def test_ls__pattern_of_keys(self):
        for key in ("a.txt", "b.txt", "c.bin"):
            self.put(f"local:bkt/{key}")
        self.assertEqual(self.pail("ls", "--pattern", "*.txt", "local:bkt").lines, ["a.txt", "b.txt"])

    def test_ls__json_is_one_object_a_line(self):
        self.put("local:bkt/a \"q\" \n", b"123")
        self.put("local:bkt/d/x")
        records = self.pail("ls", "--json", "local:bkt").records
        self.assertEqual([r["type"] for r in records], ["object", "prefix"])
        self.assertEqual((records[0]["key"], records[0]["size"]), ("a \"q\" \n", 3))
        self.assertEqual(records[0]["v"], 1)
        self.assertRegex(records[0]["mtime"], r"\.\d{3}Z$")
        self.assertEqual(self.pail("ls", "--json").records[0]["name"], "bkt")

    def test_ls__versions_show_the_current_one(self):
        self.put("local:bkt/k")
        line = self.pail("ls", "--versions", "local:bkt").out
        version = re.search(r"(?m)^version: (.*)$", self.pail("stat", "local:bkt/k").out).group(1)
        self.assertEqual(line, f"{version}  k\n")

    def test_stat__finds_by_name(self):
        self.put("local:bkt/k", b"12345", "--content-type", "text/x-test", "--meta", "owner=me",
                 "--tag", "colour=red", "--cache-control", "no-store")
        fields = dict(line.split(": ", 1) for line in self.pail("stat", "local:bkt/k").lines)
        self.assertEqual(fields["size"], "5")
        self.assertEqual(fields["content-type"], "text/x-test")
        self.assertEqual(fields["cache-control"], "no-store")
        self.assertEqual(fields["meta.owner"], "me")
        self.assertTrue(fields["etag"])
        then = datetime.datetime.fromisoformat(fields["modified"].replace("Z", "+00:00"))
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs((now - then).total_seconds()), 300)

    def test_stat__of_what_is_not_there_is_4(self):
        self.put("local:bkt/key")
        self.fails(4, "stat", "local:bkt/ke")
        self.fails(4, "stat", "local:nothing/key")
        self.fails(4, "stat", "local:nothing")
        self.assertEqual(self.pail("stat", "local:bkt").out, "bucket: bkt\n")
        self.fails(1, "stat", "local:bkt/key", "local:bkt/no")

    def test_stat__json_has_what_the_lines_have(self):
        self.put("local:bkt/k", b"12345", "--meta", "a=b")
        record = self.pail("stat", "--json", "local:bkt/k").records[0]
        self.assertEqual((record["url"], record["size"]), ("local:bkt/k", 5))
        self.assertEqual(record["metadata"], {"a": "b"})

    def test_error__json_is_a_record_too(self):
        result = self.fails(4, "stat", "--json", "local:bkt/none")
        record = result.records[0]
        self.assertEqual((record["type"], record["code"], record["url"]),
                         ("error", "not_found", "local:bkt/none"))

    def test_bad_keys__are_refused(self):
        self.fails(2, "cp", "-", "local:bkt/" + "k" * 1025, input=b"x")
        self.fails(2, "cp", "-", b"local:bkt/\xff", input=b"x")

    def test_cat__ranges(self):
        self.put("local:bkt/k", b"0123456789")
        self.assertEqual(self.cat("local:bkt/k", "--range", "2-4"), b"234")
        self.assertEqual(self.cat("local:bkt/k", "--range", "7-"), b"789")
        self.assertEqual(self.cat("local:bkt/k", "--range", "-3"), b"789")
        self.assertEqual(self.cat("local:bkt/k", "--range", "0-0"), b"0")
        self.assertEqual(self.cat("local:bkt/k", "--offset", "4", "--count", "2"), b"45")
        self.assertEqual(self.cat("local:bkt/k", "--offset", "8"), b"89")
        self.assertEqual(self.cat("local:bkt/k", "--tail", "2"), b"89")
        self.fails(2, "cat", "--range", "4-2", "local:bkt/k")
        self.fails(2, "cat", "--range", "x", "local:bkt/k")
        self.fails(2, "cat", "--range", "1-2", "--tail", "1", "local:bkt/k")
        self.fails(2, "cat", "--range", "99-", "local:bkt/k")

    def test_cat__several_objects_one_after_the_other(self):
        self.put("local:bkt/1", b"one")
        self.put("local:bkt/2", b"two")
        self.assertEqual(self.pail("cat", "local:bkt/1", "local:bkt/2").raw, b"onetwo")
        self.fails(4, "cat", "local:bkt/3")

    def test_du__counts_objects_and_bytes(self):
        for key, size in (("d/1", 10), ("d/e/2", 2000), ("dx", 5)):
            self.put(f"local:bkt/{key}", b"x" * size)
        self.assertEqual(self.pail("du", "local:bkt").out, "3 objects  2015 bytes  local:bkt\n")
        self.assertEqual(self.pail("du", "local:bkt/d").out, "2 objects  2010 bytes  local:bkt/d\n")
        self.assertIn("2.0 KiB", self.pail("du", "-h", "local:bkt").out)
        record = self.pail("du", "--json", "local:bkt").records[0]
        self.assertEqual((record["objects"], record["bytes"]), (3, 2015))

    def test_rm__deletes_one(self):
        self.put("local:bkt/k")
        self.pail("rm", "local:bkt/k")
        self.fails(4, "rm", "local:bkt/k")
        self.pail("rm", "-f", "local:bkt/k")

    def test_rm__if_match_keeps_another_object(self):
        self.put("local:bkt/k")
        self.fails(6, "rm", "--if-match", "other", "local:bkt/k")
        self.assertEqual(self.keys("local:bkt"), ["k"])

    def test_rm_recursive__never_takes_a_longer_name(self):
        for key in ("p", "p/1", "p/2/3", "px", "p-", "q"):
            self.put(f"local:bkt/{key}")
        self.pail("rm", "-r", "local:bkt/p")
        self.assertEqual(self.keys("local:bkt"), ["p-", "px", "q"])
        self.fails(4, "rm", "-r", "local:bkt/p")
        self.pail("rm", "-r", "local:bkt")
        self.assertEqual(self.keys("local:bkt"), [])

    def test_rm_recursive__with_a_slash_leaves_the_key_itself(self):
        for key in ("p", "p/1"):
            self.put(f"local:bkt/{key}")
        self.pail("rm", "-r", "local:bkt/p/")
        self.assertEqual(self.keys("local:bkt"), ["p"])

    def test_rm__dry_run_only_tells(self):
        self.put("local:bkt/p/1")
        self.assertEqual(self.pail("rm", "-r", "--dry-run", "local:bkt/p").out, "rm local:bkt/p/1\n")
        self.assertEqual(self.keys("local:bkt"), ["p/1"])

    def test_rm_recursive__more_than_one_batch(self):
        names = [f"{i:04}" for i in range(1203)]
        for name in names:
            self.write(f"many/{name}", b"")
        self.pail("cp", "-r", "many/", "local:bkt/many")
        self.assertEqual(self.keys("local:bkt/many"), [f"many/{name}" for name in names])
        self.pail("rm", "-r", "local:bkt/many")
        self.assertEqual(self.keys("local:bkt"), [])


class UpkeepTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt")
        self.put("local:bkt/k", b"12345")

    def test_presign__needs_someone_to_answer(self):
        result = self.fails(11, "presign", "local:bkt/k")
        self.assertIn("hint:", result.err)
        self.fails(2, "presign", "--method", "POST", "local:bkt/k")
        self.fails(2, "presign", "--expires", "soon", "local:bkt/k")

    def test_presign__s3_prints_the_url_alone_first(self):
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "hunter2secret",
                "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        result = self.run_pail("presign", "--expires", "1h", "s3://bucket/a b", env=keys)
        if result.status == 10 and "scheme" in result.err:
            self.skipTest("built without S3")
        self.assertEqual(result.status, 0, result.err)
        self.assertRegex(result.lines[0], r"^http://127\.0\.0\.1:9/bucket/a%20b\?.*X-Amz-Expires=3600")
        self.assertNotIn("hunter2secret", result.out)
        result = self.pail("presign", "--method", "PUT", "--content-type", "text/x-test",
                           "s3://bucket/k", env=keys)
        self.assertIn("content-type: text/x-test", [line.lower() for line in result.lines[1:]])

    def test_uploads__none_are_open(self):
        self.assertEqual(self.pail("uploads", "ls", "local:bkt").out, "")
        self.pail("uploads", "abort", "--all", "local:bkt")
        self.fails(4, "uploads", "abort", "local:bkt/k", "none")
        self.fails(2, "uploads", "abort", "local:bkt/k")

    def test_fsck__counts_what_it_checked(self):
        self.assertIn("1 objects, 5 bytes checked; 0 damaged", self.pail("fsck").out)
        record = self.pail("fsck", "--json").records[-1]
        self.assertEqual((record["type"], record["ok"], record["objects"]), ("summary", True, 1))
        self.pail("fsck", "--repair", "local:")

    def test_backup__is_a_store_of_its_own(self):
        copy = self.path("copy")
        self.pail("backup", copy)
        self.pail("rm", "local:bkt/k")
        self.assertEqual(self.pail("--home", copy, "cat", "local:bkt/k").raw, b"12345")
        self.fails(6, "backup", copy)

    def test_config__explains_each_setting(self):
        out = self.pail("config", "explain", "local:").out
        self.assertRegex(out, rf"(?m)^local_home = {re.escape(self.home)}  \(.*PAIL_HOME.*\)$")
        records = self.pail("config", "explain", "--json").records
        home = [r for r in records if r["name"] == "local_home"][0]
        self.assertEqual(home["value"], self.home)

    def test_config__shows_no_secret(self):
        result = self.run_pail("config", "explain", "s3://",
                               env={"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "hunter2"})
        self.assertNotIn("hunter2", result.out + result.err)

    def test_conform__finds_the_embedded_store_as_promised_and_cleans_up(self):
        found = {r["name"]: r["result"] for r in self.pail("--json", "conform", "local:").records}
        self.assertEqual(found["put_get"], "native")
        self.assertEqual(found["cond_delete"], "native")
        self.assertGreater(len(found), 20)
        self.assertNotIn("WRONG", found.values())
        self.assertEqual(self.pail("ls", "local:").out, "bkt\n")

    def test_conform__as_one_object_has_the_same_and_the_limits(self):
        lines = {r["name"]: r["result"] for r in self.pail("--json", "conform", "local:").records}
        record, = self.pail("conform", "--format", "json", "local:").records
        self.assertEqual({name: record[name] for name in lines}, lines)
        self.assertEqual((record["scheme"], record["delete_max"], record["sse"]), ("local", 1000, "none"))
        self.fails(2, "conform", "--format", "xml", "local:")

    def test_conform__below_a_prefix_leaves_what_is_there(self):
        self.put("local:bkt/deep/kept")
        self.pail("conform", "local:bkt/deep/")
        self.assertEqual(self.keys("local:bkt"), ["deep/kept", "k"])

    def test_doctor__local_store_works(self):
        out = self.pail("doctor", "local:bkt").out
        self.assertRegex(out, r"(?m)^ok    request ")
        self.assertNotIn("fail", out)
        self.assertEqual({r["type"] for r in self.pail("doctor", "--json", "local:").records},
                         {"check"})

    def test_doctor__missing_bucket_fails_with_4(self):
        result = self.run_pail("doctor", "local:none")
        self.assertEqual(result.status, 4)
        self.assertRegex(result.out, r"(?m)^fail  request ")

    def test_home__is_where_the_store_is(self):
        self.assertTrue(os.path.isdir(self.home))
        self.assertEqual(self.pail("ls", env={"PAIL_HOME": self.path("elsewhere")}).out, "")


if __name__ == "__main__":
    unittest.main()
