"""The vector runner itself: what it takes for which kind, and how it tells of failures."""
import json
import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
VECTORS = os.path.join(HERE, "..", "vectors")


def cases(name, count=2):
    with open(os.path.join(VECTORS, name + ".json"), encoding="utf-8") as f:
        data = json.load(f)
    data["cases"] = data["cases"][:count]
    return data


class RunnerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def write(self, name, data):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(data if isinstance(data, str) else json.dumps(data))
        return path

    def run_on(self, *args, env=None):
        done = subprocess.run([os.environ["PAIL_VECTOR_RUNNER"], *args], capture_output=True,
                              text=True, env={**os.environ, **(env or {})}, check=False)
        return done.returncode, done.stdout

    def last(self, out):
        return out.splitlines()[-1]

    def test_kind_by_beginning_of_the_file_name(self):
        path = self.write("s3_presign_url-more.json", cases("s3_presign_url"))
        self.assertEqual(self.run_on(path), (0, "2 passed, 0 failed, 0 skipped\n"))

    def test_kind_by_name_of_the_folder(self):
        self.write("checksums.more/deep/a.json", cases("checksums"))
        code, out = self.run_on(self.folder.name + "/")
        self.assertEqual((code, self.last(out)), (0, "2 passed, 0 failed, 0 skipped"))

    def test_kind_by_the_fields_of_input(self):
        for name in ("checksums", "s3_presign_url", "s3_client_requests", "sigv4_header_raw",
                     "sigv4_streaming_chunked", "aws_chunked_unsigned_trailer"):
            code, out = self.run_on(self.write("x.json", cases(name)))
            self.assertEqual((code, self.last(out)), (0, "2 passed, 0 failed, 0 skipped"), name)

    def test_unknown_kind_is_an_error(self):
        path = self.write("x.json", {"cases": [{"input": {"a": 1}, "expected": {}}]})
        code, out = self.run_on(path)
        self.assertEqual((code, self.last(out)), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("unknown kind", out)

    def test_garbage_and_missing_files_are_errors(self):
        self.assertEqual(self.run_on(self.write("checksums.json", "{"))[0], 1)
        self.assertEqual(self.run_on(self.write("checksums.json", '{"cases": []}'))[0], 1)
        self.assertEqual(self.run_on(os.path.join(self.folder.name, "no.json"))[0], 1)

    def test_every_changed_field_fails_with_expected_and_got(self):
        for name in ("checksums", "s3_presign_url", "s3_client_requests", "sigv4_header_raw"):
            whole = cases(name, 1)
            for field in whole["cases"][0]["expected"]:
                if field in ("sha512", "xxhash"):
                    continue
                data = json.loads(json.dumps(whole))
                text = json.dumps(data["cases"][0]["expected"][field])
                if text == "null":
                    continue
                at = max(i for i, c in enumerate(text) if c.isalnum())
                changed = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1:]
                data["cases"][0]["expected"][field] = json.loads(changed)
                code, out = self.run_on(self.write(name + ".json", data))
                self.assertEqual((code, self.last(out)), (1, "0 passed, 1 failed, 0 skipped"),
                                 f"{name} {field}")
                self.assertIn("expected: ", out)
                self.assertIn("got     : ", out)

    def test_kinds_that_are_no_client_s_are_skipped_with_the_reason(self):
        path = self.write("retry_tests.json", {"retryTests": [{"input": [], "expected": []}] * 3})
        code, out = self.run_on(path)
        self.assertEqual((code, self.last(out)), (0, "0 passed, 0 failed, 3 skipped"))
        self.assertIn("test bench", out)

    def test_tap_names_the_counts_and_skips_missing_suites_loudly(self):
        path = self.write("checksums.json", cases("checksums"))
        code, out = self.run_on("--tap", path, "--upstream", env={"PAIL_VECTORS": ""})
        self.assertEqual(code, 0)
        self.assertIn("ok 1 - checksums.json: 2 passed, 0 failed, 0 skipped\n", out)
        self.assertIn("ok 2 - upstream suites # SKIP PAIL_VECTORS", out)
        self.assertIn("\n1..2\n", out)


if __name__ == "__main__":
    unittest.main()
