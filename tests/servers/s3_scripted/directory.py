"""Directory buckets: sessions, listings in no order, and what such buckets refuse."""

import base64
import hashlib
import re
import secrets

from . import routes, sigv4
from .errors import S3Error, parse_xml
from .listing import XML, Encoder, contents, count, iso, upload_entry
from .store import Credential
from .wire import Response
from .xmlio import document, element

NAME = re.compile(r'[a-z0-9][a-z0-9-]*--([a-z0-9]+(?:-[a-z0-9]+)+)--xa?-s3')
# Signed with the keys proper, never with a session. HeadBucket ought to be, but boto3 does not.
PROPER = ('CreateSession', 'CopyObject', 'UploadPartCopy', 'CreateBucket', 'DeleteBucket',
          'ListBuckets')
REFUSED = ('x-amz-acl', 'x-amz-tagging', 'content-md5', 'x-amz-request-payer',
           'x-amz-server-side-encryption-customer-algorithm', 'x-amz-website-redirect-location')


class Session(Credential):
    """The keys that CreateSession gave for one bucket."""

    def __init__(self, bucket, until):
        super().__init__('ASIA' + secrets.token_hex(8), secrets.token_hex(20),
                         base64.b64encode(secrets.token_bytes(60)).decode())
        self.bucket = bucket
        self.until = until


def verify(srv, req):
    """The signature, by a session or by the keys proper."""
    auth = req.auth
    session = srv.sessions.get(auth.access_key)
    if session is None:
        sigv4.verify(auth, req, srv.credentials, srv.now(), service='s3express')
        return
    if req.op in PROPER:
        raise S3Error('AccessDenied', '%s is not signed with a session' % req.op)
    if session.bucket != req.bucket:
        raise S3Error('AccessDenied', 'The session is of another bucket')
    session.expired = srv.now() >= session.until
    sigv4.verify(auth, req, srv.sessions, srv.now(), service='s3express',
                 token='x-amz-s3session-token')


def check(srv, req):
    """What a directory bucket does not take."""
    for name in REFUSED:
        if name in req.headers:
            raise S3Error('NotImplemented', 'Directory buckets do not take ' + name)
    if req.query.get('versionId', 'null') != 'null' or 'versions' in req.query:
        raise S3Error('NotImplemented', 'Directory buckets have no versions')
    if req.op in ('ListObjectsV2', 'ListMultipartUploads'):
        prefix, delimiter = req.query.get('prefix', ''), req.query.get('delimiter', '/')
        if prefix and not prefix.endswith('/') or delimiter != '/':
            raise S3Error('InvalidArgument', 'A prefix ends with the delimiter, which is /')
        if 'start-after' in req.query or 'upload-id-marker' in req.query:
            raise S3Error('NotImplemented', 'There is no order to start at')
    if req.op == 'ListObjects':
        raise S3Error('NotImplemented')


def create_session(srv, req):
    srv.bucket(req)
    session = Session(req.bucket, srv.now() + srv.settings.session_seconds)
    srv.sessions[session.access_key] = session
    return Response(headers=XML, body=document('CreateSessionResult', element(
        'Credentials', element('SessionToken', session.token),
        element('SecretAccessKey', session.secret), element('AccessKeyId', session.access_key),
        element('Expiration', iso(session.until)))))


def check_new_bucket(req):
    """The name of a new bucket and what its body says of it."""
    match = NAME.fullmatch(req.bucket)
    if not match or '..' in req.bucket:
        raise S3Error('InvalidBucketName', BucketName=req.bucket)
    root = parse_xml(req.body)
    local = match.group(1).count('-') > 1
    wanted = {'Location/Name': match.group(1),
              'Location/Type': 'LocalZone' if local else 'AvailabilityZone',
              'Bucket/Type': 'Directory',
              'Bucket/DataRedundancy': 'SingleLocalZone' if local else 'SingleAvailabilityZone'}
    if root.tag != 'CreateBucketConfiguration' or any(
            root.findtext(path) != value for path, value in wanted.items()):
        raise S3Error('MalformedXML')


def _mixed(name):
    return hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()


def _page(items, marker, limit):
    """(entries of one page, marker of the next or '') of {name: entry}, in the order of hashes."""
    order = sorted((_mixed(name), name) for name in items)
    order = [pair for pair in order if pair[0] > marker]
    more = order[limit - 1][0] if len(order) > limit else ''
    return [items[name] for _, name in order[:limit]], more


def _fold(key, prefix, delimiter):
    cut = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[:cut + 1] if cut >= 0 else None


def list_v2(srv, req):
    bucket = srv.bucket(req)
    query = req.query
    prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
    encode = Encoder(srv, query)
    items = {}
    for key in bucket.names:
        if key.startswith(prefix) and bucket.visible(key) is not None:
            common = _fold(key, prefix, delimiter)
            items[common or key] = (
                element('CommonPrefixes', element('Prefix', encode(common))) if common else
                contents(bucket.visible(key), key, encode, False))
    for upload in bucket.uploads.values():      # their folders show before they end
        common = _fold(upload.key, prefix, delimiter) if upload.key.startswith(prefix) else None
        if common:
            items[common] = element('CommonPrefixes', element('Prefix', encode(common)))
    entries, more = _page(items, query.get('continuation-token', ''),
                          count(query, 'max-keys', srv.settings.page_max))
    return Response(headers=XML, body=document(
        'ListBucketResult', element('Name', bucket.name), element('Prefix', encode(prefix)),
        encode.xml(), element('NextContinuationToken', more) if more else '',
        element('IsTruncated', 'true' if more else 'false'), *entries))


def list_uploads(srv, req):
    bucket = srv.bucket(req)
    query = req.query
    encode = Encoder(srv, query)
    items = {upload.key + '\0' + upload.upload_id: upload_entry(upload, encode)
             for upload in bucket.uploads.values()
             if upload.key.startswith(query.get('prefix', ''))}
    entries, more = _page(items, query.get('key-marker', ''),
                          count(query, 'max-uploads', srv.settings.page_max))
    return Response(headers=XML, body=document(
        'ListMultipartUploadsResult', element('Bucket', bucket.name), encode.xml(),
        element('NextKeyMarker', more) if more else '',
        element('IsTruncated', 'true' if more else 'false'), *entries))


OPERATIONS = {'CreateSession': create_session, 'ListObjectsV2': list_v2,
              'ListMultipartUploads': list_uploads}
routes.BUCKET[('GET', 'session')] = 'CreateSession'
