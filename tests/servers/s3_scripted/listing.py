"""The four lists: objects (V1, V2), versions, uploads."""

import base64
import bisect
import time
import urllib.parse

from .errors import S3Error
from .wire import Response
from .xmlio import Markup, document, element

XML = [('Content-Type', 'application/xml')]
OWNER = Markup('<Owner><ID>scripted</ID><DisplayName>scripted</DisplayName></Owner>')


def iso(seconds):
    whole = int(seconds)
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole)) + '.%03dZ' % (
        int(seconds * 1000) % 1000)


def _after_prefix(names, prefix, low):
    """The index of the first name that is beyond every name with this prefix."""
    index = bisect.bisect_left(names, prefix, low)
    step = 1
    while index + step < len(names) and names[index + step].startswith(prefix):
        step *= 2
    low, high = index, min(index + step + 1, len(names))
    while low < high:
        middle = (low + high) // 2
        if names[middle].startswith(prefix) or names[middle] < prefix:
            low = middle + 1
        else:
            high = middle
    return low


def walk(names, shown, prefix, delimiter, after, skip_prefix, limit):
    """(items, truncated): up to `limit` of ('key', name) and ('prefix', name) in order.

    after: exclusive start; skip_prefix: `after` is a common prefix that was returned already.
    """
    items = []
    at = bisect.bisect_left(names, prefix)
    if after:
        at = max(at, _after_prefix(names, after, 0) if skip_prefix
                 else bisect.bisect_right(names, after))
    while at < len(names) and names[at].startswith(prefix):
        name = names[at]
        if not shown(name):
            at += 1
            continue
        if len(items) == limit:
            return items, True
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            items.append(('key', name))
            at += 1
        else:
            items.append(('prefix', name[:cut + len(delimiter)]))
            at = _after_prefix(names, items[-1][1], at)
    return items, False


def count(query, name, most=1000):
    text = query.get(name)
    if text is None or text == '':
        return most
    if not text.isdigit() or int(text) > 2147483647:
        raise S3Error('InvalidArgument', 'Provided %s not an integer or within integer range'
                      % name, ArgumentName=name, ArgumentValue=text)
    return min(int(text), most)


class Encoder:
    """Names in a listing, with encoding-type=url as the personality does it."""

    def __init__(self, srv, query):
        kind = query.get('encoding-type')
        if kind not in (None, '', 'url'):
            raise S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request',
                          ArgumentName='encoding-type', ArgumentValue=kind)
        self.mode = srv.settings.urlenc
        self.on = bool(kind) and self.mode != 'ignored'

    def __call__(self, text):
        return urllib.parse.quote_plus(text, safe='/*') if self.on else text

    def prefix(self, text):
        return text if self.mode == 'raw-prefixes' else self(text)

    def xml(self):
        return element('EncodingType', 'url') if self.on else Markup('')


def _token(kind, name):
    return base64.urlsafe_b64encode((kind[0] + name).encode('utf-8', 'surrogatepass')).decode()


def _read_token(text):
    try:
        raw = base64.urlsafe_b64decode(text.encode()).decode()
        if raw[:1] in 'kp' and len(raw) > 1:
            return raw[1:], raw[0] == 'p'
    except ValueError:
        pass
    raise S3Error('InvalidArgument', 'The continuation token provided is incorrect',
                  ArgumentName='continuation-token')


def contents(version, name, encode, owner):
    sums = ''.join(element('ChecksumAlgorithm', algorithm) for algorithm in version.sums)
    if version.sum_type:
        sums += element('ChecksumType', version.sum_type)
    return element('Contents', element('Key', encode(name)),
                   element('LastModified', iso(version.mtime)), element('ETag', version.etag),
                   Markup(sums), element('Size', version.size),
                   OWNER if owner else Markup(''), element('StorageClass', version.storage_class))


def _entries(bucket, items, encode, owner):
    keys = [contents(bucket.visible(name), name, encode, owner)
            for kind, name in items if kind == 'key']
    prefixes = [element('CommonPrefixes', element('Prefix', encode.prefix(name)))
                for kind, name in items if kind == 'prefix']
    return Markup(''.join(keys + prefixes))


def list_v1(srv, req):
    bucket = srv.bucket(req)
    query = req.query
    prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
    marker, limit = query.get('marker', ''), count(query, 'max-keys')
    encode = Encoder(srv, query)
    after = '' if encode.mode == 'loop' and encode.on else marker
    skip = bool(delimiter) and after.endswith(delimiter)
    items, truncated = walk(bucket.names, bucket.visible, prefix, delimiter, after, skip, limit)
    truncated = truncated and limit > 0
    following = ''
    if truncated and delimiter:
        following = element('NextMarker', encode(items[-1][1]))
    return Response(headers=XML, body=document(
        'ListBucketResult', element('Name', bucket.name), element('Prefix', encode(prefix)),
        element('Marker', encode(marker)), following, element('MaxKeys', limit),
        element('Delimiter', encode(delimiter)) if delimiter else '', encode.xml(),
        element('IsTruncated', 'true' if truncated else 'false'),
        _entries(bucket, items, encode, True)))


