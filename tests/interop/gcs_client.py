"""The command against the strict GCS server, as a service account with a key of its own."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'contract'))
import gcs_strict  # noqa: E402

PAIL = os.environ.get('PAIL_BIN', str(ROOT.parent / 'build' / 'pail'))


class Strict(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temp.name)
        cls.server, cls.here, cls.account = gcs_strict.start(cls.folder)
        cls.run_pail('mb', 'gs://bucket-one')

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()
        cls.temp.cleanup()

    @classmethod
    def pail(cls, *args, data=b'', settings=(), account=True, more=()):
        env = {k: v for k, v in os.environ.items() if k in ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS')}
        env.update(HOME=cls.temp.name, STORAGE_EMULATOR_HOST=cls.here, GOOGLE_CLOUD_PROJECT='pail-test')
        env.update(more)
        if account:
            env['GOOGLE_APPLICATION_CREDENTIALS'] = str(account if account is not True else cls.account)
        sets = [word for s in settings for word in ('--set', s)]
        return subprocess.run([PAIL, args[0], *sets, *args[1:]], input=data, capture_output=True, env=env, timeout=60)

    @classmethod
    def run_pail(cls, *args, **how):
        run = cls.pail(*args, **how)
        if run.returncode:
            raise AssertionError('%s: %s' % (args, run.stderr.decode()))
        return run.stdout

    def requests(self):
        return json.load(urllib.request.urlopen(self.here + '/-/requests'))

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def counted(self, what, before):
        return sum(what in line for line in self.requests()[before:])
