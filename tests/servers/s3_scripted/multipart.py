"""Multipart uploads."""

import copy
import hashlib
import secrets

from . import conditions, intake, objects, sums
from .data import ZERO_BLOCK, Bytes, Gen, Joined, Slice
from .errors import S3Error, parse_xml
from .listing import OWNER, XML, iso
from .store import Part, Upload, quoted_md5, random_etag
from .wire import Response
from .xmlio import document, element

CONDITIONS = ('if-match', 'if-none-match', 'if-unmodified-since')


def create(srv, req):
    settings = srv.settings
    bucket = srv.bucket(req)
    objects.check_acl(srv, bucket, req)
    draft = objects.draft(srv, req)
    upload = Upload(req.key, secrets.token_urlsafe(32), draft, srv.now())
    algorithm = req.headers.get('x-amz-checksum-algorithm', '').upper()
    if settings.sums and algorithm:
        _set_algorithm(upload, algorithm, req.headers.get('x-amz-checksum-type', '').upper())
    if settings.cond_put_etags:
        upload.conditions = {name: req.headers[name] for name in CONDITIONS
                             if name in req.headers}
    bucket.uploads[upload.upload_id] = upload
    headers = list(draft.sse.items())
    if upload.algorithm:
        headers += [('x-amz-checksum-algorithm', upload.algorithm),
                    ('x-amz-checksum-type', upload.sum_type)]
    return Response(headers=XML + headers, body=document(
        'InitiateMultipartUploadResult', element('Bucket', bucket.name),
        element('Key', req.key), element('UploadId', upload.upload_id)))


def _set_algorithm(upload, algorithm, kind):
    if algorithm not in sums.ALGORITHMS:
        raise S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported. Please try '
                      'again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, '
                      'SHA256]')
    kind = kind or ('FULL_OBJECT' if algorithm == 'CRC64NVME' else 'COMPOSITE')
    if (kind == 'FULL_OBJECT' and algorithm not in sums.FULL_OBJECT) or (
            kind == 'COMPOSITE' and algorithm == 'CRC64NVME'):
        raise S3Error('InvalidRequest', 'The %s checksum type cannot be used with the %s '
                      'checksum algorithm.' % (kind, algorithm.lower()))
    upload.algorithm, upload.sum_type = algorithm, kind


def find(srv, req):
    bucket = srv.bucket(req)
    upload = bucket.uploads.get(req.query.get('uploadId', ''))
    if upload is None or upload.key != req.key:
        raise S3Error('NoSuchUpload', UploadId=req.query.get('uploadId', ''))
    return bucket, upload


def _part_number(srv, req):
    text = req.query.get('partNumber', '')
    limit = srv.settings.parts_max
    if not text.isdigit() or not 1 <= int(text) <= limit:
        raise S3Error('InvalidArgument', 'Part number must be an integer between 1 and %d, '
                      'inclusive' % limit, ArgumentName='partNumber', ArgumentValue=text)
    return int(text)


def upload_part(srv, req):
    _, upload = find(srv, req)
    number = _part_number(srv, req)
    if not intake.is_sink(req):
        objects.check_customer_key(req.headers, upload.draft)
        data = Bytes(req.body)
        etag = quoted_md5(req.body)
    else:
        declared = req.headers.get('x-amz-decoded-content-length')
        data = Gen(int(declared) if declared else req.body_size, ZERO_BLOCK)
        etag = random_etag()
    found = {req.sum[0]: req.sum[1]} if req.sum else {}
    if found and upload.algorithm and upload.algorithm not in found:
        raise S3Error('InvalidRequest', 'Checksum Type mismatch occurred, expected checksum '
                      'Type: %s, actual checksum Type: %s'
                      % (upload.algorithm.lower(), req.sum[0].lower()))
    upload.parts[number] = Part(data, etag, srv.now(), found)
    headers = [('ETag', etag)] + [(sums.header_name(name), value)
                                  for name, value in found.items()]
    return Response(headers=headers + list(upload.draft.sse.items()))