def list_v2(srv, req):
    if not srv.settings.list_v2:
        return list_v1(srv, req)
    bucket = srv.bucket(req)
    query = req.query
    prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
    start, limit = query.get('start-after', ''), count(query, 'max-keys')
    token = query.get('continuation-token')
    encode = Encoder(srv, query)
    after, skip = (start, False) if srv.settings.start_after else ('', False)
    if token is not None:
        after, skip = _read_token(token)
    items, truncated = walk(bucket.names, bucket.visible, prefix, delimiter, after, skip, limit)
    truncated = truncated and limit > 0
    owner = query.get('fetch-owner') == 'true'
    return Response(headers=XML, body=document(
        'ListBucketResult', element('Name', bucket.name), element('Prefix', encode(prefix)),
        element('StartAfter', encode(start)) if start and srv.settings.start_after else '',
        element('ContinuationToken', token) if token is not None else '',
        element('NextContinuationToken', _token(*items[-1])) if truncated else '',
        element('KeyCount', len(items)), element('MaxKeys', limit),
        element('Delimiter', encode(delimiter)) if delimiter else '', encode.xml(),
        element('IsTruncated', 'true' if truncated else 'false'),
        _entries(bucket, items, encode, owner)))


def _version_entry(bucket, name, version, encode):
    latest = element('IsLatest', 'true' if bucket.current(name) is version else 'false')
    head = (element('Key', encode(name)), element('VersionId', version.version_id), latest,
            element('LastModified', iso(version.mtime)))
    if version.delete_marker:
        return element('DeleteMarker', *head, OWNER)
    return element('Version', *head, element('ETag', version.etag),
                   element('Size', version.size), OWNER,
                   element('StorageClass', version.storage_class))


def _version_items(bucket, query, prefix, delimiter, limit):
    """(entries, truncated): ('version', name, Version) and ('prefix', name, None)."""
    key_marker = query.get('key-marker', '')
    id_marker = query.get('version-id-marker', '')
    out = []
    if id_marker:
        chain = bucket.versions.get(key_marker, [])
        known = [version.version_id for version in chain]
        if id_marker in known:
            out = [('version', key_marker, v) for v in
                   reversed(chain[:known.index(id_marker)])]
    skip = bool(delimiter) and key_marker.endswith(delimiter)
    items, more = walk(bucket.names, bucket.current, prefix, delimiter, key_marker, skip,
                       limit + 1)
    for kind, name in items:
        if kind == 'prefix':
            out.append(('prefix', name, None))
        else:
            out += [('version', name, v) for v in reversed(bucket.versions[name])]
    return out[:limit], more or len(out) > limit


def list_versions(srv, req):
    bucket = srv.bucket(req)
    query = req.query
    prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
    limit = count(query, 'max-keys')
    encode = Encoder(srv, query)
    if 'version-id-marker' in query and 'key-marker' not in query:
        raise S3Error('InvalidArgument', 'A version-id marker cannot be specified without a key '
                                         'marker.')
    items, truncated = _version_items(bucket, query, prefix, delimiter, limit)
    truncated = truncated and limit > 0
    following = ''
    if truncated:
        following = element('NextKeyMarker', encode(items[-1][1]))
        if items[-1][2] is not None:
            following += element('NextVersionIdMarker', items[-1][2].version_id)
    entries = [_version_entry(bucket, name, version, encode) if version is not None else
               element('CommonPrefixes', element('Prefix', encode.prefix(name)))
               for _, name, version in items]
    return Response(headers=XML, body=document(
        'ListVersionsResult', element('Name', bucket.name), element('Prefix', encode(prefix)),
        element('KeyMarker', encode(query.get('key-marker', ''))),
        element('VersionIdMarker', query.get('version-id-marker', '')), following,
        element('MaxKeys', limit),
        element('Delimiter', encode(delimiter)) if delimiter else '', encode.xml(),
        element('IsTruncated', 'true' if truncated else 'false'), *entries))


def upload_entry(upload, encode):
    return element('Upload', element('Key', encode(upload.key)),
                   element('UploadId', upload.upload_id),
                   Markup('<Initiator><ID>scripted</ID></Initiator>'), OWNER,
                   element('StorageClass', upload.draft.storage_class),
                   element('Initiated', iso(upload.created)))


def list_uploads(srv, req):
    bucket = srv.bucket(req)
    query = req.query
    prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
    limit = count(query, 'max-uploads')
    encode = Encoder(srv, query)
    key_marker, id_marker = query.get('key-marker', ''), query.get('upload-id-marker', '')
    uploads = sorted(bucket.uploads.values(), key=lambda u: (u.key, u.created, u.upload_id))
    entries, last, seen, truncated = [], None, set(), False
    passed = [u.upload_id for u in uploads if u.key == key_marker]
    passed = passed[:passed.index(id_marker) + 1] if id_marker in passed else (
        [] if id_marker else passed)
    for upload in uploads:
        if not upload.key.startswith(prefix) or upload.key < key_marker or (
                upload.upload_id in passed):
            continue
        cut = upload.key.find(delimiter, len(prefix)) if delimiter else -1
        common = upload.key[:cut + len(delimiter)] if cut >= 0 else None
        if common is not None and (common in seen or common <= key_marker):
            continue
        if len(entries) == limit:
            truncated = limit > 0
            break
        seen.add(common)
        last = (common or upload.key, '' if common else upload.upload_id)
        entries.append(
            element('CommonPrefixes', element('Prefix', encode.prefix(common))) if common else
            upload_entry(upload, encode))
    return Response(headers=XML, body=document(
        'ListMultipartUploadsResult', element('Bucket', bucket.name),
        element('KeyMarker', encode(key_marker)), element('UploadIdMarker', id_marker),
        element('NextKeyMarker', encode(last[0])) if truncated else '',
        element('NextUploadIdMarker', last[1]) if truncated else '',
        element('Prefix', encode(prefix)),
        element('Delimiter', encode(delimiter)) if delimiter else '', encode.xml(),
        element('MaxUploads', limit),
        element('IsTruncated', 'true' if truncated else 'false'), *entries))
