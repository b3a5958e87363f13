"""Operations on single objects."""

import base64
import binascii
import hashlib
import re
import urllib.parse
import zlib

from . import conditions, intake, sums
from .data import ZERO_BLOCK, Bytes, Gen, whole
from .errors import S3Error, parse_xml
from .listing import OWNER, XML, iso
from .store import Version, quoted_md5, random_etag
from .wire import Response, http_date
from .xmlio import Markup, document, element

STORED = ('content-type', 'cache-control', 'content-disposition', 'content-encoding',
          'content-language', 'expires')
SHOWN = {'content-type': 'Content-Type', 'cache-control': 'Cache-Control',
         'content-disposition': 'Content-Disposition', 'content-encoding': 'Content-Encoding',
         'content-language': 'Content-Language', 'expires': 'Expires'}
SSE = 'x-amz-server-side-encryption'
SSE_C = SSE + '-customer-'
ARCHIVED = ('GLACIER', 'DEEP_ARCHIVE')
HASHED_COPY_MAX = 64 << 20


# --- attributes of a new object -----------------------------------------------------------------

def parse_tags(text):
    """The tags of an x-amz-tagging header."""
    pairs = urllib.parse.parse_qsl(text, keep_blank_values=True)
    return check_tags(pairs)


def check_tags(pairs):
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key')
    if len(tags) > 10:
        raise S3Error('BadRequest', 'Object tags cannot be greater than 10')
    for key, value in pairs:
        if not key or len(key) > 128 or len(value) > 256:
            raise S3Error('InvalidTag')
    return tags


def parse_tag_document(body):
    root = parse_xml(body)
    return check_tags([(tag.findtext('Key') or '', tag.findtext('Value') or '')
                       for tag in root.iter('Tag')])


def tag_document(tags):
    return document('Tagging', element('TagSet', *[
        element('Tag', element('Key', key), element('Value', value))
        for key, value in tags.items()]))


def parse_sse(headers):
    """The encryption headers to keep; the customer's key itself is not kept."""
    kept = {name: value for name, value in headers.items()
            if name.startswith(SSE) and name != SSE_C + 'key'}
    key = headers.get(SSE_C + 'key')
    if (key is None) != (SSE_C + 'algorithm' not in headers):
        raise S3Error('InvalidArgument', 'Requests specifying Server Side Encryption with '
                      'Customer provided keys must provide an appropriate secret key.')
    if key is not None:
        try:
            raw = base64.b64decode(key, validate=True)
        except (ValueError, binascii.Error):
            raw = b''
        if len(raw) != 32:
            raise S3Error('InvalidArgument', 'The secret key was invalid for the specified '
                                             'algorithm.')
        digest = base64.b64encode(hashlib.md5(raw).digest()).decode()
        if headers.get(SSE_C + 'key-md5') != digest:
            raise S3Error('InvalidArgument', 'The calculated MD5 hash of the key did not match '
                                             'the hash that was provided.')
    return kept


def draft(srv, req, headers=None):
    """A Version with the attributes that the headers ask for and no content yet."""
    headers = req.headers if headers is None else headers
    version = Version(None, '', srv.now())
    version.headers = {name: headers[name] for name in STORED if name in headers}
    version.headers.setdefault('content-type', 'binary/octet-stream')
    coding = version.headers.get('content-encoding')
    if coding is not None and srv.settings.chunked != 'store':
        kept = [word for word in re.split(r'\s*,\s*', coding) if word != 'aws-chunked']
        version.headers['content-encoding'] = ','.join(kept)
        if not kept:
            del version.headers['content-encoding']
    version.meta = {name[11:]: value for name, value in headers.items()
                    if name.startswith('x-amz-meta-')}
    if sum(len(name) + len(value) for name, value in version.meta.items()) > 2048:
        raise S3Error('MetadataTooLarge', MaxSizeAllowed=2048)
    if headers.get('x-amz-tagging'):
        version.tags = parse_tags(headers['x-amz-tagging'])
    version.storage_class = headers.get('x-amz-storage-class', srv.settings.storage_classes[0])
    if version.storage_class not in srv.settings.storage_classes:
        raise S3Error('InvalidStorageClass', StorageClassRequested=version.storage_class)
    version.sse = parse_sse(headers)
    version.acl = headers.get('x-amz-acl')
    return version


