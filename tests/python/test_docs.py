"""The programs of docs/python.md, run in order as one."""
import os
import re
import subprocess
import sys
import unittest

import stores

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "python.md")


class Docs(unittest.TestCase):
    def test_docs__programs_run(self):
        stores.provider(self, "local")
        folder = stores.folder(self)
        with open(os.path.join(folder, "myfile.txt"), "wb") as file:
            file.write(b"content")
        with open(PAGE, encoding="utf-8") as file:
            blocks = re.findall(r"```python\n(.*?)```", file.read(), re.S)
        self.assertGreaterEqual(len(blocks), 4)
        environment = {**os.environ, "PAIL_HOME": os.path.join(folder, "store")}
        environment["PYTHONPATH"] = os.path.abspath(os.environ.get("PYTHONPATH", ""))
        run = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=folder, text=True,
                             env=environment, capture_output=True, timeout=60)
        self.assertEqual(run.stderr, "")
        self.assertEqual(run.stdout, "exists my-bucket greeting.txt 0 \n"
                         "provider.storage.buckets.get ('my-bucket',)\n")
        with open(os.path.join(folder, "downloaded.txt"), "rb") as file:
            self.assertEqual(file.read(), b"content")


if __name__ == "__main__":
    unittest.main()
