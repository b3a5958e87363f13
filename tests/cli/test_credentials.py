"""What is wrong before or beside a request, alike on every cloud: credentials that are missing, wrong, expired
or unreadable, token endpoints that answer nonsense, names that a cloud forbids, objects in an archive. All
servers are scripted, on loopback; MARK is in every secret and must never be shown."""
import base64
import http.server
import json
import os
import subprocess
import threading
import unittest

from cli import BIN, CliTest, Result

MARK = "hunter2"
NOWHERE = "http://127.0.0.1:1"
LIMIT_S = 5  # of a run; without a metadata server none needs a second
CLOUDS = {"s3": "s3://bucket", "az": "az://bucket", "gs": "gs://bucket", "swift": "swift://bucket"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as server.rule(handler, path) says; server.seen lists what was asked."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def go(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append(f"{self.command} {self.path}")
        try:
            self.server.rule(self, self.path.split("?")[0])
        except OSError:  # the client went away
            self.close_connection = True

    def give(self, status, body=b"", **headers):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Subject-Token", "t")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.stop.is_set():
            self.wfile.write(b"1000\r\n" + b" " * 4096 + b"\r\n")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = go


class Credentials(CliTest):
    @classmethod
    def setUpClass(cls):
        cls.key = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                                 check=True, capture_output=True, text=True).stdout

    def setUp(self):
        super().setUp()
        self.server, self.other = self.serve(), self.serve()
        self.env.update(AWS_EC2_METADATA_SERVICE_ENDPOINT=NOWHERE, GCE_METADATA_HOST="127.0.0.1:1",
                        AZURE_POD_IDENTITY_AUTHORITY_HOST=NOWHERE)
        # The services themselves; what logs in is each test's.
        self.env.update(AWS_ENDPOINT_URL_S3=self.server.url, AWS_REGION="us-east-1",
                        AZURE_STORAGE_ACCOUNT_NAME="acct", AZURE_STORAGE_ENDPOINT=self.server.url)
        self.google = ["--set", "gcs_endpoint=" + self.server.url]

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.seen, server.stop = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.rule = lambda request, path: request.give(500)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for last in (server.server_close, server.shutdown, server.stop.set):
            self.addCleanup(last)
        return server

    def clouds(self):
        """The clouds that this build has."""
        for cloud, url in CLOUDS.items():
            if "unknown scheme" not in self.run_pail("config", "explain", cloud + "://").err:
                yield cloud, url

    def ask(self, url, *args, **env):
        """A run that must fail, in time, and tell no secret, however much it tells: its message."""
        flags = self.google if url.startswith("gs:") else []
        words = ["timeout", str(LIMIT_S), BIN, "-vv", *(args or ["ls"]), *flags, url]
        result = Result(subprocess.run(words, cwd=self.dir, env={**self.env, **env}, stdin=subprocess.DEVNULL,
                                       capture_output=True, check=False))
        self.assertNotIn(result.status, (0, 124, 134, 139), result.err)
        for text in (result.out, result.err):
            self.assertNotIn(MARK, text)
            self.assertNotIn(base64.b64encode(MARK.encode()).decode()[:9], text)
            self.assertNotRegex(text, r"PRIVATE KEY-----(\n|\\n)[A-Za-z0-9+/]")
        return "\n".join(line for line in result.err.splitlines() if line.startswith(("pail: ", "  hint")))

    def account(self, **more):
        text = {"type": "service_account", "client_email": "a@b", "private_key_id": "k", "private_key": self.key,
                "token_uri": self.server.url + "/token", **more}
        return self.write("account.json", json.dumps(text).encode())

    def static(self):
        """For each cloud, a credential that needs no exchange."""
        key = base64.b64encode(MARK.encode() * 3).decode()
        return {"s3": {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": MARK, "AWS_SESSION_TOKEN": MARK + "t"},
                "az": {"AZURE_STORAGE_ACCOUNT_KEY": key},
                "gs": {"GOOGLE_OAUTH_ACCESS_TOKEN": MARK},
                "swift": {"OS_STORAGE_URL": self.server.url + "/v1/AUTH_a", "OS_AUTH_TOKEN": MARK}}

    def exchanged(self):
        """For each cloud, one that is exchanged for a token at self.server."""
        token = self.write("identity", MARK.encode())
        return {"s3": {"AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                       "AWS_ENDPOINT_URL_STS": self.server.url, "AWS_MAX_ATTEMPTS": "1"},
                "az": {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_SECRET": MARK,
                       "AZURE_AUTHORITY_HOST": self.server.url},
                "gs": {"GOOGLE_APPLICATION_CREDENTIALS": self.write("user.json", json.dumps({
                    "type": "authorized_user", "client_id": "c", "client_secret": MARK, "refresh_token": MARK,
                    "token_uri": self.server.url + "/token"}).encode())},
                "swift": {"OS_AUTH_URL": self.server.url, "OS_USERNAME": "u", "OS_PASSWORD": MARK,
                          "OS_PROJECT_NAME": "p"}}

    # ---- missing, wrong, expired ----

    def test_missing__what_was_tried_and_why_it_failed(self):
        del self.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"]  # which chooses it; in clear none is asked by itself
        wanted = {"s3": ["AWS_ACCESS_KEY_ID is not set", "profile default", "web identity", "container",
                         "instance metadata: " + NOWHERE],
                  "az": ["azure_storage_account_key", "azure_storage_sas_token", "azure_storage_token"],
                  "gs": ["google_token", "google_application_credentials", "gcloud", "metadata server",
                         "no token from 127.0.0.1:1"],
                  "swift": ["os_storage_url", "os_auth_url", "st_auth", "os_cloud"]}
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                self.server.seen.clear()
                told = self.ask(url)
                for words in wanted[cloud]:
                    self.assertIn(words, told)
                self.assertIn("set ", told)
                self.assertEqual(self.server.seen, [])

    def test_wrong__the_service_refuses_and_the_message_says_so(self):
        rules = {"s3": (403, "<Error><Code>SignatureDoesNotMatch</Code><Message>%s</Message></Error>"),
                 "az": (403, "<Error><Code>AuthenticationFailed</Code><Message>%s</Message></Error>"),
                 "gs": (401, '{"error":{"code":401,"errors":[{"reason":"authError"}],"message":"%s"}}'),
                 "swift": (401, "<html>%s</html>")}
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                status, body = rules[cloud]
                self.server.rule = lambda r, _, s=status, b=body: r.give(
                    s, b % "no", x_ms_error_code="AuthenticationFailed")
                told = self.ask(url, **self.static()[cloud])
                self.assertRegex(told, r"HTTP 40[13]|os_auth_token")
                self.assertIn("hint", told)

    def test_expired__is_told_as_expired(self):
        sas = "sv=2022-11-02&sp=rl&se=2020-01-01T00:00:00Z&sig=" + MARK
        answers = {"s3": (400, "<Error><Code>ExpiredToken</Code><Message>old</Message></Error>", "ExpiredToken"),
                   "az": (403, "<Error><Code>AuthenticationFailed</Code><Message>no</Message>"
                          "<AuthenticationErrorDetail>Signature not valid in the specified time frame: Expiry "
                          "[Wed, 01 Jan 2020 00:00:00 GMT]</AuthenticationErrorDetail></Error>", "Expiry [Wed, 01 Jan 2020"),
                   "gs": (401, '{"error":{"code":401,"errors":[{"reason":"authError"}],"message":"no"}}', "GOOGLE_OAUTH_ACCESS_TOKEN"),
                   "swift": (401, "<html>no</html>", "has ended")}
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                status, body, words = answers[cloud]
                self.server.rule = lambda r, _, s=status, b=body: r.give(s, b, Content_Type="application/xml")
                env = {"AZURE_STORAGE_SAS_TOKEN": sas} if cloud == "az" else self.static()[cloud]
                self.assertIn(words, self.ask(url, **env))

    def test_secrets_of_a_google_file_go_to_google_alone(self):
        user = {"type": "authorized_user", "client_id": "c", "client_secret": MARK, "refresh_token": MARK}
        for token_uri in ("http://0.0.0.0:1/token", "https://oauth2.googleapis.com.example.org/token",
                          "http://oauth2.googleapis.com/token", "https://example.org/token"):
            told = self.ask("gs://bucket-x", GOOGLE_APPLICATION_CREDENTIALS=self.write(
                "file.json", json.dumps({**user, "token_uri": token_uri}).encode()))
            self.assertIn("token_uri", told)
            self.assertIn("file.json", told)
            self.assertIn("gets no secret", told)

    def test_half_a_key_is_told(self):
        for has, lacks in (("google_hmac_access_id", "google_hmac_secret"), ("google_hmac_secret", "google_hmac_access_id")):
            self.assertIn(f"{has} is set without {lacks}", self.ask("gs://bucket-x", "ls", "--set", f"{has}={MARK}"))
        self.assertEqual(self.server.seen, [])

    def test_a_sas_is_taken_out_of_its_url(self):
        if "az" in dict(self.clouds()):
            self.ask("az://bucket-x", AZURE_STORAGE_SAS_TOKEN=f"https://x.example/c?sv=1&sig={MARK}&se=2")
            self.assertIn(f"sv=1&sig={MARK}&se=2", str(self.server.seen))
            self.assertNotIn("x.example", str(self.server.seen))

    # ---- files and texts that are not what they should be ----

    def test_malformed__file_and_line_are_named(self):
        broken = {
            "s3": [("AWS_SHARED_CREDENTIALS_FILE", "[default]\naws_access_key_id = A\nhunter2\n", "line 3"),
                   ("AWS_SHARED_CREDENTIALS_FILE", "[default\n", "line 1"),
                   ("AWS_CONFIG_FILE", "[profile x]\n= hunter2\n", "line 2")],
            "gs": [("GOOGLE_APPLICATION_CREDENTIALS", '{"type": "service_account",\n"private_key": hunter2}', "line 2"),
                   ("GOOGLE_APPLICATION_CREDENTIALS", '["hunter2"]', "no JSON object"),
                   ("GOOGLE_APPLICATION_CREDENTIALS", '{"type": "hunter"}', "type"),
                   ("GOOGLE_APPLICATION_CREDENTIALS", json.dumps({
                       "type": "service_account", "client_email": "a", "private_key_id": "b",
                       "private_key": f"-----BEGIN PRIVATE KEY-----\n{MARK}\n-----END PRIVATE KEY-----\n"}), "PEM")],
            "swift": [("OS_CLIENT_CONFIG_FILE", "clouds:\n  a:\n    auth: {password: hunter2\n  b: ]\n", "line"),
                      ("OS_CLIENT_CONFIG_FILE", "clouds:\n  b: {}\n", '"a"')],
        }
        for cloud, url in self.clouds():
            for variable, text, words in broken.get(cloud, []):
                with self.subTest(cloud, text=text):
                    path = self.write("the-file", text.encode())
                    told = self.ask(url, **{variable: path, "OS_CLOUD": "a"})
                    self.assertIn("the-file", told)
                    self.assertIn(words, told)
                    told = self.ask(url, **{variable: self.path("not-there"), "OS_CLOUD": "a"})
                    self.assertRegex(told, "not-there|no keys in the shared files")

    def test_malformed__texts_of_azure_are_refused_before_any_request(self):
        if "az" not in dict(self.clouds()):
            self.skipTest("built without Azure")
        for variable, text, words in (
                ("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=a;{MARK}", '"="'),
                ("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=a;AccountKey=%{MARK}", "base64"),
                ("AZURE_STORAGE_CONNECTION_STRING",
                 f"DefaultEndpointsProtocol=gopher;AccountName=a;AccountKey={MARK}2ka", "gopher"),
                ("AZURE_STORAGE_ACCOUNT_KEY", f"%{MARK}", "base64"),
                ("AZURE_STORAGE_SAS_TOKEN", MARK, "sig")):
            with self.subTest(text):
                self.assertIn(words, self.ask("az://bucket", **{variable: text}))
        self.assertEqual(self.server.seen, [])

    def test_malformed__certificates_name_their_file(self):
        bad = self.write("ca.pem", b"-----BEGIN CERTIFICATE-----\n" + MARK.encode() + b"\n")
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                tls = self.server.url.replace("http:", "https:")
                env = {**self.static()[cloud], "AWS_ENDPOINT_URL_S3": tls, "AZURE_STORAGE_ENDPOINT": tls}
                if cloud in ("s3", "az"):
                    self.assertIn("ca.pem", self.ask(url, "ls", "--ca-bundle", bad, **env))

    # ---- token endpoints that are none ----

    def test_token_endpoint__nonsense_ends_in_a_clear_error(self):
        html = f"<html><body>Welcome to the hotel, {MARK}</body></html>"
        answers = {
            "html": lambda r, _: r.give(200, html, Content_Type="text/html"),
            "html refusal": lambda r, _: r.give(403, html, Content_Type="text/html"),
            "empty": lambda r, _: r.give(200),
            "redirect": lambda r, _: r.give(302, Location=self.other.url + "/token"),
            "redirect of the method too": lambda r, _: r.give(307, Location=self.other.url + "/token"),
            "huge": lambda r, _: r.give(200, b" " * (32 << 20)),
            "endless": lambda r, _: r.endless(),
            "a token with a line break": lambda r, _: r.give(
                200, json.dumps({"access_token": f"{MARK}\r\nX: y", "expires_in": 3600, "token_type": "Bearer"})),
        }
        for cloud, url in self.clouds():
            for name, rule in answers.items():
                with self.subTest(cloud, answer=name):
                    self.server.seen.clear()
                    self.server.rule = rule
                    told = self.ask(url, **self.exchanged()[cloud])
                    self.assertIn("127.0.0.1" if cloud != "s3" else "web identity", told)
                    self.assertEqual(len(self.server.seen), 1, self.server.seen)
                    self.assertEqual(self.other.seen, [])

    def test_token_endpoint__silence_ends_with_the_deadline(self):
        self.server.rule = lambda r, _: self.server.stop.wait(60)
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                self.assertRegex(self.ask(url, "ls", "--set", "deadline_ms=300", **self.exchanged()[cloud]),
                                 "deadline|time")

    # ---- names, keys, archives, opening ----

    def test_names__what_a_cloud_forbids_is_refused_with_the_rule(self):
        dotted = "1.2.3.4"
        bad = {"s3": ["ab", "Upper", "under_score", "-dash", "dash-", dotted, "a..b", "x" * 64],
               "gs": ["ab", "Upper", "goog-bucket", "my-google-bucket", "-dash", dotted, "x" * 64],
               "az": ["ab", "Upper", "under_score", "do.t", "a--b", "-dash", "dash-", "x" * 64],
               "swift": ["x" * 257]}
        for cloud, _ in self.clouds():
            for name in bad[cloud]:
                with self.subTest(cloud, name=name):
                    told = self.ask(f"{cloud}://{name}", "mb", **self.static()[cloud])
                    self.assertRegex(told, f'"{name}" is (no container of Azure|refused)|bad bucket name|name')
        self.assertEqual(self.server.seen, [])

    def test_keys__are_refused_before_any_login(self):
        for cloud, url in self.clouds():
            for key in ["k" * 1025, b"\xff".decode("utf-8", "surrogateescape")] + ["back\\slash"] * (cloud == "az"):
                with self.subTest(cloud, key=key[:20]):
                    self.assertRegex(self.ask(f"{url}/{key}", "stat", **self.exchanged()[cloud]), "key|name")
        self.assertEqual(self.server.seen, [])

    def test_archived__says_so_and_how_to_restore(self):
        answers = {"s3": (403, "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the "
                               "object's storage class</Message><StorageClass>GLACIER</StorageClass></Error>"),
                   "az": (409, "<Error><Code>BlobArchived</Code><Message>This operation is not permitted on an "
                               "archived blob.</Message></Error>")}
        for cloud, url in self.clouds():
            if cloud in answers:
                with self.subTest(cloud):
                    status, body = answers[cloud]
                    self.server.rule = lambda r, _, s=status, b=body: r.give(
                        s, b, x_ms_error_code="BlobArchived", Content_Type="application/xml")
                    told = self.ask(url + "/old", "cat", **self.static()[cloud])
                    self.assertIn("archive", told)
                    self.assertRegex(told, "hint: .*(restore|rehydrate|tier)")

    def test_doctor__a_client_that_does_not_open_is_a_line(self):
        for cloud, url in self.clouds():
            with self.subTest(cloud):
                result = self.run_pail("doctor", f"{cloud}://?nonsense_setting=1", env=self.static()[cloud])
                self.assertEqual((result.status, result.err), (10, ""))
                self.assertRegex(result.out, r"(?m)^fail  settings +unknown setting")
                record = self.run_pail("--json", "doctor", url + "?max_attempts=x", env=self.static()[cloud]).records[0]
                self.assertEqual((record["check"], record["result"]), ("settings", "fail"))
        result = self.run_pail("doctor", "local:x")
        self.assertEqual((result.status, result.err), (2, ""))
        self.assertRegex(result.out, "^fail  bucket .*3 to 63")


if __name__ == "__main__":
    unittest.main()