def content_etag(srv, version, data):
    """MD5, except where the service has something opaque."""
    if srv.settings.directory or version.sse.get(SSE, '').startswith('aws:kms') or SSE_C + 'algorithm' in version.sse:
        return random_etag()
    return quoted_md5(data)


def commit(srv, bucket, key, version):
    """Make a version the current one; headers for the answer."""
    version.generation = srv.store.next_generation()
    version.mtime = srv.now()
    bucket.add(key, version)
    headers = []
    if bucket.versioning:
        headers.append(('x-amz-version-id', version.version_id))
    headers += [(name, value) for name, value in version.sse.items()]
    return headers


def check_acl(srv, bucket, req):
    acl = req.headers.get('x-amz-acl')
    if srv.settings.acl_equals_bucket and acl and acl != (bucket.acl or 'private'):
        raise S3Error('InvalidArgument', 'The acl of the object must equal that of the bucket')


# --- put ----------------------------------------------------------------------------------------

def put_object(srv, req):
    settings = srv.settings
    if (settings.create_header and req.bucket not in srv.store.buckets
            and req.headers.get(settings.create_header, '').lower() == 'true'):
        srv.add_bucket(req.bucket, settings.region, req.auth.access_key)
    bucket = srv.bucket(req)
    check_acl(srv, bucket, req)
    current = bucket.visible(req.key)
    conditions.check_write(settings, settings.cond_put, req.headers, current, req.key,
                           match_mode=settings.cond_put_match)
    conditions.check_own(settings, req.headers, current)
    intake.check_key_rate(srv, req)
    version = draft(srv, req)
    if intake.is_sink(req):
        declared = req.headers.get('x-amz-decoded-content-length')
        version.data = Gen(int(declared) if declared else req.body_size, ZERO_BLOCK)
        version.etag = random_etag(1)
    else:
        version.data = Bytes(req.body)
        version.etag = content_etag(srv, version, req.body)
    headers = []
    if req.sum:
        version.sums = {req.sum[0]: req.sum[1]}
        version.sum_type = 'FULL_OBJECT'
        headers += [(sums.header_name(req.sum[0]), req.sum[1]),
                    ('x-amz-checksum-type', 'FULL_OBJECT')]
    headers += commit(srv, bucket, req.key, version)
    headers += generation_headers(srv, version)
    return Response(headers=[('ETag', version.etag)] + headers)


def generation_headers(srv, version):
    if not srv.settings.generation_match:
        return []
    return [('x-goog-generation', version.generation), ('x-goog-metageneration', 1)]


# --- get and head -------------------------------------------------------------------------------

def find_version(srv, req, bucket):
    """The version that a read asks for; errors as the service tells them."""
    version_id = req.query.get('versionId')
    if version_id is not None:
        version = bucket.find(req.key, version_id)
        if version is None:
            raise S3Error('NoSuchVersion', Key=req.key, VersionId=version_id)
        if version.delete_marker:
            raise S3Error('MethodNotAllowed', Method=req.method, headers=[
                ('x-amz-delete-marker', 'true'), ('x-amz-version-id', version_id),
                ('Last-Modified', http_date(version.mtime))])
        return version
    current = bucket.current(req.key)
    if current is None:
        raise S3Error('NoSuchKey', Key=req.key)
    if current.delete_marker:
        raise S3Error('NoSuchKey', Key=req.key, headers=[
            ('x-amz-delete-marker', 'true'), ('x-amz-version-id', current.version_id)])
    return current


def check_customer_key(headers, version, prefix=SSE_C):
    """A read of an object under a customer's key must bring that key."""
    stored = version.sse.get(SSE_C + 'key-md5')
    sent = headers.get(prefix + 'key-md5')
    if stored and not sent:
        raise S3Error('InvalidRequest', 'The object was stored using a form of Server Side '
                      'Encryption. The correct parameters must be provided to retrieve the '
                      'object.')
    if stored and sent != stored:
        raise S3Error('AccessDenied')


