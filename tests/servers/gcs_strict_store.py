"""What the strict GCS server stores and how it answers the JSON API. Written from Google's documents, not from Pail."""
import base64
import datetime
import hashlib
import json
import re
import struct
import threading
import time
import urllib.parse

import gcs_strict_sessions as sessions

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    TABLE.append(n)


WIDE = [TABLE]  # what a byte does to the CRC with 0 to 7 bytes behind it: eight bytes in one go
for _ in range(7):
    WIDE.append([TABLE[v & 255] ^ v >> 8 for v in WIDE[-1]])


def crc32c(data):
    crc, whole = 0xffffffff, len(data) // 8 * 8
    t0, t1, t2, t3, t4, t5, t6, t7 = WIDE
    for w in memoryview(bytes(data[:whole])).cast('Q'):
        w ^= crc
        crc = (t7[w & 255] ^ t6[w >> 8 & 255] ^ t5[w >> 16 & 255] ^ t4[w >> 24 & 255] ^
               t3[w >> 32 & 255] ^ t2[w >> 40 & 255] ^ t1[w >> 48 & 255] ^ t0[w >> 56])
    for byte in data[whole:]:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return base64.b64encode(struct.pack('>I', crc ^ 0xffffffff)).decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


class Refused(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def customer_key(headers, prefix='x-goog-encryption-'):
    """The hash of the key that came along, None without one. Its three headers must agree."""
    algorithm, key, digest = (headers.get(prefix + n) for n in ('algorithm', 'key', 'key-sha256'))
    if algorithm is None and key is None and digest is None:
        return None
    try:
        raw = base64.b64decode(key or '', validate=True)
    except ValueError:
        raw = b''
    if algorithm != 'AES256' or len(raw) != 32 or base64.b64encode(hashlib.sha256(raw).digest()).decode() != digest:
        raise Refused(400, 'customerEncryptionKeyFormatIsInvalid', 'Invalid encryption key')
    return digest


def unlock(o, key):
    """Refuses where the object is not under this key (None: under none)."""
    has = o['meta'].get('customerEncryption', {}).get('keySha256')
    if has and not key:
        raise Refused(400, 'resourceIsEncryptedWithCustomerEncryptionKey', 'The target object is encrypted by a customer-supplied encryption key.')
    if has != key:
        raise Refused(400, 'customerEncryptionKeyIsIncorrect' if has else 'resourceNotEncryptedWithCustomerEncryptionKey',
                      'The provided encryption key is incorrect.' if has else 'The target object is not encrypted by a customer-supplied key.')


class Store:
    """Buckets of names of lists of generations, the newest last."""

    def __init__(self):
        self.buckets, self.lock, self.clock = {}, threading.RLock(), 0
        self.tokens, self.scopes, self.requests = {}, {}, []
        self.rewrites, self.sessions, self.uploads = {}, {}, {}
        self.faults = {}  # method: what happens to its next requests

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


def error_of(e):
    return {'error': {'code': e.status, 'message': e.message,
                      'errors': [{'domain': 'global', 'reason': e.reason, 'message': e.message}]}}


def insert(store, bucket, resource, data, query, composed=0, key_hash=None):
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
    if key_hash:
        meta['customerEncryption'] = {'encryptionAlgorithm': 'AES256', 'keySha256': key_hash}
    if composed:
        meta['componentCount'] = composed
    else:
        meta['md5Hash'] = md5
    meta['etag'] = base64.b64encode(meta['generation'].encode()).decode()
    retire(store, bucket, key)
    objects.setdefault(key, []).append({'meta': meta, 'data': data})
    return meta


def retire(store, bucket, key):
    """What is there under that name goes; in a bucket held-... a retention policy forbids it."""
    b = store.bucket(bucket)
    if bucket.startswith('held-') and store.find(bucket, key):
        raise Refused(403, 'retentionPolicyNotMet', 'Object \'%s/%s\' is subject to bucket\'s retention policy and cannot be '
                                                    'deleted or overwritten.' % (bucket, key))
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
    unlock(o, customer_key(headers))
    meta, data = o['meta'], o['data']
    gzip_wanted = 'gzip' in headers.get('Accept-Encoding', '')
    out = [('x-goog-generation', meta['generation']), ('x-goog-metageneration', meta['metageneration']),
           ('x-goog-hash', 'crc32c=' + meta['crc32c'] + (',md5=' + meta['md5Hash'] if 'md5Hash' in meta else '')),
           ('x-goog-stored-content-encoding', meta.get('contentEncoding', 'identity')),
           ('x-goog-storage-class', meta['storageClass']), ('ETag', meta['etag']),
           ('Content-Type', meta.get('contentType', 'application/octet-stream')),
           ('Last-Modified', time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(int(meta['generation']) // 1000000)))]
    if 'customerEncryption' in meta:
        out.append(('x-goog-encryption-algorithm', 'AES256'))
    out += [('x-goog-meta-' + k, v) for k, v in meta.get('metadata', {}).items()]
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


def compose(store, bucket, key, query, headers, body):
    asked = json.loads(body)
    key_hash = customer_key(headers)
    sources = asked.get('sourceObjects', [])
    if not 1 <= len(sources) <= 32:
        raise Refused(400, 'invalid', 'The number of source components provided must be 1 to 32')
    data, count = b'', 0
    for s in sources:
        o = store.find(bucket, s['name'], s.get('generation'))
        if not o:
            raise Refused(404, 'notFound', 'No such object: %s/%s' % (bucket, s['name']))
        unlock(o, key_hash)
        check({k: str(v) for k, v in s.get('objectPreconditions', {}).items()}, o, False)
        data += o['data']
        count += o['meta'].get('componentCount', 1)
    return 200, insert(store, bucket, {**asked.get('destination', {}), 'name': key}, data, query, count, key_hash)


def rewrite(store, source, target, query, headers, body):
    o = store.find(*source, query.get('sourceGeneration'))
    if not o:
        raise Refused(404, 'notFound', 'No such object: %s/%s' % source)
    check(query, o, False, 'ifSource')
    unlock(o, customer_key(headers, 'x-goog-copy-source-encryption-'))
    key_hash = customer_key(headers)
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
                                     'md5Hash': base64.b64encode(hashlib.md5(o['data']).digest()).decode()}, o['data'], query,
                  key_hash=key_hash)
    return 200, {'kind': 'storage#rewriteResponse', 'done': True, 'resource': meta, 'objectSize': str(size)}


def upload(store, method, bucket, query, headers, body):
    if query.get('uploadType') == 'resumable':
        return sessions.handle(store, method, bucket, query, headers, body)
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
    return 200, insert(store, bucket, resource, data, query, key_hash=customer_key(headers))


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


def billed(bucket, query):
    """Requester pays: each request names the project that is billed."""
    if bucket.startswith('payer-') and query.get('userProject') != 'billed-project':
        raise Refused(400, 'required', 'Bucket is a requester pays bucket but no user project provided.')


def route(store, method, path, query, headers, body):
    names = [urllib.parse.unquote(p) for p in path.split('/')]
    billed(names[5] if names[1] == 'upload' else names[4] if len(names) > 4 else '', query)
    if names[1] == 'upload':
        return upload(store, method, names[5], query, headers, body)
    names = names[4:]  # behind /storage/v1/b
    if not names:
        return buckets(store, method, query, body)
    bucket = names[0]
    if len(names) == 1:
        b = store.bucket(bucket)
        check(query, {'meta': {'generation': '0', **b['meta']}}, method == 'GET')
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
        return compose(store, bucket, key, query, headers, body)
    if len(names) == 8 and names[3] == 'rewriteTo' and method == 'POST':
        return rewrite(store, (bucket, key), (names[5], names[7]), query, headers, body)
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
    if 'customerEncryption' in o['meta']:  # without the key the hashes are not told
        key = customer_key(headers)
        if key is not None:
            unlock(o, key)
        return 200, {k: v for k, v in o['meta'].items() if key or k not in ('crc32c', 'md5Hash')}
    return 200, o['meta']


