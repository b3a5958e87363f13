"""Where the command line gets its keys for S3: scripted STS, single sign-on, container and metadata
services on loopback give those of the scripted S3 server."""
import hashlib
import http.server
import json
import os
import stat
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

from cli import CliTest
from test_s3 import SERVER, has_s3

KEYS = {"AccessKeyId": "test", "SecretAccessKey": "testsecret", "Token": "token-of-role",
        "Expiration": "2099-01-01T00:00:00Z"}
MARK = "hunter2"  # in every secret that must not be shown


def sts_answer(action):
    return f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<Credentials><AccessKeyId>test</AccessKeyId><SecretAccessKey>testsecret</SecretAccessKey>
<SessionToken>token-of-role</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></{action}Result></{action}Response>"""


class Services(http.server.BaseHTTPRequestHandler):
    """All of them at once, each strict about what it is sent; `seen` lists what was asked."""

    def log_message(self, *args):
        pass

    def give(self, status, body, kind="application/json", **headers):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = urllib.parse.urlsplit(self.path)
        rule = self.server.rules.get(path.path)
        self.server.seen.append(f"{self.command} {path.path}")
        if rule == "hang":
            self.server.stop.wait(20)
            return
        if rule:
            self.give(*rule)
            return
        self.ask(path, body)

    do_GET = do_POST = do_PUT = answer

    def ask(self, path, body):
        form = dict(urllib.parse.parse_qsl(body))
        query = dict(urllib.parse.parse_qsl(path.query))
        head = self.headers
        if path.path == "/sts/" and form.get("Action") == "AssumeRole":
            signed = head.get("Authorization", "").startswith(
                f"AWS4-HMAC-SHA256 Credential={self.server.base_key}/")
            self.give(200 if signed else 403, sts_answer("AssumeRole"), "text/xml")
        elif path.path == "/sts/" and form.get("WebIdentityToken") == "jwt-" + MARK:
            plain = "Authorization" not in head
            self.give(200 if plain else 400, sts_answer("AssumeRoleWithWebIdentity"), "text/xml")
        elif path.path == "/sso/federation/credentials":
            fine = (head.get("x-amz-sso_bearer_token") == "sso-new"
                    and query == {"account_id": "1234", "role_name": "reader"})
            self.give(200 if fine else 401, {"roleCredentials": {
                "accessKeyId": "test", "secretAccessKey": "testsecret",
                "sessionToken": "token-of-role", "expiration": 4070908800000}})
        elif path.path == "/oidc/token":
            fine = json.loads(body) == {"grantType": "refresh_token", "clientId": "c",
                                        "clientSecret": "s", "refreshToken": "r1"}
            self.give(200 if fine else 400, {"accessToken": "sso-new", "refreshToken": "r2",
                                             "expiresIn": 3600})
        elif path.path == "/container":
            fine = head.get("Authorization") == "Bearer-" + MARK
            self.give(200 if fine else 403, KEYS)
        elif path.path == "/latest/api/token" and self.command == "PUT":
            self.give(200, "metadata-token", "text/plain")
        elif head.get("x-aws-ec2-metadata-token") != "metadata-token":
            self.give(401, "")
        elif path.path == "/latest/meta-data/iam/security-credentials/":
            self.give(200, "machine-role", "text/plain")
        elif path.path == "/latest/meta-data/iam/security-credentials/machine-role":
            self.give(200, dict(KEYS, Code="Success"))
        else:
            self.give(404, "")


@unittest.skipUnless(has_s3(), "built without S3")
class AwsTest(CliTest):
    def setUp(self):
        super().setUp()
        server = subprocess.Popen([sys.executable, SERVER, "--port", "0", "--exit-on-eof",
                                   "--credential", "test:testsecret:token-of-role"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(server.communicate)
        self.s3 = f"http://127.0.0.1:{int(server.stdout.readline().split()[1])}"
        self.services = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
        self.services.daemon_threads = True
        self.services.seen, self.services.rules = [], {}
        self.services.base_key = "base"
        self.services.stop = threading.Event()
        thread = threading.Thread(target=self.services.serve_forever, args=(0.02,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.services.server_close)
        self.addCleanup(self.services.shutdown)
        self.addCleanup(self.services.stop.set)
        self.url = f"http://127.0.0.1:{self.services.server_address[1]}"
        self.env.update(AWS_REGION="us-east-1", AWS_ENDPOINT_URL_S3=self.s3,
                        AWS_ENDPOINT_URL_STS=self.url + "/sts",
                        AWS_ENDPOINT_URL_SSO=self.url + "/sso",
                        AWS_ENDPOINT_URL_SSO_OIDC=self.url + "/oidc",
                        AWS_EC2_METADATA_DISABLED="true")

    def config(self, text):
        self.write(".aws/config", text.encode())

    def works(self, *seen, **env):
        """Several requests, one fetch of keys."""
        self.pail("mb", "s3://bkt", env=env)
        self.assertEqual(self.services.seen, list(seen))
        self.pail("ls", "s3://", env=env)

    def says(self, *parts, status=8, **env):
        begun = time.monotonic()
        result = self.run_pail("ls", "s3://bkt", env=env)
        self.assertNotEqual(result.status, 0)
        for part in parts:
            self.assertIn(part, result.err)
        self.assertNotIn(MARK, result.err + result.out)
        self.assertLess(time.monotonic() - begun, 2)

    def test_role__of_a_profile_with_keys_of_another(self):
        self.config("[profile a]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\n"
                    "[profile b]\naws_access_key_id = base\naws_secret_access_key = x\n")
        self.works("POST /sts/", AWS_PROFILE="a")

    def test_role__refused(self):
        self.config("[default]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = default\n"
                    f"aws_access_key_id = base\naws_secret_access_key = {MARK}\n")
        self.services.rules["/sts/"] = (403, "<ErrorResponse><Error><Code>AccessDenied</Code>"
                                        f"<Message>{MARK}</Message></Error></ErrorResponse>")
        self.says("AssumeRole of arn:aws:iam::1:role/a refused: AccessDenied (HTTP 403)",
                  "trust policy")

    def test_sts__that_is_none_is_named_as_such(self):
        self.config("[default]\nrole_arn = arn:x\nsource_profile = default\n"
                    "aws_access_key_id = base\naws_secret_access_key = x\n")
        for rule in ((200, f"<html>{MARK}"), (302, "", "text/plain"), (200, "<a/>"),
                     (200, "x" * 300000)):
            self.services.rules["/sts/"] = rule
            self.says("AssumeRole of arn:x")

    def test_web_identity__reads_its_token_from_a_file(self):
        path = self.write("jwt", f"jwt-{MARK}\n".encode())
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": path, "AWS_ROLE_ARN": "arn:aws:iam::1:role/w"}
        self.works("POST /sts/", **env)
        os.remove(path)
        self.says("web identity by variables: cannot read", **env)

    def sso(self, **cache):
        self.config("[default]\nsso_session = s\nsso_account_id = 1234\nsso_role_name = reader\n"
                    "[sso-session s]\nsso_start_url = https://x.test\nsso_region = us-east-1\n")
        name = ".aws/sso/cache/" + hashlib.sha1(b"s").hexdigest() + ".json"
        return self.write(name, json.dumps(cache).encode())

    def test_sso__by_the_cached_token(self):
        self.sso(accessToken="sso-new", expiresAt="2099-01-01T00:00:00Z")
        self.works("GET /sso/federation/credentials")

    def test_sso__renews_an_old_token_and_leaves_it_for_others(self):
        path = self.sso(accessToken="sso-old", expiresAt="2020-01-01T00:00:00Z", clientId="c",
                        clientSecret="s", refreshToken="r1", region="us-east-1",
                        registrationExpiresAt="2099-01-01T00:00:00Z")
        self.works("POST /oidc/token", "GET /sso/federation/credentials")
        with open(path, encoding="utf-8") as file:
            cache = json.load(file)
        self.assertEqual((cache["accessToken"], cache["refreshToken"], cache["region"]),
                         ("sso-new", "r2", "us-east-1"))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_sso__says_how_to_log_in(self):
        path = self.sso(accessToken=MARK, expiresAt="2020-01-01T00:00:00Z")
        self.says("has expired", "aws sso login --profile default")
        self.write(path, b'{"accessToken": "' + MARK.encode())
        self.says("is no JSON: line 1")
        os.remove(path)
        self.says("there is no token of single sign-on", "aws sso login --profile default")

    def test_process__of_a_profile(self):
        self.config(f"[default]\ncredential_process = {sys.executable} helper 'a b'\n")
        self.write("helper", b"import sys, json\nassert sys.argv[1:] == ['a b']\n"
                   b"print(json.dumps(dict(Version=1, AccessKeyId='test',"
                   b" SecretAccessKey='testsecret', SessionToken='token-of-role')))\n")
        self.works()

    def test_container__with_a_token_from_a_file(self):
        path = self.write("token", f"Bearer-{MARK}".encode())
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + "/container",
               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path}
        self.works("GET /container", HTTP_PROXY="http://127.0.0.1:1", **env)
        self.services.rules["/container"] = (500, MARK)
        self.says("the container: its service of credentials refused (HTTP 500)", **env)

    def test_instance__by_version_2(self):
        base = "/latest/meta-data/iam/security-credentials/"
        self.works("PUT /latest/api/token", "GET " + base, "GET " + base + "machine-role",
                   AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=self.url)

    def test_instance__takes_a_second_where_nobody_answers(self):
        self.services.rules["/latest/api/token"] = "hang"
        self.says("instance metadata: " + self.url, "AWS_ACCESS_KEY_ID is not set",
                  AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=self.url)

    def test_nothing__names_every_source(self):
        self.says("tried variables: AWS_ACCESS_KEY_ID is not set; profile default: no keys",
                  "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set", "container: ",
                  "instance metadata: switched off by AWS_EC2_METADATA_DISABLED")

    def test_minio__takes_on_a_role(self):
        minio = os.environ.get("PAIL_TEST_MINIO_ENDPOINT")
        if not minio:
            self.skipTest("PAIL_TEST_MINIO_ENDPOINT is not set")
        self.config("[default]\nrole_arn = arn:minio:iam:::role/any\nsource_profile = default\n"
                    f"aws_access_key_id = {os.environ['PAIL_TEST_MINIO_ACCESS_KEY']}\n"
                    f"aws_secret_access_key = {os.environ['PAIL_TEST_MINIO_SECRET_KEY']}\n")
        env = {"AWS_ENDPOINT_URL_S3": minio, "AWS_ENDPOINT_URL_STS": minio}
        bucket = "s3://role-" + os.urandom(6).hex()
        self.pail("mb", bucket, env=env)
        self.pail("cp", "-", bucket + "/k", input=b"by a role", env=env)
        self.assertEqual(self.pail("cat", bucket + "/k", env=env).raw, b"by a role")
        self.pail("rm", bucket + "/k", env=env)
        self.pail("rb", bucket, env=env)


if __name__ == "__main__":
    unittest.main()