def parse_range(text, size):
    """(start, end) of a Range header, None when it is to be ignored."""
    match = re.fullmatch(r'bytes=(\d*)-(\d*)', text.strip())
    if not match or not (match.group(1) or match.group(2)):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start = int(first)
        end = min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise S3Error('InvalidRange', RangeRequested=text, ActualObjectSize=size,
                      headers=[('Content-Range', 'bytes */%d' % size)])
    return start, end


def _part_range(version, text):
    """(start, end, number of parts) of a GET with partNumber."""
    parts = version.parts or [None]
    if not text.isdigit() or not 1 <= int(text) <= 10000:
        raise S3Error('InvalidArgument', 'Part number must be an integer between 1 and 10000')
    if int(text) > len(parts):
        raise S3Error('InvalidPartNumber')
    if not version.parts:
        return 0, version.size, 1
    start = sum(part.data.size for part in parts[:int(text) - 1])
    return start, start + parts[int(text) - 1].data.size, len(parts)


def encoded_word(value):
    """Metadata beyond ASCII as the service returns it (RFC 2047)."""
    if value.isascii():
        return value
    return '=?UTF-8?B?%s?=' % base64.b64encode(value.encode('latin-1')).decode()


def object_headers(srv, req, bucket, version):
    headers = [('ETag', version.etag), ('Last-Modified', http_date(version.mtime)),
               ('Accept-Ranges', 'bytes')]
    headers += [(SHOWN[name], value) for name, value in version.headers.items()]
    headers += [('x-amz-meta-' + name, encoded_word(value) if srv.settings.rfc2047 else value)
                for name, value in version.meta.items()]
    if bucket.versioning or version.version_id != 'null':
        headers.append(('x-amz-version-id', version.version_id))
    if version.storage_class != 'STANDARD':
        headers.append(('x-amz-storage-class', version.storage_class))
    if version.tags:
        headers.append(('x-amz-tagging-count', len(version.tags)))
    if 'x-amz-request-payer' in req.headers:
        headers.append(('x-amz-request-charged', 'requester'))
    return headers + list(version.sse.items()) + generation_headers(srv, version)


def sum_headers(srv, version):
    """Checksum headers; what nobody has sent is computed as CRC64NVME, as the service does."""
    if not version.sums and srv.settings.sums and isinstance(version.data, Bytes):
        version.sums = {'CRC64NVME': sums.compute('CRC64NVME', [version.data.data])}
        version.sum_type = 'FULL_OBJECT'
    if not version.sums:
        return []
    headers = [(sums.header_name(name), value) for name, value in version.sums.items()]
    return headers + [('x-amz-checksum-type', version.sum_type)]


def get_object(srv, req):
    settings = srv.settings
    bucket = srv.bucket(req)
    version = find_version(srv, req, bucket)
    check_customer_key(req.headers, version)
    if settings.cond_get == 'native':
        conditions.check_read(req.headers, version)
    if req.method == 'GET' and version.storage_class in ARCHIVED:
        raise S3Error('InvalidObjectState', StorageClass=version.storage_class)
    headers = object_headers(srv, req, bucket, version)
    start, end, status = 0, version.size, 200
    if 'partNumber' in req.query:
        start, end, count = _part_range(version, req.query['partNumber'])
        status = 206
        headers.append(('x-amz-mp-parts-count', count))
        if version.size:
            headers.append(('Content-Range', 'bytes %d-%d/%d' % (start, end - 1, version.size)))
    elif 'range' in req.headers:
        found = parse_range(req.headers['range'], version.size)
        if found:
            start, end = found
            status = 206
            headers.append(('Content-Range', 'bytes %d-%d/%d' % (start, end - 1, version.size)))
    if req.headers.get('x-amz-checksum-mode', '').upper() == 'ENABLED' and (
            start == 0 and end == version.size):
        headers += sum_headers(srv, version)
    resp = Response(status, headers, data=version.data, start=start, end=end)
    _override(req, resp)
    return _gunzip(settings, req, version, resp)


def _override(req, resp):
    """response-content-type and its like; only in signed requests."""
    for name, shown in SHOWN.items():
        value = req.query.get('response-' + name)
        if value is not None:
            if req.auth.kind == 'anonymous':
                raise S3Error('InvalidRequest', 'Request specific response headers cannot be '
                                                'used for anonymous GET requests.')
            resp.put(shown, value)


