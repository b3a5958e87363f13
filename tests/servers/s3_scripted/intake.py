"""From a request's head to a verified body: address, signature, refusals, checksums."""

import re

from . import directory, routes, sigv4, sums, wire
from .data import BLOCK
from .errors import S3Error

BUCKET_NAME = re.compile(r'[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]')
WRITES_OF_KEY = ('PutObject', 'CopyObject', 'CompleteMultipartUpload', 'DeleteObject')


def refuse(answer):
    """Raise an answer of the personality table."""
    status, code, message = answer
    raise S3Error(code, message, status)


def _host_pattern(pattern):
    return re.compile(r'(?:(.+)\.)?' + re.escape(pattern).replace(r'\*', '[^.]+'))


def split_host(srv, host):
    """The bucket in a Host header, or None."""
    host = re.sub(r':\d+$', '', host).lower()
    for pattern in sorted(srv.domains + list(srv.settings.hosts), key=len, reverse=True):
        match = _host_pattern(pattern).fullmatch(host)
        if match:
            return match.group(1)
    return None


def locate(srv, req):
    """Set bucket and key of a request from its host and path."""
    if req.path is None:
        raise S3Error('InvalidURI')
    if 'host' not in req.headers:
        raise S3Error('InvalidRequest', 'Missing required header for this request: Host')
    bucket = split_host(srv, req.headers['host'])
    path = req.path[1:]
    if srv.settings.double_slash_is_bucket and path.startswith('/'):
        bucket, path = None, path.lstrip('/').split('/')[0]
    if bucket:
        req.bucket, req.key = bucket, path
        return
    req.bucket, slash, req.key = path.partition('/')
    if req.bucket and not slash:
        req.key = ''


def check_style(srv, req):
    if srv.settings.style == 'virtual' and req.bucket and not split_host(
            srv, req.headers['host']):
        raise S3Error('SecondLevelDomainForbidden')


def check_key(req):
    if req.key and len(req.key.encode('utf-8', 'surrogatepass')) > 1024:
        raise S3Error('KeyTooLongError', Size=len(req.key.encode()), MaxSizeAllowed=1024)


def _wrong_region(srv, req, expected):
    sent = req.auth.region
    headers = [('x-amz-bucket-region', expected)]
    if srv.settings.region_check == 'scope':
        raise S3Error('AuthorizationHeaderMalformed', 'Authorization header malformed, '
                      'unexpected scope: %s' % req.auth.scope)
    code = ('AuthorizationHeaderMalformed' if req.auth.kind == 'header'
            else 'AuthorizationQueryParametersError')
    raise S3Error(code, "The authorization header is malformed; the region '%s' is wrong; "
                  "expecting '%s'" % (sent, expected), headers=headers, Region=expected)


def check_region(srv, req):
    """The region of the signature against that of the bucket or of the service."""
    if req.auth.kind == 'anonymous' or srv.settings.region_check == 'any':
        return
    bucket = srv.store.buckets.get(req.bucket)
    expected = bucket.region if bucket else srv.settings.region
    if req.auth.region == expected:
        return
    if expected == srv.settings.region and req.auth.region in srv.settings.region_aliases:
        return
    _wrong_region(srv, req, expected)


def authenticate(srv, req):
    """Verify what can be verified before the body."""
    rewrite = srv.settings.rewrite_accept_encoding
    if rewrite and 'accept-encoding' in req.headers:
        req.headers['accept-encoding'] = rewrite
    req.auth = sigv4.parse(req)
    if srv.anonymous or srv.settings.anonymous:
        return
    if srv.settings.directory:
        directory.verify(srv, req)
        return
    sigv4.verify(req.auth, req, srv.credentials, srv.now(), srv.settings.ignore_token)
    if req.auth.kind == 'anonymous':
        _check_public(srv, req)
        return
    allowed = req.auth.credential.buckets
    if allowed is not None and (not req.bucket or req.bucket not in allowed):
        raise S3Error('AccessDenied')
    check_region(srv, req)


def _check_public(srv, req):
    bucket = srv.store.buckets.get(req.bucket)
    if bucket is not None:
        version = bucket.visible(req.key) if req.key else None
        acls = (bucket.acl, version.acl if version is not None else None)
        if req.op in routes.READS and any(acl in ('public-read', 'public-read-write')
                                          for acl in acls):
            return
        if bucket.acl == 'public-read-write':
            return
    raise S3Error('AccessDenied')


