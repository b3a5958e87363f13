"""Google's retry conformance tests, by the command against the strict server: one line for each method of a scenario.

The file is gcs-conformance/retry_tests.json of PAIL_VECTORS; without it all is skipped."""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'contract'))
import gcs_strict  # noqa: E402

PAIL = os.environ.get('PAIL_BIN', str(ROOT.parent / 'build' / 'pail'))
TIME_LIMIT_S = 120
UNCONDITIONAL = ('Pail repeats writes without a condition as it does on every store, and as Google\'s Python client does with '
                 'uploads since 3.0; give a condition to rule that out')
LARGE = random.Random(1).randbytes((8 << 20) + 300 * 1024 + 5)


class Run:
    def __init__(self, here, folder):
        self.here, self.folder, self.count = here, folder, 0

    def pail(self, *args, data=b'', settings=()):
        env = {k: v for k, v in os.environ.items() if k in ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS')}
        env.update(HOME=str(self.folder), STORAGE_EMULATOR_HOST=self.here, GOOGLE_CLOUD_PROJECT='pail-test',
                   GOOGLE_OAUTH_ACCESS_TOKEN='given-token')
        sets = [word for s in settings for word in ('--set', s)]
        return subprocess.run([PAIL, args[0], *sets, *args[1:]], input=data, capture_output=True, env=env, timeout=TIME_LIMIT_S)

    def must(self, *args, **how):
        run = self.pail(*args, **how)
        if run.returncode:
            raise AssertionError('%s: %s' % (args, run.stderr.decode()))
        return run.stdout

    def faults(self, what=None):
        if what is None:
            return json.load(urllib.request.urlopen(self.here + '/-/faults'))
        return urllib.request.urlopen(urllib.request.Request(self.here + '/-/faults', data=json.dumps(what).encode(),
                                                             method='PUT')).close()

    def call(self, method, group, condition):
        """What to run, made ready; None: Pail has no call for it."""
        self.count += 1
        bucket = 'gs://retry-%d' % self.count
        if method == 'storage.buckets.insert':
            return lambda: self.pail('mb', bucket)
        if method == 'storage.buckets.list':
            return lambda: self.pail('ls', 'gs://')
        if method not in CALLS:
            return None
        self.must('mb', bucket)
        if method == 'storage.buckets.delete':
            return lambda: self.pail('rb', bucket)
        if method == 'storage.buckets.get':
            return lambda: self.pail('stat', bucket)
        if method == 'storage.objects.insert' and group == 'storage.resumable.upload':
            return lambda: self.pail('cp', '-n', '-', bucket + '/large', data=LARGE,
                                     settings=['gcs_upload=session', 'part_size=64M'])
        never = ['-n'] if condition else []
        if method == 'storage.objects.insert':
            return lambda: self.pail('cp', *never, '-', bucket + '/new', data=b'x' * 1000)
        if method == 'storage.objects.compose':
            return lambda: self.pail('cp', *never, '-', bucket + '/new', data=b'x' * 300000, settings=['part_size=100K'])
        data = LARGE if group == 'storage.objects.download' else b'object'
        self.must('cp', '-', bucket + '/object', data=data)
        if group == 'storage.objects.download':
            return lambda: self.download(bucket + '/object')
        if method == 'storage.objects.list':
            return lambda: self.pail('ls', bucket + '/')
        if method == 'storage.objects.get':
            return lambda: self.pail('stat', bucket + '/object')
        if method == 'storage.objects.rewrite':
            return lambda: self.pail('cp', *never, bucket + '/object', bucket + '/copy')
        etag = json.loads(self.must('stat', '--json', bucket + '/object'))['etag']
        return lambda: self.pail('rm', *(['--if-match', etag] if condition else []), bucket + '/object')

    def download(self, url):
        run = self.pail('cat', url)
        if run.returncode == 0 and run.stdout != LARGE:
            raise AssertionError('the bytes are not those of the object')
        return run

    def case(self, scenario, method, instructions):
        """Why it is not as expected; '' where it is."""
        run = self.call(method['name'], method.get('group'), scenario.get('preconditionProvided', False))
        self.faults({method['name']: instructions})
        done = run()
        left = self.faults().get(method['name'])
        self.faults({})
        if (done.returncode == 0) != scenario['expectSuccess']:
            return '%s: exit %d: %s' % (instructions, done.returncode, done.stderr.decode().strip())
        return '%s: %s was not met' % (instructions, left) if left else ''


CALLS = {'storage.buckets.delete', 'storage.buckets.get', 'storage.objects.insert', 'storage.objects.compose',
         'storage.objects.list', 'storage.objects.get', 'storage.objects.rewrite', 'storage.objects.delete'}
HAVE = CALLS | {'storage.buckets.insert', 'storage.buckets.list'}


def judge(run, scenario, method):
    """(fine, why, skipped)"""
    if method['name'] not in HAVE:
        return True, 'Pail has no call for it' + (': it copies by rewrite' if method['name'].endswith('.copy') else ''), True
    if scenario['id'] == 3:
        return True, UNCONDITIONAL, True
    for case in scenario['cases']:
        why = run.case(scenario, method, case['instructions'])
        if why:
            return False, why, False
    return True, '', False


def main():
    found = list(pathlib.Path(os.environ.get('PAIL_VECTORS') or '/nonexistent').rglob('retry_tests.json'))
    if not found:
        print('1..0 # SKIP PAIL_VECTORS names no folder with retry_tests.json')
        return 0
    tests = json.loads(found[0].read_text())['retryTests']
    print('1..%d' % sum(len(s['methods']) for s in tests))
    number = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        server, here, _ = gcs_strict.start(pathlib.Path(folder))
        run = Run(here, folder)
        try:
            for scenario in tests:
                for method in scenario['methods']:
                    number += 1
                    try:
                        fine, why, skipped = judge(run, scenario, method)
                    except (AssertionError, subprocess.TimeoutExpired) as e:
                        fine, why, skipped = False, str(e), False
                    failed += not fine
                    print('%s %d - scenario %d, %s%s%s' % ('ok' if fine else 'not ok', number, scenario['id'], method['name'],
                                                           ', ' + method['group'] if 'group' in method else '',
                                                           ' # SKIP ' + why if skipped else ''), flush=True)
                    for line in [] if fine else why.splitlines():
                        print('# ' + line)
        finally:
            server.stdin.close()
            server.wait()
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
