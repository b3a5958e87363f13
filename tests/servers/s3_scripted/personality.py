"""What each imitated service does differently from the plain S3 of this server.

One row per personality; a row names only what differs from PLAIN. The facts are from services'
documents and public reports (2024-2026); "judged" marks what no source states. Every field can be
set from outside (--set name=value, PUT /-/config).

Answers are written (status, code, message); None means "accepted, nothing happens".
"""

import copy

ALL_SUMS = ('CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256')
NO_HEADER = (501, 'NotImplemented', 'A header you provided implies functionality that is not '
                                    'implemented')
SHA_MISMATCH = (400, 'XAmzContentSHA256Mismatch', "The provided 'x-amz-content-sha256' header "
                                                  "does not match what was computed.")

PLAIN = {
    'region': 'us-east-1',
    'region_check': 'bucket',       # bucket | scope (no region in the answer) | any
    'region_aliases': (),
    'hosts': (),                    # service domains besides --domain; * = one label
    'style': 'both',                # both | virtual
    'anonymous': False,             # nobody needs to sign
    'ignore_token': False,          # x-amz-security-token is not looked at
    'rewrite_accept_encoding': None,    # a front end changes the header before verification
    # bodies
    'chunked': 'ok',                # ok | store (framing kept in the object) | answer
    'trailers': 'ok',               # ok | answer
    'http_chunks': (411, 'MissingContentLength', 'You must provide the Content-Length HTTP '
                                                 'header.'),
    'sums': ALL_SUMS,
    'sums_other': None,             # answer to a checksum header that is not in `sums`
    'verify_sums': True,
    # refused headers: list of (operations or *, header, value or * or '', status, code, message)
    'refuse': (),
    'refuse_ops': {},               # operation -> answer
    'x_id': True,
    # many deletes
    'delete_max': 1000,
    'delete_max_answer': (400, 'MalformedXML', 'The XML you provided was not well-formed'),
    'delete_sums': ('MD5',) + ALL_SUMS,
    'delete_sum_needed': (400, 'InvalidRequest', 'Missing required header for this request: '
                                                 'Content-MD5 OR x-amz-checksum-*'),
    'delete_missing': 204,
    'delete_hides': False,          # a delete without version id keeps the old versions
    # lists
    'list_v2': True,                # False: list-type=2 is not understood, V1 is answered
    'start_after': True,
    'urlenc': 'ok',                 # ok | raw-prefixes | ignored | loop
    # multipart
    'parts_max': 10000,
    'part_min': 5 << 20,
    'part_equal': False,
    'copy_part': True,
    'copy_max': 5 << 30,
    'copy_part_conditions': True,
    'multipart_etag': 'aws',        # aws | random
    'uploads_block_delete': False,
    # conditions: native | ignored | answer; _match: If-Match alone, where it differs
    'cond_put': 'native',
    'cond_put_match': None,
    'cond_put_etags': False,        # If-None-Match with ETags, lists of ETags, dates on PUT
    'cond_multipart': 'native',
    'cond_copy': 'native',          # If-Match / If-None-Match on the destination
    'cond_copy_prefix': '',         # the destination's condition headers begin with this
    'cond_copy_source': 'native',
    'cond_delete': 'native',
    'cond_get': 'native',
    'forbid_overwrite': None,       # a header NAME: true that means create-only
    'generation_match': None,       # a header with the generation that the object must have
    # attributes
    'storage_classes': ('STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA',
                        'INTELLIGENT_TIERING', 'GLACIER', 'DEEP_ARCHIVE', 'GLACIER_IR',
                        'EXPRESS_ONEZONE'),
    'acls': ('private', 'public-read', 'public-read-write', 'authenticated-read',
             'aws-exec-read', 'bucket-owner-read', 'bucket-owner-full-control'),
    'acl_equals_bucket': False,
    'rfc2047': True,                # metadata beyond ASCII comes back as encoded words
    'gunzip': False,                # gzip-stored objects are served unpacked, without a length
    'usage_headers': False,         # HEAD bucket tells bytes and objects
    'create_header': None,          # a header that makes PUT create a missing bucket
    # buckets
    'create_body': 'any',           # any | strict (wrong constraint 400) | refused
    'create_again': (409, 'BucketAlreadyOwnedByYou', None),
    'double_slash_is_bucket': False,
    # directory buckets
    'directory': False,
    'session_seconds': 300.0,
    'page_max': 1000,
    # rates
    'key_rate': 0.0,                # seconds that must pass between two writes to one key
}

