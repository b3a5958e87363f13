"""tools/count must lose no result: a crash is a failure, a program that skips itself a skip."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

COUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/count")


class Count(unittest.TestCase):
    def count(self, *runs, tap=None):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/log.json" if tap is None else f"{folder}/log.tap"
            with open(path, "w", encoding="utf-8") as file:
                file.write("".join(json.dumps(run) + "\n" for run in runs) if tap is None else tap)
            run = subprocess.run([sys.executable, COUNT, path], text=True, capture_output=True)
        self.assertEqual(run.stderr, "")
        return run.returncode, run.stdout.splitlines()

    def run_of(self, result, stdout="", code=0):
        return {"name": "t", "result": result, "stdout": stdout, "returncode": code}

    def test_lines_of_a_tap_program_count_one_by_one(self):
        code, out = self.count(self.run_of("OK", "ok 1 - a\nok 2 - b # SKIP no server\n1..2\n"))
        self.assertEqual((code, out[-1]), (0, "1 passed, 0 failed, 1 skipped"))
        self.assertIn("  skipped t: b: no server", out)

    def test_skips_for_one_reason_are_one_line_and_all_counted(self):
        code, out = self.count(self.run_of("OK", "ok 1 - a # SKIP cold\nok 2 - b # SKIP cold\n"))
        self.assertEqual((code, out), (0, ["  skipped t: 2 tests: cold",
                                           "0 passed, 0 failed, 2 skipped"]))

    def test_a_program_without_lines_counts_once(self):
        self.assertEqual(self.count(self.run_of("OK"))[1], ["1 passed, 0 failed, 0 skipped"])

    def test_a_failed_line_counts_once_although_the_program_failed_too(self):
        code, out = self.count(self.run_of("ERROR", "ok 1 - a\nnot ok 2 - b\n1..2\n", 1))
        self.assertEqual((code, out[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_crash_after_good_lines_is_a_failure(self):
        code, out = self.count(self.run_of("ERROR", "ok 1 - a\n", -11))
        self.assertEqual((code, out[-1]), (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_time_limit_is_a_failure(self):
        self.assertEqual(self.count(self.run_of("TIMEOUT", "", -9))[0], 1)

    def test_a_program_that_skips_itself_is_one_skip(self):
        for run in (self.run_of("SKIP", "1..0 # SKIP no server\n"), self.run_of("SKIP", "", 77),
                    self.run_of("ERROR", "", 77)):
            code, out = self.count(run)
            self.assertEqual((code, out[-1]), (0, "0 passed, 0 failed, 1 skipped"))

    def test_a_tap_file_without_lines_is_a_failure(self):
        self.assertEqual(self.count(tap="\n")[0], 1)


if __name__ == "__main__":
    unittest.main()
