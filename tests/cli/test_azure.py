"""Logins to Azure by the command line: scripted authority, metadata service and Blob service on
loopback; and Azurite with tokens where it is up."""
import base64
import http.server
import json
import os
import ssl
import threading
import time
import unittest
import urllib.parse
import urllib.request

from cli import CliTest

MARK = "hunter2"  # in every secret that must not be shown
LIST = ('<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c"><Blobs/>'
        "<NextMarker/></EnumerationResults>")


class Services(http.server.BaseHTTPRequestHandler):
    """All of them at once, each strict about what it is sent; `seen` lists what was asked."""

    def log_message(self, *args):
        pass

    def give(self, status, body, kind="application/json", **headers):
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = urllib.parse.urlsplit(self.path)
        rule = self.server.rules.get(url.path)
        self.server.seen.append(f"{self.command} {url.path}")
        if rule == "hang":
            self.server.stop.wait(20)
        elif rule:
            self.give(*rule)
        else:
            self.ask(url.path, dict(urllib.parse.parse_qsl(url.query)),
                     dict(urllib.parse.parse_qsl(body)))

    do_GET = do_POST = do_PUT = answer

    def ask(self, path, query, form):
        resource = "https://storage.azure.com/"
        if path == "/tenant/oauth2/v2.0/token":
            proof = (form.pop("client_secret", None) == MARK
                     or (form.pop("client_assertion", None) == "jwt-" + MARK
                         and form.pop("client_assertion_type").endswith(":jwt-bearer")))
            fine = proof and form == {"grant_type": "client_credentials", "client_id": "app",
                                      "scope": resource + ".default"}
            self.give_token(fine)
        elif path == "/metadata/identity/oauth2/token":
            self.give_token(self.headers.get("Metadata") == "true" and
                            query == {"api-version": "2018-02-01", "resource": resource})
        elif path == "/msi":
            self.give_token(self.headers.get("X-IDENTITY-HEADER") == MARK and
                            query == {"api-version": "2019-08-01", "resource": resource})
        elif self.headers.get("Authorization") != "Bearer " + self.server.token:
            self.give(401, "", x_ms_error_code="InvalidAuthenticationInfo")
        else:
            self.give(200, LIST, "application/xml")

    def give_token(self, fine):
        self.give(200 if fine else 400, {"token_type": "Bearer", "expires_in": "3599",
                                         "access_token": self.server.given} if fine else
                  {"error": "invalid_client", "error_description": "AADSTS7000215: " + MARK})


def azurite_token():
    """Azurite checks who issued a token for whom, not its signature."""
    part = lambda data: base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
    now = int(time.time())
    claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/",
              "nbf": now - 60, "iat": now - 60, "exp": now + 3600, "oid": "o", "tid": "t"}
    return ".".join((part({"alg": "RS256", "typ": "JWT"}), part(claims), "c2ln"))


