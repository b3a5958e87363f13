"""The web page in a real browser: what a person does with it, and what an object's name may not."""
import hashlib
import os
import select
import socket
import struct
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request
import zlib

import browser
import gateway
from browser import ENTER, ESCAPE, SHIFT, SPACE, TAB

MIB = 1 << 20
EVIL = "<img src=x onerror=window.bad=1>"
ELSEWHERE = "pail.test"  # plain HTTP to it is no secure context
PICTURES = os.environ.get("PAIL_PICTURES") or tempfile.mkdtemp(prefix="pail-pictures-")


def png(width, height):
    """A bitmap with a colour that changes."""
    rows = b"".join(b"\0" + bytes(v for x in range(width)
                                  for v in (x * 255 // width, y * 255 // height, 140))
                    for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


class Dam:
    """A way to the server that lets so many bytes through, and then holds them up: what came until
    `released` is set stays held."""

    def __init__(self, host, limit, cuts=False):
        self.cuts = cuts  # instead: ends the connection that came to the limit, that one alone
        name, port = host.split(":")
        self.target, self.left, self.lock = (name, int(port)), limit, threading.Lock()
        self.full, self.released, self.sockets = False, False, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        try:
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                self.sockets += [client, server]
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()
        except OSError:
            pass  # closed

    def carry(self, source, sink, counts):
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.left -= len(data) if counts else 0
                    held = counts and self.left < 0 and not self.released
                    self.full = self.full or held
                    self.released = self.released or (held and self.cuts)
                if not held:
                    sink.sendall(data)
                elif self.cuts or self.wait_for_end(source):
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def wait_for_end(source):
        """Reads nothing, until the other side has gone."""
        poll = select.poll()
        poll.register(source, select.POLLRDHUP)
        return poll.poll()

    def close(self):
        self.listener.close()
        for one in self.sockets:
            one.close()


class Case(gateway.GatewayTest):
    """A server, and a browser that is signed in anew for each test."""
    FLAGS = ("--window-size=1200,850", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1")
    number = 0

    @classmethod
    def setUpClass(cls):
        if browser.find() is None:
            raise unittest.SkipTest("chromium is not installed (tools/deps all)")
        super().setUpClass()
        os.makedirs(PICTURES, exist_ok=True)
        cls.browser = browser.Browser(*cls.FLAGS)
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        Case.number += 1
        self.bucket = f"test-{Case.number}"
        self.assertEqual(self.ask("PUT", "/" + self.bucket).status, 200)
        self.browser.do("POST", "/goog/cdp/execute", {
            "cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})
        self.browser.open("about:blank")
        self.browser.console()

    def tearDown(self):
        """Nothing but refused requests, which some tests make, may stand in the console."""
        said = [entry for entry in self.browser.console()
                if entry["source"] != "network" and not self.expected(entry["message"])]
        self.assertEqual(said, [])
        self.assertIsNone(self.browser.run("return window.bad || null"))

    @staticmethod
    def expected(message):
        """What the browser itself says of an origin that is not secure."""
        return ELSEWHERE in message and "Opener-Policy header has been ignored" in message

    def store(self, key, data=b"data", bucket=None, **headers):
        path = f"/{bucket or self.bucket}/{urllib.parse.quote(key)}"
        answer = self.ask("PUT", path, body=data, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)

    def stored(self, key):
        answer = self.ask("GET", f"/{self.bucket}/{urllib.parse.quote(key)}")
        return answer.body if answer.status == 200 else None

    def keys_of(self, bucket=None):
        return self.ask("GET", "/" + (bucket or self.bucket)).texts("Key")

    def enter(self, key=gateway.KEY, secret=gateway.SECRET, place="", address=None):
        self.browser.open((address or self.server.address) + "/-/ui#/" + place)
        self.browser.run("location.reload()")  # where only the part behind # is another
        self.browser.wait("#key-id").type(key)
        self.browser.find("#key-secret").type(secret)
        self.press("Sign in")

    def open_bucket(self, place="", **login):
        self.enter(place=self.bucket + "/" + place, **login)
        self.browser.wait("button", "Upload")
        self.idle()

    def idle(self):
        self.browser.until(lambda: self.browser.run(
            "return !document.querySelector('#browser').hasAttribute('aria-busy')"), "it stays busy")

    def press(self, text):
        self.browser.wait("button", text).click()

    def says(self, text, css="#status"):
        self.browser.until(lambda: text in (self.text(css) or ""),
                           lambda: f"{css} does not say {text!r}: {self.text(css)!r}")

    def text(self, css):
        return self.browser.run("return document.querySelector(arguments[0])?.textContent", css)

    def names(self):
        return self.browser.run(
            "return Array.from(document.querySelectorAll('#rows .link'), (e) => e.textContent)")

    def gone(self, css, text=None):
        self.browser.until(lambda: not self.browser.find(css, text), f"{css} {text} stays")

    def picture(self, name):
        self.browser.picture(os.path.join(PICTURES, name + ".png"))

    def file(self, name, data):
        path = os.path.join(self.server.dir, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def choose(self, *paths):
        """As the dialog of the browser does, behind the button."""
        found = self.browser.run("const e = document.querySelector('#files'); e.hidden = false; return e")
        browser.Element(self.browser, found[browser.ELEMENT]).type("\n".join(paths))
        self.browser.run("document.querySelector('#files').hidden = true")

    def focused(self):
        return self.browser.run("const e = document.activeElement; "
                                "return e.getAttribute('aria-label') || e.textContent || e.id")


class SigningIn(Case):
    def test_a_wrong_key_or_secret_is_told(self):
        for key, secret, code in (("nobody", "secret", "InvalidAccessKeyId"),
                                  (gateway.KEY, "wrong", "SignatureDoesNotMatch")):
            self.enter(key, secret)
            self.says(code, "#login-error")
            self.assertIsNone(self.browser.find("#browser"))
        self.picture("wrong-secret")

    def test_the_secret_is_kept_nowhere_and_gone_after_signing_out(self):
        self.open_bucket()
        script = """return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie,
            location.href, document.documentElement.outerHTML, document.querySelector('#key-secret').value])"""
        self.assertNotIn(gateway.SECRET, self.browser.run(script))
        self.store("secret-name")
        self.press("Refresh")
        self.browser.wait("button", "secret-name")
        self.press("Sign out")
        self.browser.wait("#key-id")
        self.assertNotIn("secret-name", self.browser.run("return document.body.textContent"))
        self.assertEqual(self.text("#status"), "")

    def test_a_key_with_limits_sees_and_does_what_it_may(self):
        self.store("there", b"to be read")
        for name, secret in (("viewer", "viewer-secret"), ("site", "site-secret")):
            self.enter(name, secret)
            self.browser.wait("#rows a", "test-site")
            self.assertEqual(self.names() == ["test-site"], name == "site")
        self.browser.open(f"{self.server.address}/-/ui#/{self.bucket}/")
        self.says("AccessDenied", "#error")
        self.open_bucket(key="viewer", secret="viewer-secret")
        self.choose(self.file("not", b"not to be stored"))
        self.says("(AccessDenied)", "#upload-list .state")
        self.browser.find("input", "Choose there").click()
        self.press("Delete 1")
        self.browser.wait("dialog button", "Delete").click()
        self.says("AccessDenied", "#error")
        self.picture("no-right")
        self.assertEqual(self.keys_of(), ["there"])

    @classmethod
    def setUpClass(cls):
        keys = tempfile.NamedTemporaryFile("w", suffix=".keys", encoding="utf-8")
        cls.addClassCleanup(keys.close)
        keys.write("viewer viewer-secret read-only\nsite site-secret buckets=test-site\n")
        keys.flush()
        cls.ARGS = ("--credentials", keys.name)
        super().setUpClass()
        assert cls.ask("PUT", "/test-site").status == 200

    def test_plain_http_from_elsewhere_is_warned_of_and_works(self):
        address = self.server.address.replace("127.0.0.1", ELSEWHERE)
        data = os.urandom(17 * MIB)
        self.open_bucket(address=address)
        self.assertFalse(self.browser.run("return window.isSecureContext"))
        self.choose(self.file("plain", data))
        self.says("1 file uploaded")
        self.assertTrue(self.stored("plain") == data)
        self.press("Sign out")
        self.browser.wait("#insecure")
        self.picture("not-encrypted")


class Buckets(Case):
    def test_made_and_deleted(self):
        self.enter()
        self.press("New bucket")
        self.browser.wait("#ask-text").type("No_Bucket")
        self.press("Create")
        self.says("InvalidBucketName", "dialog .error")
        self.browser.find("#ask-text").clear()
        self.browser.find("#ask-text").type("made-here")
        self.picture("new-bucket")
        self.press("Create")
        self.browser.wait("a", "made-here")
        self.picture("buckets")
        self.press("Delete bucket made-here")
        self.press("Cancel")
        self.assertEqual(self.ask("HEAD", "/made-here").status, 200)
        self.press("Delete bucket made-here")
        self.browser.wait("dialog button", "Delete").click()
        self.gone("a", "made-here")
        self.assertEqual(self.ask("HEAD", "/made-here").status, 404)

    def test_one_that_is_not_empty_stays(self):
        self.store("in it")
        self.enter()
        self.press("Delete bucket " + self.bucket)
        self.browser.wait("dialog button", "Delete").click()
        self.says("(BucketNotEmpty)", "#error")
        self.assertEqual(self.keys_of(), ["in it"])


class Uploads(Case):
    def test_by_the_button(self):
        self.open_bucket("in/")
        self.choose(self.file("b\u00e4 +%.txt", b"one"), self.file("empty", b""))
        self.says("2 files uploaded")
        self.browser.wait("button", "empty")
        self.assertEqual((self.stored("in/b\u00e4 +%.txt"), self.stored("in/empty")), (b"one", b""))
        head = self.ask("HEAD", f"/{self.bucket}/in/" + urllib.parse.quote("b\u00e4 +%.txt"))
        self.assertEqual(head.headers["content-type"], "text/plain")

    def test_by_drop(self):
        self.open_bucket()
        self.browser.run("""const data = new DataTransfer();
            data.items.add(new File(["dropped"], "drop.txt", { type: "text/x-dropped" }));
            const send = (kind) => document.querySelector("#drop").dispatchEvent(
                new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
            window.drop = () => send("drop");
            send("dragover");""")
        self.assertTrue(self.browser.find(".dropping"))
        self.picture("drop")
        self.browser.run("window.drop()")
        self.browser.wait("button", "drop.txt")
        self.assertEqual(self.stored("drop.txt"), b"dropped")
        self.assertIsNone(self.browser.find(".dropping"))

    def test_what_is_there_is_replaced_only_when_asked(self):
        self.store("old", b"before")
        self.open_bucket()
        paths = self.file("old", b"after"), self.file("new", b"new")
        self.choose(*paths)
        self.press("Only the others")
        self.browser.wait("button", "new")
        self.assertEqual(self.stored("old"), b"before")
        self.choose(*paths)
        self.picture("replace")
        self.press("Replace")
        self.says("2 files uploaded")
        self.assertEqual(self.stored("old"), b"after")

    def test_a_large_file_goes_in_parts_and_tells_how_far_it_is(self):
        data = os.urandom(41 * MIB + 5)
        self.open_bucket()
        self.browser.run("""window.seen = [];
            new MutationObserver(() => document.querySelectorAll("progress").forEach(
                (bar) => window.seen.push(bar.value))).observe(document.querySelector("#uploads"),
                { subtree: true, attributes: true, childList: true });""")
        self.choose(self.file("large.bin", data))
        self.says("1 file uploaded")
        self.picture("uploaded")
        got = self.stored("large.bin")
        self.assertEqual((len(got), hashlib.sha256(got).digest()), (len(data), hashlib.sha256(data).digest()))
        between = {value for value in self.browser.run("return window.seen") if 0 < value < 1}
        self.assertGreater(len(between), 3)
        asked = [r for r in self.server.records() if r.get("bucket") == self.bucket]
        parts = [r["received"] for r in asked if r["operation"] == "UploadPart"]
        self.assertEqual(sorted(parts), sorted([8 * MIB] * 5 + [MIB + 5]))
        self.assertEqual(sum(r["operation"] == "CompleteMultipartUpload" for r in asked), 1)
        self.press("Clear")
        self.gone("#uploads")

    def test_a_connection_that_is_cut_costs_only_its_part(self):
        data = os.urandom(30 * MIB)
        dam = Dam(self.server.host, 12 * MIB, cuts=True)
        self.addCleanup(dam.close)
        self.open_bucket(address=dam.address)
        self.choose(self.file("cut.bin", data))
        self.says("1 file uploaded")
        self.assertTrue(dam.full)
        self.assertTrue(self.stored("cut.bin") == data)

    def test_one_that_is_cancelled_leaves_nothing(self):
        dam = Dam(self.server.host, 12 * MIB)
        self.addCleanup(dam.close)
        self.open_bucket(address=dam.address)
        self.choose(self.file("slow.bin", os.urandom(30 * MIB)))
        self.browser.until(lambda: dam.full, "nothing is sent")
        self.browser.until(lambda: self.browser.run(
            "const bar = document.querySelector('progress'); return bar && bar.value > 0"), "no progress")
        self.picture("uploading")
        dam.released = True
        self.press(f"Cancel the upload of {self.bucket}/slow.bin")
        self.says("cancelled", "#upload-list .state")
        self.assertIsNone(self.stored("slow.bin"))
        answer = self.ask("GET", "/" + self.bucket, query={"uploads": ""})
        self.assertEqual(answer.texts("UploadId"), [])


class Objects(Case):
    def open_object(self, name):
        self.browser.wait("#rows button", name).click()
        self.browser.wait("dialog .preview")
        self.browser.until(lambda: self.text("dialog .preview") != "Loading\u2026", "no preview")

    def test_prefixes_and_the_way_back(self):
        for key in ("top", "a/x", "a/b/y", "a//z", "a b+c/%2F"):
            self.store(key)
        self.open_bucket()
        self.assertEqual(self.names(), ["a b+c/", "a/", "top"])
        self.browser.find("a", "a/").click()
        self.browser.wait("a", "b/")
        self.assertEqual(self.names(), ["/", "b/", "x"])
        self.browser.find("a", "b/").click()
        self.browser.wait("button", "y")
        self.assertEqual(self.text("#title"), "b")
        self.browser.find("#crumbs a", self.bucket).click()
        self.browser.wait("button", "top")
        self.browser.do("POST", "/back", {})
        self.browser.wait("button", "y")
        self.browser.open(f"{self.server.address}/-/ui#/{self.bucket}/a%20b%2Bc/")
        self.browser.wait("button", "%2F")

    def test_pages_and_beginnings(self):
        for i in range(205):
            self.store(f"n{i:03}")
        self.open_bucket()
        self.assertEqual((len(self.names()), self.text("#page")), (200, "Page 1"))
        self.press("Next")
        self.browser.wait("button", "n204")
        self.assertEqual(self.names(), [f"n{i}" for i in range(200, 205)])
        self.press("Previous")
        self.browser.wait("button", "n000")
        self.browser.find("input[type=search]").type("n10" + ENTER)
        self.gone("button", "n000")
        self.idle()
        self.assertEqual(self.names(), [f"n10{i}" for i in range(10)])
        self.assertIsNone(self.browser.find("#pages"))

    def test_previews_show_and_never_run(self):
        script = b"<script>window.bad=1;parent.bad=1</script>"
        svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.bad=1">' + script + b"</svg>"
        for key, data, kind in (("picture.png", png(300, 200), "image/png"), ("page.html", script, "text/html"),
                                ("drawing.svg", svg, "image/svg+xml"), ("noise", b"\0\1\2", "text/plain"),
                                ("long.txt", "\u00e4".encode() * 40000, "text/plain"), ("empty", b"", "text/plain"),
                                ("lie.png", script, "image/png")):
            self.store(key, data, **{"content-type": kind})
        self.open_bucket()
        for name, text in (("page.html", script.decode()), ("drawing.svg", svg.decode()),
                           ("noise", "No preview"), ("empty", "This object is empty."),
                           ("lie.png", "This image cannot be shown.")):
            self.open_object(name)
            self.says(text, "dialog .preview")
            self.browser.keys(ESCAPE)
            self.gone("dialog")
        self.open_object("long.txt")
        self.assertEqual(len(self.text("dialog pre")), 32768)
        self.says("The first 64 KiB", "dialog .preview")
        self.browser.keys(ESCAPE)
        self.open_object("picture.png")
        self.browser.until(lambda: self.browser.run(
            "return document.querySelector('dialog img').naturalWidth") == 300, "no picture")
        self.picture("picture")
        self.assertEqual(self.browser.run("return document.querySelectorAll('iframe, object, embed').length"), 0)

    def link(self):
        self.press("Make link")
        return self.browser.until(lambda: self.browser.run(
            "return document.querySelector('dialog input[aria-label=Link]').value"), "no link")

    def test_a_link_works_without_a_key_until_it_expires(self):
        self.store("a b/r\u00e9port+%.txt", b"for everybody who has it")
        self.open_bucket("a%20b/")
        self.open_object("r\u00e9port+%.txt")
        url = self.link()
        self.picture("link")
        with urllib.request.urlopen(url, timeout=60) as answer:
            self.assertEqual(answer.read(), b"for everybody who has it")
            self.assertIsNone(answer.headers["content-disposition"])
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        self.assertEqual(query["X-Amz-Expires"], "3600")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(url.replace("Expires=3600", "Expires=7200"), timeout=60)
        self.assertEqual(raised.exception.code, 403)
        raised.exception.close()
        self.browser.find("dialog input[type=checkbox]").click()
        with urllib.request.urlopen(self.link(), timeout=60) as answer:
            self.assertIn("attachment", answer.headers["content-disposition"])
        self.press("Copy")
        self.says("Link copied", "dialog [role=status]")

    def test_a_download_is_the_object(self):
        data = os.urandom(3 * MIB)
        self.store("dir/to keep.bin", data)
        self.open_bucket("dir/")
        self.open_object("to keep.bin")
        self.press("Download")
        path = os.path.join(self.browser.downloads, "to keep.bin")
        self.browser.until(lambda: os.path.exists(path), "no file")
        with open(path, "rb") as file:
            self.assertTrue(file.read() == data)

    def test_deleting_asks_first(self):
        for key in ("one", "two", "three", "dir/a", "dir/b/c", "dir2"):
            self.store(key)
        self.open_bucket()
        self.open_object("one")
        self.press("Delete\u2026")
        self.press("Cancel")
        self.assertEqual(self.stored("one"), b"data")
        self.open_object("one")
        self.press("Delete\u2026")
        self.browser.wait("dialog button", "Delete").click()
        self.gone("#rows button", "one")
        for name in ("dir/", "two"):
            self.browser.find("input", "Choose " + name).click()
        self.press("Delete 2")
        self.says("Delete 1 object and all below 1 prefix?", "dialog h2")
        self.picture("delete")
        self.browser.wait("dialog button", "Delete").click()
        self.says("3 objects deleted")
        self.assertEqual(self.keys_of(), ["dir2", "three"])

    def test_names_that_xml_cannot_carry_are_deleted_too(self):
        for key in ("icons/Icon\r", "icons/\u0001", "icons/plain", "kept"):
            self.store(key)
        self.open_bucket()
        self.browser.wait("#rows button", "kept")
        self.browser.find("input", "Choose icons/").click()
        self.press("Delete 1")
        self.browser.wait("dialog button", "Delete").click()
        self.says("3 objects deleted")
        self.assertEqual(self.keys_of(), ["kept"])

    def test_names_are_text(self):
        self.store(EVIL, b"x", **{"x-amz-meta-" + "evil": EVIL})
        self.store(EVIL + "/" + EVIL)
        self.store("turned\u202etxt.exe")
        self.store("quote\"'&amp;\u0007")
        self.store("a/../up")
        self.open_bucket()
        self.assertEqual(self.names(), [EVIL + "/", "a/", EVIL, "quote\"'&amp;[U+0007]", "turned[U+202E]txt.exe"])
        self.picture("names")
        self.open_object(EVIL)
        self.says(EVIL, "dialog .facts")
        self.press("Delete\u2026")
        self.says(EVIL, "dialog li")
        self.press("Cancel")
        self.browser.find("a", EVIL + "/").click()
        self.browser.wait("button", EVIL)
        self.assertEqual(self.text("#title"), EVIL)
        self.assertEqual(self.browser.run("return document.querySelectorAll('#browser img').length"), 0)
        self.browser.open(f"{self.server.address}/-/ui#/{self.bucket}/a/../")
        self.browser.wait("button", "up").click()
        self.says("A browser cannot ask", "dialog .error")
        self.press("Delete\u2026")
        self.browser.wait("dialog button", "Delete").click()
        self.gone("button", "up")
        self.assertNotIn("a/../up", self.keys_of())


class ByKeyboard(Case):
    def tab_to(self, name, back=False):
        for _ in range(40):
            if self.focused() == name:
                return
            self.browser.keys((SHIFT, TAB) if back else TAB)
        self.fail(f"no way to {name}: at {self.focused()}")

    def test_everything_by_keys_alone(self):
        self.store("kept.txt", b"text of it")
        self.store("gone.txt")
        self.browser.open(self.server.address + "/-/ui")
        self.browser.until(lambda: self.focused() == "key-id", "the focus is elsewhere")
        self.browser.keys(*gateway.KEY, TAB, *gateway.SECRET, ENTER)
        self.browser.wait("a", self.bucket)
        self.browser.until(lambda: self.focused() == "Buckets", "the focus is elsewhere")
        self.tab_to("New bucket")
        self.browser.keys(ENTER)
        self.browser.wait("#ask-text")
        self.browser.keys(*"by-keys", ENTER)
        self.browser.wait("a", "by-keys")
        self.assertEqual(self.ask("HEAD", "/by-keys").status, 200)
        self.tab_to(self.bucket)
        outline = self.browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertEqual(outline, "solid")
        self.browser.keys(ENTER)
        self.browser.wait("button", "kept.txt")
        self.browser.until(lambda: self.focused() == self.bucket, "the focus is elsewhere")
        self.tab_to("kept.txt")
        self.browser.keys(ENTER)
        self.browser.wait("dialog pre")
        self.tab_to("Make link")
        self.browser.keys(ENTER)
        self.browser.wait("input", "Link")
        self.browser.keys(ESCAPE)
        self.gone("dialog")
        self.assertEqual(self.focused(), "kept.txt")
        self.tab_to("Choose gone.txt", back=True)
        self.browser.keys(SPACE)
        self.tab_to("Delete 1", back=True)
        self.browser.keys(ENTER)
        self.browser.wait("dialog")
        self.assertEqual(self.focused(), "Cancel")
        self.tab_to("Delete")
        self.browser.keys(ENTER)
        self.gone("button", "gone.txt")
        self.assertEqual(self.keys_of(), ["kept.txt"])
        self.browser.until(lambda: self.focused() == self.bucket, "the focus is lost")
        self.tab_to("Sign out", back=True)
        self.browser.keys(ENTER)
        self.browser.until(lambda: self.focused() == "key-id", "the focus is elsewhere")

    def test_each_control_has_a_name(self):
        self.store("some")
        self.store("dir/some")
        self.open_bucket()
        self.browser.wait("#rows button", "some").click()
        self.browser.wait("dialog pre")
        nameless = self.browser.run("""return Array.from(document.querySelectorAll(
            "a, button, input, select, progress, table, nav, dialog")).filter((e) => e.checkVisibility() &&
            !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim() ||
              (e.labels && e.labels.length))).map((e) => e.outerHTML)""")
        self.assertEqual(nameless, [])
        for css in ("#status", "dialog [role=status]"):
            self.assertTrue(self.browser.run("return !!document.querySelector(arguments[0])", css))


class Looks(Case):
    def emulate(self, command, **params):
        self.browser.do("POST", "/goog/cdp/execute", {"cmd": "Emulation." + command, "params": params})

    def colours(self, scheme):
        self.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def test_light_and_dark_wide_and_narrow(self):
        self.store("a very long name of a folder that has no end/x")
        for i in range(6):
            self.store(f"object {i} " + "without-a-blank-" * (i * 2), os.urandom(1000 ** (i % 3 + 1) // 10))
        self.addCleanup(self.colours, "light")
        backs = set()
        for scheme in ("light", "dark"):
            self.colours(scheme)
            for name, width, height in (("wide", 1200, 800), ("phone", 360, 720)):
                self.emulate("setDeviceMetricsOverride", width=width, height=height,
                             deviceScaleFactor=1, mobile=width < 500)
                self.open_bucket()
                self.picture(f"{scheme}-{name}")
                self.fits(width)
                self.browser.find("#rows button").click()
                self.browser.wait("dialog .facts dd")
                self.press("Make link")
                self.browser.wait("input", "Link")
                self.picture(f"{scheme}-{name}-object")
                self.fits(width)
            backs.add(self.browser.run("return getComputedStyle(document.body).backgroundColor"))
        self.assertEqual(len(backs), 2)

    def fits(self, width):
        self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), width)
        wide = "return document.querySelector('dialog')?.scrollWidth || 0"
        self.assertLessEqual(self.browser.run(wide), width)


class Policy(Case):
    def tearDown(self):
        self.said = self.browser.console()  # this test breaks it on purpose

    def test_nothing_else_runs(self):
        self.enter()
        self.browser.wait("button", "New bucket")
        refused = self.browser.run("""const refused = [];
            const attempt = (work) => { try { work(); } catch (e) { refused.push(e.name); } };
            attempt(() => { document.body.innerHTML = "<b>x</b>"; });
            attempt(() => { document.createElement("script").textContent = "window.bad = 1"; });
            attempt(() => { document.createElement("script").src = "data:,window.bad = 1"; });
            const image = document.createElement("img");
            image.setAttribute("src", "http://127.0.0.2:9/x");
            document.body.append(image);
            return refused""")
        self.assertEqual(refused, ["TypeError"] * 3)
        self.assertIsNone(self.browser.run("return window.bad || null"))
        reason = self.browser.run_async("""const done = arguments[0];
            fetch("http://127.0.0.2:9/").then(() => done("let through"), (e) => done(e.name))""")
        self.assertEqual(reason, "TypeError")
        self.browser.until(lambda: any("Content Security Policy" in e["message"] for e in self.browser.console()),
                           "nothing is said of the policy")


if __name__ == "__main__":
    unittest.main()