def check_refused(srv, req):
    """Headers and operations that the personality does not take."""
    settings = srv.settings
    if settings.directory:
        directory.check(srv, req)
    answer = settings.refuse_ops.get(req.op)
    if answer:
        refuse(answer)
    for op, name, value, status, code, message in settings.refuse:
        sent = req.headers.get(name)
        if op in ('*', req.op) and sent is not None and value in ('*', sent):
            raise S3Error(code, message, status, ArgumentName=name)
    if not settings.x_id and 'x-id' in req.query:
        raise S3Error('InvalidArgument', 'Invalid query parameter: x-id')
    if 'x-amz-acl' in req.headers and req.headers['x-amz-acl'] not in settings.acls:
        raise S3Error('InvalidArgument', 'Unsupported value for canned acl',
                      ArgumentName='x-amz-acl', ArgumentValue=req.headers['x-amz-acl'])
    _check_sum_headers(settings, req)


def _check_sum_headers(settings, req):
    for name in req.headers:
        if not name.startswith('x-amz-checksum-') or name in sums.NOT_SUMS:
            continue
        algorithm = name[len('x-amz-checksum-'):].upper()
        known = settings.delete_sums if req.op == 'DeleteObjects' else settings.sums
        if algorithm not in known and settings.sums_other and algorithm in sums.ALGORITHMS:
            refuse(settings.sums_other)
    named = req.headers.get('x-amz-sdk-checksum-algorithm')
    sent = any(name.startswith('x-amz-checksum-') and name not in sums.NOT_SUMS
               for name in req.headers)
    if named and settings.sums and req.method in ('PUT', 'POST') and not sent and (
            'x-amz-trailer' not in req.headers):
        raise S3Error('InvalidRequest', 'x-amz-sdk-checksum-algorithm specified, but no '
                      'corresponding x-amz-checksum-* or x-amz-trailer headers were found.')


def check_framing(srv, req):
    """Body framings that the personality refuses, and a missing length."""
    streaming = sigv4.is_streaming(req.auth)
    trailing = (req.auth.payload or '').endswith('-TRAILER')
    mode = srv.settings.trailers if trailing else srv.settings.chunked
    if streaming and isinstance(mode, tuple):
        refuse(mode)
    if req.length() is None and not streaming and srv.settings.http_chunks:
        refuse(srv.settings.http_chunks)
    if req.method == 'PUT' and req.op in ('PutObject', 'UploadPart') and (
            'content-length' not in req.headers and req.length() is not None):
        raise S3Error('MissingContentLength')


def read_body(srv, req, conn):
    """Read the body; that of the bucket `sink` is dropped at once."""
    if not req.continued and req.headers.get('expect', '').lower() == '100-continue':
        conn.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        req.continued = True
    sink = req.bucket == 'sink' and req.op in ('PutObject', 'UploadPart')
    wire.read_body(conn, req, bytearray(BLOCK) if sink else None)


def is_sink(req):
    return req.bucket == 'sink'


def verify_body(srv, req):
    """Decode and verify what was read; afterwards req.body is the content."""
    settings = srv.settings
    trusted = srv.anonymous or settings.anonymous
    if is_sink(req) and req.op in ('PutObject', 'UploadPart'):
        req.sum = sums.sent(req.headers)
        return
    if sigv4.is_streaming(req.auth):
        mode = settings.trailers if req.auth.payload.endswith('-TRAILER') else settings.chunked
        if mode == 'store':
            srv.store.framing_stored += 1
        else:
            if trusted:
                req.auth.kind = 'anonymous'
            req.body, req.trailers = sigv4.decode_streaming(req.auth, req, req.body)
    elif not trusted:
        sigv4.check_payload(req.auth, req.body)
    _verify_sums(settings, req)


def _verify_sums(settings, req):
    if req.op in ('CompleteMultipartUpload', 'CopyObject', 'CreateMultipartUpload'):
        req.sum = None      # there the headers speak of the object, not of this body
        return
    value = req.headers.get('content-md5')
    if value is not None and settings.verify_sums:
        sums.check_md5(value, req.body)
    found = sums.sent({**req.headers, **req.trailers})
    known = settings.delete_sums if req.op == 'DeleteObjects' else settings.sums
    if found and found[0] not in known:
        found = None
    if found and settings.verify_sums:
        sums.check(found[0], found[1], [req.body])
    req.sum = found


def check_key_rate(srv, req):
    """At most one write to a key in `key_rate` seconds."""
    if not srv.settings.key_rate or req.op not in WRITES_OF_KEY:
        return
    now = srv.now()
    last = srv.store.key_writes.get((req.bucket, req.key))
    if last is not None and 0 <= now - last < srv.settings.key_rate:
        raise S3Error('TooManyRequests')
    srv.store.key_writes[(req.bucket, req.key)] = now