ROWS = {
    'aws': {},
    'r2': {
        'region': 'auto', 'region_aliases': ('us-east-1', ''),
        'hosts': ('*.r2.cloudflarestorage.com', '*.eu.r2.cloudflarestorage.com'),
        'chunked': (501, 'NotImplemented', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD not implemented'),
        'trailers': (501, 'NotImplemented', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER not implemented'),
        'sums': (),
        'sums_other': (501, 'NotImplemented', "Header 'x-amz-checksum-*' not implemented"),
        'refuse': (
            ('*', 'x-amz-sdk-checksum-algorithm', '*') + NO_HEADER,
            ('*', 'x-amz-acl', '*') + NO_HEADER,
            ('*', 'x-amz-grant-read', '*') + NO_HEADER,
            ('*', 'x-amz-tagging', '*') + NO_HEADER,
            ('*', 'x-amz-storage-class', '') + NO_HEADER,
            ('*', 'x-amz-server-side-encryption', 'aws:kms') + NO_HEADER,
            ('*', 'x-amz-server-side-encryption-aws-kms-key-id', '*') + NO_HEADER,
            ('*', 'x-amz-request-payer', '*') + NO_HEADER,
            ('*', 'x-amz-object-lock-mode', '*') + NO_HEADER,
            ('*', 'x-amz-expected-bucket-owner', '') + NO_HEADER,
        ),
        'refuse_ops': dict.fromkeys(
            ('GetBucketAcl', 'PutBucketAcl', 'GetObjectAcl', 'PutObjectAcl', 'PutObjectTagging',
             'GetObjectTagging', 'DeleteObjectTagging', 'PutBucketTagging', 'GetBucketTagging',
             'DeleteBucketTagging', 'GetBucketVersioning', 'PutBucketVersioning',
             'ListObjectVersions', 'GetObjectAttributes'), NO_HEADER),
        'delete_max': 700,
        'delete_max_answer': (500, 'InternalError', 'We encountered an internal error. Please '
                                                    'try again.'),
        'delete_sum_needed': None,
        'part_equal': True,
        'copy_part_conditions': False,
        'multipart_etag': 'random',
        'cond_put_etags': True,
        'cond_copy_prefix': 'cf-copy-destination-',
        'cond_delete': 'ignored',       # judged
        'storage_classes': ('STANDARD', 'STANDARD_IA'),
        'create_header': 'cf-create-bucket-if-missing',
        'key_rate': 1.0,
    },
    'b2': {
        'region': 'us-west-004',
        'hosts': ('s3.*.backblazeb2.com',),
        'chunked': (501, 'NotImplemented', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD is not supported'),
        'trailers': (400, 'InvalidArgument', "Unsupported header 'x-amz-trailer' received for "
                                             "this API call."),
        'sums': (),
        'sums_other': (400, 'InvalidArgument', "Unsupported header 'x-amz-checksum-*' received "
                                               "for this API call."),
        'refuse': tuple(
            ('*', name, '*', 400, 'InvalidArgument',
             "Unsupported header '%s' received for this API call." % name)
            for name in ('x-amz-sdk-checksum-algorithm', 'x-amz-checksum-mode',
                         'x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-tagging')),
        'refuse_ops': dict.fromkeys(('PutObjectTagging', 'GetObjectTagging',
                                     'DeleteObjectTagging', 'PutBucketTagging'), NO_HEADER),
        'delete_sums': ('MD5',),
        'delete_hides': True,
        'cond_put': NO_HEADER, 'cond_multipart': NO_HEADER, 'cond_copy': NO_HEADER,
        'cond_delete': NO_HEADER,
        'acls': ('private', 'public-read'),
        'acl_equals_bucket': True,
    },
    'oss': {
        'region': 'oss-cn-hangzhou',
        'hosts': ('oss-*.aliyuncs.com', 's3.oss-*.aliyuncs.com'),
        'style': 'virtual',
        'chunked': (400, 'InvalidArgument', 'aws-chunked encoding is not supported with the '
                                            'specified x-amz-content-sha256 value.'),
        'trailers': (400, 'InvalidArgument', 'aws-chunked encoding is not supported with the '
                                             'specified x-amz-content-sha256 value.'),
        'sums': (),
        'delete_sums': ('MD5',),
        'delete_sum_needed': (400, 'InvalidRequest', 'Missing required header for this request: '
                                                     'Content-MD5'),
        'multipart_etag': 'random',
        'cond_put': NO_HEADER, 'cond_multipart': NO_HEADER, 'cond_copy': NO_HEADER,  # last: judged
        'cond_delete': 'ignored',       # judged
        'forbid_overwrite': 'x-oss-forbid-overwrite',
    },
    'gcs-xml': {
        'region': 'auto', 'region_check': 'any',
        'hosts': ('storage.googleapis.com',),
        'rewrite_accept_encoding': 'gzip,gzip(gfe)',
        'sums': (),
        'sums_other': (400, 'ExcessHeaderValues', 'Multiple HTTP header values where one was '
                                                  'expected.'),
        'chunked': SHA_MISMATCH,        # judged
        'trailers': SHA_MISMATCH,       # judged
        'x_id': False,
        'delete_sums': ('MD5', 'CRC32', 'CRC32C'),
        'delete_missing': 404,
        'copy_part': False,
        'copy_max': 1 << 62,
        'cond_put': 'ignored', 'cond_multipart': 'ignored', 'cond_copy': 'ignored',
        'cond_delete': 'ignored',
        'generation_match': 'x-goog-if-generation-match',
        'gunzip': True,
        'refuse': (('*', 'x-amz-object-lock-mode', '*') + NO_HEADER,),
    },
    'oci': {
        'region': 'us-ashburn-1',
        'hosts': ('*.compat.objectstorage.*.oraclecloud.com', 'vhcompat.objectstorage.*'
                  '.oraclecloud.com', '*.compat.objectstorage.*.oci.customer-oci.com'),
        'chunked': (501, 'NotImplemented', 'AWS chunked encoding not supported.'),
        'trailers': (501, 'NotImplemented', 'AWS chunked encoding not supported.'),
        'sums': ('SHA256', 'CRC32C'),
        'sums_other': (400, 'InvalidArgument', 'x-amz-checksum-crc32 is not supported'),
        'delete_sums': ('MD5', 'SHA256', 'CRC32C'),
        'delete_sum_needed': (400, 'MissingContentMD5', None),
        'uploads_block_delete': True,
        'cond_multipart': (412, 'PreconditionFailed', 'The condition was checked on the parts'),
        'refuse_ops': dict.fromkeys(('GetObjectAcl', 'PutObjectAcl'), NO_HEADER),
        'refuse': (('PutObject', 'x-amz-acl', '*') + NO_HEADER,),
    },
    'obs': {
        'region': 'cn-north-4', 'region_check': 'any',
        'hosts': ('obs.*.myhuaweicloud.com',),
        'chunked': SHA_MISMATCH, 'trailers': SHA_MISMATCH,
        'sums': (),
        'delete_sums': ('MD5',),
        'list_v2': False,
        'urlenc': 'loop',
        'multipart_etag': 'random',
        'cond_put': 'ignored', 'cond_multipart': 'ignored', 'cond_copy': 'ignored',   # judged
        'cond_delete': 'ignored',       # judged
    },
    'ceph-old': {
        'region': 'default', 'region_check': 'any',
        'ignore_token': True,
        'trailers': SHA_MISMATCH,
        'sums': (),
        'list_v2': False,
        'urlenc': 'raw-prefixes',
        'cond_put_etags': True,
        'cond_multipart': 'ignored', 'cond_copy': 'ignored', 'cond_delete': 'ignored',
        'usage_headers': True,
        'create_body': 'strict',
        'delete_sum_needed': None,
        'refuse_ops': {'GetObjectAttributes': NO_HEADER},
    },
    'swift-old': {
        'region': 'us-east-1',
        'chunked': (501, 'NotImplemented', 'Transferring payloads in multiple chunks using '
                                           'aws-chunked is not supported.'),
        'trailers': (501, 'NotImplemented', 'Transferring payloads in multiple chunks using '
                                            'aws-chunked is not supported.'),
        'sums': (),
        'delete_sums': ('MD5',),
        'parts_max': 1000,
        'cond_put_match': NO_HEADER,
        'cond_multipart': NO_HEADER,
        'cond_copy': 'ignored', 'cond_delete': 'ignored',       # judged
        'refuse': (('*', 'x-amz-tagging', '*') + NO_HEADER,
                   ('*', 'x-amz-object-lock-mode', '*') + NO_HEADER),
        'refuse_ops': dict.fromkeys(
            ('PutObjectTagging', 'GetObjectTagging', 'DeleteObjectTagging', 'PutBucketTagging',
             'GetBucketTagging', 'DeleteBucketTagging', 'GetObjectAttributes',
             'PutBucketVersioning'), NO_HEADER),
    },
    'seaweed-old': {
        'region_check': 'any',
        'anonymous': True,
        'chunked': 'store', 'trailers': 'store',
        'sums': (),
        'list_v2': True,
        'urlenc': 'ignored',
        'multipart_etag': 'random',
        'cond_put_match': 'ignored',    # reported broken in 3.97
        'cond_multipart': 'ignored', 'cond_copy': 'ignored', 'cond_delete': 'ignored',  # judged
        'delete_sum_needed': None,
    },
    'garage': {
        'region': 'garage', 'region_check': 'scope',
        'chunked': (400, 'InvalidRequest', 'Bad request: Invalid payload signature'),
        'trailers': (400, 'InvalidRequest', 'Bad request: Invalid payload signature'),
        'sums': (),
        'double_slash_is_bucket': True,
        'cond_put': 'ignored', 'cond_multipart': 'ignored', 'cond_copy': 'ignored',   # judged
        'cond_delete': 'ignored',       # judged
        'refuse_ops': dict.fromkeys(
            ('GetBucketAcl', 'PutBucketAcl', 'GetObjectAcl', 'PutObjectAcl', 'PutObjectTagging',
             'GetObjectTagging', 'DeleteObjectTagging', 'PutBucketTagging', 'GetBucketTagging',
             'DeleteBucketTagging', 'PutBucketVersioning', 'ListObjectVersions',
             'GetObjectAttributes'), NO_HEADER),
    },
    'spaces': {
        'region': 'nyc3', 'region_aliases': ('us-east-1',),
        'hosts': ('*.digitaloceanspaces.com',),
        'trailers': (411, 'MissingContentLength', None),
        'sums': (),
        'start_after': False,
        'urlenc': 'raw-prefixes',
        'copy_part': False,
        'cond_multipart': 'ignored', 'cond_copy': 'ignored', 'cond_delete': 'ignored',  # judged
        'create_body': 'refused',
        'refuse': (('*', 'x-amz-server-side-encryption', 'aws:kms') + NO_HEADER,),
    },
    'directory': {
        'directory': True,
        'page_max': 7,
        'multipart_etag': 'random',
        'delete_sums': ALL_SUMS,
        'storage_classes': ('EXPRESS_ONEZONE',),
        'uploads_block_delete': True,
        'refuse_ops': dict.fromkeys(
            ('GetBucketAcl', 'PutBucketAcl', 'GetObjectAcl', 'PutObjectAcl', 'PutObjectTagging',
             'GetObjectTagging', 'DeleteObjectTagging', 'PutBucketTagging', 'GetBucketTagging',
             'DeleteBucketTagging', 'GetBucketVersioning', 'PutBucketVersioning',
             'ListObjectVersions'), NO_HEADER),
    },
    'liar': {
        'region_check': 'any',
        'verify_sums': False,
        'cond_put': 'ignored', 'cond_put_match': 'ignored', 'cond_multipart': 'ignored',
        'cond_copy': 'ignored', 'cond_copy_source': 'ignored', 'cond_delete': 'ignored',
        'cond_get': 'ignored',
        'delete_sum_needed': None,
    },
}
ROWS['plain'] = ROWS['aws']


class Settings:
    """The fields of one personality as attributes, with changes from outside."""

    def __init__(self, name, changes=None):
        if name not in ROWS:
            raise ValueError('no personality %r; there are: %s' % (name, ', '.join(sorted(ROWS))))
        self.name = name
        fields = copy.deepcopy(PLAIN)
        fields.update(copy.deepcopy(ROWS[name]))
        self.__dict__.update(fields)
        for field, value in (changes or {}).items():
            self.change(field, value)

    def change(self, field, value):
        """Set a field; text is converted to the type that the field has."""
        if field not in PLAIN:
            raise ValueError('no setting %r; there are: %s' % (field, ', '.join(sorted(PLAIN))))
        old = PLAIN[field]
        if isinstance(value, str) and isinstance(old, bool):
            value = value.lower() in ('1', 'true', 'yes', 'on')
        elif isinstance(value, str) and isinstance(old, (int, float)):
            value = type(old)(value)
        elif isinstance(value, str) and isinstance(old, tuple) and not isinstance(
                old[:1] and old[0], int):
            value = tuple(word for word in value.split(',') if word)
        elif isinstance(value, list):
            value = tuple(tuple(item) if isinstance(item, list) else item for item in value)
        setattr(self, field, value)
