"""What pail writes google-cloud-storage reads, and the reverse, over fake-gcs-server."""
import gzip
import os
import random
import subprocess
import tempfile
import unittest
import uuid

import servers

os.environ.setdefault('GOOGLE_CLOUD_PROJECT', 'pail-test')
try:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
except ImportError:
    storage = None

ENDPOINT = os.environ.get('PAIL_TEST_GCS_ENDPOINT')
KEYS = ['plain', 'with space', 'plus+plus', 'percent%20%2F%', 'q?x=1&y=2#z', 'ünï/日本語/🪣', 'quote\'"`', 'a.b..c',
        'deep/' * 20 + 'end', '%41', '<tag>&amp;']


class Gcs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if storage is None:
            raise unittest.SkipTest('google-cloud-storage is not installed (tests/servers/servers.sh install clients)')
        if not ENDPOINT or not os.path.exists(servers.PAIL):
            raise unittest.SkipTest('server fake-gcs is not up (PAIL_TEST_GCS_ENDPOINT is not set)')
        cls.client = storage.Client(project='pail-test', credentials=AnonymousCredentials(),
                                    client_options={'api_endpoint': ENDPOINT})
        cls.name = 'pail-interop-' + uuid.uuid4().hex[:12]
        cls.bucket = cls.client.create_bucket(cls.name)
        cls.home = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        for blob in cls.client.list_blobs(cls.name):
            blob.delete()
        cls.bucket.delete()
        cls.home.cleanup()

    def pail(self, *args, data=b''):
        env = {k: v for k, v in os.environ.items() if k in ('PATH', 'ASAN_OPTIONS', 'UBSAN_OPTIONS')}
        env.update(HOME=self.home.name, STORAGE_EMULATOR_HOST=ENDPOINT, GOOGLE_CLOUD_PROJECT='pail-test')
        run = subprocess.run([servers.PAIL, *args], input=data, capture_output=True, env=env, timeout=120)
        if run.returncode:
            raise AssertionError('pail %s: %s' % (' '.join(args), run.stderr.decode()))
        return run.stdout

    def url(self, key=''):
        return 'gs://%s/%s' % (self.name, key)

    def test_names_and_bytes_both_ways(self):
        for key in KEYS:
            with self.subTest(key):
                self.pail('cp', '-', self.url('p/' + key), data=key.encode())
                self.assertEqual(self.bucket.blob('p/' + key).download_as_bytes(), key.encode())
                self.bucket.blob('g/' + key).upload_from_string(key)
                self.assertEqual(self.pail('cat', self.url('g/' + key)), key.encode())
        names = {b.name for b in self.client.list_blobs(self.name, prefix='p/')}
        self.assertEqual(names, {'p/' + k for k in KEYS})

    def test_headers_and_metadata(self):
        blob = self.bucket.blob('theirs')
        blob.metadata, blob.cache_control = {'colour': 'blue'}, 'no-store'
        blob.upload_from_string('x', content_type='text/x-g')
        out = self.pail('stat', '--json', self.url('theirs'))
        for word in (b'text/x-g', b'no-store', b'blue', b'crc32c'):
            self.assertIn(word, out)

    def test_large_object_in_parts_is_whole_and_leaves_no_parts(self):
        data = random.Random(7).randbytes((40 << 20) + 3)
        path = os.path.join(self.home.name, 'large')
        with open(path, 'wb') as f:
            f.write(data)
        self.pail('cp', '--set', 'part_size=1M', path, self.url('large'))
        blob = self.bucket.get_blob('large')
        self.assertEqual(blob.size, len(data))
        self.assertEqual(blob.download_as_bytes(), data)
        self.assertEqual([b.name for b in self.client.list_blobs(self.name, prefix='.pail')], [])
        self.pail('cp', self.url('large'), path + '2')
        with open(path + '2', 'rb') as f:
            self.assertEqual(f.read(), data)

    def test_gzip_comes_out_as_stored(self):
        packed = gzip.compress(b'text ' * 100, mtime=0)
        blob = self.bucket.blob('packed')
        blob.content_encoding = 'gzip'
        blob.upload_from_string(packed, content_type='text/plain')
        self.assertEqual(self.pail('cat', self.url('packed')), packed)
