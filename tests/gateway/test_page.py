"""The files of /-/ui, as any client gets them; test_browser.py is the person with a browser."""
import gzip
import re
import unittest

import gateway

FILES = {"/-/ui": "text/html", "/-/ui/": "text/html", "/-/ui/ui.css": "text/css",
         "/-/ui/icon.svg": "image/svg+xml"}
for name in ("ui", "dom", "dialogs", "s3", "sign", "upload"):
    FILES[f"/-/ui/{name}.js"] = "text/javascript"
LIGHT = 60 << 10


class Page(gateway.GatewayTest):
    URL = "memory:"

    def get(self, path, method="GET", **headers):
        return gateway.Request(self.server, method, path, headers=headers).send()

    def content(self, path):
        answer = self.get(path)
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        return gzip.decompress(answer.body)

    def test_each_file_is_there_without_a_key(self):
        for path, kind in FILES.items():
            answer = self.get(path)
            self.assertEqual((answer.status, answer.headers["content-type"].split(";")[0]),
                             (200, kind), path)
            self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
            self.assertNotEqual(answer.headers["connection"], "close")

    def test_what_the_files_name_is_there_and_nothing_else(self):
        named = set()
        for path in FILES:
            text = self.content(path).decode()
            named |= set(re.findall(r'(?:src|href)="(/[^"]*)"', text))
            named |= {"/-/ui/" + file for file in re.findall(r'from "\./([^"]*)"', text)}
            self.assertEqual(re.findall(r"\bhttps?://(?!www\.w3\.org/)[^`\"' ]+", text), [], path)
            if path.endswith("ui"):
                self.assertNotIn("<style", text)
                self.assertEqual(re.findall(r"<[^>]*\s(?:style|on\w+)=", text), [])
        self.assertEqual(named, set(FILES) - {"/-/ui", "/-/ui/"})

    def test_it_is_light(self):
        self.assertLess(sum(len(self.content(path)) for path in FILES if path != "/-/ui/"), LIGHT)

    def test_its_policy_is_strict(self):
        for path in FILES:
            headers = self.get(path).headers
            policy = dict(part.split(None, 1) for part in headers["content-security-policy"].split("; "))
            self.assertEqual((policy["default-src"], policy["script-src"], policy["connect-src"]),
                             ("'none'", "'self'", "'self'"))
            self.assertNotIn("unsafe", str(policy))
            self.assertEqual(policy["frame-ancestors"], "'none'")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertEqual(headers["cross-origin-opener-policy"], "same-origin")

    def test_a_browser_keeps_what_is_the_same(self):
        first = self.get("/-/ui/ui.js")
        self.assertEqual(first.headers["cache-control"], "no-cache")
        again = self.get("/-/ui/ui.js", **{"If-None-Match": first.headers["etag"]})
        self.assertEqual((again.status, again.body), (304, b""))
        self.assertEqual(self.get("/-/ui/ui.js", **{"If-None-Match": '"other"'}).body, first.body)

    def test_it_is_only_read(self):
        head = self.get("/-/ui", "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(int(head.headers["content-length"]), len(self.get("/-/ui").body))
        for method in ("POST", "PUT", "DELETE"):
            self.assertEqual(self.get("/-/ui", method).status, 405)
        self.assertEqual(self.get("/-/ui/other.js").status, 403)
        self.assertEqual(self.get("/-/ui?x=1").status, 200)

    def test_a_key_opens_no_way_into_it(self):
        for path in ("/bucket/..%2F..%2F-%2Fui", "/bucket/-/ui"):
            self.assertEqual(self.ask("PUT", path, body=b"<script>").status, 200)
        self.assertIn(b"<!doctype html>", self.content("/-/ui"))
        self.assertEqual(self.ask("PUT", "/-/ui/ui.js", body=b"alert(1)").status, 405)
        self.assertEqual(self.ask("PUT", "/-/ui/new.js", body=b"alert(1)").status, 400)


if __name__ == "__main__":
    unittest.main()
