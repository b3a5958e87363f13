"""What a build leaves: installed files, pkg-config, SONAME, sizes.

PAIL_BUILD names the build folder; PAIL_BUILD_S3ONLY, where set, one made with -Dlocal=false and no provider but S3.
"""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("PAIL_BUILD", os.path.join(ROOT, "build")))
S3ONLY = os.environ.get("PAIL_BUILD_S3ONLY")
MIB = 1 << 20
PROGRAM = """#include <pail.h>
#include <stdio.h>
int main(void)
{
    return puts(pail_version()) < 0;
}
"""


def output(*command, **env):
    run = subprocess.run(command, text=True, capture_output=True, env={**os.environ, **env})
    if run.returncode:
        raise AssertionError(f"{' '.join(command)}: {run.stdout}{run.stderr}")
    return run.stdout


def stripped_bytes(path, *options):
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copy(path, folder)
        output("strip", *options, copy)
        return os.path.getsize(copy)


class Build(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pail-build-")
        self.addCleanup(shutil.rmtree, self.folder)

    def compile_and_run(self, library, *flags):
        source, program = f"{self.folder}/main.c", f"{self.folder}/main"
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        output("gcc", "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags)
        return output(program, LD_LIBRARY_PATH=library).strip()

    def install(self):
        root = f"{self.folder}/root"
        output("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
        files = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
        return root, {os.path.basename(path): path for path in files}

    def test_build_tree_serves_pkg_config_without_installing(self):
        env = {"PKG_CONFIG_PATH": f"{BUILD}/meson-uninstalled"}
        flags = output("pkg-config", "--cflags", "--libs", "pail", **env).split()
        self.assertRegex(self.compile_and_run(BUILD, *flags), r"^\d+\.\d+\.\d+")

    def test_installed_files_serve_pkg_config(self):
        root, files = self.install()
        for name in ("pail.h", "pail.pc", "libpail.so.0", "libpail.a", "pail"):
            self.assertIn(name, files)
        env = {"PKG_CONFIG_PATH": os.path.dirname(files["pail.pc"]),
               "PKG_CONFIG_SYSROOT_DIR": root}
        flags = output("pkg-config", "--cflags", "--libs", "pail", **env).split()
        version = self.compile_and_run(os.path.dirname(files["libpail.so.0"]), *flags)
        self.assertEqual(version, output("pkg-config", "--modversion", "pail", **env).strip())
        output(files["pail"], "version")

    def test_shared_library_carries_its_soname(self):
        dynamic = output("readelf", "-d", f"{BUILD}/libpail.so")
        self.assertIn("[libpail.so.0]", dynamic)

    def test_library_and_command_are_at_most_2_mib(self):
        total = stripped_bytes(f"{BUILD}/libpail.so") + stripped_bytes(f"{BUILD}/pail")
        self.assertLessEqual(total, 2 * MIB)

    @unittest.skipUnless(S3ONLY, "PAIL_BUILD_S3ONLY is not set (./check --all sets it)")
    def test_s3_only_archive_is_small_and_needs_no_sqlite(self):
        archive = f"{S3ONLY}/libpail.a"
        undefined = output("nm", "-u", archive)
        for name in ("sqlite3_", "MHD_", "yaml_"):
            self.assertNotIn(name, undefined)
        self.assertNotIn("pl_swift_", output("nm", archive))
        self.assertLessEqual(stripped_bytes(archive, "-g"), 700 << 10)


if __name__ == "__main__":
    unittest.main()
