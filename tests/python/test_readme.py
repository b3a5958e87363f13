"""The program that the README shows, run as it stands on a LOCAL store."""
import os
import subprocess
import sys
import unittest

import page
import stores

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "readme_example.py")


class Readme(unittest.TestCase):
    def test_readme__example_stores_finds_and_downloads(self):
        stores.provider(self, "local")
        folder = stores.folder(self)
        paths = {name: os.path.join(folder, name) for name in ("upload_path", "download_path")}
        with open(paths["upload_path"], "wb") as file:
            file.write(b"content")
        with open(EXAMPLE, encoding="utf-8") as file:
            program = file.read()
        for name, path in paths.items():
            program = program.replace(page.TEXTS[name], path)
        environment = {**os.environ, "PAIL_HOME": os.path.join(folder, "store")}
        run = subprocess.run([sys.executable, "-c", program], env=environment, text=True,
                             capture_output=True, timeout=60)
        self.assertEqual(run.stderr, "")
        self.assertRegex(run.stdout, r"^Size: 7, Modified: \d{4}-")
        with open(paths["download_path"], "rb") as file:
            self.assertEqual(file.read(), b"content")


if __name__ == "__main__":
    unittest.main()
