"""HTTPS: a certificate of the test's own, checked by the client."""
import http.client
import os
import shutil
import ssl
import subprocess
import tempfile
import unittest

import gateway


def certificate(folder, name):
    """A self-signed one for 127.0.0.1."""
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


@unittest.skipIf(shutil.which("openssl") is None, "openssl is not installed (tools/deps tests)")
class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pail-tls-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.cert, cls.key = certificate(cls.folder, "one")

    def ask(self, server, context, method, path, body=b"", query=(), host=None):
        named = type("Named", (), {"host": host or server.host})
        request = gateway.Request(named, method, path, query=query, body=body).by_header()
        connection = http.client.HTTPSConnection(server.host, timeout=60, context=context)
        query = request.canonical_query()
        try:
            connection.request(method, path + ("?" + query if query else ""), body=body,
                               headers={**request.headers, "Host": named.host})
            response = connection.getresponse()
            return gateway.Answer(response, response.read())
        finally:
            connection.close()

    def test_it_serves_whom_the_certificate_convinces(self):
        server = gateway.Server("local:", "--tls-cert", self.cert, "--tls-key", self.key)
        self.assertTrue(server.address.startswith("https://"))
        context = ssl.create_default_context(cafile=self.cert)
        data = os.urandom(3 << 20)
        self.assertEqual(self.ask(server, context, "PUT", "/bucket").status, 200)
        self.assertEqual(self.ask(server, context, "PUT", "/bucket/key", data).status, 200)
        self.assertTrue(self.ask(server, context, "GET", "/bucket/key").body == data)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.ask(server, ssl.create_default_context(), "GET", "/bucket/key")
        with self.assertRaises((http.client.HTTPException, OSError)):
            gateway.Request(server, "GET", "/bucket/key").by_header().send()  # without TLS
        self.assertEqual(self.ask(server, context, "GET", "/bucket/key").status, 200)
        self.assertEqual(server.stop(), 0)

    def test_where_an_upload_of_parts_is_told_to_be(self):
        server = gateway.Server("memory:", "--tls-cert", self.cert, "--tls-key", self.key, "--domain", "s3.test")
        self.addCleanup(server.stop)
        context = ssl.create_default_context(cafile=self.cert)
        port = server.host.split(":")[1]
        self.assertEqual(self.ask(server, context, "PUT", "/bucket").status, 200)
        for host, path in ((server.host, "/bucket/a%20b/c%3F"), (f"bucket.s3.test:{port}", "/a%20b/c%3F"),
                           (f"bucket.localhost:{port}", "/a%20b/c%3F"), (f"s3.test:{port}", "/bucket/a%20b/c%3F")):
            with self.subTest(host=host):
                def ask(method, query, body=b""):
                    return self.ask(server, context, method, path, body, query, host)
                upload = ask("POST", {"uploads": ""}).texts("UploadId")[0]
                etag = ask("PUT", {"uploadId": upload, "partNumber": "1"}, b"part").headers["ETag"]
                body = (f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
                        "</CompleteMultipartUpload>").encode()
                self.assertEqual(ask("POST", {"uploadId": upload}, body).texts("Location"), [f"https://{host}{path}"])

    def test_a_body_that_is_not_wanted_is_answered(self):
        server = gateway.Server("memory:", "--tls-cert", self.cert, "--tls-key", self.key)
        self.addCleanup(server.stop)
        context = ssl.create_default_context(cafile=self.cert)
        put = gateway.Request(server, "PUT", "/bucket/k", secret="wrong", payload="UNSIGNED-PAYLOAD").by_header()
        connection = http.client.HTTPSConnection(server.host, timeout=60, context=context)
        self.addCleanup(connection.close)
        connection.request("PUT", put.path, body=bytes(40 << 20), headers=put.headers)
        self.assertEqual(connection.getresponse().status, 403)

    def test_a_key_of_another_certificate_and_half_a_pair_are_refused(self):
        _, other = certificate(self.folder, "two")
        for args in (("--tls-cert", self.cert, "--tls-key", other), ("--tls-cert", self.cert),
                     ("--tls-key", self.key), ("--tls-cert", self.key, "--tls-key", self.cert)):
            with self.subTest(args=args):
                with self.assertRaisesRegex(AssertionError, "(?i)certificate|tls"):
                    gateway.Server("local:", *args).stop()


if __name__ == "__main__":
    unittest.main()
