"""The lines of docs/serve.md for a test suite, as they stand there, with another port."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import gateway

# What the page calls run-your-tests: a client that takes all from the environment.
TESTS = """#!/bin/sh
set -e
pail mb s3://from-ci
echo "tested against $AWS_ENDPOINT_URL" | pail cp - s3://from-ci/key
pail cat s3://from-ci/key
! AWS_SECRET_ACCESS_KEY=wrong pail cat s3://from-ci/key 2>/dev/null
"""


def blocks(kind):
    with open(os.path.join(gateway.ROOT, "docs", "serve.md"), encoding="utf-8") as file:
        section = file.read().split("## As the S3 server of a test suite")[1].split("\n## ")[0]
    return re.findall(rf"```{kind}\n(.*?)```", section, re.S)


def steps(text):
    """Each step's (environment, script) of a workflow that is written in this simple way."""
    for step in re.split(r"(?m)^- name: .*\n", text)[1:]:
        env = dict(re.findall(r"(?m)^    ([A-Z_]+): (.*)$", step))
        block = re.search(r"(?m)^  run: \|\n((?:    .*\n)+)", step)
        line = re.search(r"(?m)^  run: ([^|\n].*)$", step)
        yield env, block.group(1).replace("    ", "") if block else line.group(1)


@unittest.skipIf(shutil.which("curl") is None, "curl is not installed (tools/deps tests)")
class Lines(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pail-docs-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        os.symlink(os.path.abspath(gateway.BIN), os.path.join(self.dir, "pail"))
        path = os.path.join(self.dir, "run-your-tests")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TESTS)
        os.chmod(path, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(gateway.FOREIGN)}
        self.env.update(PATH=self.dir + ":" + os.environ["PATH"], HOME=self.dir)

    def run_lines(self, text, **env):
        """One shell, as CI has it; what it leaves behind is ended with its group when the test ends."""
        process = subprocess.Popen(["bash", "-e", "-c", text.replace("9000", self.port)], cwd=self.dir,
                                   env={**self.env, **{k: v.replace("9000", self.port) for k, v in env.items()}},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        self.addCleanup(self.end, process.pid)
        said = process.communicate(timeout=60)
        return process.returncode, *said

    def end(self, group):
        try:
            os.killpg(group, signal.SIGTERM)
        except ProcessLookupError:
            pass

    def good(self, status, out, err):
        self.assertEqual(status, 0, err)
        self.assertIn(f"tested against http://127.0.0.1:{self.port}", out)

    def test_the_ten_lines_of_shell(self):
        (text,) = blocks("sh")
        self.assertLessEqual(text.count("\n"), 10)
        self.good(*self.run_lines(text))
        with self.assertRaises(ConnectionRefusedError):  # the trap has ended it
            socket.create_connection(("127.0.0.1", int(self.port))).close()

    def test_they_end_where_the_port_is_taken(self):
        with socket.create_server(("127.0.0.1", int(self.port))):
            done = subprocess.Popen(["bash", "-c", blocks("sh")[0].replace("9000", self.port).replace(
                "curl -fs", "curl -m 1 -fs")], cwd=self.dir, env=self.env, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, start_new_session=True)
            self.addCleanup(self.end, done.pid)
            said = done.communicate(timeout=60)[1]
        self.assertEqual(done.returncode, 1)
        self.assertIn("another program has this port", said)

    def test_the_steps_of_a_workflow(self):
        (text,) = blocks("yaml")
        start, test = steps(text)
        status, _, err = self.run_lines(start[1], **start[0])
        self.assertEqual(status, 0, err)
        self.assertEqual(test[1], "run-your-tests")
        self.good(*self.run_lines(test[1], **test[0]))


if __name__ == "__main__":
    unittest.main()
