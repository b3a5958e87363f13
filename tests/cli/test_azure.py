"""Logins to Azure by the command line: scripted authority, metadata service and Blob service on
loopback; and Azurite with tokens where it is up."""
import base64
import hashlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
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
        if self.server.location and status // 100 == 3:
            self.send_header("Location", self.server.location)
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
        elif rule == "endless":
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            try:
                while not self.server.stop.is_set():
                    self.wfile.write(MARK.encode() * 1000)
            except OSError:
                self.close_connection = True
        elif rule:
            self.give(*rule)
        else:
            self.ask(url.path, dict(urllib.parse.parse_qsl(url.query)),
                     dict(urllib.parse.parse_qsl(body)))

    do_GET = do_POST = do_PUT = answer

    def ask(self, path, query, form):
        resource = "https://storage.azure.com/"
        if path == "/tenant/oauth2/v2.0/token":
            proof = form.pop("client_secret", None) == MARK
            if form.pop("client_assertion_type", "").endswith(":jwt-bearer"):
                proof = self.is_proof(form.pop("client_assertion"), path)
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

    def is_proof(self, text, path):
        """The token of another issuer; or one of the application's own, signed by its certificate's key."""
        if not self.server.certificate:
            return text == "jwt-" + MARK
        part = lambda data: base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
        signed, _, signature = text.rpartition(".")
        header, claims = (json.loads(part(p)) for p in signed.split("."))
        now, thumbprint = time.time(), ssl.PEM_cert_to_DER_cert(self.server.certificate)
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(thumbprint).digest()).decode().rstrip("=")
        new = claims["jti"] not in self.server.ids
        self.server.ids.add(claims["jti"])
        return (header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint} and new
                and claims["aud"] == f"http://127.0.0.1:{self.server.server_address[1]}{path}"
                and claims["iss"] == claims["sub"] == "app"
                and now - 60 < claims["nbf"] == claims["iat"] <= now < claims["exp"] <= now + 600
                and is_signed(self.server.certificate, signed.encode(), part(signature)))

    def give_token(self, fine):
        self.give(200 if fine else 400, {"token_type": "Bearer", "expires_in": "3599",
                                         "access_token": self.server.given} if fine else
                  {"error": "invalid_client", "error_description": "AADSTS7000215: " + MARK})


