"""A strict server of Google's JSON API, for tests: it checks what emulators let pass.

    gcs_strict.py [--port N] [--public-key PEM] [--private-key PEM] [--email ADDRESS] [--bearer TOKEN] [--exit-on-eof]

Prints "ready PORT". Each request needs a bearer token - one that /token gave out, TOKEN, or a JWT that the account
signed itself - or, on /BUCKET/KEY, a V4 signature; both are verified with the public key. Preconditions hold
everywhere, generations are exact, hashes are compared, pages are cut as asked. /-/requests tells what came in."""
import argparse
import base64
import datetime
import hashlib
import http.server
import json
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import gcs_strict_auth as logins

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return base64.b64encode(struct.pack('>I', crc ^ 0xffffffff)).decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


class Refused(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


class Store:
    """Buckets of names of lists of generations, the newest last."""

    def __init__(self):
        self.buckets, self.lock, self.clock = {}, threading.RLock(), 0
        self.tokens, self.scopes, self.requests = {}, {}, []
        self.rewrites = {}

    def generation(self):
        self.clock = max(self.clock + 1, int(time.time() * 1e6))
        return self.clock

    def bucket(self, name):
        if name not in self.buckets:
            raise Refused(404, 'notFound', 'The specified bucket does not exist.')
        return self.buckets[name]

    def find(self, bucket, key, generation=None):
        for o in reversed(self.bucket(bucket)['objects'].get(key, [])):
            if generation is None and 'timeDeleted' not in o['meta'] or o['meta']['generation'] == generation:
                return o
        return None


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def check(query, found, read, prefix='if'):
    """Preconditions: 412, or 304 where a read's NotMatch does not hold."""
    has = {'Generation': int(found['meta']['generation']) if found else 0,
           'Metageneration': int(found['meta']['metageneration']) if found else 0}
    for what, value in has.items():
        match, other = query.get(prefix + what + 'Match'), query.get(prefix + what + 'NotMatch')
        if match is not None and int(match) != value:
            raise Refused(412, 'conditionNotMet', 'At least one of the pre-conditions you specified did not hold.')
        if other is not None and int(other) == value:
            raise Refused(304 if read else 412, 'conditionNotMet', 'Not modified')


FIELDS = ('contentType', 'contentEncoding', 'contentLanguage', 'contentDisposition', 'cacheControl', 'storageClass',
          'metadata')


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    store, options = None, None

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:  # given up by the client
            pass

    # ---- answers

    def answer(self, status, body=b'', headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = [('Content-Type', 'application/json; charset=UTF-8'), *headers]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('X-GUploader-UploadID', 'id-%d' % len(self.store.requests))
        if status not in (204, 304):
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD' and status not in (204, 304):
            self.wfile.write(body)

    def refuse(self, e, plain=False):
        if plain:
            self.answer(e.status, e.message.encode(), [('Content-Type', 'text/html; charset=UTF-8')])
        else:
            self.answer(e.status, error_of(e))

    # ---- who asks

    def verify(self, text, signature):
        with tempfile.NamedTemporaryFile() as f:
            f.write(signature)
            f.flush()
            return subprocess.run(['openssl', 'dgst', '-sha256', '-verify', self.options.public_key, '-signature', f.name],
                                  input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def jwt(self, text, audience):
        try:
            head, claims, signature = text.split('.')
            header, claims_json = json.loads(unb64url(head)), json.loads(unb64url(claims))
            fine = (header['alg'] == 'RS256' and header['typ'] == 'JWT' and claims_json['iss'] == self.options.email and
                    claims_json['aud'] == audience and claims_json['iat'] <= time.time() + 60 < claims_json['exp'] + 60 and
                    claims_json['exp'] - claims_json['iat'] <= 3600)
            return fine and self.verify(('%s.%s' % (head, claims)).encode(), unb64url(signature))
        except (ValueError, KeyError, TypeError):
            return False

    def authorize(self):
        value = self.headers.get('Authorization', '')
        token = value[7:] if value.startswith('Bearer ') else ''
        if token and token == self.options.bearer or self.store.tokens.get(token, 0) > time.time():
            return
        if token and token not in self.store.tokens and self.jwt(token, 'https://storage.googleapis.com/'):
            self.store.tokens[token] = time.time() + 3600
            return
        raise Refused(401, 'authError' if token else 'required', 'Invalid Credentials' if token else 'Anonymous caller')

    def signed(self, path, query):
        """A V4 signature in the query, by the account's key."""
        q = dict(query)
        sig = q.pop('X-Goog-Signature', '')
        names = q.get('X-Goog-SignedHeaders', '').split(';')
        quote = lambda s: urllib.parse.quote(s, safe='-._~')
        lines = ''.join('%s:%s\n' % (n, ' '.join(self.headers.get(n, '').split())) for n in names)
        canonical = '\n'.join([self.command, path,
                               '&'.join('%s=%s' % (quote(k), quote(v)) for k, v in sorted(q.items())), lines,
                               ';'.join(names), 'UNSIGNED-PAYLOAD'])
        date = q.get('X-Goog-Date', '')
        scope = date[:8] + '/auto/storage/goog4_request'
        text = '\n'.join([q.get('X-Goog-Algorithm', ''), date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        try:
            made = datetime.datetime.strptime(date, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc).timestamp()
            fine = ('host' in names and made - 900 < time.time() < made + min(int(q['X-Goog-Expires']), 604800) and
                    q['X-Goog-Credential'].partition('/')[2] == scope and
                    q['X-Goog-Credential'].partition('/')[0] in (self.options.email, logins.TARGET, logins.MACHINE) and
                    q['X-Goog-Algorithm'] == 'GOOG4-RSA-SHA256' and self.verify(text.encode(), bytes.fromhex(sig)))
        except (ValueError, KeyError):
            fine = False
        if not fine:
            raise Refused(403, 'SignatureDoesNotMatch', 'SignatureDoesNotMatch')

    # ---- one request

    def handle_one(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length) if length else b''
        if len(body) < length:  # given up in the middle
            self.close_connection = True
            return None
        path, _, raw = self.path.partition('?')
        query = dict(urllib.parse.parse_qsl(raw, keep_blank_values=True))
        if path == '/-/requests':
            return self.answer(200, self.store.requests)
        self.store.requests.append('%s %s' % (self.command, self.path))
        plain = query.get('alt') == 'media'
        if path.startswith('/bad/'):
            return logins.bad(self, path)
        try:
            with self.store.lock:
                if path == '/token':
                    return self.token(body)
                if logins.answer(self, path, body):
                    return None
                if not re.match(r'/(upload/|batch/)?storage/v1', path):
                    return self.xml(path, query, body)
                self.authorize()
                if path.startswith('/batch/'):
                    return self.batch(body)
                return self.answer(*route(self.store, self.command, path, query, self.headers, body))
        except Refused as e:
            return self.refuse(e, plain)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_one

    def token(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        here = 'http://%s/token' % self.headers['Host']
        grant = form.get('grant_type')
        fine = (grant == 'urn:ietf:params:oauth:grant-type:jwt-bearer' and self.jwt(form.get('assertion', ''), here) or
                grant == 'refresh_token' and form.get('refresh_token') == 'refresh' and
                form.get('client_secret') == 'secret' and form.get('client_id') == 'client')
        if not fine:
            return self.answer(400, {'error': 'invalid_grant', 'error_description': 'no'})
        scope = logins.CLOUD if grant == 'refresh_token' else json.loads(unb64url(form['assertion'].split('.')[1]))['scope']
        token = logins.give(self.store, scope)
        return self.answer(200, {'access_token': token, 'expires_in': 3600, 'token_type': 'Bearer'})

    def xml(self, path, query, body):
        self.signed(path, query)
        _, bucket, key = path.split('/', 2)
        bucket, key = urllib.parse.unquote(bucket), urllib.parse.unquote(key)
        if self.command == 'PUT':
            o = insert(self.store, bucket, {'name': key, 'contentType': self.headers.get('Content-Type')}, body, {})
            return self.answer(200, b'', [('x-goog-generation', o['generation'])])
        return self.answer(*media(self.store, bucket, key, query, self.headers))

    def batch(self, body):
        match = re.fullmatch(r'multipart/mixed; boundary="?([^";]+)"?', self.headers.get('Content-Type', ''))
        parts = body.split(b'--' + match.group(1).encode())[1:-1] if match else []
        if not parts or len(parts) > 100:
            raise Refused(400, 'badRequest', 'a batch has 1 to 100 calls')
        out = []
        for part in parts:
            head, _, call = part.strip(b'\r\n').partition(b'\r\n\r\n')
            number = re.search(rb'(?i)content-id: <([^>]+)>', head)
            line = call.split(b'\r\n', 1)[0].decode().split(' ')
            path, _, raw = line[1].partition('?')
            try:
                status, answer, _ = (*route(self.store, line[0], path, dict(urllib.parse.parse_qsl(raw)), {}, b''), ())[:3]
            except Refused as e:
                status, answer = e.status, error_of(e)
            text = json.dumps(answer) if answer else ''
            out.append('--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-%s>\r\n\r\n'
                       'HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s\r\n' %
                       (number.group(1).decode(), status, len(text), text))
        out.reverse()  # the order of the answers is not that of the calls
        self.answer(200, (''.join(out) + '--batch_x--\r\n').encode(), [('Content-Type', 'multipart/mixed; boundary=batch_x')])


def error_of(e):
    return {'error': {'code': e.status, 'message': e.message,
                      'errors': [{'domain': 'global', 'reason': e.reason, 'message': e.message}]}}


def insert(store, bucket, resource, data, query, composed=0):
    key = resource.get('name') or query.get('name') or ''
    objects = store.bucket(bucket)['objects']
    if not 0 < len(key.encode()) <= 1024:
        raise Refused(400, 'invalid', 'Invalid object name')
    check(query, store.find(bucket, key), False)
    crc, md5 = crc32c(data), base64.b64encode(hashlib.md5(data).digest()).decode()
    if resource.get('crc32c', crc) != crc or resource.get('md5Hash', md5) != md5:
        raise Refused(400, 'invalid', 'Provided CRC32C or MD5 hash doesn\'t match the bytes')
    meta = {'kind': 'storage#object', 'name': key, 'bucket': bucket, 'size': str(len(data)), 'crc32c': crc,
            'generation': str(store.generation()), 'metageneration': '1', 'timeCreated': now(), 'updated': now(),
            'storageClass': 'STANDARD'}
    meta.update({k: resource[k] for k in FIELDS if resource.get(k)})
    if composed:
        meta['componentCount'] = composed
    else:
        meta['md5Hash'] = md5
    meta['etag'] = base64.b64encode(meta['generation'].encode()).decode()
    retire(store, bucket, key)
    objects.setdefault(key, []).append({'meta': meta, 'data': data})
    return meta


def retire(store, bucket, key):
    b = store.bucket(bucket)
    if b['meta'].get('versioning', {}).get('enabled'):
        old = store.find(bucket, key)
        if old:
            old['meta']['timeDeleted'] = now()
    else:
        b['objects'].pop(key, None)


def media(store, bucket, key, query, headers):
    o = store.find(bucket, key, query.get('generation'))
    if not o:
        raise Refused(404, 'notFound', 'No such object: %s/%s' % (bucket, key))
    check(query, o, True)
    meta, data = o['meta'], o['data']
    gzip_wanted = 'gzip' in headers.get('Accept-Encoding', '')
    out = [('x-goog-generation', meta['generation']), ('x-goog-metageneration', meta['metageneration']),
           ('x-goog-hash', 'crc32c=' + meta['crc32c'] + (',md5=' + meta['md5Hash'] if 'md5Hash' in meta else '')),
           ('x-goog-stored-content-encoding', meta.get('contentEncoding', 'identity')),
           ('x-goog-storage-class', meta['storageClass']), ('ETag', meta['etag']),
           ('Content-Type', meta.get('contentType', 'application/octet-stream')),
           ('Last-Modified', time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(int(meta['generation']) // 1000000)))]
    if meta.get('contentEncoding') == 'gzip' and not gzip_wanted:
        import gzip
        data = gzip.decompress(data)
    elif 'contentEncoding' in meta:
        out.append(('Content-Encoding', meta['contentEncoding']))
    for name, field in (('Cache-Control', 'cacheControl'), ('Content-Disposition', 'contentDisposition'),
                        ('Content-Language', 'contentLanguage')):
        if field in meta:
            out.append((name, meta[field]))
    asked = re.fullmatch(r'bytes=(\d*)-(\d*)', headers.get('Range', ''))
    if not asked:
        return 200, data, out
    first, last = asked.groups()
    if first:
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
    else:
        start, end = max(0, len(data) - int(last)), len(data) - 1
    if start >= len(data) or not first and last == '0':
        raise Refused(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable')
    out.append(('Content-Range', 'bytes %d-%d/%d' % (start, end, len(data))))
    return 206, data[start:end + 1], out


def listing(store, bucket, query):
    objects, prefix, delimiter = store.bucket(bucket)['objects'], query.get('prefix', ''), query.get('delimiter', '')
    versions, start = query.get('versions') == 'true', query.get('startOffset', '')
    token = unb64url(query['pageToken']).decode() if 'pageToken' in query else ''
    entries = []  # (name, generation, item or None)
    for key in sorted(objects, key=lambda k: k.encode()):
        if not key.startswith(prefix) or key.encode() < start.encode():
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        live = [o for o in objects[key] if versions or 'timeDeleted' not in o['meta']]
        if live and at >= 0:
            folder = key[:at + len(delimiter)]
            if not entries or entries[-1][0] != folder:
                entries.append((folder, '', None))
        elif at < 0:
            entries += [(key, o['meta']['generation'], o['meta']) for o in live]
    behind = [e for e in entries if e[0] + '\0' + e[1] > token] if token else entries
    most = min(int(query.get('maxResults', 1000)), 1000)
    page, out = behind[:most], {'kind': 'storage#objects'}
    items, folders = [e[2] for e in page if e[2]], [e[0] for e in page if not e[2]]
    if items:
        out['items'] = items
    if folders:
        out['prefixes'] = folders
    if len(behind) > most:
        out['nextPageToken'] = base64.urlsafe_b64encode((page[-1][0] + '\0' + page[-1][1]).encode()).decode().rstrip('=')
    return 200, out


def compose(store, bucket, key, query, body):
    asked = json.loads(body)
    sources = asked.get('sourceObjects', [])
    if not 1 <= len(sources) <= 32:
        raise Refused(400, 'invalid', 'The number of source components provided must be 1 to 32')
    data, count = b'', 0
    for s in sources:
        o = store.find(bucket, s['name'], s.get('generation'))
        if not o:
            raise Refused(404, 'notFound', 'No such object: %s/%s' % (bucket, s['name']))
        data += o['data']
        count += o['meta'].get('componentCount', 1)
    return 200, insert(store, bucket, {**asked.get('destination', {}), 'name': key}, data, query, count)


def rewrite(store, source, target, query, body):
    o = store.find(*source, query.get('sourceGeneration'))
    if not o:
        raise Refused(404, 'notFound', 'No such object: %s/%s' % source)
    check(query, o, False, 'ifSource')
    check(query, store.find(*target), False)
    size = len(o['data'])
    token = query.get('rewriteToken')
    if token is None and size > 4 or token is not None and store.rewrites.pop(token, None) != (source, target):
        if token is not None:
            raise Refused(400, 'invalid', 'Invalid rewrite token')
        token = 'rewrite-%d' % store.generation()  # anything but the smallest takes two calls
        store.rewrites[token] = (source, target)
        return 200, {'kind': 'storage#rewriteResponse', 'totalBytesRewritten': '4', 'objectSize': str(size), 'done': False,
                     'rewriteToken': token}
    resource = json.loads(body) if body else {}
    meta = insert(store, target[0], {**(resource or o['meta']), 'name': target[1], 'crc32c': o['meta']['crc32c'],
                                     'md5Hash': base64.b64encode(hashlib.md5(o['data']).digest()).decode()}, o['data'], query)
    return 200, {'kind': 'storage#rewriteResponse', 'done': True, 'resource': meta, 'objectSize': str(size)}


def upload(store, bucket, query, headers, body):
    kind = re.fullmatch(r'multipart/related; boundary="?([^";]+)"?', headers.get('Content-Type', ''))
    if query.get('uploadType') != 'multipart' or not kind:
        raise Refused(400, 'wrongUploadType', 'only multipart uploads are taken here')
    delimiter = b'--' + kind.group(1).encode()
    if not body.startswith(delimiter + b'\r\n') or not body.rstrip(b'\r\n').endswith(b'\r\n' + delimiter + b'--'):
        raise Refused(400, 'badContent', 'malformed multipart body')
    head, rest = body[len(delimiter) + 2:].split(b'\r\n' + delimiter + b'\r\n', 1)
    resource = json.loads(head.split(b'\r\n\r\n', 1)[1])
    part, data = rest.split(b'\r\n\r\n', 1)
    data = data[:data.rindex(b'\r\n' + delimiter + b'--')]
    resource.setdefault('contentType', part.decode().split(':', 1)[1].strip())
    return 200, insert(store, bucket, resource, data, query)


def buckets(store, method, query, body):
    if 'project' not in query:
        raise Refused(400, 'required', 'Required parameter: project')
    if method == 'POST':
        resource = json.loads(body)
        name = resource['name']
        if not re.fullmatch(r'[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]', name):
            raise Refused(400, 'invalid', 'Invalid bucket name: \'%s\'' % name)
        if name in store.buckets:
            raise Refused(409, 'conflict', 'Your previous request to create the named bucket succeeded and you already own it.')
        meta = {'kind': 'storage#bucket', 'timeCreated': now(), 'metageneration': '1', 'location': 'US', **resource}
        store.buckets[name] = {'meta': meta, 'objects': {}}
        return 200, meta
    names = [n for n in sorted(store.buckets) if n.startswith(query.get('prefix', '')) and n > query.get('pageToken', '')]
    most = int(query.get('maxResults', 1000))
    out = {'kind': 'storage#buckets', 'items': [store.buckets[n]['meta'] for n in names[:most]]}
    if len(names) > most:
        out['nextPageToken'] = names[most - 1]
    return 200, out


def route(store, method, path, query, headers, body):
    names = [urllib.parse.unquote(p) for p in path.split('/')]
    if names[1] == 'upload':
        return upload(store, names[5], query, headers, body)
    names = names[4:]  # behind /storage/v1/b
    if not names:
        return buckets(store, method, query, body)
    bucket = names[0]
    if len(names) == 1:
        b = store.bucket(bucket)
        if method == 'DELETE':
            if any(b['objects'].values()):
                raise Refused(409, 'conflict', 'The bucket you tried to delete is not empty.')
            del store.buckets[bucket]
            return 204, b''
        return 200, b['meta']
    if len(names) == 2:
        return listing(store, bucket, query)
    key = names[2]
    if len(names) == 4 and names[3] == 'compose' and method == 'POST':
        return compose(store, bucket, key, query, body)
    if len(names) == 8 and names[3] == 'rewriteTo' and method == 'POST':
        return rewrite(store, (bucket, key), (names[5], names[7]), query, body)
    if len(names) != 3:
        raise Refused(400, 'badRequest', 'a "/" in a name must be encoded')
    if method == 'GET' and query.get('alt') == 'media':
        return media(store, bucket, key, query, headers)
    o = store.find(bucket, key, query.get('generation'))
    if not o:
        raise Refused(404, 'notFound', 'No such object: %s/%s' % (bucket, key))
    check(query, o, method == 'GET')
    if method == 'DELETE':
        if 'generation' in query:
            store.bucket(bucket)['objects'][key].remove(o)
        else:
            retire(store, bucket, key)
        return 204, b''
    return 200, o['meta']


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--port', type=int, default=0)
    p.add_argument('--public-key')
    p.add_argument('--private-key')
    p.add_argument('--email', default='')
    p.add_argument('--bearer', default='')
    p.add_argument('--exit-on-eof', action='store_true')
    Handler.options = p.parse_args()
    Handler.store = Store()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', Handler.options.port), Handler)
    server.daemon_threads = True
    print('ready %d' % server.server_address[1], flush=True)
    if Handler.options.exit_on_eof:
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == '__main__':
    main()
