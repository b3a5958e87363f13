"""Logins of swift: against a scripted Swift and Keystone: renewal, files, refusals, counts."""
import hashlib
import http.server
import json
import threading
import unittest

import cli


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def go(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        server.seen.append(f"{self.command} {self.path}")
        server.before()
        if self.path == "/info":
            self.answer(*server.info)
        elif self.path == "/v3/auth/tokens":
            server.keystone(self, json.loads(body))
        elif self.headers.get("X-Auth-Token") != server.token:
            server.refused()
            self.answer(401, body=b"<html><h1>Unauthorized</h1></html>")
        elif self.command == "PUT":
            self.answer(201, {"Etag": hashlib.md5(body).hexdigest()})
        elif self.path.startswith("/v1/AUTH_a/bkt?"):
            self.answer(200, body=server.page)
        else:
            self.answer(404 if "segments" in self.path else 204)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = go


class Swift(cli.CliTest):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen, self.server.token = [], "first"
        self.server.info, self.server.page = (404,), b"[]"
        self.server.keystone = self.give_token
        self.server.before = self.server.refused = lambda: None
        self.at = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.given = ["first"]
        self.env.update(OS_AUTH_URL=self.at, OS_USERNAME="u", OS_PASSWORD="the-password",
                        OS_PROJECT_NAME="p")

    def only(self, **env):
        """Other variables instead of those of Keystone."""
        for name in list(self.env):
            if name.startswith("OS_"):
                del self.env[name]
        self.env.update(env)

    def give_token(self, request, body):
        self.asked = body["auth"]
        catalog = [{"type": "object-store", "endpoints": [
            {"interface": "public", "region_id": "R", "url": self.at + "/v1/AUTH_a"}]}]
        token = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        request.answer(201, {"X-Subject-Token": token}, json.dumps({"token": {
            "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalog}}).encode())

    def test_one_login_then_one_request_a_page(self):
        self.pail("ls", "swift://bkt")
        self.assertEqual(len(self.server.seen), 2, self.server.seen)
        self.assertEqual(self.asked["scope"], {"project": {"name": "p",
                                                           "domain": {"id": "default"}}})

    def test_a_token_that_ended_is_renewed_once(self):
        self.given = ["ended", "first"]
        self.pail("ls", "swift://bkt")
        self.assertEqual([line.split("?")[0] for line in self.server.seen],
                         ["POST /v3/auth/tokens", "GET /v1/AUTH_a/bkt"] * 2)
        self.server.seen.clear()
        self.given = ["never"]
        failed = self.fails(5, "ls", "swift://bkt")
        self.assertEqual(len(self.server.seen), 4, self.server.seen)
        self.assertNotIn("never", failed.err)

    def test_a_small_put_looks_for_parts_once(self):
        self.write("in/a"), self.write("in/b"), self.write("in/c")
        self.pail("cp", "-r", "in", "swift://bkt/d")
        heads = [line for line in self.server.seen if line.startswith("HEAD")]
        puts = [line for line in self.server.seen if line.startswith("PUT")]
        self.assertEqual(sorted(heads), ["HEAD /v1/AUTH_a/bkt", "HEAD /v1/AUTH_a/bkt%2Bsegments",
                                         "HEAD /v1/AUTH_a/bkt_segments"])
        self.assertEqual(len(puts), 3)

    def test_a_token_file_is_read_again_when_refused(self):
        path = self.write("token", b"ended\n")
        self.server.refused = lambda: self.write("token", b"first\n")
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a", OS_AUTH_TOKEN_FILE=path)
        self.pail("ls", "swift://bkt")
        self.assertEqual(len(self.server.seen), 2, self.server.seen)
        failed = self.fails(5, "ls", "swift://bkt", "--set", "os_auth_token_file=/nonexistent/t")
        self.assertIn("/nonexistent/t", failed.err)

    def test_a_command_writes_the_token_anew_while_a_job_goes_on(self):
        self.write("tokens", b"first\nsecond\nthird\n")
        script = self.write("give", b"#!/bin/sh\nhead -n 1 tokens\necho ran >> runs\n"
                            b"tail -n +2 tokens > rest && mv rest tokens\n")
        for name in range(12):
            self.write(f"in/{name}")
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a",
                  OS_AUTH_TOKEN_COMMAND=f"sh '{script}' the-password")
        tokens = ["first", "second", "third"]

        def ended():
            """Every fourth put meets a token that has ended."""
            puts = sum(line.startswith("PUT") for line in self.server.seen)
            self.server.token = tokens[min(puts // 5, 2)]
        self.server.before = ended
        done = self.pail("-v", "cp", "-r", "--jobs", "1", "in", "swift://bkt/d")
        self.assertEqual(self.read("runs"), b"ran\n" * 3)
        self.assertNotIn("the-password", done.err + done.out)
        self.assertNotIn("the-password", self.pail("config", "explain", "swift://bkt").out)

    def test_a_command_without_a_token_is_said_clearly(self):
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a")
        for command, words in (("echo 'two words' the-password", "one word"),
                               ("sh -c 'exit 3' the-password", "status 3"),
                               ("/nonexistent/the-password", "cannot be run"),
                               ("echo \"the-password", "quote"), ("true", "one word")):
            failed = self.fails(5, "ls", "swift://bkt", env={"OS_AUTH_TOKEN_COMMAND": command})
            self.assertIn("os_auth_token_command", failed.err)
            self.assertIn(words, failed.err)
            self.assertIn("hint", failed.err)
            self.assertNotIn("the-password", failed.err)
        self.assertEqual(self.server.seen, [])

    def test_a_given_token_is_used_as_it_is(self):
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a", OS_AUTH_TOKEN="first")
        self.pail("ls", "swift://bkt")
        self.assertEqual(len(self.server.seen), 1)
        failed = self.fails(5, "ls", "swift://bkt", env={"OS_AUTH_TOKEN": "a-secret"})
        self.assertIn("os_auth_token", failed.err)
        self.assertNotIn("a-secret", failed.err)

    def test_a_storage_url_without_an_account_is_refused(self):
        self.only(OS_STORAGE_URL=self.at, OS_AUTH_TOKEN="first")
        failed = self.fails(10, "ls", "swift://bkt")
        self.assertIn("no path", failed.err)
        self.assertEqual(self.server.seen, [])

    def test_a_token_that_keystone_does_not_know_is_not_a_wrong_address(self):
        answer = b'{"error": {"code": 404, "message": "Could not recognize Fernet token", "title": "Not Found"}}'
        self.server.keystone = lambda request, body: request.answer(404, {}, answer)
        self.only(OS_AUTH_URL=self.at + "/v3", OS_AUTH_TOKEN="a-secret", OS_PROJECT_NAME="p")
        failed = self.fails(5, "ls", "swift://bkt")
        self.assertIn("does not know the token", failed.err)
        self.assertNotIn("a-secret", failed.err)

    def test_a_way_to_log_in_that_is_not_known_gets_no_password(self):
        failed = self.fails(10, "ls", "swift://bkt", env={"OS_AUTH_TYPE": "v3oidcpassword"})
        self.assertIn("v3oidcpassword", failed.err)
        self.assertIn("hint", failed.err)
        self.assertEqual(self.server.seen, [])

    def test_what_is_no_keystone_is_said_clearly(self):
        html = b"<html>the-password</html>"
        for answer, words in (
                ((200, {}, html), "without a token"),
                ((201, {"X-Subject-Token": "t"}, html), "no JSON"),
                ((201, {"X-Subject-Token": "t"}, b'{"token": {"catalog": []}}'), "no catalog"),
                ((302, {"Location": "http://127.0.0.2/"}, b""), "HTTP 302"),
                ((401, {}, html), "HTTP 401"), ((404, {}, html), "HTTP 404")):
            self.server.seen.clear()
            self.server.keystone = lambda request, body, a=answer: request.answer(*a)
            result = self.run_pail("ls", "swift://bkt")
            self.assertNotEqual(result.status, 0)
            self.assertIn(words, result.err)
            self.assertIn("hint" if answer[2] != html or answer[0] != 201 else "", result.err)
            self.assertNotIn("the-password", result.err)
            self.assertEqual(len(self.server.seen), 1, self.server.seen)

    def test_a_page_of_very_long_names(self):
        names = [f"{i:04}" + "ы" * 500 for i in range(6000)]
        self.server.page = json.dumps([{"name": name, "hash": "0" * 32, "bytes": 1, "content_type":
                                        "text/plain", "last_modified": "2026-11-25T06:16:58.123456"}
                                       for name in names]).encode()
        self.assertGreater(len(self.server.page), 17 << 20)
        self.assertEqual(self.pail("ls", "swift://bkt").lines, names)

    def offer(self, **sections):
        self.server.info = (200, {"Content-Type": "application/json"}, json.dumps(
            {"swift": {"version": "2.30.1"}, **sections}).encode())

    def test_signed_urls_are_what_the_service_takes(self):
        def sign(*flags):
            return self.pail("presign", "--set", "swift_tempurl_key=the-key", *flags, "swift://bkt/k").out
        self.assertRegex(sign(), "temp_url_sig=[0-9a-f]{64}&")  # no /info
        self.offer(tempurl={"methods": ["GET"], "allowed_digests": ["sha1", "sha256"]})
        self.assertRegex(sign(), "temp_url_sig=[0-9a-f]{64}&")
        self.offer(tempurl={"methods": ["GET"], "allowed_digests": ["sha1", "sha512"]})
        self.assertRegex(sign(), "temp_url_sig=sha512%3A|temp_url_sig=sha512:")
        self.offer(tempurl={"methods": ["GET"]})
        self.assertRegex(sign(), "temp_url_sig=[0-9a-f]{40}&")
        failed = self.fails(11, "presign", "--set", "swift_tempurl_key=the-key", "--method", "PUT",
                            "swift://bkt/k")
        self.assertIn("PUT", failed.err)
        self.offer()
        failed = self.fails(11, "presign", "swift://bkt/k")
        self.assertIn("tempurl", failed.err)

    def test_a_refused_login_says_what_was_tried_and_where_it_is_from(self):
        self.server.keystone = lambda request, body: request.answer(401)
        tried = lambda **env: self.fails(5, "ls", "swift://bkt", env=env).err
        told = tried()
        for words in ("os_username (environment", "os_password (environment", "HTTP 401", self.at):
            self.assertIn(words, told)
        self.assertNotIn("the-password", told)
        told = tried(OS_APPLICATION_CREDENTIAL_ID="i", OS_APPLICATION_CREDENTIAL_SECRET="a-secret")
        self.assertIn("os_application_credential_secret (environment", told)
        self.assertNotIn("a-secret", told)
        path = self.write("clouds.yaml", f"clouds:\n  mine:\n    auth: {{auth_url: '{self.at}', token: "
                          "a-secret}\n".encode())
        self.only(OS_CLOUD="mine", OS_CLIENT_CONFIG_FILE=path)
        told = tried()
        self.assertIn("os_auth_token (" + path, told)
        self.assertNotIn("a-secret", told)

    def test_the_same_token_again_is_said_to_be_the_same(self):
        path = self.write("token", b"ended\n")
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a", OS_AUTH_TOKEN_FILE=path)
        told = self.fails(5, "ls", "swift://bkt").err
        self.assertIn(path + ") still has the token that was refused", told)
        self.assertNotIn("a new token", told)
        self.only(OS_STORAGE_URL=self.at + "/v1/AUTH_a", OS_AUTH_TOKEN_COMMAND="echo ended")
        self.assertIn("wrote the token that was refused again", self.fails(5, "ls", "swift://bkt").err)

    def test_containers_of_parts_are_not_made(self):
        self.assertIn("+segments", self.run_pail("mb", "swift://bkt+segments").err)
        self.assertNotIn("PUT", " ".join(self.server.seen))

    def test_limits_of_metadata_are_told_before_data_is_sent(self):
        self.offer(slo={}, swift={"version": "2.30.1", "max_meta_name_length": 20,
                                  "max_meta_value_length": 30, "max_meta_count": 3,
                                  "max_meta_overall_size": 60, "max_header_size": 50})
        path = self.write("in", bytes(300000))
        for limit, flags in (("20 (/info: max_meta_name_length)", ["--meta", "a" * 21 + "=b"]),
                             ("30 (/info: max_meta_value_length)", ["--meta", "a=" + "\u044b" * 16]),
                             ("3 (/info: max_meta_count)", [w for i in range(4) for w in ("--meta", f"a{i}=b")]),
                             ("60 (/info: max_meta_overall_size)", ["--meta", "a=" + "b" * 30, "--meta",
                                                                    "c=" + "d" * 29]),
                             ("50 (/info: max_header_size)", ["--content-type", "a/" + "b" * 50])):
            told = self.run_pail("cp", "--part-size", "100000", *flags, path, "swift://bkt/k").err
            self.assertIn(limit, told)
        self.assertNotIn("PUT", " ".join(self.server.seen))

    def test_clouds_yaml_that_cannot_be_read_is_named(self):
        for path, words in ((self.dir, "directory"), (self.write("large", b"#" * (2 << 20)), "larger")):
            self.only(OS_CLOUD="mine", OS_CLIENT_CONFIG_FILE=path)
            told = self.run_pail("ls", "swift://bkt").err
            self.assertIn(path, told)
            self.assertIn(words, told)

    def test_a_stumbling_keystone_is_asked_again(self):
        def stumble(request, _):
            self.server.keystone = self.give_token
            request.answer(503)
        self.server.keystone = stumble
        self.pail("ls", "swift://bkt")
        self.assertEqual(self.server.seen.count("POST /v3/auth/tokens"), 2)

    def test_what_is_missing_is_named(self):
        for name, words in (("OS_PASSWORD", "os_password"), ("OS_USERNAME", "os_username"),
                            ("OS_AUTH_URL", "no way to log in")):
            kept = self.env.pop(name)
            self.assertIn(words, self.fails(5, "ls", "swift://bkt").err)
            self.env[name] = kept
        self.only(OS_STORAGE_URL=self.at)
        self.assertIn("os_auth_token", self.fails(5, "ls", "swift://bkt").err)
        self.only(ST_AUTH=self.at, ST_USER="u")
        self.assertIn("st_key", self.fails(5, "ls", "swift://bkt").err)
        self.assertEqual(self.server.seen, [])


if __name__ == "__main__":
    unittest.main()
