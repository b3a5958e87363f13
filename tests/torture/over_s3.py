#!/usr/bin/env python3
"""Run a torture program against the scripted S3 server: over_s3.py PROGRAM [PERSONALITY]"""
import os
import pathlib
import subprocess
import sys
import tempfile

BUCKETS = {'aws': 'torture?', 'directory': 'torture--use1-az4--x-s3?s3_list_directory_buckets=true&'}
# Directory buckets have no tags, and a second bucket needs a name of that kind.
WITHOUT = {'directory': 'tags_get tags_set put_with_attributes bucket_with_contents'}
SERVER = pathlib.Path(__file__).resolve().parent.parent / 'servers' / 's3_scripted.py'


def main():
    personality = sys.argv[2] if len(sys.argv) > 2 else 'aws'
    server = subprocess.Popen(
        [sys.executable, str(SERVER), '--port', '0', '--exit-on-eof', '--set', 'key_rate=0',
         '--personality', personality],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().split()[1]
    env = {k: v for k, v in os.environ.items()
           if not k.upper().endswith('_PROXY') and not k.startswith('AWS_')}
    env.update(AWS_CONFIG_FILE='/nonexistent', AWS_SHARED_CREDENTIALS_FILE='/nonexistent')
    env['PAIL_TORTURE_WITHOUT'] = WITHOUT.get(personality, '')
    url = ('s3://%saws_endpoint_url=http://127.0.0.1:%s&aws_access_key_id=test'
           '&aws_secret_access_key=testsecret&aws_region=us-east-1' % (BUCKETS[personality], port))
    try:
        with tempfile.TemporaryDirectory(prefix='pail-test-') as folder:
            return subprocess.run([os.path.abspath(sys.argv[1]), url], env=env, cwd=folder).returncode
    finally:
        server.stdin.close()
        server.wait()


sys.exit(main())
