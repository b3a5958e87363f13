"""Run the contract suite against one personality of the scripted S3 server:

    personality.py CONTRACT NAME

The program talks to the real service's host name through the server as a proxy, so that its profile is
found as it would be there; personalities without a host of their own are reached directly."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
HOSTS = {
    'aws': 'http://s3.us-east-1.amazonaws.com',
    'r2': 'http://account.r2.cloudflarestorage.com',
    'b2': 'http://s3.us-west-004.backblazeb2.com',
    'oss': 'http://oss-cn-hangzhou.aliyuncs.com',
    'gcs-xml': 'http://storage.googleapis.com',
    'oci': 'http://namespace.compat.objectstorage.us-phoenix-1.oraclecloud.com',
    'obs': 'http://obs.cn-north-4.myhuaweicloud.com',
    'spaces': 'http://fra1.digitaloceanspaces.com',
}
BUCKET_END = {'directory': '--use1-az4--x-s3'}
HOSTS['directory'] = HOSTS['aws']
HOSTS['gcs-hmac'] = HOSTS['gcs-xml']  # gs: by an HMAC key
SERVER = dict.fromkeys(('aws', 'directory'), ['--domain', 's3.us-east-1.amazonaws.com'])
# garage: nothing but its configuration tells the region
SETTINGS = {'garage': 'aws_region=garage', 'directory': 's3_list_directory_buckets=true',
            'gcs-hmac': 'google_hmac_access_id=test,google_hmac_secret=testsecret'}


def main():
    contract, name = sys.argv[1:]
    server = subprocess.Popen(
        [sys.executable, str(HERE.parent / 'servers' / 's3_scripted.py'), '--port', '0', '--exit-on-eof',
         '--personality', name.replace('hmac', 'xml'), '--set', 'key_rate=0', *SERVER.get(name, [])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().split()[1]
    here = 'http://127.0.0.1:%s' % port
    env = {k: v for k, v in os.environ.items() if not k.upper().endswith('_PROXY') and not k.startswith('AWS_')}
    env.update(PAIL_TEST_SCRIPTED_ENDPOINT=HOSTS.get(name, here), PAIL_TEST_SCRIPTED_ACCESS_KEY='test',
               PAIL_TEST_SCRIPTED_SECRET_KEY='testsecret', AWS_CONFIG_FILE='/nonexistent',
               AWS_SHARED_CREDENTIALS_FILE='/nonexistent')
    if name in BUCKET_END:
        env['PAIL_CONTRACT_BUCKET_END'] = BUCKET_END[name]
    settings = [SETTINGS[name]] if name in SETTINGS else []
    if name in HOSTS:
        settings.append('proxy_url=' + here)
    env['PAIL_CONTRACT_SETTINGS'] = ','.join(settings)
    try:
        return subprocess.run([contract, name, ('gcs:' if name == 'gcs-hmac' else 'server:') + 'PAIL_TEST_SCRIPTED'],
                              env=env).returncode
    finally:
        server.stdin.close()
        server.wait()


sys.exit(main())