class AzureTest(CliTest):
    def setUp(self):
        super().setUp()
        self.services = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Services)
        self.services.daemon_threads = True
        self.services.seen, self.services.rules = [], {}
        self.services.token = self.services.given = "token-" + MARK
        self.services.stop = threading.Event()
        thread = threading.Thread(target=self.services.serve_forever, args=(0.02,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.services.server_close)
        self.addCleanup(self.services.shutdown)
        self.addCleanup(self.services.stop.set)
        self.url = f"http://127.0.0.1:{self.services.server_address[1]}"
        for name in [n for n in self.env if n.startswith(("AZURE_", "IDENTITY_"))]:
            del self.env[name]
        self.env.update(AZURE_STORAGE_ACCOUNT_NAME="acct", AZURE_STORAGE_ENDPOINT=self.url)
        self.app = {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant",
                    "AZURE_AUTHORITY_HOST": self.url}

    def works(self, *seen, **env):
        self.pail("ls", "az://con", env=env)
        self.assertEqual(self.services.seen, [*seen, "GET /acct/con"])

    def says(self, *parts, **env):
        begun = time.monotonic()
        result = self.run_pail("ls", "az://con", env=env)
        self.assertNotEqual(result.status, 0)
        for part in parts:
            self.assertIn(part, result.err)
        self.assertNotIn(MARK, result.err + result.out)
        self.assertLess(time.monotonic() - begun, 4)

    def test_secret__of_an_application(self):
        self.works("POST /tenant/oauth2/v2.0/token", AZURE_CLIENT_SECRET=MARK, **self.app)

    def test_secret__refused(self):
        self.says("client secret: no token from " + self.url, "HTTP 400",
                  "invalid_client AADSTS7000215", "application app in tenant tenant",
                  AZURE_CLIENT_SECRET=MARK + "x", **self.app)

    def test_authority__that_is_none_is_named_as_such(self):
        for rule in ((200, f"<html>{MARK}"), (302, "", "text/plain"), (200, "x" * 300000),
                     (500, MARK)):
            self.services.rules["/tenant/oauth2/v2.0/token"] = rule
            self.says("no token from " + self.url, AZURE_CLIENT_SECRET=MARK, **self.app)

    def test_workload__reads_its_token_from_a_file(self):
        path = self.write("jwt", f"jwt-{MARK}\n".encode())
        self.works("POST /tenant/oauth2/v2.0/token", AZURE_FEDERATED_TOKEN_FILE=path, **self.app)
        os.remove(path)
        self.says("workload identity: cannot read", AZURE_FEDERATED_TOKEN_FILE=path, **self.app)

    def test_machine__has_an_identity(self):
        self.works("GET /metadata/identity/oauth2/token",
                   AZURE_POD_IDENTITY_AUTHORITY_HOST=self.url)

    def test_app_service__is_asked_with_its_header(self):
        self.works("GET /msi", IDENTITY_ENDPOINT=self.url + "/msi", IDENTITY_HEADER=MARK)

    def test_machine__takes_a_second_where_nobody_answers(self):
        self.services.rules["/metadata/identity/oauth2/token"] = "hang"
        self.says("managed identity: no token from " + self.url,
                  AZURE_POD_IDENTITY_AUTHORITY_HOST=self.url)

    def test_a_token_that_is_refused_is_fetched_anew_once(self):
        self.services.given = "old-" + MARK
        self.says("the client secret was used", AZURE_CLIENT_SECRET=MARK, **self.app)
        self.assertEqual(self.services.seen, ["POST /tenant/oauth2/v2.0/token", "GET /acct/con"] * 2)

    def test_half_a_login_is_refused_without_a_request(self):
        self.says("azure_client_secret is set, but azure_tenant_id is not", AZURE_CLIENT_ID="app",
                  AZURE_CLIENT_SECRET=MARK)
        self.assertEqual(self.services.seen, [])

    def test_azurite__takes_the_token_and_signs_urls_by_it(self):
        endpoint = os.environ.get("PAIL_TEST_AZURE_TLS_ENDPOINT")
        if not endpoint:
            self.skipTest("PAIL_TEST_AZURE_TLS_ENDPOINT is not set")
        authority = os.environ["PAIL_TEST_AZURE_TLS_CA"]
        self.services.given = azurite_token()
        env = dict(self.app, AZURE_CLIENT_SECRET=MARK, AZURE_STORAGE_ENDPOINT=endpoint,
                   AZURE_STORAGE_ACCOUNT_NAME=os.environ["PAIL_TEST_AZURE_TLS_ACCOUNT"])
        pail = lambda *args, **kw: self.pail(args[0], "--ca-bundle", authority, *args[1:],
                                             env=env, **kw)
        bucket = "az://login-" + os.urandom(6).hex()
        pail("mb", bucket)
        self.addCleanup(pail, "rb", bucket)
        self.addCleanup(pail, "rm", bucket + "/k")
        put = pail("presign", "--method", "PUT", bucket + "/k").out.split()[0]
        self.assertEqual(self.services.seen, ["POST /tenant/oauth2/v2.0/token"] * 2)
        context = ssl.create_default_context(cafile=authority)
        request = urllib.request.Request(put, method="PUT", data=b"by a login",
                                         headers={"x-ms-blob-type": "BlockBlob"})
        urllib.request.urlopen(request, timeout=60, context=context).close()
        get = pail("presign", bucket + "/k").out.split()[0]
        with urllib.request.urlopen(get, timeout=60, context=context) as answer:
            self.assertEqual(answer.read(), b"by a login")
        self.assertEqual(pail("cat", bucket + "/k").raw, b"by a login")


if __name__ == "__main__":
    unittest.main()
