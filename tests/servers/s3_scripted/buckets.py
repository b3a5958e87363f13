"""Operations on buckets and on many objects at once."""

from . import directory, intake, objects
from .errors import S3Error, parse_xml
from .listing import OWNER, XML, iso
from .wire import Response
from .xmlio import Markup, document, element


def list_buckets(srv, req):
    query = req.query
    prefix, after = query.get('prefix', ''), query.get('continuation-token', '')
    limit = int(query.get('max-buckets') or 10000)
    allowed = req.auth.credential.buckets if req.auth.credential else None
    names = sorted(name for name, bucket in srv.store.buckets.items()
                   if not bucket.hidden and name.startswith(prefix) and name > after
                   and (allowed is None or name in allowed))
    entries = [element('Bucket', element('Name', name),
                       element('CreationDate', iso(srv.store.buckets[name].created)),
                       element('BucketRegion', srv.store.buckets[name].region))
               for name in names[:limit]]
    more = (element('ContinuationToken', names[limit - 1]) if len(names) > limit else '')
    return Response(headers=XML, body=document(
        'ListAllMyDirectoryBucketsResult' if srv.settings.directory else 'ListAllMyBucketsResult',
        OWNER, element('Buckets', *entries), more,
        element('Prefix', prefix) if prefix else ''))


def _location(srv, req):
    """The region that a CreateBucket asks for."""
    settings = srv.settings
    if not req.body.strip():
        return settings.region
    if settings.create_body == 'refused':
        raise S3Error('InvalidLocationConstraint')
    root = parse_xml(req.body)
    if root.tag != 'CreateBucketConfiguration':
        raise S3Error('MalformedXML')
    wanted = root.findtext('LocationConstraint') or settings.region
    if settings.create_body == 'strict' and wanted not in (settings.region, ''):
        raise S3Error('InvalidLocationConstraint')
    if settings.region_check == 'bucket' and wanted == 'us-east-1' == settings.region:
        raise S3Error('InvalidLocationConstraint')
    return {'EU': 'eu-west-1'}.get(wanted, wanted)


def create_bucket(srv, req):
    if srv.settings.directory:
        directory.check_new_bucket(req)
    elif not intake.BUCKET_NAME.fullmatch(req.bucket) or '..' in req.bucket:
        raise S3Error('InvalidBucketName', BucketName=req.bucket)
    region = srv.settings.region if srv.settings.directory else _location(srv, req)
    if req.bucket in srv.store.buckets:
        owner = srv.store.buckets[req.bucket].owner
        if owner != req.auth.access_key and owner is not None:
            raise S3Error('BucketAlreadyExists', BucketName=req.bucket)
        status, code, message = srv.settings.create_again
        raise S3Error(code, message, status, BucketName=req.bucket)
    bucket = srv.add_bucket(req.bucket, region, req.auth.access_key)
    bucket.acl = req.headers.get('x-amz-acl')
    return Response(headers=[('Location', '/' + req.bucket)])


def head_bucket(srv, req):
    bucket = srv.bucket(req)
    headers = [('x-amz-bucket-region', bucket.region)]
    if srv.settings.usage_headers:
        shown = [bucket.visible(name) for name in bucket.names if bucket.visible(name)]
        headers += [('x-rgw-object-count', len(shown)),
                    ('x-rgw-bytes-used', sum(version.size for version in shown))]
    return Response(headers=headers)


def delete_bucket(srv, req):
    bucket = srv.bucket(req)
    if bucket.names or (bucket.uploads and srv.settings.uploads_block_delete):
        raise S3Error('BucketNotEmpty', BucketName=bucket.name)
    if not bucket.hidden:
        del srv.store.buckets[bucket.name]
    return Response(204)


def get_location(srv, req):
    region = srv.bucket(req).region
    return Response(headers=XML, body=document('LocationConstraint',
                                               '' if region == 'us-east-1' else region))


def get_versioning(srv, req):
    state = srv.bucket(req).versioning
    return Response(headers=XML, body=document(
        'VersioningConfiguration', element('Status', state) if state else ''))


def put_versioning(srv, req):
    bucket = srv.bucket(req)
    state = parse_xml(req.body).findtext('Status')
    if state not in ('Enabled', 'Suspended'):
        raise S3Error('MalformedXML')
    bucket.versioning = state
    return Response()


def get_tagging(srv, req):
    bucket = srv.bucket(req)
    if not bucket.tags:
        raise S3Error('NoSuchTagSet', 'The TagSet does not exist', BucketName=bucket.name)
    return Response(headers=XML, body=objects.tag_document(bucket.tags))


def put_tagging(srv, req):
    srv.bucket(req).tags = objects.parse_tag_document(req.body)
    return Response(204)


def delete_tagging(srv, req):
    srv.bucket(req).tags = {}
    return Response(204)


def get_acl(srv, req):
    return Response(headers=XML, body=objects.acl_document(srv.bucket(req).acl))


def put_acl(srv, req):
    srv.bucket(req).acl = req.headers.get('x-amz-acl', 'private')
    return Response()


def _check_delete_sum(srv, req):
    settings = srv.settings
    if settings.delete_sum_needed is None:
        return
    with_md5 = 'content-md5' in req.headers and 'MD5' in settings.delete_sums
    if not with_md5 and req.sum is None:
        intake.refuse(settings.delete_sum_needed)


def delete_objects(srv, req):
    settings = srv.settings
    bucket = srv.bucket(req)
    _check_delete_sum(srv, req)
    root = parse_xml(req.body)
    wanted = root.findall('Object')
    if root.tag != 'Delete' or not wanted:
        raise S3Error('MalformedXML')
    if len(wanted) > settings.delete_max:
        intake.refuse(settings.delete_max_answer)
    quiet = (root.findtext('Quiet') or '').strip().lower() == 'true'
    entries = []
    for item in wanted:
        entries.append(_delete_one(srv, bucket, item, quiet))
    return Response(headers=XML, body=document('DeleteResult', *entries))


def _delete_one(srv, bucket, item, quiet):
    key = item.findtext('Key') or ''
    version_id = item.findtext('VersionId')
    etag = item.findtext('ETag')
    named = [element('Key', key), element('VersionId', version_id) if version_id else '']
    try:
        if not key:
            raise S3Error('UserKeyMustBeSpecified', 'The user key must be specified.')
        srv.check_delete_fault(key)
        headers = {'if-match': etag} if etag else {}
        marker = objects.delete_version(srv, bucket, key, version_id, headers)
    except S3Error as error:
        return element('Error', *named, element('Code', error.code),
                       element('Message', error.message))
    if quiet:
        return ''
    tail = ''
    if marker is not None:
        tail = element('DeleteMarker', 'true') + element('DeleteMarkerVersionId', marker)
    return element('Deleted', *[part for part in named if part], Markup(tail))