def is_signed(certificate, text, signature):
    """Whether the key of a certificate (PEM) signed the text, by RSASSA-PSS with SHA-256."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"crt": certificate.encode(), "text": text, "sig": signature}
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)
        run = lambda *words: subprocess.run(["openssl", *words], cwd=folder, capture_output=True)
        with open(os.path.join(folder, "pub"), "wb") as file:
            file.write(run("x509", "-in", "crt", "-noout", "-pubkey").stdout)
        return run("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest",
                   "-verify", "pub", "-signature", "sig", "text").returncode == 0


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
        self.services.location = None
        self.services.certificate, self.services.ids = None, set()
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

    def says(self, *parts, within=4, **env):
        begun = time.monotonic()
        result = self.run_pail("-vv", "ls", "az://con", env=env)
        self.assertNotEqual(result.status, 0)
        for part in parts:
            self.assertIn(part, result.err)
        self.assertNotIn(MARK, result.err + result.out)
        self.assertLess(time.monotonic() - begun, within)
        return result.err

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

    def test_authority__of_another_host_is_not_followed_to(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen(8)
            other.setblocking(False)
            for status in (301, 302, 307, 308):
                self.services.rules["/tenant/oauth2/v2.0/token"] = (status, MARK, "text/plain")
                self.services.location = f"http://127.0.0.1:{other.getsockname()[1]}/{MARK}"
                self.says(f"HTTP {status}, a redirect, which is not followed", AZURE_CLIENT_SECRET=MARK, **self.app)
            self.assertRaises(BlockingIOError, other.accept)

    def test_authority__that_never_ends_is_cut_off(self):
        self.services.rules["/tenant/oauth2/v2.0/token"] = "endless"
        self.says("client secret: no token from " + self.url, within=8, AZURE_CLIENT_SECRET=MARK, **self.app)

    def test_connection_string__that_is_malformed_names_its_part(self):
        key = base64.b64encode(MARK.encode()).decode()
        del self.env["AZURE_STORAGE_ACCOUNT_NAME"], self.env["AZURE_STORAGE_ENDPOINT"]
        for text, part, why in (
                (f"AccountName=acct;AccountKey={MARK}!;", "part 2, AccountKey", "it is no base64"),
                (f"AccountName=acct;{MARK};", "part 2", 'it has no "="'),
                (f"AccountName=acct;AcountKey={key}", "part 2, AccountKey", "no part has the name that is written"),
                (f"{MARK}={MARK}", "part 1", "no part has the name that is written"),
                (f"AccountName=;AccountKey={key}", "part 1, AccountName", "it is empty"),
                (f"AccountName=Acct_{MARK};AccountKey={key}", "part 1, AccountName", "lower-case letters and digits"),
                (f"AccountKey={key};BlobEndpoint=ftp://{MARK}", "part 2, BlobEndpoint", "it is no URL"),
                (f"DefaultEndpointsProtocol={MARK};AccountName=acct", "part 1, DefaultEndpointsProtocol", "http or https"),
                (f"UseDevelopmentStorage={MARK}", "part 1, UseDevelopmentStorage", "true or false")):
            text = self.says(f"azure_storage_connection_string, {part}: ", why, AZURE_STORAGE_CONNECTION_STRING=text)
            self.assertNotIn(key, text)

    def test_container__that_azure_forbids_is_refused_with_the_rule(self):
        self.env["AZURE_STORAGE_ACCOUNT_KEY"] = "AAAA"
        for name, rule in (("Upper", "lower-case letters, digits and hyphens"), ("a_b", "lower-case letters, digits"),
                           ("ab", "3 to 63 characters"), ("a" * 64, "3 to 63 characters"), ("a--b", "hyphens stand alone"),
                           ("-ab", "hyphens stand alone"), ("a.b", "lower-case letters, digits and hyphens")):
            for command in (("ls",), ("mb",), ("rb",), ("cat",)):
                place = f"az://{name}" + ("/k" if command == ("cat",) else "")
                result = self.run_pail(*command, place)
                self.assertNotEqual(result.status, 0)
                self.assertIn("is no container of Azure: ", result.err)
                self.assertIn(rule, result.err)
        self.assertEqual(self.services.seen, [])

    def test_workload__reads_its_token_from_a_file(self):
        path = self.write("jwt", f"jwt-{MARK}\n".encode())
        self.works("POST /tenant/oauth2/v2.0/token", AZURE_FEDERATED_TOKEN_FILE=path, **self.app)
        os.remove(path)
        self.says("workload identity: cannot read", AZURE_FEDERATED_TOKEN_FILE=path, **self.app)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True, capture_output=True)

    def read(self, name):
        with open(os.path.join(self.dir, name), "rb") as file:
            return file.read()

    @unittest.skipUnless(shutil.which("openssl"), "no openssl command")
    def test_certificate__signs_for_an_application(self):
        for name in ("own", "other"):
            self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out",
                         name + ".crt", "-days", "2", "-subj", "/CN=" + name)
        self.openssl("pkcs8", "-topk8", "-in", "own.key", "-out", "own.enc", "-passout", "pass:" + MARK)
        key, crt, locked = (self.read("own." + kind) for kind in ("key", "crt", "enc"))
        self.services.certificate = crt.decode()
        asked = "POST /tenant/oauth2/v2.0/token"
        env = dict(self.app, AZURE_CLIENT_CERTIFICATE_PATH=os.path.join(self.dir, "pem"))
        secret = dict(env, AZURE_CLIENT_CERTIFICATE_PASSWORD=MARK)
        for pem, given in ((key + crt, env), (self.read("other.crt") + crt + key, env), (locked + crt, secret)):
            self.services.seen.clear()
            self.write("pem", pem)
            self.works(asked, **given)
        self.services.seen.clear()
        for pem, given, why in ((locked + crt, env, "is encrypted, and no password is given"),
                                (locked + crt, dict(env, AZURE_CLIENT_CERTIFICATE_PASSWORD=MARK + "x"),
                                 "is encrypted, and its password is another one"),
                                (key, env, "has no certificate of its key"),
                                (key + self.read("other.crt"), env, "has no certificate of its key"),
                                (crt, env, "has no private RSA key in PEM"),
                                (b"# mine\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + crt, env,
                                 "what begins on line 2 of"),
                                (MARK.encode(), env, "has no private RSA key in PEM")):
            self.write("pem", pem)
            self.says(why, "azure_client_certificate_path is a PEM file", **given)
        os.remove(env["AZURE_CLIENT_CERTIFICATE_PATH"])
        self.says("client certificate: cannot read", **env)
        self.assertEqual(self.services.seen, [])
        self.write("pem", self.read("other.key") + self.read("other.crt"))
        self.says("client certificate: no token from", "HTTP 400", "invalid_client", **env)

    def put_az(self, script):
        """An az command in a folder of its own, which PATH then names first."""
        path = self.write("bin/az", ("#!/bin/sh\n" + script).encode())
        os.chmod(path, 0o755)
        return {"PATH": os.path.dirname(path) + ":" + self.env["PATH"]}

    def test_az__gives_the_token_of_who_is_logged_in(self):
        env = self.put_az(f"""echo "WARNING: {MARK}" >&2
            [ "$*" = "account get-access-token --output json --resource https://storage.azure.com/" ] || exit 9
            echo '{{"accessToken": "{self.services.token}", "expires_on": {int(time.time()) + 3600}}}'""")
        self.works(AZURE_USE_AZURE_CLI="true", **env)
        env = self.put_az(f"echo 'ERROR: {MARK}, run az login' >&2; exit 1")
        self.says("az command: it ended with status 1", "run az login", AZURE_USE_AZURE_CLI="true", **env)
        env = self.put_az(f"echo '<html>{MARK}'")
        self.says("az command: its output is no JSON", AZURE_USE_AZURE_CLI="true", **env)
        self.says("az command: it is not in the PATH", AZURE_USE_AZURE_CLI="true", PATH=self.dir + "/none")

    def test_nothing__lists_each_source_and_why_not_within_two_seconds(self):
        """Whether the metadata service's address drops what is sent to it, or refuses it."""
        with socket.socket() as refusing, socket.socket() as silent:
            refusing.bind(("127.0.0.1", 0))  # nobody listens
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)  # and nobody answers
            for address in (refusing, silent):
                text = self.says(
                    "no credentials for Azure; tried key, SAS and token: not set; client secret: azure_client_secret "
                    "is not set; client certificate: azure_client_certificate_path is not set; workload identity: "
                    "azure_federated_token_file is not set; managed identity: no token from http://127.0.0.1:",
                    "; az command: it is not in the PATH", within=2, PATH=self.dir + "/none",
                    AZURE_STORAGE_ENDPOINT="https://acct.blob.core.windows.net",
                    AZURE_POD_IDENTITY_AUTHORITY_HOST=f"http://127.0.0.1:{address.getsockname()[1]}")
                self.assertLess(text.index("managed identity"), text.index("az command"))
        self.says("tried key, SAS and token: not set", "managed identity, az command: not asked, as the endpoint is "
                  "not TLS", within=2)
        self.says("managed identity, az command: not asked, as the endpoint is none of Azure's own", within=2,
                  AZURE_STORAGE_ENDPOINT=self.url.replace("http:", "https:") + "/acct")

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
