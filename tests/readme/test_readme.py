"""The README's three stories, extracted from it and run on an embedded store."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get('PAIL_BUILD', ROOT / 'build'))


def block(language):
    text = (ROOT / 'README.md').read_text()
    return re.search(r'```%s\n(.*?)```' % language, text, re.S).group(1)


class Readme(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.work = pathlib.Path(self.folder.name)
        (self.work / 'myfile.txt').write_bytes(b'hello\n' * 1000)
        self.env = dict(os.environ, PAIL_HOME=str(self.work / 'store'),
                        PATH='%s:%s' % (BUILD, os.environ['PATH']))

    def run_it(self, *command, **more):
        env = dict(self.env, **more)
        done = subprocess.run(command, cwd=self.work, env=env, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def assert_copied(self):
        self.assertEqual((self.work / 'copy.txt').read_bytes(), b'hello\n' * 1000)

    def test_c_story_compiles_runs_and_has_twelve_lines_at_most(self):
        story = block('c')
        body = story[story.index('int main'):].strip().splitlines()
        self.assertLessEqual(len(body), 12)
        (self.work / 'story.c').write_text(story)
        flags = self.run_it('pkg-config', '--cflags', '--libs', 'pail',
                            PKG_CONFIG_PATH=str(BUILD / 'meson-uninstalled')).split()
        self.run_it('cc', '-Wall', '-Wextra', '-Werror', '-o', 'story', 'story.c', *flags,
                    '-Wl,-rpath,%s' % BUILD, *os.environ.get('PAIL_SANITIZE', '').split())
        self.assertIn('Size: 6000', self.run_it('./story'))
        self.assert_copied()

    def test_shell_story_runs(self):
        out = self.run_it('sh', '-e', '-c', block('sh'))
        self.assertRegex(out, r'size: +6000')
        self.assert_copied()

    def test_every_setting_is_documented(self):
        table = (ROOT / 'src/base/settings.c').read_text().split('table[] = {')[1].split('enum {')[0]
        names = re.findall(r'^\s*\{"([a-z0-9_]+)",', table, re.M)
        documented = (ROOT / 'docs/settings.md').read_text()
        self.assertGreater(len(names), 20)
        self.assertEqual([n for n in names if '`%s`' % n not in documented], [])

    def test_python_story_runs(self):
        if not list((BUILD / 'python').glob('pail/_pail*')):
            self.skipTest('the Python module was not built')
        if b'__asan_init' in (BUILD / 'pail').read_bytes():
            self.skipTest('python3 cannot load a module built with a sanitizer')
        out = self.run_it(sys.executable, '-c', block('python'), PYTHONPATH=str(BUILD / 'python'))
        self.assertIn('Size: 6000, Modified: ', out)
        self.assert_copied()


if __name__ == '__main__':
    unittest.main()
