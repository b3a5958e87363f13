"""What the strict GCS server knows of logins: the token endpoint, STS, IAM Credentials, and the metadata services of
Google and AWS. Written from Google's and AWS's documents, not from Pail."""
import base64
import datetime
import hashlib
import hmac
import json
import subprocess
import time
import urllib.parse

CLOUD = 'https://www.googleapis.com/auth/cloud-platform'
STORAGE = 'https://www.googleapis.com/auth/devstorage.full_control'
AUDIENCE = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/p'
DOMAIN = '@pail-test.iam.example'
TARGET, DEEP, MACHINE = 'target' + DOMAIN, 'deep' + DOMAIN, 'machine' + DOMAIN
AWS_KEYS = {'AKIDENV': ('aws-secret-1', None), 'AKIDROLE': ('aws-secret-2', 'aws-session')}
STS_CALL = 'https://sts.%s.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15'
SUBJECTS = {'subject-of-file', 'subject-of-url'}


def give(store, scope, seconds=3600):
    token = 'ya29.%d' % store.generation()
    store.tokens[token] = time.time() + seconds
    store.scopes[token] = scope
    return token


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def aws_caller(text, audience):
    """Whether the call is signed by one of our keys, as AWS would find: Signature Version 4."""
    call = json.loads(urllib.parse.unquote(text))
    headers = {h['key'].lower(): h['value'] for h in call['headers']}
    url = urllib.parse.urlsplit(call['url'])
    algorithm, _, rest = headers['authorization'].partition(' ')
    fields = dict(f.strip().split('=', 1) for f in rest.split(','))
    access, date, region, service, end = fields['Credential'].split('/')
    secret, session = AWS_KEYS[access]
    names = fields['SignedHeaders'].split(';')
    wanted = {'host', 'x-amz-date', 'x-goog-cloud-target-resource'} | ({'x-amz-security-token'} if session else set())
    if (algorithm != 'AWS4-HMAC-SHA256' or service != 'sts' or end != 'aws4_request' or call['method'] != 'POST' or
            call['url'] != STS_CALL % region or headers['host'] != url.netloc or set(names) != wanted or
            headers['x-goog-cloud-target-resource'] != audience or headers.get('x-amz-security-token') != session):
        return False
    canonical = '\n'.join(['POST', url.path or '/', '&'.join(sorted(url.query.split('&'))),
                           ''.join('%s:%s\n' % (n, headers[n]) for n in names), ';'.join(names),
                           hashlib.sha256(b'').hexdigest()])
    scope = '/'.join([date, region, service, end])
    to_sign = '\n'.join([algorithm, headers['x-amz-date'], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('AWS4' + secret).encode()
    for step in (date, region, service, end):
        key = hmac_sha256(key, step)
    made = datetime.datetime.strptime(headers['x-amz-date'], '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc)
    return (hmac.compare_digest(hmac_sha256(key, to_sign).hex(), fields['Signature']) and
            abs(made.timestamp() - time.time()) < 300 and headers['x-amz-date'].startswith(date))


def sts(h, body):
    form = dict(urllib.parse.parse_qsl(body.decode()))
    kind, subject = form.get('subject_token_type'), form.get('subject_token', '')
    fine = (form.get('grant_type') == 'urn:ietf:params:oauth:grant-type:token-exchange' and
            form.get('requested_token_type') == 'urn:ietf:params:oauth:token-type:access_token' and
            form.get('audience') == AUDIENCE and form.get('scope') in (CLOUD, STORAGE))
    try:
        if kind == 'urn:ietf:params:aws:token-type:aws4_request':
            fine = fine and aws_caller(subject, AUDIENCE)
        else:
            fine = fine and kind == 'urn:ietf:params:oauth:token-type:jwt' and subject in SUBJECTS
    except (KeyError, ValueError):
        fine = False
    if form.get('options'):
        fine = fine and json.loads(form['options']) == {'userProject': 'workforce'}
    if not fine:
        return h.answer(400, {'error': 'invalid_grant', 'error_description': 'HIDDEN-DESCRIPTION'})
    return h.answer(200, {'access_token': give(h.store, form['scope']), 'expires_in': 3600, 'token_type': 'Bearer',
                          'issued_token_type': form['requested_token_type']})


def iam(h, who, verb, body):
    """generateAccessToken and signBlob of `who`, for whoever has a token for all of the cloud."""
    token = h.headers.get('Authorization', '').removeprefix('Bearer ')
    asked = json.loads(body)
    if h.store.tokens.get(token, 0) < time.time() and token != h.options.bearer:
        return h.answer(401, {'error': {'code': 401, 'status': 'UNAUTHENTICATED', 'message': 'no'}})
    between = ['projects/-/serviceAccounts/' + TARGET] if who == DEEP else None
    scope = CLOUD if token == h.options.bearer else h.store.scopes.get(token)
    if scope != CLOUD or who not in (TARGET, DEEP, MACHINE) or asked.get('delegates') != between:
        return h.answer(403, {'error': {'code': 403, 'status': 'PERMISSION_DENIED', 'message': 'HIDDEN-DESCRIPTION'}})
    if verb == 'generateAccessToken':
        end = datetime.datetime.fromtimestamp(time.time() + int(asked['lifetime'].rstrip('s')), datetime.timezone.utc)
        return h.answer(200, {'accessToken': give(h.store, asked['scope'][0]),
                              'expireTime': end.strftime('%Y-%m-%dT%H:%M:%SZ')})
    signature = subprocess.run(['openssl', 'dgst', '-sha256', '-sign', h.options.private_key],
                               input=base64.b64decode(asked['payload']), capture_output=True, check=True).stdout
    return h.answer(200, {'keyId': 'k', 'signedBlob': base64.b64encode(signature).decode()})


def google_metadata(h, what):
    if h.headers.get('Metadata-Flavor') != 'Google':
        return h.answer(403, b'missing Metadata-Flavor')
    flavor = [('Metadata-Flavor', 'Google')]
    if what == 'email':
        return h.answer(200, MACHINE.encode(), flavor)
    return h.answer(200, {'access_token': give(h.store, CLOUD), 'expires_in': 3599, 'token_type': 'Bearer'}, flavor)


def aws_metadata(h, path):
    if path == '/latest/api/token':
        fine = h.command == 'PUT' and h.headers.get('X-aws-ec2-metadata-token-ttl-seconds') == '300'
        return h.answer(200 if fine else 400, b'imds-session' if fine else b'')
    if h.headers.get('X-aws-ec2-metadata-token') != 'imds-session':
        return h.answer(401)
    if path.endswith('/availability-zone'):
        return h.answer(200, b'us-east-2b')
    if path.endswith('/security-credentials'):
        return h.answer(200, b'role-one')
    secret, session = AWS_KEYS['AKIDROLE']
    return h.answer(200, {'Code': 'Success', 'AccessKeyId': 'AKIDROLE', 'SecretAccessKey': secret, 'Token': session,
                          'Expiration': '2099-01-01T00:00:00Z'})


def subject(h, path):
    if h.headers.get('X-Who') != 'pail':
        return h.answer(403)
    return h.answer(200, {'data': 1, 'id_token': 'subject-of-url'} if path.endswith('json') else b'subject-of-url\n')


def bad(h, path):
    """Endpoints that misbehave."""
    if path == '/bad/html':
        return h.answer(200, b'<html>HIDDEN-DESCRIPTION</html>', [('Content-Type', 'text/html')])
    if path == '/bad/redirect':
        return h.answer(302, b'', [('Location', 'http://127.0.0.2:9/HIDDEN-DESCRIPTION')])
    h.send_response(200)
    h.end_headers()
    h.close_connection = True
    try:
        while True:
            h.wfile.write(b'{' * 65536)
    except OSError:
        return None


def answer(h, path, body):
    """True: the request was one of these and is answered."""
    if path == '/v1/token':
        sts(h, body)
    elif path.startswith('/v1/projects/-/serviceAccounts/'):
        who, _, verb = urllib.parse.unquote(path.rsplit('/', 1)[1]).partition(':')
        iam(h, who, verb, body)
    elif path.startswith('/computeMetadata/v1/instance/service-accounts/default/'):
        google_metadata(h, path.rsplit('/', 1)[1])
    elif path.startswith('/latest/'):
        aws_metadata(h, path)
    elif path.startswith('/subject/'):
        subject(h, path)
    else:
        return False
    return True
