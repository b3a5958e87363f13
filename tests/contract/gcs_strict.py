"""Run the contract suite against the strict GCS server, as a service account with a key of its own:

    gcs_strict.py CONTRACT [NAME [SETTING=VALUE,...]]
    gcs_strict.py PROGRAM --tls"""
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


def make_certificate(folder):
    """A certificate for 127.0.0.1 and its key in one file."""
    both = folder / 'tls.pem'
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', both, '-out', folder / 'ca.pem',
                    '-days', '2', '-subj', '/CN=pail-test', '-addext', 'subjectAltName=IP:127.0.0.1'], check=True,
                   stderr=subprocess.DEVNULL)
    both.write_text(both.read_text() + (folder / 'ca.pem').read_text())
    return both


def start(folder, tls=False):
    """The server, its address and the account's file."""
    public, private = make_key(folder)
    server = subprocess.Popen([sys.executable, str(HERE.parent / 'servers' / 'gcs_strict.py'), '--exit-on-eof',
                               '--public-key', public, '--private-key', private, '--email', EMAIL,
                               '--bearer', 'given-token', *(['--tls', make_certificate(folder)] if tls else [])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    here = ('https' if tls else 'http') + '://127.0.0.1:' + server.stdout.readline().split()[1]
    account = folder / 'account.json'
    account.write_text(json.dumps({'type': 'service_account', 'project_id': 'pail-test', 'private_key_id': 'k1',
                                   'private_key': private.read_text(), 'client_email': EMAIL, 'token_uri': here + '/token'}))
    return server, here, account


def main():
    tls = sys.argv[2:] == ['--tls']
    with tempfile.TemporaryDirectory() as folder:
        server, here, account = start(pathlib.Path(folder), tls)
        env = {k: v for k, v in os.environ.items()
               if not k.upper().endswith('_PROXY') and not k.startswith(('GOOGLE_', 'STORAGE_'))}
        env.update(PAIL_TEST_STRICT_ENDPOINT=here, PAIL_TEST_STRICT_SERVICE_ACCOUNT=str(account),
                   PAIL_TEST_STRICT_PROJECT='pail-test')
        if tls:
            env['PAIL_TEST_STRICT_CA'] = folder + '/ca.pem'
        try:
            name, *settings = [a for a in sys.argv[2:] if a != '--tls'] or ['gcs-strict']
            if settings:
                env['PAIL_CONTRACT_SETTINGS'] = settings[0]
                if 'google_hmac' in settings[0]:
                    del env['PAIL_TEST_STRICT_SERVICE_ACCOUNT']
            return subprocess.run([sys.argv[1], name, 'gcs:PAIL_TEST_STRICT'], env=env).returncode
        finally:
            server.stdin.close()
            server.wait()


if __name__ == '__main__':
    sys.exit(main())