def _gunzip(settings, req, version, resp):
    """The unpacking that one service does on its way out."""
    sent = dict((name.lower(), value) for name, value in req.pairs).get('accept-encoding', '')
    if (not settings.gunzip or 'gzip' in sent
            or version.headers.get('content-encoding') != 'gzip'):
        return resp
    plain = zlib.decompress(whole(version.data), 31)
    resp.data, resp.start, resp.end, resp.status = Bytes(plain), 0, len(plain), 200
    resp.put('Content-Encoding', None)
    resp.put('Content-Range', None)
    resp.put('x-goog-stored-content-encoding', 'gzip')
    resp.chunked = req.method == 'GET'
    return resp


# --- delete -------------------------------------------------------------------------------------

def delete_version(srv, bucket, key, version_id, headers):
    """Delete; the version id of the delete marker made or removed, or None."""
    settings = srv.settings
    current = bucket.visible(key)
    if 'if-match' in headers:
        conditions.check_write(settings, settings.cond_delete, headers, current, key)
    conditions.check_own(settings, headers, current)
    if version_id is not None:
        version = bucket.find(key, version_id)
        if version is None:
            return None
        bucket.remove(key, version)
        return version_id if version.delete_marker else None
    if not bucket.versioning:
        if current is None:
            if settings.delete_missing == 404:
                raise S3Error('NoSuchKey', Key=key)
            return None
        bucket.remove(key, bucket.current(key))
        return None
    marker = Version(None, '""', srv.now())
    marker.delete_marker = True
    bucket.add(key, marker)
    return marker.version_id


def delete_object(srv, req):
    bucket = srv.bucket(req)
    intake.check_key_rate(srv, req)
    version_id = req.query.get('versionId')
    marker = delete_version(srv, bucket, req.key, version_id, req.headers)
    headers = []
    if marker is not None:
        headers += [('x-amz-delete-marker', 'true'), ('x-amz-version-id', marker)]
    elif version_id is not None:
        headers.append(('x-amz-version-id', version_id))
    return Response(204, headers)


# --- copy ---------------------------------------------------------------------------------------

def copy_source(srv, req):
    """(bucket, key, version) that x-amz-copy-source names, its conditions checked."""
    text = req.headers['x-amz-copy-source']
    path, _, query = text.partition('?')
    path = urllib.parse.unquote(path).lstrip('/')
    name, _, key = path.partition('/')
    if not name or not key:
        raise S3Error('InvalidArgument', 'Copy Source must mention the source bucket and key: '
                                         'sourcebucket/sourcekey',
                      ArgumentName='x-amz-copy-source', ArgumentValue=text)
    bucket = srv.store.buckets.get(name)
    if bucket is None:
        raise S3Error('NoSuchBucket', BucketName=name)
    allowed = req.auth.credential.buckets if req.auth.credential else None
    if allowed is not None and name not in allowed:
        raise S3Error('AccessDenied')
    version_id = dict(urllib.parse.parse_qsl(query)).get('versionId')
    version = bucket.find(key, version_id) if version_id else bucket.visible(key)
    if version is None or version.delete_marker:
        raise S3Error('NoSuchVersion' if version_id else 'NoSuchKey', Key=key)
    check_customer_key(req.headers, version, 'x-amz-copy-source-server-side-encryption-customer-')
    if srv.settings.cond_copy_source == 'native':
        conditions.check_read(req.headers, version, 'x-amz-copy-source-')
    return bucket, key, version


def copied_attributes(srv, req, source):
    """The attributes of a copy: the source's, or new ones where a directive says so."""
    version = draft(srv, req)
    if req.headers.get('x-amz-metadata-directive', 'COPY').upper() == 'COPY':
        version.headers, version.meta = dict(source.headers), dict(source.meta)
    if req.headers.get('x-amz-tagging-directive', 'COPY').upper() == 'COPY':
        version.tags = dict(source.tags)
    return version


