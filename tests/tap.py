"""Run unittest files and print TAP: tap.py FILE.py...

What a test prints goes to stderr, so that stdout holds TAP alone.
"""
import importlib.util
import os
import sys
import unittest


class TapResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.count = 0

    def line(self, ok, test, note=""):
        self.count += 1
        name = test.id().replace("#", "_")
        self.out.write(f"{'ok' if ok else 'not ok'} {self.count} - {name}{note}\n")
        self.out.flush()

    def trouble(self, test, err):
        self.line(False, test)
        for text in self._exc_info_to_string(err, test).splitlines():
            self.out.write(f"# {text}\n")
        self.out.flush()

    def addSuccess(self, test):
        self.line(True, test)

    def addSkip(self, test, reason):
        self.line(True, test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        self.line(True, test)

    def addUnexpectedSuccess(self, test):
        self.failures.append((test, "passes although a failure was expected"))
        self.line(False, test)

    def addError(self, test, err):
        super().addError(test, err)
        self.trouble(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.trouble(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.trouble(subtest, err)


def load(path):
    name = os.path.splitext(os.path.basename(path))[0]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def main(paths):
    suite = unittest.TestSuite(load(path) for path in paths)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    result = TapResult(out)
    suite.run(result)
    out.write(f"1..{result.count}\n")
    out.close()
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