def upload_part_copy(srv, req):
    settings = srv.settings
    if not settings.copy_part:
        raise S3Error('NotImplemented')
    if not settings.copy_part_conditions and any(
            name.startswith('x-amz-copy-source-if-') for name in req.headers):
        raise S3Error('NotImplemented')
    _, upload = find(srv, req)
    number = _part_number(srv, req)
    _, _, source = objects.copy_source(srv, req)
    start, end = 0, source.size
    text = req.headers.get('x-amz-copy-source-range')
    if text is not None:
        try:
            start, end = objects.parse_range(text, source.size) or (1, 0)
            wanted = int(text.rpartition('-')[2]) + 1
        except (S3Error, ValueError):
            start, end, wanted = 1, 0, 0
        if end != wanted or start >= end:
            raise S3Error('InvalidArgument', 'Range specified is not valid for source object of '
                          'size: %d' % source.size, ArgumentName='x-amz-copy-source-range',
                          ArgumentValue=text)
    if end - start > settings.copy_max:
        raise S3Error('InvalidRequest', 'The specified copy range is larger than the maximum '
                                        'allowable size for a copy source')
    data = Slice(source.data, start, end)
    if isinstance(source.data, Bytes):
        data = Bytes(source.data.data[start:end])
        etag = quoted_md5(data.data)
    else:
        etag = random_etag()
    found = {}
    if upload.algorithm and isinstance(data, Bytes):
        found = {upload.algorithm: sums.compute(upload.algorithm, [data.data])}
    upload.parts[number] = Part(data, etag, srv.now(), found)
    tail = [element('Checksum' + name, value) for name, value in found.items()]
    return Response(headers=XML, body=document(
        'CopyPartResult', element('LastModified', iso(srv.now())), element('ETag', etag), *tail))


def list_parts(srv, req):
    bucket, upload = find(srv, req)
    marker = int(req.query.get('part-number-marker') or 0)
    limit = min(int(req.query.get('max-parts') or 1000), 1000)
    numbers = [number for number in sorted(upload.parts) if number > marker]
    entries = []
    for number in numbers[:limit]:
        part = upload.parts[number]
        entries.append(element(
            'Part', element('PartNumber', number), element('LastModified', iso(part.mtime)),
            element('ETag', part.etag), element('Size', part.data.size),
            *[element('Checksum' + name, value) for name, value in part.sums.items()]))
    more = len(numbers) > limit
    last = numbers[:limit][-1] if numbers[:limit] else 0
    sums_xml = (element('ChecksumAlgorithm', upload.algorithm)
                + element('ChecksumType', upload.sum_type)) if upload.algorithm else ''
    return Response(headers=XML, body=document(
        'ListPartsResult', element('Bucket', bucket.name), element('Key', upload.key),
        element('UploadId', upload.upload_id), OWNER,
        element('StorageClass', upload.draft.storage_class),
        element('PartNumberMarker', marker), element('NextPartNumberMarker', last),
        element('MaxParts', limit), element('IsTruncated', 'true' if more else 'false'),
        sums_xml, *entries))


def abort(srv, req):
    bucket, upload = find(srv, req)
    del bucket.uploads[upload.upload_id]
    return Response(204)


# --- complete -----------------------------------------------------------------------------------

def _chosen(upload, body, most):
    """The parts that the request lists, in order, each as (number, Part)."""
    root = parse_xml(body)
    listed = root.findall('Part')
    if root.tag != 'CompleteMultipartUpload' or not listed or len(listed) > most:
        raise S3Error('MalformedXML')
    chosen, last = [], 0
    for item in listed:
        text = item.findtext('PartNumber') or ''
        if not text.isdigit():
            raise S3Error('MalformedXML')
        number = int(text)
        if number <= last:
            raise S3Error('InvalidPartOrder', UploadId=upload.upload_id)
        last = number
        part = upload.parts.get(number)
        etag = (item.findtext('ETag') or '').strip().strip('"')
        if part is None or part.etag.strip('"') != etag:
            raise S3Error('InvalidPart', UploadId=upload.upload_id, PartNumber=number, ETag=etag)
        _check_part_sums(upload, item, number, part)
        chosen.append((number, part))
    return chosen


def _check_part_sums(upload, item, number, part):
    for name in sums.ALGORITHMS:
        value = item.findtext('Checksum' + name)
        if value is not None and part.sums.get(name, value) != value:
            raise S3Error('InvalidPart', UploadId=upload.upload_id, PartNumber=number)
        if value is None and upload.algorithm == name and upload.sum_type == 'COMPOSITE':
            raise S3Error('InvalidRequest', 'The upload was created using a %s checksum. The '
                          'complete request must include the checksum for each part. It was '
                          'missing for part %d in the request.' % (name.lower(), number))