def copy_object(srv, req):
    settings = srv.settings
    bucket = srv.bucket(req)
    check_acl(srv, bucket, req)
    from_bucket, from_key, source = copy_source(srv, req)
    if source.size > settings.copy_max:
        raise S3Error('InvalidRequest', 'The specified copy source is larger than the maximum '
                      'allowable size for a copy source: %d' % settings.copy_max)
    changed = any(name in req.headers for name in ('x-amz-storage-class', SSE)) or (
        req.headers.get('x-amz-metadata-directive', '').upper() == 'REPLACE')
    if (from_bucket, from_key) == (bucket, req.key) and source is bucket.visible(req.key) and (
            not changed):
        raise S3Error('InvalidRequest', 'This copy request is illegal because it is trying to '
                      "copy an object to itself without changing the object's metadata, storage "
                      'class, website redirect location or encryption attributes.')
    current = bucket.visible(req.key)
    conditions.check_write(settings, settings.cond_copy, req.headers, current, req.key,
                           prefix=settings.cond_copy_prefix)
    conditions.check_own(settings, req.headers, current)
    intake.check_key_rate(srv, req)
    version = copied_attributes(srv, req, source)
    version.data = source.data
    if isinstance(source.data, Gen) or source.size > HASHED_COPY_MAX:
        version.etag = random_etag()
    else:
        version.etag = content_etag(srv, version, whole(source.data))
    algorithm = req.headers.get('x-amz-checksum-algorithm', '').upper()
    if algorithm in sums.ALGORITHMS:
        version.sums = {algorithm: sums.compute(algorithm, source.data.chunks(0, source.size))}
        version.sum_type = 'FULL_OBJECT'
    elif source.sum_type == 'FULL_OBJECT':
        version.sums, version.sum_type = dict(source.sums), source.sum_type
    headers = commit(srv, bucket, req.key, version)
    if from_bucket.versioning:
        headers.append(('x-amz-copy-source-version-id', source.version_id))
    tail = [element('Checksum' + name, value) for name, value in version.sums.items()]
    return Response(headers=XML + headers, body=document(
        'CopyObjectResult', element('LastModified', iso(version.mtime)),
        element('ETag', version.etag), *tail))


# --- the rest -----------------------------------------------------------------------------------

def get_tagging(srv, req):
    version = find_version(srv, req, srv.bucket(req))
    return Response(headers=XML, body=tag_document(version.tags))


def put_tagging(srv, req):
    find_version(srv, req, srv.bucket(req)).tags = parse_tag_document(req.body)
    return Response()


def delete_tagging(srv, req):
    find_version(srv, req, srv.bucket(req)).tags = {}
    return Response(204)


def acl_document(acl):
    grants = '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ' \
             'xsi:type="CanonicalUser"><ID>scripted</ID></Grantee>' \
             '<Permission>FULL_CONTROL</Permission></Grant>'
    everyone = '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ' \
               'xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>' \
               '</Grantee><Permission>%s</Permission></Grant>'
    if acl in ('public-read', 'public-read-write'):
        grants += everyone % 'READ'
    if acl == 'public-read-write':
        grants += everyone % 'WRITE'
    return document('AccessControlPolicy', OWNER, element('AccessControlList', Markup(grants)))


def get_acl(srv, req):
    return Response(headers=XML, body=acl_document(find_version(srv, req, srv.bucket(req)).acl))


def put_acl(srv, req):
    find_version(srv, req, srv.bucket(req)).acl = req.headers.get('x-amz-acl', 'private')
    return Response()


def get_attributes(srv, req):
    version = find_version(srv, req, srv.bucket(req))
    check_customer_key(req.headers, version)
    wanted = [word.strip() for word in req.headers.get('x-amz-object-attributes', '').split(',')]
    out = []
    if 'ETag' in wanted:
        out.append(element('ETag', version.etag.strip('"')))
    if 'Checksum' in wanted and version.sums:
        out.append(element('Checksum', *[element('Checksum' + name, value)
                                         for name, value in version.sums.items()],
                           element('ChecksumType', version.sum_type)))
    if 'ObjectParts' in wanted and version.parts:
        out.append(element('ObjectParts', element('TotalPartsCount', len(version.parts))))
    if 'StorageClass' in wanted:
        out.append(element('StorageClass', version.storage_class))
    if 'ObjectSize' in wanted:
        out.append(element('ObjectSize', version.size))
    return Response(headers=XML + [('Last-Modified', http_date(version.mtime))],
                    body=document('GetObjectAttributesResponse', Markup(''.join(out))))
