"""Directory buckets over the command line: sessions, trees whose listing comes in no order, URLs. The
scripted server checks each signature; tests/servers proves it with boto3."""
import json
import os
import subprocess
import sys
import unittest
import urllib.request

from cli import CliTest
from test_s3 import SERVER, has_s3

BUCKET = "bkt--use1-az4--x-s3"


@unittest.skipUnless(has_s3(), "built without S3")
class DirectoryTest(CliTest):
    def setUp(self):
        super().setUp()
        server = subprocess.Popen([sys.executable, SERVER, "--port", "0", "--exit-on-eof",
                                   "--personality", "directory"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(server.communicate)
        self.endpoint = f"http://127.0.0.1:{int(server.stdout.readline().split()[1])}"
        self.env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="testsecret",
                        AWS_REGION="us-east-1", AWS_ENDPOINT_URL=self.endpoint)
        self.url = "s3://" + BUCKET
        self.pail("mb", self.url)

    def ask(self, method, target, body=None):
        url = target if "://" in target else self.endpoint + target
        request = urllib.request.Request(url, body, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read()

    def script(self, match, action):
        self.ask("PUT", "/-/script", json.dumps([{"match": match, "action": action}]).encode())

    def sessions(self):
        """How many were asked for since the last look."""
        log = json.loads(self.ask("GET", "/-/log"))
        self.ask("DELETE", "/-/log")
        return sum(entry["op"] == "CreateSession" for entry in log)

    def test_tree__goes_there_and_back_by_one_session_each(self):
        names = sorted(f"{a}/{b}" for a in ("x", "x-1", "x!") for b in range(9))
        for name in names:
            self.write("t/" + name, name.encode())
        self.sessions()
        self.pail("cp", "-r", "t", self.url + "/far")
        self.assertEqual(self.sessions(), 1)
        self.assertEqual(self.keys(self.url), sorted("far/" + name for name in names))
        self.assertEqual([line.split()[-1] for line in self.pail("ls", self.url + "/far/").lines],
                         ["far/x!/", "far/x-1/", "far/x/"])
        self.pail("cp", "-r", self.url + "/far/", "back")
        self.assertEqual(self.tree("back"), names)
        self.pail("rm", "-r", self.url + "/far/x-1")
        self.assertEqual(self.keys(self.url),
                         ["far/" + name for name in names if not name.startswith("x-1/")])
        self.pail("rb", "--force", self.url)

    def test_session__that_ends_early_is_made_anew(self):
        self.sessions()
        for op in ("PutObject", "HeadObject"):
            self.script({"op": op, "nth": 1}, {"error": "ExpiredToken"})
            self.pail("cp", "-", self.url + "/k", input=b"x")
            self.pail("stat", self.url + "/k")
        self.assertEqual(self.pail("cat", self.url + "/k").raw, b"x")
        self.assertEqual(self.sessions(), 4 + 1 + 2)

    def test_session__by_keys_that_have_expired_meanwhile(self):
        del self.env["AWS_ACCESS_KEY_ID"], self.env["AWS_SECRET_ACCESS_KEY"]
        self.ask("PUT", "/-/config", json.dumps({"credentials": [
            {"access_key": key, "secret": "s", "expired": key == "old"} for key in ("old", "new")]}).encode())
        self.write("keys", b"import json, os\nkey = 'new' if os.path.exists('asked') else 'old'\n"
                   b"open('asked', 'w').close()\n"
                   b"print(json.dumps(dict(Version=1, AccessKeyId=key, SecretAccessKey='s')))\n")
        self.write(".aws/config", b"[default]\ncredential_process = %s keys\n"
                   % sys.executable.encode())
        self.sessions()
        self.pail("cp", "-", self.url + "/k", input=b"x")
        self.assertEqual(self.sessions(), 2)

    def test_session__refused_says_so(self):
        self.script({"op": "CreateSession"}, {"error": "AccessDenied"})
        said = self.fails(5, "cp", "-", self.url + "/k", input=b"x").err
        self.assertIn("does a policy allow s3express:CreateSession of " + BUCKET, said)

    def test_sessions__can_be_switched_off(self):
        self.sessions()
        off = {"AWS_S3_DISABLE_EXPRESS_SESSION_AUTH": "true"}
        self.pail("cp", "-", self.url + "/k", input=b"x", env=off)
        self.write(".aws/config", b"[default]\ns3_disable_express_session_auth = true\n")
        self.assertEqual(self.pail("cat", self.url + "/k").raw, b"x")
        self.assertEqual(self.sessions(), 0)

    def test_url__works_without_keys(self):
        put = self.pail("presign", "--method", "PUT", self.url + "/a b").out.strip()
        self.assertIn("X-Amz-S3session-Token=", put)
        self.ask("PUT", put, b"by a URL")
        self.assertEqual(self.ask("GET", self.pail("presign", self.url + "/a b").out.strip()),
                         b"by a URL")

    def test_copies__are_signed_with_the_keys(self):
        self.pail("cp", "-", self.url + "/k", input=b"x")
        self.pail("cp", self.url + "/k", self.url + "/far/k")
        self.pail("mv", self.url + "/far/k", self.url + "/l")
        self.assertEqual(self.keys(self.url), ["k", "l"])

    def test_buckets__are_listed_on_demand(self):
        said = self.pail("ls", "--set", "s3_list_directory_buckets=true", "s3:").out
        self.assertIn(BUCKET, said)

    def test_conform__finds_what_such_a_bucket_has(self):
        rows = self.pail("conform", "--json", self.url).records
        self.assertEqual([row["name"] for row in rows if row.get("result") == "none"],
                         ["tags", "etag_md5", "cond_delete"])
        self.assertEqual(self.keys(self.url), [])

    def test_name__without_a_zone_is_refused_before_any_request(self):
        self.ask("DELETE", "/-/log")
        self.assertIn("BASE--ZONE--x-s3", self.fails(2, "mb", "s3://bkt--use1--x-s3").err)
        self.assertEqual(json.loads(self.ask("GET", "/-/log")), [])


if __name__ == "__main__":
    unittest.main()
