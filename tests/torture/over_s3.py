#!/usr/bin/env python3
"""Run a torture program against the scripted S3 server: over_s3.py PROGRAM"""
import os
import pathlib
import subprocess
import sys
import tempfile

SERVER = pathlib.Path(__file__).resolve().parent.parent / 'servers' / 's3_scripted.py'


def main():
    server = subprocess.Popen(
        [sys.executable, str(SERVER), '--port', '0', '--exit-on-eof', '--set', 'key_rate=0'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().split()[1]
    env = {k: v for k, v in os.environ.items()
           if not k.upper().endswith('_PROXY') and not k.startswith('AWS_')}
    env.update(AWS_CONFIG_FILE='/nonexistent', AWS_SHARED_CREDENTIALS_FILE='/nonexistent')
    url = ('s3://torture?aws_endpoint_url=http://127.0.0.1:%s&aws_access_key_id=test'
           '&aws_secret_access_key=testsecret&aws_region=us-east-1' % port)
    try:
        with tempfile.TemporaryDirectory(prefix='pail-test-') as folder:
            return subprocess.run([os.path.abspath(sys.argv[1]), url], env=env, cwd=folder).returncode
    finally:
        server.stdin.close()
        server.wait()


sys.exit(main())
