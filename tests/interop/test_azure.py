"""What pail writes azure-storage-blob reads, and the reverse, over Azurite plain and with TLS."""
import contextlib
import http.client
import http.server
import random
import ssl
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

import azure_servers as servers

MIB = 1 << 20
ODD_KEYS = ["plain", "with space", "plus+plus", "percent%20%2F%", "q?x=1&y=2#z", "ünï/日本語/🪣",
            "quote'\"`", "semi;comma,colon:at@", "star*!tilde~", "deep/" * 20 + "end", "<tag>&amp;"]


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Forgetful(http.server.BaseHTTPRequestHandler):
    """Hands on what it is asked, but for the first answer to each request that `forgets` chooses."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = f"{self.command} {self.path}"
        self.server.seen.append(what)
        with contextlib.closing(http.client.HTTPConnection(self.server.behind, timeout=60)) as behind:
            behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                behind.putheader(name, value)
            behind.endheaders(body)
            got = behind.getresponse()
            data = got.read()
        if self.server.forgets(what) and self.server.seen.count(what) == 1:
            self.close_connection = True
            return
        self.wfile.write(f"HTTP/1.1 {got.status} {got.reason}\r\n".encode())
        for name, value in got.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "keep-alive", "content-length"):
                self.wfile.write(f"{name}: {value}\r\n".encode())
        length = got.getheader("Content-Length") if self.command == "HEAD" else len(data)
        self.wfile.write(f"Content-Length: {length or 0}\r\n\r\n".encode() + data)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer


class Both:
    """The tests; each server makes a class of them."""
    name = None

    def setUp(self):
        self.server = servers.Server(self.name)
        missing = self.server.missing()
        if missing:
            self.skipTest(missing)
        self.container = servers.container_name()
        self.client = self.server.client().get_container_client(self.container)
        self.client.create_container()
        self.addCleanup(self.client.delete_container)

    def pail(self, *args, data=None, settings=None):
        code, out, err = servers.run(self.server, settings or self.server.settings(), *args,
                                     data=data)
        self.assertEqual(code, 0, err.decode(errors="replace"))
        return out

    def url(self, key=""):
        return f"az://{self.container}/{key}"

    def download(self, key):
        return self.client.get_blob_client(key).download_blob().readall()

    def test_odd_keys_both_ways(self):
        for key in ODD_KEYS:
            with self.subTest(key=key):
                self.pail("cp", "-", self.url(key), data=key.encode())
                self.assertEqual(self.download(key), key.encode())
        for key in ODD_KEYS:
            self.client.upload_blob(key, b"theirs " + key.encode(), overwrite=True)
        for key in ODD_KEYS:
            with self.subTest(key=key):
                self.assertEqual(self.pail("cp", self.url(key), "-"), b"theirs " + key.encode())
        self.assertEqual({b.name for b in self.client.list_blobs()}, set(ODD_KEYS))

    def test_blocks_both_ways(self):
        data = noise(40 * MIB + 7)
        self.pail("cp", "--set", "part_size=8M", "-", self.url("ours"), data=data)
        self.assertEqual(self.download("ours"), data)
        self.client.upload_blob("theirs", data, max_concurrency=2)
        self.assertEqual(self.pail("cp", self.url("theirs"), "-"), data)

    def test_metadata_of_others_is_read(self):
        self.client.upload_blob("k", b"x", metadata={"Some_Name": "value", "a_x002d_b": "hyphen"})
        out = self.pail("stat", self.url("k")).decode()
        self.assertIn("some_name", out)
        self.assertIn("a-b", out)

    def fetch(self, url, **kwargs):
        request = urllib.request.Request(url, **kwargs)
        context = ssl.create_default_context(cafile=self.server.ca) if self.server.ca else None
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.read()

    def test_presigned_urls_do_what_they_say(self):
        self.check_presigned(None)

    def check_presigned(self, settings):
        presign = lambda *args: self.pail("presign", *args, settings=settings).decode().split()[0]
        self.client.upload_blob("k", b"text")
        get = presign(self.url("k"))
        self.assertEqual(self.fetch(get), b"text")
        with self.assertRaises(urllib.error.HTTPError):  # it does not write
            self.fetch(get, method="PUT", data=b"x", headers={"x-ms-blob-type": "BlockBlob"})
        put = presign("--method", "PUT", self.url("new"))
        self.fetch(put, method="PUT", data=b"by URL", headers={"x-ms-blob-type": "BlockBlob"})
        self.assertEqual(self.download("new"), b"by URL")
        with self.assertRaises(urllib.error.HTTPError):  # nor does this one read
            self.fetch(put)
        tampered = put.replace("/new?", "/other?")
        with self.assertRaises(urllib.error.HTTPError):
            self.fetch(tampered, method="PUT", data=b"x", headers={"x-ms-blob-type": "BlockBlob"})
        return get

    def test_a_sas_of_theirs_is_a_credential(self):
        from datetime import datetime, timedelta, timezone
        blob = servers.blob
        sas = blob.generate_account_sas(
            self.server.account, self.server.key, blob.ResourceTypes(container=True, object=True),
            blob.AccountSasPermissions(read=True, write=True, list=True, create=True),
            datetime.now(timezone.utc) + timedelta(hours=1), sts_hook=None)
        settings = {"AZURE_STORAGE_ACCOUNT_NAME": self.server.account,
                    "AZURE_STORAGE_ENDPOINT": self.server.endpoint,
                    "AZURE_STORAGE_SAS_TOKEN": "?" + sas}
        self.pail("cp", "-", self.url("k"), data=b"by SAS", settings=settings)
        self.assertEqual(self.download("k"), b"by SAS")
        code, _, err = servers.run(self.server, settings, "rm", self.url("k"))
        self.assertNotEqual(code, 0)  # the token does not permit deleting
        self.assertIn(b"sas", err.lower())
        self.assertNotIn(sas.split("sig=")[1].encode(), err)

    def check_many(self, settings):
        for name in ("m/1", "m/a b+c", "m/\u00fc"):
            self.client.upload_blob(name, b"x")
        code, _, err = servers.run(self.server, dict(settings, PAIL_LOG="debug"), "rm", "-r",
                                   self.url("m/"))
        self.assertEqual(code, 0, err.decode())
        self.assertEqual(err.count(b"delete_many "), 1)
        self.assertNotIn(b": delete ", err)  # none alone
        self.assertEqual(list(self.client.list_blobs()), [])

    def test_many_deletes_are_one_request(self):
        self.check_many(self.server.settings())

    def test_tiers_are_storage_classes_and_the_archive_is_told(self):
        self.pail("cp", "--storage-class", "Cool", "-", self.url("k"), data=b"cool")
        self.assertEqual(self.client.get_blob_client("k").get_blob_properties().blob_tier, "Cool")
        self.client.upload_blob("old", b"x", standard_blob_tier=servers.blob.StandardBlobTier.ARCHIVE)
        self.assertIn("Archive", self.pail("stat", self.url("old")).decode())
        code, out, err = servers.run(self.server, self.server.settings(), "cat", self.url("old"))
        self.assertNotEqual((code, out), (0, b"x"))
        self.assertIn(b"archive", err)
        self.assertIn(b"set-tier", err)

    def test_snapshots_are_versions(self):
        blob = self.client.upload_blob("k", b"first")
        version = "snapshot:" + blob.create_snapshot()["snapshot"]
        blob.upload_blob(b"second", overwrite=True)
        self.assertEqual(self.pail("cat", "--version-id", version, self.url("k")), b"first")
        self.assertEqual(self.pail("cat", self.url("k")), b"second")
        self.assertIn(version, self.pail("ls", "--versions", self.url()).decode())
        self.pail("cp", "--version-id", version, self.url("k"), self.url("restored"))
        self.assertEqual(self.download("restored"), b"first")
        presigned = self.pail("presign", "--version-id", version, self.url("k")).decode().split()[0]
        self.assertEqual(self.fetch(presigned), b"first")
        self.pail("rm", "--version-id", version, self.url("k"))
        code, _, err = servers.run(self.server, self.server.settings(), "cat", "--version-id", version, self.url("k"))
        self.assertNotEqual(code, 0)
        self.assertIn(b"no such version", err)

    def test_a_blob_with_snapshots_goes_only_when_they_may(self):
        blob = self.client.upload_blob("d/k", b"first")
        self.client.upload_blob("d/plain", b"x")
        blob.create_snapshot()
        for words in (("rm", self.url("d/k")), ("rm", "-r", self.url("d/"))):
            code, _, err = servers.run(self.server, self.server.settings(), *words)
            self.assertNotEqual(code, 0)
            self.assertIn(b"azure_delete_snapshots", err)
        self.assertEqual(len(list(self.client.list_blobs(include=["snapshots"]))), 2)
        self.pail("rm", "-r", "--set", "azure_delete_snapshots=true", self.url("d/"))
        self.assertEqual(list(self.client.list_blobs(include=["snapshots"])), [])

    def test_connection_string_and_wrong_key(self):
        text = (f"AccountName={self.server.account};AccountKey={self.server.key};"
                f"BlobEndpoint={self.server.endpoint};")
        settings = {"AZURE_STORAGE_CONNECTION_STRING": text}
        self.pail("cp", "-", self.url("k"), data=b"x", settings=settings)
        self.assertEqual(self.pail("ls", self.url(), settings=settings).split()[-1], b"k")
        wrong = dict(self.server.settings(), AZURE_STORAGE_ACCOUNT_KEY="AAAA")
        code, _, err = servers.run(self.server, wrong, "ls", self.url())
        self.assertNotEqual(code, 0)
        self.assertIn(b"azure_storage_account_key", err)


class AzuriteTest(Both, unittest.TestCase):
    name = "azurite"

    def forgetful(self, forgets):
        """Settings by a server that loses answers, and what it was asked."""
        where = urllib.parse.urlsplit(self.server.endpoint)
        proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
        proxy.behind, proxy.forgets, proxy.seen = where.netloc, forgets, []
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        endpoint = f"http://127.0.0.1:{proxy.server_address[1]}{where.path}"
        return dict(self.server.settings(), AZURE_STORAGE_ENDPOINT=endpoint), proxy.seen

    def test_writes_whose_answers_are_lost_are_not_reported_failed(self):
        data = noise(3 * MIB + 7)
        lost = lambda what: what.startswith("PUT ") and "comp=block&" not in what
        settings, seen = self.forgetful(lost)
        self.pail("cp", "-n", "--part-size", "1M", "-", self.url("blocks"), data=data, settings=settings)
        self.assertEqual(self.download("blocks"), data)
        self.assertEqual(sum("comp=blocklist&" in what for what in seen), 1)  # what is there was looked at
        self.pail("cp", "-n", "-", self.url("whole"), data=b"whole", settings=settings)
        self.assertEqual(self.download("whole"), b"whole")
        self.pail("cp", "--content-type", "text/x", self.url("whole"), self.url("copied"), settings=settings)
        self.assertEqual(self.download("copied"), b"whole")
        self.assertEqual(self.client.get_blob_client("copied").get_blob_properties().content_settings.content_type,
                         "text/x")
        self.assertEqual(sum("/copied?comp=properties" in what for what in seen), 3)


class AzuriteTlsTest(Both, unittest.TestCase):
    name = "azurite_tls"

    def test_bearer_token(self):
        settings = self.server.bearer()
        self.pail("cp", "-", self.url("k"), data=b"by token", settings=settings)
        self.assertEqual(self.download("k"), b"by token")
        settings["AZURE_STORAGE_TOKEN"] = "no token"
        code, _, err = servers.run(self.server, settings, "ls", self.url())
        self.assertNotEqual(code, 0)
        self.assertIn(b"azure_storage_token", err)

    def test_many_deletes_by_token(self):
        self.check_many(self.server.bearer())

    def test_presigned_by_a_user_delegation_key(self):
        settings = self.server.bearer()
        self.assertIn("skoid=", self.check_presigned(settings))
        settings["AZURE_STORAGE_TOKEN"] = "no token"
        code, out, err = servers.run(self.server, settings, "presign", self.url("k"))
        self.assertNotEqual(code, 0)
        self.assertEqual(out, b"")
        self.assertIn(b"no user delegation key", err)


if __name__ == "__main__":
    unittest.main()
