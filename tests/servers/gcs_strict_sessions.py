"""Resumable upload sessions of the strict GCS server: exact offsets, whole chunks, 308 as Google documents it."""
import json
import re

import gcs_strict_store as st

CHUNK = 256 * 1024


class Session:
    def __init__(self, bucket, resource, query, key_hash, total):
        self.bucket, self.resource, self.query, self.key_hash, self.total = bucket, resource, query, key_hash, total
        self.data, self.meta = bytearray(), None

    def state(self):
        """308, with Range unless nothing is there."""
        return 308, b'', [('Range', 'bytes=0-%d' % (len(self.data) - 1))] if self.data else []


def start(store, bucket, query, headers, body):
    resource = json.loads(body) if body else {}
    key = resource.get('name') or query.get('name')
    if not key:
        raise st.Refused(400, 'required', 'Required')
    st.check(query, store.find(bucket, key), False)
    if headers.get('X-Upload-Content-Type'):
        resource.setdefault('contentType', headers['X-Upload-Content-Type'])
    total = headers.get('X-Upload-Content-Length')
    name = 'session-%d' % store.generation()
    store.sessions[name] = Session(bucket, {**resource, 'name': key}, query, st.customer_key(headers),
                                   int(total) if total else None)
    where = 'http://%s/upload/storage/v1/b/%s/o?uploadType=resumable&upload_id=%s' % (headers['Host'], bucket, name)
    return 200, b'', [('Location', where)]


def finish(store, s, headers):
    for part in (headers.get('x-goog-hash') or '').split(','):
        name, _, value = part.strip().partition('=')
        if name == 'crc32c' and st.crc32c(s.data) != value:
            raise st.Refused(400, 'invalid', 'Provided CRC32C hash doesn\'t match')
    query = {k: v for k, v in s.query.items() if k.startswith('if')}
    s.meta = st.insert(store, s.bucket, s.resource, bytes(s.data), query, key_hash=s.key_hash)
    return 200, s.meta


def handle(store, method, bucket, query, headers, body):
    if method == 'POST':
        return start(store, bucket, query, headers, body)
    name = query.get('upload_id', '')
    s = store.sessions.get(name)
    if not s or s.bucket != bucket:
        raise st.Refused(404, 'notFound', 'No such upload session')
    if method == 'DELETE':
        if s.meta:
            raise st.Refused(404, 'notFound', 'The session has ended')
        del store.sessions[name]
        return 499, b''
    key = st.customer_key(headers)
    if key != s.key_hash:
        raise st.Refused(400, 'customerEncryptionKeyIsIncorrect', 'The provided encryption key is incorrect.')
    asked = re.fullmatch(r'bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)', headers.get('Content-Range', ''))
    if not asked:
        raise st.Refused(400, 'badRequest', 'Content-Range is missing or malformed')
    first, last, total = asked.groups()
    total = None if total == '*' else int(total)
    if total is not None and s.total is not None and total != s.total:
        raise st.Refused(400, 'badRequest', 'the total is not the one that was promised')
    if s.meta:
        return 200, s.meta
    if first is None:
        if body:
            raise st.Refused(400, 'badRequest', 'a status query has no body')
        return finish(store, s, headers) if total == len(s.data) else s.state()
    first, last = int(first), int(last)
    if last - first + 1 != len(body):
        raise st.Refused(400, 'badRequest', 'Content-Range does not match the body')
    if first > len(s.data):
        raise st.Refused(400, 'badRequest', 'offset %d, but %d bytes are there' % (first, len(s.data)))
    if total is None and len(body) % CHUNK or total is not None and last + 1 > total or \
            total is not None and last + 1 < total and len(body) % CHUNK:
        raise st.Refused(400, 'badRequest', 'a chunk but the last is a multiple of 256 KiB')
    s.data += body[len(s.data) - first:]  # "ignores any bytes at an offset that it has already persisted"
    return finish(store, s, headers) if total == len(s.data) else s.state()


def keep_some(store, query, headers, body, most):
    """A chunk that broke off: what of it is stored goes up to `most` bytes of the object. False: it is not that far."""
    s = store.sessions.get(query.get('upload_id', ''))
    asked = re.match(r'bytes (\d+)-', headers.get('Content-Range', ''))
    if not s or s.meta or not asked:
        return False
    new = body[len(s.data) - int(asked.group(1)):]
    if len(s.data) + len(new) < most or not new:
        return False
    s.data += new[:max(0, most - len(s.data))]
    return True
