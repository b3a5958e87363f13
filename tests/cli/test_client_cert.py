"""A server that wants the client's certificate: the settings client_cert_file and client_key_file."""
import http.server
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from cli import CliTest
from test_s3 import has_s3

PAGE = (b'<?xml version="1.0"?><ListBucketResult><Name>bkt</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>'
        b'<Contents><Key>seen</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>1</Size>'
        b'</Contents></ListBucketResult>')


class Lister(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@unittest.skipUnless(has_s3(), "built without S3")
@unittest.skipUnless(shutil.which("openssl"), "no openssl command")
class ClientCertificateTest(CliTest):
    def certificate(self, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=IP:127.0.0.1"], cwd=self.dir, check=True, capture_output=True)
        return os.path.join(self.dir, name + ".crt"), os.path.join(self.dir, name + ".key")

    def setUp(self):
        super().setUp()
        self.server_crt, server_key = self.certificate("server")
        self.crt, self.key = self.certificate("client")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_crt, server_key)
        context.load_verify_locations(self.crt)
        context.verify_mode = ssl.CERT_REQUIRED
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lister)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="testsecret", AWS_REGION="us-east-1",
                        AWS_ENDPOINT_URL=f"https://127.0.0.1:{server.server_port}")

    def test_server_that_wants_a_certificate__gets_it(self):
        own = ("--set", f"client_cert_file={self.crt}", "--set", f"client_key_file={self.key}")
        self.assertEqual(self.pail("--ca-bundle", self.server_crt, *own, "ls", "s3://bkt").out, "seen\n")

    def test_server_that_wants_a_certificate__refuses_who_has_none(self):
        done = self.run_pail("--ca-bundle", self.server_crt, "--set", "max_attempts=1", "ls", "s3://bkt")
        self.assertEqual(done.status, 12)

    def test_untrusted_server__is_refused_with_the_way_out(self):
        done = self.run_pail("--set", "max_attempts=1", "ls", "s3://bkt")
        self.assertEqual(done.status, 12)
        self.assertIn("--ca-bundle", done.err + self.run_pail("doctor", "s3://bkt").out)


if __name__ == "__main__":
    unittest.main()
