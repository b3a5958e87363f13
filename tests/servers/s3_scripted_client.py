"""Start a scripted S3 server, talk to its control endpoint, boto3 clients and a test case for it."""

import json
import os
import subprocess
import sys
import unittest
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SERVER = os.path.join(HERE, 's3_scripted.py')


def import_boto3():
    """boto3, from the environment that servers.sh keeps for it; None where it is not."""
    try:
        import boto3
        return boto3
    except ImportError:
        pass
    cache = os.environ.get('PAIL_SERVERS_DIR', os.path.expanduser('~/.cache/pail-servers'))
    python = os.path.join(cache, 'venv-clients/bin/python')
    if os.path.exists(python) and os.environ.get('PAIL_INTEROP_AGAIN') is None:
        os.environ['PAIL_INTEROP_AGAIN'] = '1'
        os.execv(python, [python, *sys.orig_argv[1:]])
    return None


boto3 = import_boto3()


class Scripted:
    """A running server; it ends when its standard input is closed."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, SERVER, '--exit-on-eof', *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.scheme = 'https' if '--cert' in options else 'http'
        self.endpoint = '%s://127.0.0.1:%d' % (self.scheme, self.port)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def control(self, method, path, value=None, raw=None):
        """A request to /-/; JSON in, JSON out."""
        body = raw if raw is not None else None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.endpoint + '/-/' + path, body, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request) as answer:
            return json.load(answer)

    def become(self, personality, **settings):
        """Another personality with an empty store, script and log."""
        self.control('PUT', 'config', {'personality': personality, 'set': settings,
                                        'clock_skew': 0, 'close_after': 0})
        self.control('POST', 'reset')

    def script(self, *rules):
        self.control('PUT', 'script', [{'match': match, 'action': action}
                                       for match, action in rules])

    def log(self):
        return self.control('GET', 'log')

    def client(self, key='test', secret='testsecret', token=None, region='us-east-1',
               sums=False, attempts=1, endpoint=None, verify=True, **options):
        """A boto3 client; sums=False sends no checksum that is not asked for."""
        from botocore.config import Config
        when = 'when_supported' if sums else 'when_required'
        s3 = {'addressing_style': options.pop('style', 'path')}
        config = Config(signature_version='s3v4', s3=s3, retries={'total_max_attempts': attempts},
                        request_checksum_calculation=when, response_checksum_validation=when,
                        read_timeout=20, **options)
        return boto3.client('s3', endpoint_url=endpoint or self.endpoint, aws_access_key_id=key,
                            aws_secret_access_key=secret, aws_session_token=token,
                            region_name=region, config=config, verify=verify)


class Case(unittest.TestCase):
    """One server for the class, made new before each test."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Scripted(*cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.server.become('aws')
        self.s3 = self.server.client()
        self.s3.create_bucket(Bucket='bkt')

    def fails(self, code, function, *args, **kwargs):
        """The ClientError of a call that must fail with one of these codes."""
        from botocore.exceptions import ClientError
        with self.assertRaises(ClientError) as caught:
            function(*args, **kwargs)
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(caught.exception.response['Error']['Code'], codes)
        return caught.exception.response

    def put(self, key, body=b'x', client=None, **options):
        return (client or self.s3).put_object(Bucket='bkt', Key=key, Body=body, **options)

    def get(self, key, client=None, **options):
        return (client or self.s3).get_object(Bucket='bkt', Key=key, **options)['Body'].read()

    def multipart(self, key, parts, client=None, create=None, complete=None, **each):
        client = client or self.s3
        upload = client.create_multipart_upload(Bucket='bkt', Key=key, **(create or {}))
        done = []
        for number, data in enumerate(parts, 1):
            answer = client.upload_part(Bucket='bkt', Key=key, UploadId=upload['UploadId'],
                                        PartNumber=number, Body=data, **each)
            sums = {name: value for name, value in answer.items()
                    if name.startswith('Checksum') and name != 'ChecksumType'}
            done.append({'PartNumber': number, 'ETag': answer['ETag'], **sums})
        return client.complete_multipart_upload(
            Bucket='bkt', Key=key, UploadId=upload['UploadId'],
            MultipartUpload={'Parts': done}, **(complete or {}))


def run(path):
    """Run a test file as TAP; exit 77 where boto3 is missing."""
    if boto3 is None:
        print('1..0 # SKIP boto3 is not installed')
        sys.exit(77)
    sys.path.insert(0, os.path.dirname(HERE))
    import tap
    sys.exit(tap.main([os.path.abspath(path)]))