def _check_sizes(settings, upload, chosen):
    sizes = [part.data.size for _, part in chosen]
    for (number, part), size in list(zip(chosen, sizes))[:-1]:
        if size < settings.part_min:
            raise S3Error('EntityTooSmall', ProposedSize=size, PartNumber=number,
                          MinSizeAllowed=settings.part_min, ETag=part.etag)
    if settings.part_equal and len(sizes) > 1 and (
            len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]):
        raise S3Error('InvalidPart', 'All non-trailing parts must have the same length.',
                      UploadId=upload.upload_id)


def _sum_up(srv, req, upload, version):
    """The checksums of the whole object, compared with what the request says."""
    sink = intake.is_sink(req)
    parts = version.parts
    if upload.algorithm and upload.sum_type == 'COMPOSITE' and all(
            upload.algorithm in part.sums for part in parts):
        version.sums = {upload.algorithm: sums.composite(
            upload.algorithm, [part.sums[upload.algorithm] for part in parts])}
        version.sum_type = 'COMPOSITE'
    sent = sums.sent(req.headers)
    if sent and (not srv.settings.sums or sent[0] not in srv.settings.sums):
        sent = None
    kind = req.headers.get('x-amz-checksum-type', upload.sum_type or '').upper()
    if sent and upload.sum_type and kind != upload.sum_type:
        raise S3Error('InvalidRequest', 'The upload was created using the %s checksum mode. The '
                      'complete request must use the same checksum mode.' % upload.sum_type)
    if version.sum_type == 'COMPOSITE':
        if sent and sent[1].partition('-')[0] != version.sums[upload.algorithm].partition('-')[0]:
            raise S3Error('BadDigest', 'The %s you specified did not match the calculated '
                                       'checksum.' % upload.algorithm.lower())
        return
    algorithm = sent[0] if sent else upload.algorithm
    if algorithm is None:
        return
    if sent and not sink and srv.settings.verify_sums:
        sums.check(algorithm, sent[1], version.data.chunks(0, version.size))
    value = sent[1] if sent else None
    if value is None and not sink:
        value = sums.compute(algorithm, version.data.chunks(0, version.size))
    if value is not None:
        version.sums, version.sum_type = {algorithm: value}, 'FULL_OBJECT'


def _etag(srv, req, version):
    count = len(version.parts)
    if srv.settings.multipart_etag == 'random' or intake.is_sink(req):
        return random_etag(count)
    raw = b''.join(bytes.fromhex(part.etag.strip('"')) for part in version.parts)
    return '"%s-%d"' % (hashlib.md5(raw).hexdigest(), count)


def complete(srv, req):
    settings = srv.settings
    bucket, upload = find(srv, req)
    current = bucket.visible(req.key)
    headers = {**upload.conditions, **req.headers}
    conditions.check_write(settings, settings.cond_multipart, headers, current, req.key)
    conditions.check_own(settings, req.headers, current)
    chosen = _chosen(upload, req.body, settings.parts_max)
    _check_sizes(settings, upload, chosen)
    intake.check_key_rate(srv, req)
    version = copy.copy(upload.draft)
    version.parts = [part for _, part in chosen]
    version.data = Joined([part.data for part in version.parts])
    declared = req.headers.get('x-amz-mp-object-size')
    if declared is not None and declared != str(version.data.size):
        raise S3Error('InvalidRequest', 'The provided object size does not match the size of '
                                        'the uploaded parts.')
    _sum_up(srv, req, upload, version)
    version.etag = _etag(srv, req, version)
    del bucket.uploads[upload.upload_id]
    extra = objects.commit(srv, bucket, req.key, version)
    extra += objects.generation_headers(srv, version)
    tail = [element('Checksum' + name, value) for name, value in version.sums.items()]
    if version.sum_type:
        tail.append(element('ChecksumType', version.sum_type))
    return Response(headers=XML + extra, body=document(
        'CompleteMultipartUploadResult',
        element('Location', 'http://%s/%s/%s' % (req.headers['host'], bucket.name, req.key)),
        element('Bucket', bucket.name), element('Key', req.key),
        element('ETag', version.etag), *tail))
