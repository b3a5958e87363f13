"""python-swiftclient and Pail over the same Swift: what one stores the other reads and removes."""
import hashlib
import json
import os
import time
import unittest
import urllib.error
import urllib.request

import servers  # the interpreter that has the independent clients
from swift_bed import KEYSTONE, MIB, SwiftTest, opened, swiftclient, variable


class Swift(SwiftTest):
    def test_plain_objects_both_ways(self):
        key = "dir/naïve name +%41.txt"
        self.do("cp", self.pail.path("in", b"from pail"), self.url(key))
        headers, body = self.swift.get_object(self.bucket, key)
        self.assertEqual(body, b"from pail")
        self.assertEqual(headers["etag"], hashlib.md5(b"from pail").hexdigest())
        self.swift.put_object(self.bucket, "other ü", b"from swift", content_type="text/x-a",
                              headers={"X-Object-Meta-Colour": "grün"})
        self.assertEqual(self.do("cat", self.url("other ü")), b"from swift")
        stat = self.do("stat", self.url("other ü")).decode()
        self.assertIn("text/x-a", stat)
        self.assertIn("grün", stat)
        self.assertEqual(self.do("ls", "-r", self.url()).decode().split("\n"), [key, "other ü", ""])

    def test_a_large_object_is_read_by_both(self):
        data = self.put_large("big", 40 * MIB + 1)
        headers, body = self.swift.get_object(self.bucket, "big")
        self.assertEqual(headers["x-static-large-object"], "True")
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(data).digest())
        self.do("cp", self.url("big"), self.pail.path("out"))
        with open(self.pail.path("out"), "rb") as file:
            self.assertEqual(file.read(), data)
        self.assertEqual(len(self.segments()), 3)
        self.assertEqual(self.do("ls", "-r", self.url()), b"big\n")
        self.assertNotIn(b"segments", self.do("ls", "swift://"))

    def test_parts_go_with_what_is_replaced_and_removed(self):
        self.put_large("big", 33 * MIB)
        first = self.segments()
        self.put_large("big", 33 * MIB)
        self.assertEqual(len(self.segments()), len(first))
        self.assertFalse(set(first) & set(self.segments()))
        self.do("cp", self.pail.path("small", b"small"), self.url("big"))
        self.assertEqual(self.segments(), [])
        self.put_large("big", 33 * MIB)
        self.do("rm", self.url("big"))
        self.assertEqual(self.segments(), [])
        self.put_large("dir/big", 33 * MIB)
        self.do("rm", "-r", self.url("dir/"))
        self.assertEqual(self.segments(), [])

    def test_parts_that_a_copied_manifest_points_to_stay(self):
        data = self.put_large("big", 33 * MIB)
        manifest = json.loads(self.swift.get_object(self.bucket, "big",
                                                    query_string="multipart-manifest=get")[1])
        self.swift.put_object(self.bucket, "same", json.dumps(
            [{"path": part["name"], "etag": part["hash"], "size_bytes": part["bytes"]}
             for part in manifest]), query_string="multipart-manifest=put")
        self.do("cp", self.pail.path("small", b"small"), self.url("same"))
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)

    def manifest(self, key, paths):
        """A static large object of what others stored."""
        entries = []
        for path in paths:
            container, name = path.lstrip("/").split("/", 1)
            head = self.swift.head_object(container, name)
            entries.append({"path": path, "size_bytes": int(head["content-length"])})
        self.swift.put_object(self.bucket, key, json.dumps(entries),
                              query_string="multipart-manifest=put")

    def copied_manifest(self, key, to):
        self.swift.put_object(self.bucket, to, b"", query_string="multipart-manifest=get",
                              headers={"X-Copy-From": f"/{self.bucket}/{key}"})

    def test_deleting_a_copied_manifest_leaves_the_parts(self):
        data = self.put_large("big", 33 * MIB)
        for to, command in (("same", ("rm",)), ("b", ("rm",)), ("dir/same", ("rm", "-r"))):
            self.copied_manifest("big", to)
            self.do(*command, self.url("dir/" if command[1:] else to))
            self.assertEqual(self.do("ls", "-r", self.url()), b"big\n")
            self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)
        self.copied_manifest("big", "same")
        self.do("mv", self.url("same"), self.url("moved"))
        self.assertEqual(self.swift.get_object(self.bucket, "big")[1], data)

    def test_parts_of_a_key_below_are_not_of_the_key(self):
        data = self.put_large("big/below", 33 * MIB)
        self.copied_manifest("big/below", "big")
        self.do("rm", self.url("big"))
        self.assertEqual(self.swift.get_object(self.bucket, "big/below")[1], data)

    def test_objects_that_a_manifest_points_to_stay(self):
        self.put_large("big", 33 * MIB)  # so that parts are looked for at all
        for key in ("first", "d/1"):
            self.swift.put_object(self.bucket, key, b"first " + key.encode())
        self.manifest("whole", [f"/{self.bucket}/first", f"/{self.bucket}/d/1"])
        self.manifest("d", [f"/{self.bucket}/d/1"])
        self.manifest("nest", [f"/{self.bucket}/whole"])
        self.manifest("e/a", [f"/{self.bucket}/first"])
        self.manifest("e/b", [f"/{self.bucket}/nest"])
        self.do("rm", self.url("nest"))
        self.assertEqual(self.do("cat", self.url("whole")), b"first firstfirst d/1")
        self.do("rm", self.url("whole"))
        self.do("rm", self.url("d"))
        self.do("rm", "-r", self.url("e/"))
        self.assertEqual(self.do("ls", "-r", self.url()), b"big\nd/1\nfirst\n")

    def test_a_dynamic_one_over_parts_of_another_key(self):
        other = self.bucket + "_segments"
        self.swift.put_container(other)
        for key in ("one/1.5/2/3/00000000", "one/1.5/2/3/00000001"):
            self.swift.put_object(other, key, b"part")
        for key in ("one", "two", "all/3"):
            self.swift.put_object(self.bucket, key, b"", headers={
                "X-Object-Manifest": f"{other}/one/1.5/2/3/"})
        self.do("rm", self.url("two"))
        self.do("rm", "-r", self.url("all/"))
        self.assertEqual(self.do("cat", self.url("one")), b"partpart")
        self.do("rm", self.url("one"))
        self.assertEqual(self.segments("_segments"), [])

    def test_a_read_of_an_object_without_its_parts(self):
        self.put_large("big", 33 * MIB)
        self.swift.delete_object(self.bucket + "+segments", self.segments()[0])
        run = self.run_pail("cat", self.url("big"))
        self.assertEqual(run.returncode, 6, run.stderr)
        self.assertIn(b"a part of the object is gone", run.stderr)

    def test_a_versioned_container_keeps_its_parts(self):
        self.put_large("big", 33 * MIB)
        self.swift.post_container(self.bucket, {"X-Versions-Enabled": "true"})
        before = self.segments()
        self.do("cp", self.pail.path("small", b"small"), self.url("big"))
        self.assertEqual(self.segments(), before)
        self.swift.post_container(self.bucket, {"X-Versions-Enabled": "false"})
        for item in self.swift.get_container(self.bucket, query_string="versions")[1]:
            self.swift.delete_object(self.bucket, item["name"],
                                     query_string="version-id=" + item["version_id"])

    def test_large_objects_of_others_are_read_and_removed(self):
        other = self.bucket + "_segments"
        self.swift.put_container(other)
        parts = [self.swift.put_object(other, f"slo/{i}", b"%d" % i * 10) for i in range(3)]
        manifest = [{"path": f"/{other}/slo/{i}", "etag": parts[i], "size_bytes": 10}
                    for i in range(3)]
        self.swift.put_object(self.bucket, "slo", json.dumps(manifest),
                              query_string="multipart-manifest=put")
        self.swift.put_object(self.bucket, "dlo", b"",
                              headers={"X-Object-Manifest": f"{other}/dlo/"})
        for i in range(3):
            self.swift.put_object(other, f"dlo/{i}", b"%d" % i * 10)
        for key in ("slo", "dlo"):
            self.assertEqual(self.do("cat", self.url(key)), b"0" * 10 + b"1" * 10 + b"2" * 10)
        self.do("rm", self.url("dlo"))
        self.do("rm", self.url("slo"))
        self.assertEqual(self.do("ls", "-r", self.url()), b"")
        self.assertEqual(self.segments("_segments"), [])
        self.assertEqual(self.segments(), [])

    def test_many_are_deleted(self):
        for i in range(25):
            self.swift.put_object(self.bucket, f"d/{i} ü%", b"x")
        self.do("rm", "-r", self.url("d/"))
        self.assertEqual(self.swift.get_container(self.bucket)[1], [])

    def test_signed_urls_by_the_containers_key(self):
        self.swift.post_container(self.bucket, {"X-Container-Meta-Temp-URL-Key": "of the container"})
        self.swift.put_object(self.bucket, "a ü", b"signed")
        self.assertEqual(opened(self.do("presign", self.url("a ü")).decode().splitlines()[0]),
                         b"signed")
        put = self.do("presign", "--method", "PUT", self.url("new %")).decode().splitlines()[0]
        opened(put, "PUT", b"written")
        self.assertEqual(self.swift.get_object(self.bucket, "new %")[1], b"written")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            opened(put.replace("new", "old"), "PUT", b"x")
        self.assertEqual(refused.exception.code, 401)

    def test_a_copy_of_a_large_object_owns_its_bytes(self):
        data = self.put_large("big", 33 * MIB)
        self.do("cp", "--meta", "Colour=blue", self.url("big"), self.url("copy"))
        self.do("mv", self.url("big"), self.url("moved"))
        self.assertEqual(self.segments(), [])
        for key in ("copy", "moved"):
            headers, body = self.swift.get_object(self.bucket, key)
            self.assertEqual(body, data)
            self.assertNotIn("x-static-large-object", headers)
        self.assertEqual(self.swift.head_object(self.bucket, "copy")["x-object-meta-colour"], "blue")

    def test_what_pail_stores_in_parts_swiftclient_removes(self):
        self.put_large("big", 33 * MIB)
        self.swift.delete_object(self.bucket, "big", query_string="multipart-manifest=delete")
        self.assertEqual(self.segments(), [])
        self.assertEqual(self.do("ls", "-r", self.url()), b"")

    def test_a_quota_that_is_used_up(self):
        self.swift.post_container(self.bucket, {"X-Container-Meta-Quota-Bytes": "1000000"})
        self.do("cp", self.pail.path("in", bytes(900000)), self.url("k"))
        self.assertEqual(self.swift.head_container(self.bucket)["x-container-bytes-used"], "900000")
        run = self.run_pail("cp", self.pail.path("in", bytes(200000)), self.url("l"))
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn(b"the quota of the account or container is used up", run.stderr)
        self.assertIn(b"hint", run.stderr)
        self.assertEqual(len(self.swift.get_container(self.bucket)[1]), 1)

    def test_expiry(self):
        def end_of(name, container=""):
            return int(self.swift.head_object(self.bucket + container, name)["x-delete-at"])
        start = time.time()
        for size, key in ((10, "small"), (40 * MIB, "large")):
            self.do("cp", "--set", "swift_delete_after=3600", self.pail.path("in", bytes(size)),
                    self.url(key))
            self.assertLess(abs(end_of(key) - start - 3600), 120)
        for name in self.segments():
            self.assertGreater(end_of(name, "+segments"), end_of("large"))

    def test_a_policy_of_a_new_container(self):
        name = self.bucket + "-p"
        self.do("mb", "--set", "swift_storage_policy=Policy-0", "swift://" + name)
        self.addCleanup(self.swift.delete_container, name)
        self.assertEqual(self.swift.head_container(name)["x-storage-policy"], "Policy-0")
        run = self.run_pail("mb", "--set", "swift_storage_policy=gold", "swift://" + name + "2")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"gold", run.stderr)

    def sign(self, *args, login=None):
        return self.do("presign", *args, login=login).decode().splitlines()[0]

    def refused(self, url, method="GET"):
        with self.assertRaises(urllib.error.HTTPError) as error:
            opened(url, method)
        self.assertEqual(error.exception.code, 401)

    def test_signed_urls_to_look_and_to_delete_do_nothing_else(self):
        self.swift.put_object(self.bucket, "a ü", b"signed")
        head = self.sign("--method", "HEAD", self.url("a ü"))
        self.assertEqual(opened(head, "HEAD"), b"")
        self.assertRegex(head, r"temp_url_sig=[0-9a-f]{64}&")  # SHA-256, by the account's key
        delete = self.sign("--method", "DELETE", self.url("a ü"))
        for method in ("GET", "PUT", "DELETE"):
            self.refused(head, method)
        for method in ("GET", "HEAD", "PUT"):
            self.refused(delete, method)
        opened(delete, "DELETE")
        self.assertEqual(self.swift.get_container(self.bucket)[1], [])

    def keystone(self):
        """The login by Keystone, to an account without a key for URLs, and swiftclient there."""
        if not variable("PAIL_TEST_SWIFT_KEYSTONE_ENDPOINT"):
            self.skipTest("Swift behind Keystone is not up")
        get = lambda name: variable(KEYSTONE + name)
        scope = {"project": {"name": get("PROJECT"), "domain": {"id": get("DOMAIN_ID")}}}
        user = {"name": get("USER"), "password": get("PASSWORD"), "domain": {"id": get("DOMAIN_ID")}}
        request = urllib.request.Request(
            get("AUTH_URL") + "/auth/tokens", headers={"Content-Type": "application/json"},
            data=json.dumps({"auth": {"scope": scope, "identity": {
                "methods": ["password"], "password": {"user": user}}}}).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            token, catalog = answer.headers["X-Subject-Token"], json.load(answer)["token"]["catalog"]
        urls = [face["url"] for service in catalog if service["type"] == "object-store"
                for face in service["endpoints"] if face["interface"] == "public"]
        swift = swiftclient.Connection(preauthurl=urls[0], preauthtoken=token)
        self.addCleanup(swift.close)
        return swift, {"OS_AUTH_URL": get("AUTH_URL"), "OS_USERNAME": get("USER"),
                       "OS_PASSWORD": get("PASSWORD"), "OS_PROJECT_NAME": get("PROJECT"),
                       "OS_USER_DOMAIN_ID": get("DOMAIN_ID"),
                       "OS_PROJECT_DOMAIN_ID": get("DOMAIN_ID"), "OS_REGION_NAME": get("REGION")}

    def test_a_key_is_made_only_where_it_is_asked_for(self):
        swift, login = self.keystone()
        key = "x-container-meta-temp-url-key"
        swift.put_container(self.bucket)
        self.addCleanup(swift.delete_container, self.bucket)
        self.addCleanup(swift.delete_object, self.bucket, "k")
        swift.put_object(self.bucket, "k", b"by a new key")
        run = self.run_pail("presign", self.url("k"), login=login)
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertIn(b"swift_tempurl_key_create=true", run.stderr)
        self.assertIn(b"Temp-URL-Key", run.stderr)
        self.assertNotIn(key, swift.head_container(self.bucket))
        account = swift.head_account()
        flags = ("-v", "--set", "swift_tempurl_key_create=true")
        run = self.run_pail("presign", *flags, self.url("k"), login=login)
        self.assertEqual(run.returncode, 0, run.stderr)
        made = swift.head_container(self.bucket)[key]
        self.assertRegex(made, "^[0-9a-f]{64}$")
        self.assertNotIn(made.encode(), run.stdout + run.stderr)
        self.assertEqual(opened(run.stdout.decode().splitlines()[0]), b"by a new key")
        self.sign(*flags, self.url("k"), login=login)
        self.assertEqual(swift.head_container(self.bucket)[key], made)
        after = swift.head_account()
        self.assertEqual({name for name in after if "temp-url" in name},
                         {name for name in account if "temp-url" in name})

    def test_signed_urls_with_only_a_token_and_its_storage_url(self):
        storage, token = self.swift.get_auth()
        self.swift.post_container(self.bucket, {"X-Container-Meta-Temp-URL-Key": "key"})
        self.swift.put_object(self.bucket, "k", b"by token")
        only = {"OS_STORAGE_URL": storage, "OS_AUTH_TOKEN": token}
        self.assertEqual(self.do("cat", self.url("k"), login=only), b"by token")
        self.assertEqual(opened(self.do("presign", self.url("k"),
                                        login=only).decode().splitlines()[0]), b"by token")
        run = self.run_pail("cat", self.url("k"), login={**only, "OS_AUTH_TOKEN": "of-nobody"})
        self.assertEqual(run.returncode, 5, run.stderr)
        self.assertNotIn(b"of-nobody", run.stderr)

    def test_clouds_yaml(self):
        if not variable(KEYSTONE + "AUTH_URL"):
            self.skipTest(f"Keystone is not up ({KEYSTONE}AUTH_URL is not set)")
        get = lambda name: variable(KEYSTONE + name)
        text = (f"clouds:\n  other: {{auth: {{auth_url: 'http://127.0.0.1:1'}}}}\n  mine:\n"
                f"    regions: [a, b]\n    auth:\n      auth_url: {get('AUTH_URL')}\n"
                f"      username: {get('USER')}\n      project_name: {get('PROJECT')}\n"
                f"      user_domain_id: {get('DOMAIN_ID')}\n"
                f"      project_domain_id: {get('DOMAIN_ID')}\n"
                f"    region_name: {get('REGION')}\n")
        secure = f"clouds:\n  mine:\n    auth: {{password: {get('PASSWORD')}}}\n"
        path = self.pail.path("clouds.yaml", text.encode())
        self.pail.path("secure.yaml", secure.encode())
        login = {"OS_CLOUD": "mine", "OS_CLIENT_CONFIG_FILE": path}
        name = servers.bucket_name()
        self.do("mb", "swift://" + name, login=login)
        self.assertIn(name.encode(), self.do("ls", "swift://", login=login))
        self.do("rb", "swift://" + name, login=login)
        run = self.run_pail("ls", "swift://", login={**login, "OS_CLOUD": "none"})
        self.assertIn(b'no cloud "none"', run.stderr)
        self.pail.path("broken.yaml", b"clouds:\n  mine:\n   - x\n  bad")
        run = self.run_pail("ls", "swift://", login={
            **login, "OS_CLIENT_CONFIG_FILE": self.pail.path("broken.yaml")})
        self.assertRegex(run.stderr, rb"broken.yaml line \d+")


if __name__ == "__main__":
    unittest.main()
