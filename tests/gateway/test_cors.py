"""What browsers ask before a page of another origin may read an answer."""
import unittest

import gateway
from gateway import Request

PAGE, SHOP = "https://page.example", "https://a.shop.example"


class Cors(gateway.GatewayTest):
    ARGS = ("--cors", PAGE, "--cors", "https://*.shop.example")

    def preflight(self, origin=PAGE, method="PUT", headers=None, path="/bucket/key"):
        asked = {"Origin": origin, "Access-Control-Request-Method": method,
                 "Access-Control-Request-Headers": headers}
        return Request(self.server, "OPTIONS", path,
                       headers={k: v for k, v in asked.items() if v is not None}).send()

    def test_a_preflight(self):
        for origin in (PAGE, SHOP):
            answer = self.preflight(origin, headers="content-type, x-amz-date, authorization")
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], origin)
            self.assertEqual(answer.headers["Access-Control-Allow-Methods"], "GET, PUT, POST, DELETE, HEAD")
            self.assertEqual(answer.headers["Access-Control-Allow-Headers"],
                             "content-type, x-amz-date, authorization")
            self.assertEqual(answer.headers["Access-Control-Max-Age"], "3000")
            self.assertIn("Origin", answer.headers["Vary"])
        for origin, method in (("https://other.example", "PUT"), (PAGE + ".evil.example", "GET"), ("null", "GET"),
                               ("https://shop.example", "GET"), (PAGE, "PATCH"), (PAGE.upper(), "GET")):
            answer = self.preflight(origin, method)
            self.assertEqual((answer.status, answer.code), (403, "AccessForbidden"), origin)
            self.assertNotIn("Access-Control-Allow-Methods", answer.headers)
        for origin, method in ((None, "PUT"), (PAGE, None)):
            answer = self.preflight(origin, method)
            self.assertEqual((answer.status, answer.code), (400, "BadRequest"))

    def test_answers_and_errors_may_be_read_and_no_right_comes_of_it(self):
        put = self.ask("PUT", "/bucket/read", body=b"by a page", headers={"Origin": PAGE})
        got = Request(self.server, "GET", "/bucket/read", headers={"Origin": PAGE, "Range": "bytes=3-3"})
        none = Request(self.server, "GET", "/bucket/none", headers={"Origin": PAGE})
        refused = Request(self.server, "GET", "/bucket/read", headers={"Origin": PAGE}).send()
        answers = [(200, put), (206, got.by_header().send()), (404, none.by_header().send()), (403, refused)]
        for status, answer in answers:
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers.get_all("Access-Control-Allow-Origin"), [PAGE])
            self.assertEqual(answer.headers["Access-Control-Allow-Credentials"], "true")
            self.assertIn("ETag", answer.headers["Access-Control-Expose-Headers"])
        for headers, path in (({"Origin": "https://other.example"}, "/bucket/read"), ({}, "/bucket/read"),
                              ({"Origin": PAGE}, "/-/metrics")):
            answer = Request(self.server, "GET", path, headers=headers).by_header().send()
            self.assertEqual(answer.status, 200)
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)


class Anybody(gateway.GatewayTest):
    ARGS = ("--cors", "*")

    def test_any_origin(self):
        answer = self.ask("GET", "/bucket", headers={"Origin": "null"})
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
        self.assertNotIn("Access-Control-Allow-Credentials", answer.headers)


class Nobody(gateway.GatewayTest):
    def test_nothing_is_said(self):
        headers = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        preflight = Request(self.server, "OPTIONS", "/bucket/key", headers=headers).send()
        self.assertEqual((preflight.status, preflight.code), (403, "AccessForbidden"))
        for answer in (preflight, self.ask("GET", "/bucket", headers={"Origin": PAGE})):
            self.assertFalse([name for name in answer.headers if name.lower().startswith("access-control")])


if __name__ == "__main__":
    unittest.main()
