"""The XML API of the strict GCS server, over the same store: requests signed with an HMAC key (Signature Version 4 as AWS
or as Google writes it), uploads in parts. Written from Google's documents, not from Pail."""
import base64
import datetime
import email.utils
import hashlib
import hmac
import re
import time
import urllib.parse
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import gcs_strict_store as st

HMAC_KEYS = {'GOOGHMACID': 'hmac-secret'}
FIELDS = {'Content-Type': 'contentType', 'Content-Encoding': 'contentEncoding', 'Content-Language': 'contentLanguage',
          'Content-Disposition': 'contentDisposition', 'Cache-Control': 'cacheControl'}
CODES = {404: 'NoSuchKey', 412: 'PreconditionFailed', 304: 'NotModified', 416: 'InvalidRange', 409: 'Conflict', 400: 'InvalidArgument'}


class No(st.Refused):
    def __init__(self, status, code, message=''):
        super().__init__(status, code, message or code)


def quote(text):
    return urllib.parse.quote(text, safe='-._~')


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def presigned(h, path, query):
    """A signature in the query."""
    q = dict(query)
    try:
        sig, stamp = q.pop('X-Amz-Signature'), q['X-Amz-Date']
        who, scope = q['X-Amz-Credential'].split('/', 1)
        names = q['X-Amz-SignedHeaders'].split(';')
        made = datetime.datetime.strptime(stamp, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc).timestamp()
        canonical = '\n'.join([h.command, path, '&'.join('%s=%s' % (quote(k), quote(v)) for k, v in sorted(q.items())),
                               ''.join('%s:%s\n' % (n, ' '.join(h.headers.get(n, '').split())) for n in names), ';'.join(names),
                               'UNSIGNED-PAYLOAD'])
        key = ('AWS4' + HMAC_KEYS[who]).encode()
        for step in scope.split('/'):
            key = mac(key, step)
        to_sign = '\n'.join(['AWS4-HMAC-SHA256', stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        fine = (hmac.compare_digest(mac(key, to_sign).hex(), sig) and 'host' in names and
                made - 900 < time.time() < made + min(int(q['X-Amz-Expires']), 604800))
    except (KeyError, ValueError):
        fine = False
    if not fine:
        raise No(403, 'SignatureDoesNotMatch')


def verify(h, path, query, body):
    """Signature Version 4, in Authorization or in the query; refuses all else."""
    if 'X-Amz-Signature' in query:
        return presigned(h, path, query)
    found = re.fullmatch(r'(AWS4|GOOG4)-HMAC-SHA256 (.*)', h.headers.get('Authorization', ''))
    try:
        fields = dict(f.strip().split('=', 1) for f in found.group(2).split(','))
        who, date, region, service, end = fields['Credential'].split('/')
        names, kind = fields['SignedHeaders'].split(';'), found.group(1)
        prefix = 'x-amz-' if kind == 'AWS4' else 'x-goog-'
        stamp, digest = h.headers[prefix + 'date'], h.headers[prefix + 'content-sha256']
        made = datetime.datetime.strptime(stamp, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc).timestamp()
        unsigned = [n for n in h.headers if n.lower().startswith(prefix) and n.lower() not in names]
        fine = (end == kind.lower() + '_request' and 'host' in names and not unsigned and abs(made - time.time()) < 900 and
                stamp.startswith(date) and digest in ('UNSIGNED-PAYLOAD', hashlib.sha256(body).hexdigest()))
        canonical = '\n'.join([h.command, path, '&'.join('%s=%s' % (quote(k), quote(v)) for k, v in sorted(query.items())),
                               ''.join('%s:%s\n' % (n, ' '.join(h.headers[n].split())) for n in names), ';'.join(names), digest])
        scope = '/'.join([date, region, service, end])
        key = (kind + HMAC_KEYS[who]).encode()
        for step in scope.split('/'):
            key = mac(key, step)
        to_sign = '\n'.join([kind + '-HMAC-SHA256', stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        fine = fine and hmac.compare_digest(mac(key, to_sign).hex(), fields['Signature'])
    except (AttributeError, KeyError, ValueError, TypeError):
        fine = False
    if not fine:
        raise No(403, 'SignatureDoesNotMatch')
    return None


def element(name, *children):
    return '<%s>%s</%s>' % (name, ''.join(children), name)


def text(name, value):
    return element(name, escape(str(value)))


def document(name, *children):
    return 200, ('<?xml version="1.0" encoding="UTF-8"?>' + element(name, *children)).encode(), [('Content-Type', 'application/xml')]


def conditions(h):
    """x-goog-if-generation-match and its kin as the JSON API's parameters. If-None-Match of a write is not looked at."""
    out = {}
    for name, value in h.headers.items():
        found = re.fullmatch(r'x-goog-if-(generation|metageneration)-match', name.lower())
        if found:
            out['if%sMatch' % found.group(1).capitalize()] = value
    return out


def etag(o):
    return '"%s"' % (base64.b64decode(o['meta']['md5Hash']).hex() if 'md5Hash' in o['meta'] else o['meta']['etag'].strip('='))


def attributes(h):
    out = {field: h.headers[name] for name, field in FIELDS.items() if h.headers.get(name)}
    kv = {n.lower().split('-meta-', 1)[1]: v for n, v in h.headers.items() if re.match(r'x-(amz|goog)-meta-', n.lower())}
    kind = h.headers.get('x-amz-storage-class') or h.headers.get('x-goog-storage-class')
    return {**out, **({'metadata': kv} if kv else {}), **({'storageClass': kind} if kind else {})}


def put(h, bucket, key, body):
    md5 = h.headers.get('Content-MD5')
    source = h.headers.get('x-amz-copy-source')
    if md5 and base64.b64encode(hashlib.md5(body).digest()).decode() != md5:
        raise No(400, 'BadDigest')
    if not source:
        o = st.insert(h.store, bucket, {**attributes(h), 'name': key}, body, conditions(h))
        return 200, b'', [('ETag', etag({'meta': o})), ('x-goog-generation', o['generation']), ('x-goog-hash', 'crc32c=' + o['crc32c'])]
    where, _, name = urllib.parse.unquote(source.lstrip('/')).partition('/')
    o = h.store.find(where, name)
    if not o:
        raise No(404, 'NoSuchKey')
    read_conditions(h, o, 'x-amz-copy-source-')
    keep = h.headers.get('x-amz-metadata-directive', 'COPY') == 'COPY'
    fields = {k: v for k, v in o['meta'].items() if k in st.FIELDS} if keep else attributes(h)
    made = st.insert(h.store, bucket, {**fields, 'name': key}, o['data'], conditions(h))
    return document('CopyObjectResult', text('ETag', etag({'meta': made})), text('LastModified', made['updated']))


def read_conditions(h, o, prefix=''):
    tag, read = etag(o), not prefix
    match, none = h.headers.get(prefix + 'If-Match'), h.headers.get(prefix + 'If-None-Match')
    when = int(o['meta']['generation']) // 1000000
    date = lambda n: (lambda v: v and email.utils.parsedate_to_datetime(v).timestamp())(h.headers.get(prefix + n))
    if match and match != '*' and match.strip('"') != tag.strip('"'):
        raise No(412, 'PreconditionFailed')
    if none and (none == '*' or none.strip('"') == tag.strip('"')):
        raise No(304 if read else 412, 'NotModified')
    if not match and date('If-Unmodified-Since') and when > date('If-Unmodified-Since'):
        raise No(412, 'PreconditionFailed')
    if not none and date('If-Modified-Since') and when <= date('If-Modified-Since'):
        raise No(304 if read else 412, 'NotModified')


def get(h, bucket, key, query):
    o = h.store.find(bucket, key)
    if not o:
        raise No(404, 'NoSuchKey')
    read_conditions(h, o)
    status, data, headers = st.media(h.store, bucket, key, conditions(h), h.headers)
    headers = [(n, v) for n, v in headers if n != 'ETag'] + [('ETag', etag(o))]
    headers += [(n.replace('x-goog-meta-', 'x-amz-meta-'), v) for n, v in headers if n.startswith('x-goog-meta-')]
    for name, value in query.items():
        if name.startswith('response-'):
            headers = [x for x in headers if x[0].lower() != name[9:]] + [(name[9:], value)]
    return status, data, headers


def listing(h, bucket, query):
    v2, asked = query.get('list-type') == '2', {}
    after = query.get('continuation-token') or query.get('start-after' if v2 else 'marker', '')
    url = quote if query.get('encoding-type') == 'url' else (lambda s: s)
    keep = {k: query[k] for k in ('prefix', 'delimiter') if query.get(k)}
    entries = []
    while True:  # the store's pages, whole
        _, page = st.listing(h.store, bucket, {**keep, **asked})
        entries += [(i['name'], i) for i in page.get('items', [])] + [(p, None) for p in page.get('prefixes', [])]
        if 'nextPageToken' not in page:
            break
        asked = {'pageToken': page['nextPageToken']}
    behind = [e for e in sorted(entries, key=lambda e: e[0].encode()) if e[0].encode() > after.encode()]
    most = min(int(query.get('max-keys', 1000)), 1000)
    page, out = behind[:most], [text('Name', bucket), text('IsTruncated', str(len(behind) > most).lower())]
    if len(behind) > most and page:
        out.append(text('NextContinuationToken' if v2 else 'NextMarker', page[-1][0] if v2 else url(page[-1][0])))
    if 'encoding-type' in query:
        out.append(text('EncodingType', 'url'))
    for name, item in page:
        if item:
            out.append(element('Contents', text('Key', url(name)), text('LastModified', item['updated']), text('Size', item['size']),
                               text('ETag', etag({'meta': item})), text('StorageClass', item['storageClass'])))
        else:
            out.append(element('CommonPrefixes', text('Prefix', url(name))))
    return document('ListBucketResult', *out)


def uploads(h, bucket, query):
    mine = sorted((u['key'], i, u) for i, u in h.store.uploads.items() if u['bucket'] == bucket and u['key'].startswith(query.get('prefix', '')))
    url = quote if query.get('encoding-type') == 'url' else (lambda s: s)
    return document('ListMultipartUploadsResult', text('Bucket', bucket), text('IsTruncated', 'false'),
                    *(element('Upload', text('Key', url(k)), text('UploadId', i), text('Initiated', u['made'])) for k, i, u in mine))


def in_parts(h, bucket, key, query, body):
    store = h.store
    if 'uploads' in query:
        if conditions(h):
            raise No(400, 'InvalidArgument', 'preconditions are not supported for multipart uploads')
        store.bucket(bucket)
        name = 'upload-%d' % store.generation()
        store.uploads[name] = {'bucket': bucket, 'key': key, 'parts': {}, 'fields': attributes(h), 'made': st.now()}
        return document('InitiateMultipartUploadResult', text('Bucket', bucket), text('Key', key), text('UploadId', name))
    name = query['uploadId']
    u = store.uploads.get(name)
    if not u or (u['bucket'], u['key']) != (bucket, key):
        raise No(404, 'NoSuchUpload')
    if h.command == 'PUT':
        number = int(query['partNumber'])
        if not 1 <= number <= 10000:
            raise No(400, 'InvalidArgument', 'part numbers go from 1 to 10000')
        u['parts'][number] = body
        return 200, b'', [('ETag', '"%s"' % hashlib.md5(body).hexdigest())]
    if h.command == 'DELETE':
        del store.uploads[name]
        return 204, b''
    asked = [(int(p.findtext('{*}PartNumber')), p.findtext('{*}ETag').strip('"')) for p in ET.fromstring(body).findall('{*}Part')]
    if not asked or [n for n, _ in asked] != sorted({n for n, _ in asked}):
        raise No(400, 'InvalidPartOrder')
    if any(n not in u['parts'] or hashlib.md5(u['parts'][n]).hexdigest() != e for n, e in asked):
        raise No(400, 'InvalidPart')
    if any(len(u['parts'][n]) < 5 << 20 for n, _ in asked[:-1]):
        raise No(400, 'EntityTooSmall')
    o = st.insert(store, bucket, {**u['fields'], 'name': key}, b''.join(u['parts'][n] for n, _ in asked), conditions(h), len(asked))
    del store.uploads[name]
    return document('CompleteMultipartUploadResult', text('Bucket', bucket), text('Key', key), text('ETag', etag({'meta': o})))


def delete_many(h, bucket, body):
    if h.headers.get('Content-MD5') != base64.b64encode(hashlib.md5(body).digest()).decode():
        raise No(400, 'InvalidDigest')
    keys = [o.findtext('{*}Key') for o in ET.fromstring(body).findall('{*}Object')]
    if len(keys) > 1000:
        raise No(400, 'MalformedXML')
    for key in keys:
        if h.store.find(bucket, key):
            st.retire(h.store, bucket, key)
    return document('DeleteResult', *(element('Deleted', text('Key', k)) for k in keys))


def of_bucket(h, bucket, query, body):
    store = h.store
    if h.command == 'PUT':
        if bucket in store.buckets:
            raise No(409, 'BucketAlreadyOwnedByYou')
        store.buckets[bucket] = {'meta': {'name': bucket, 'timeCreated': st.now(), 'metageneration': '1'}, 'objects': {}}
        return 200, b''
    b = store.bucket(bucket)
    if h.command == 'DELETE':
        if any(b['objects'].values()):
            raise No(409, 'BucketNotEmpty')
        del store.buckets[bucket]
        return 204, b''
    if h.command == 'POST':
        return delete_many(h, bucket, body)
    if 'location' in query:
        return document('LocationConstraint', 'US')
    return uploads(h, bucket, query) if 'uploads' in query else (200, b'') if h.command == 'HEAD' else listing(h, bucket, query)


def of_object(h, bucket, key, query, body):
    if 'uploads' in query or 'uploadId' in query:
        return in_parts(h, bucket, key, query, body)
    if h.command == 'PUT':
        return put(h, bucket, key, body)
    if h.command == 'DELETE':
        if not h.store.find(bucket, key):
            raise No(404, 'NoSuchKey')
        st.retire(h.store, bucket, key)
        return 204, b''
    return get(h, bucket, key, query)


def answer(h, path, query, body):
    try:
        verify(h, path, query, body)
        _, bucket, key = (path + '/').split('/', 2)
        bucket, key = urllib.parse.unquote(bucket), urllib.parse.unquote(key[:-1])
        if not bucket:
            names = sorted(h.store.buckets)
            made = document('ListAllMyBucketsResult', element('Buckets', *(element(
                'Bucket', text('Name', n), text('CreationDate', h.store.buckets[n]['meta']['timeCreated'])) for n in names)))
        else:
            made = of_object(h, bucket, key, query, body) if key else of_bucket(h, bucket, query, body)
        return h.answer(*made)
    except st.Refused as e:
        code = e.reason if isinstance(e, No) else 'NoSuchBucket' if 'bucket' in e.message else CODES.get(e.status, 'InvalidArgument')
        return h.answer(e.status, element('Error', text('Code', code), text('Message', e.message)).encode(),
                        [('Content-Type', 'application/xml')])
