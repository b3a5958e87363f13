"""`pip install .`: a wheel of the module alone, which works in a fresh virtual environment."""
import glob
import os
import subprocess
import sys
import unittest
import zipfile

import stores

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAM = """
import pail
bucket = pail.open('memory:my-bucket')
bucket.create()
bucket.put('a', b'1')
print(bucket.get('a').decode(), pail.__version__, 'site-packages' in pail.__file__)
"""


def python_with_mesonpy():
    """Whose packages can build a wheel without fetching anything."""
    found = os.path.join(os.path.dirname(stores.add_clients()), "..", "..", "bin", "python")
    for python in (sys.executable, found):
        if os.path.exists(python) and subprocess.run([python, "-c", "import mesonpy"],
                                                     capture_output=True).returncode == 0:
            return python
    return None


class Install(unittest.TestCase):
    def test_wheel__holds_the_module_and_works_elsewhere(self):
        python = python_with_mesonpy()
        if not python:
            self.skipTest("the package meson-python is not installed")
        folder = stores.folder(self)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        path = os.path.dirname(python) + os.pathsep + environment["PATH"]
        subprocess.run([python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
                        "--disable-pip-version-check", "-w", folder, ROOT], check=True,
                       env={**environment, "PATH": path}, stdout=sys.stderr)
        wheel, = glob.glob(os.path.join(folder, "libpail-*.whl"))
        with zipfile.ZipFile(wheel) as file:
            names = file.namelist()
            entries = file.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
        self.assertEqual({n.split("/")[0].split("-")[0] for n in names}, {"pail", "libpail"})
        for name in ("pail/py.typed", "pail/_pail.pyi", "pail/compat/cloudbridge.py"):
            self.assertIn(name, names)
        self.assertIn("pail-s3 = pail.fsspec:S3", entries)
        venv = os.path.join(folder, "venv")
        subprocess.run([python, "-m", "venv", venv], check=True)
        mine = os.path.join(venv, "bin", "python")
        subprocess.run([mine, "-m", "pip", "install", "-q", "--no-index", "--no-deps",
                        "--disable-pip-version-check", wheel], check=True, stdout=sys.stderr)
        run = subprocess.run([mine, "-c", PROGRAM], cwd=folder, env=environment, text=True,
                             capture_output=True)
        self.assertEqual((run.stdout, run.stderr), ("1 0.1.0 True\n", ""))


if __name__ == "__main__":
    unittest.main()
