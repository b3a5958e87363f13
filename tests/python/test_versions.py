"""A wheel that needs nothing of the system, for each CPython from 3.10 to 3.13 that is here."""
import glob
import os
import subprocess
import sys
import unittest
import zipfile

import stores

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
TESTS = ("basic", "native", "aio", "contract", "provider", "events")
# What every Linux has (PEP 600, by the policies of auditwheel); a whole wheel brings the rest.
OF_THE_SYSTEM = ("libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libresolv.so",
                 "libz.so", "libexpat.so", "ld-linux", "linux-vdso")


class Versions(unittest.TestCase):
    def setUp(self):
        if not os.environ.get("PAIL_TEST_PYTHONS"):
            self.skipTest("PAIL_TEST_PYTHONS is not set: it takes a minute for each version")
        self.folder = stores.folder(self)
        self.environment = {name: value for name, value in os.environ.items()
                            if name not in ("PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD")}

    def run_in(self, venv, *words, **how):
        environment = {**self.environment, **how.pop("env", {}),
                       "PATH": os.path.join(venv, "bin") + os.pathsep + os.environ["PATH"]}
        run = subprocess.run([os.path.join(venv, "bin", words[0]), *words[1:]], cwd=self.folder,
                             text=True, capture_output=True, env=environment, **how)
        self.assertEqual(run.returncode, 0, f"{words}:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
        return run.stdout

    def wheel(self, builder, version):
        """Built, then made self-contained."""
        quiet = ("-q", "--disable-pip-version-check", "--no-deps")
        self.run_in(builder, "python", "-m", "pip", "wheel", *quiet, "--no-build-isolation",
                    "-w", "plain", ROOT)
        name, = glob.glob(os.path.join(self.folder, "plain", "*.whl"))
        self.run_in(builder, "auditwheel", "repair", "-w", "whole", name)
        os.remove(name)
        name, = glob.glob(os.path.join(self.folder, "whole", f"*cp{version.replace('.', '')}*.whl"))
        self.assertIn("manylinux", os.path.basename(name))
        return name

    def needs(self, wheel, venv):
        """The libraries that the loader takes from outside the wheel."""
        with zipfile.ZipFile(wheel) as file:
            extension, = [n for n in file.namelist() if n.startswith("pail/_pail.cp")]
            self.assertTrue(any("libcurl" in n for n in file.namelist()))
        place = glob.glob(os.path.join(venv, "lib", "python3*", "site-packages"))[0]
        out = subprocess.run(["ldd", os.path.join(place, extension)], text=True,
                             capture_output=True, env=self.environment, check=True).stdout
        found = [line.split()[0] if "=>" not in line else line.split("=>")[1].split()[0]
                 for line in out.splitlines()]
        return [name for name in found if os.path.realpath(place) not in os.path.realpath(name)
                and not os.path.basename(name).startswith(OF_THE_SYSTEM)]

    def test_wheel__of_each_version_is_whole_and_works(self):
        cache = os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers"))
        tried = 0
        for version in VERSIONS:
            builder = os.path.join(cache, "venv-python" + version)
            if not os.path.exists(os.path.join(builder, ".stamp")):
                continue
            tried += 1
            with self.subTest(version=version):
                wheel = self.wheel(builder, version)
                venv = os.path.join(self.folder, "venv" + version)
                subprocess.run([os.path.join(builder, "bin", "python"), "-m", "venv", venv],
                               check=True, stdout=sys.stderr)
                self.run_in(venv, "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps",
                            "--disable-pip-version-check", wheel)
                self.assertEqual(self.needs(wheel, venv), [])
                for name in TESTS:
                    out = self.run_in(venv, "python", os.path.join(HERE, "..", "tap.py"),
                                      os.path.join(HERE, f"test_{name}.py"), timeout=300)
                    self.assertNotIn("\nnot ok", out)
        if not tried:
            self.skipTest("no CPython with meson-python (tests/servers/servers.sh install pythons)")


if __name__ == "__main__":
    unittest.main()
