"""Which operation a request asks for."""

from .errors import S3Error

# (method, sub-resource) -> operation; the first sub-resource present in the query decides.
BUCKET = {
    ('GET', 'location'): 'GetBucketLocation', ('GET', 'versioning'): 'GetBucketVersioning',
    ('PUT', 'versioning'): 'PutBucketVersioning', ('GET', 'versions'): 'ListObjectVersions',
    ('GET', 'uploads'): 'ListMultipartUploads', ('POST', 'delete'): 'DeleteObjects',
    ('GET', 'acl'): 'GetBucketAcl', ('PUT', 'acl'): 'PutBucketAcl',
    ('GET', 'tagging'): 'GetBucketTagging', ('PUT', 'tagging'): 'PutBucketTagging',
    ('DELETE', 'tagging'): 'DeleteBucketTagging',
}
BUCKET_PLAIN = {'PUT': 'CreateBucket', 'HEAD': 'HeadBucket', 'DELETE': 'DeleteBucket',
                'GET': 'ListObjects'}
OBJECT = {
    ('POST', 'uploads'): 'CreateMultipartUpload', ('PUT', 'uploadId'): 'UploadPart',
    ('POST', 'uploadId'): 'CompleteMultipartUpload', ('GET', 'uploadId'): 'ListParts',
    ('DELETE', 'uploadId'): 'AbortMultipartUpload',
    ('GET', 'tagging'): 'GetObjectTagging', ('PUT', 'tagging'): 'PutObjectTagging',
    ('DELETE', 'tagging'): 'DeleteObjectTagging', ('GET', 'acl'): 'GetObjectAcl',
    ('PUT', 'acl'): 'PutObjectAcl', ('GET', 'attributes'): 'GetObjectAttributes',
}
OBJECT_PLAIN = {'PUT': 'PutObject', 'GET': 'GetObject', 'HEAD': 'HeadObject',
                'DELETE': 'DeleteObject'}
# Sub-resources that exist in S3 and that this server does not have.
FOREIGN = ('policy', 'lifecycle', 'cors', 'website', 'replication', 'encryption', 'logging',
           'notification', 'inventory', 'metrics', 'analytics', 'accelerate', 'requestPayment',
           'object-lock', 'ownershipControls', 'publicAccessBlock', 'legal-hold', 'retention',
           'restore', 'select', 'torrent', 'policyStatus', 'intelligent-tiering')

READS = ('GetObject', 'HeadObject', 'ListObjects', 'ListObjectsV2', 'HeadBucket',
         'ListObjectVersions', 'GetBucketLocation', 'GetObjectTagging', 'GetObjectAttributes')


def operation(req):
    """The name of the operation, by method, path and query."""
    if not req.bucket:
        if req.method in ('GET', 'HEAD'):
            return 'ListBuckets'
        raise S3Error('MethodNotAllowed')
    table, plain = (OBJECT, OBJECT_PLAIN) if req.key else (BUCKET, BUCKET_PLAIN)
    for (method, name), op in table.items():
        if method == req.method and name in req.query:
            if op == 'UploadPart' and 'x-amz-copy-source' in req.headers:
                return 'UploadPartCopy'
            return op
    if any(name in req.query for name in FOREIGN):
        raise S3Error('NotImplemented', 'This sub-resource is not implemented')
    op = plain.get(req.method)
    if op is None:
        raise S3Error('MethodNotAllowed')
    if op == 'PutObject' and 'x-amz-copy-source' in req.headers:
        return 'CopyObject'
    if op == 'ListObjects' and req.query.get('list-type') == '2':
        return 'ListObjectsV2'
    return op
