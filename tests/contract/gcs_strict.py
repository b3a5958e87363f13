"""Run the contract suite against the strict GCS server, as a service account with a key of its own:

    gcs_strict.py CONTRACT [NAME [SETTING=VALUE,...]]"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
EMAIL = 'pail@pail-test.iam.example'


def make_key(folder):
    """A throw-away key: the paths of its public and its private half."""
    key, public = folder / 'key.pem', folder / 'pub.pem'
    quiet = {'check': True, 'stderr': subprocess.DEVNULL}
    subprocess.run(['openssl', 'genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', key], **quiet)
    subprocess.run(['openssl', 'pkey', '-in', key, '-pubout', '-out', public], **quiet)
    return public, key


def start(folder):
    """The server, its address and the account's file."""
    public, private = make_key(folder)
    server = subprocess.Popen([sys.executable, str(HERE.parent / 'servers' / 'gcs_strict.py'), '--exit-on-eof',
                               '--public-key', public, '--private-key', private, '--email', EMAIL,
                               '--bearer', 'given-token'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    here = 'http://127.0.0.1:' + server.stdout.readline().split()[1]
    account = folder / 'account.json'
    account.write_text(json.dumps({'type': 'service_account', 'project_id': 'pail-test', 'private_key_id': 'k1',
                                   'private_key': private.read_text(), 'client_email': EMAIL, 'token_uri': here + '/token'}))
    return server, here, account


def main():
    with tempfile.TemporaryDirectory() as folder:
        server, here, account = start(pathlib.Path(folder))
        env = {k: v for k, v in os.environ.items()
               if not k.upper().endswith('_PROXY') and not k.startswith(('GOOGLE_', 'STORAGE_'))}
        env.update(PAIL_TEST_STRICT_ENDPOINT=here, PAIL_TEST_STRICT_SERVICE_ACCOUNT=str(account))
        try:
            name, *settings = sys.argv[2:] or ['gcs-strict']
            if settings:
                env['PAIL_CONTRACT_SETTINGS'] = settings[0]
            return subprocess.run([sys.argv[1], name, 'gcs:PAIL_TEST_STRICT'], env=env).returncode
        finally:
            server.stdin.close()
            server.wait()


if __name__ == '__main__':
    sys.exit(main())
