#!/usr/bin/env python3
"""Each personality of the scripted S3 server shows the defects of its service."""

import base64
import gzip
import hashlib
import http.client
import json
import os
import unittest
import unittest.mock

import s3_scripted_client
from s3_scripted import crc
from s3_scripted.personality import ROWS
from s3_scripted_client import Case, HERE, run

MIB = 1 << 20


def setUpModule():
    if s3_scripted_client.boto3 is None:
        raise unittest.SkipTest('boto3 is not installed (servers.sh install clients)')


class Service(Case):
    """One personality with an empty bucket `bkt`."""

    name = 'aws'
    region = 'us-east-1'
    settings = {'part_min': 1}

    def setUp(self):
        self.server.become(self.name, **self.settings)
        self.s3 = self.client()
        self.s3.create_bucket(Bucket='bkt')

    def client(self, **options):
        return self.server.client(region=self.region, **options)

    def with_headers(self, operation, headers):
        """A client that sends these headers as well with one operation."""
        client = self.client()

        def add(request, **_):
            for name, value in headers.items():
                request.headers[name] = value

        client.meta.events.register('before-sign.s3.' + operation, add)
        return client

    def delete(self, count, client=None, **options):
        return (client or self.s3).delete_objects(Bucket='bkt', Delete={
            'Objects': [{'Key': 'k%d' % n} for n in range(count)]}, **options)

    def with_sum(self, name, digest):
        """A client whose DeleteObjects carries this one sum of its body."""
        client = self.client()

        def swap(request, **_):
            for header in list(request.headers):
                if header.lower().startswith(('x-amz-checksum', 'x-amz-sdk-checksum')):
                    del request.headers[header]
            request.headers[name] = base64.b64encode(digest(request.body)).decode()

        client.meta.events.register('before-sign.s3.DeleteObjects', swap)
        return client

    def md5_only(self):
        return self.with_sum('Content-MD5', lambda body: hashlib.md5(body).digest())

    def streaming(self):
        """A client that says its body is aws-chunked with an unsigned trailer."""
        client = self.with_headers('PutObject', {
            'Content-Encoding': 'aws-chunked', 'x-amz-decoded-content-length': '1'})

        def mark(request, **_):
            request.context['checksum'] = {'request_algorithm': {
                'in': 'trailer', 'algorithm': 'crc32', 'name': 'x-amz-checksum-crc32'}}

        client.meta.events.register('before-sign.s3.PutObject', mark)
        return client

    def chunked(self, status, code):
        """A body that claims to be aws-chunked gets this answer."""
        answer = self.fails(code, self.put, 'k', b'1\r\na\r\n0\r\n\r\n',
                            client=self.streaming())
        self.assertEqual(answer['ResponseMetadata']['HTTPStatusCode'], status)


class R2(Service):
    name, region = 'r2', 'auto'
    settings = {'part_min': 1, 'key_rate': 0}

    def test_refused_headers_and_chunks(self):
        for options in ({'ACL': 'private'}, {'Tagging': 'a=b'}, {'StorageClass': ''},
                        {'ServerSideEncryption': 'aws:kms'}, {'RequestPayer': 'requester'},
                        {'ChecksumAlgorithm': 'CRC32'}):
            self.fails('NotImplemented', self.put, 'k', **options)
        self.chunked(501, 'NotImplemented')

    def test_deletes_and_unequal_parts(self):
        self.fails('InternalError', self.delete, 701, self.md5_only())
        self.delete(700, self.md5_only())
        self.fails('InvalidPart', self.multipart, 'k', [b'11', b'222', b'3'])
        self.fails('InvalidPart', self.multipart, 'k', [b'11', b'222'])
        self.multipart('k', [b'22', b'22', b'1'])

    def test_conditions_with_several_etags(self):
        etag = self.put('k', IfNoneMatch='*')['ETag']
        self.fails('PreconditionFailed', self.put, 'k', IfNoneMatch='"x", ' + etag)
        self.put('k', IfMatch='"x", ' + etag)
        client = self.with_headers('CopyObject', {'cf-copy-destination-if-none-match': '*'})
        self.fails('PreconditionFailed', client.copy_object, Bucket='bkt', Key='k',
                   CopySource='bkt/k', MetadataDirective='REPLACE')

    def test_one_write_a_second_for_each_key(self):
        self.server.control('PUT', 'config', {'set': {'key_rate': 1000.0}})
        self.put('k')
        self.fails('TooManyRequests', self.put, 'k')
        self.put('j')
        self.server.control('PUT', 'config', {'set': {'key_rate': 0}})
        self.put('k')

    def test_region_names(self):
        self.server.client(region='us-east-1').list_buckets()
        self.fails('AuthorizationHeaderMalformed',
                   self.server.client(region='eu-west-1').list_buckets)


class B2(Service):
    name, region = 'b2', 'us-west-004'

    def test_unsupported_headers_and_conditions(self):
        self.fails('InvalidArgument', self.put, 'k', ChecksumAlgorithm='CRC32')
        self.fails('InvalidArgument', self.put, 'k', Tagging='a=b')
        self.fails('InvalidArgument', self.put, 'k', ACL='bucket-owner-read')
        self.fails('InvalidArgument', self.put, 'k', ACL='public-read')
        self.put('k', ACL='private')
        self.fails('NotImplemented', self.put, 'k', IfNoneMatch='*')
        self.fails('NotImplemented', self.put, 'k', IfMatch='"x"')

    def test_delete_only_hides(self):
        self.put('k')
        self.s3.delete_object(Bucket='bkt', Key='k')
        self.fails('NoSuchKey', self.get, 'k')
        listed = self.s3.list_object_versions(Bucket='bkt')
        self.assertEqual((len(listed['Versions']), len(listed['DeleteMarkers'])), (1, 1))
        self.fails('BucketNotEmpty', self.s3.delete_bucket, Bucket='bkt')


class Oss(Service):
    name, region = 'oss', 'oss-cn-hangzhou'

    def setUp(self):
        self.server.become(self.name, **self.settings)
        self.s3 = self.client()
        self.s3.create_bucket(Bucket='bkt')

    def client(self, **options):
        return self.server.client(
            region=self.region, style='virtual', endpoint='http://oss-cn-hangzhou.aliyuncs.com',
            proxies={'http': 'http://127.0.0.1:%d' % self.server.port}, **options)

    def test_path_style_is_forbidden(self):
        self.fails('SecondLevelDomainForbidden', self.put, 'k',
                   client=self.server.client(region=self.region))

    def test_only_md5_and_own_create_only_header(self):
        self.fails('InvalidRequest', self.delete, 1)
        self.delete(1, self.md5_only())
        self.put('k', ChecksumCRC32='AAAAAA==')
        self.fails('NotImplemented', self.put, 'k', IfNoneMatch='*')
        client = self.with_headers('PutObject', {'x-oss-forbid-overwrite': 'true'})
        self.fails('FileAlreadyExists', self.put, 'k', client=client)
        self.put('new', client=client)
        self.chunked(400, 'InvalidArgument')


class Gcs(Service):
    name, region = 'gcs-xml', 'auto'

    def test_conditions_are_ignored_but_generations_are_not(self):
        self.put('k', b'1')
        self.put('k', b'2', IfNoneMatch='*')
        self.assertEqual(self.get('k'), b'2')
        client = self.with_headers('PutObject', {'x-goog-if-generation-match': '0'})
        self.fails('PreconditionFailed', self.put, 'k', client=client)
        self.put('new', client=client)

    def test_checksums_copies_and_deletes(self):
        self.fails('ExcessHeaderValues', self.put, 'k', ChecksumAlgorithm='CRC32')
        self.fails('404', self.s3.head_object, Bucket='bkt', Key='k')
        self.fails('NoSuchKey', self.s3.delete_object, Bucket='bkt', Key='k')
        upload = self.s3.create_multipart_upload(Bucket='bkt', Key='k')['UploadId']
        self.fails('NotImplemented', self.s3.upload_part_copy, Bucket='bkt', Key='k',
                   UploadId=upload, PartNumber=1, CopySource='gen/size-9')

    def test_signed_accept_encoding_does_not_verify(self):
        client = self.with_headers('GetObject', {'Accept-Encoding': 'identity'})
        self.put('k')
        self.fails('SignatureDoesNotMatch', self.get, 'k', client=client)

    def test_gzip_is_unpacked(self):
        self.put('k', gzip.compress(b'plain'), ContentEncoding='gzip')
        answer = self.s3.get_object(Bucket='bkt', Key='k')
        self.assertEqual(answer['Body'].read(), b'plain')
        self.assertNotIn('content-length', answer['ResponseMetadata']['HTTPHeaders'])


class Oci(Service):
    name, region = 'oci', 'us-ashburn-1'

    def test_delete_sums(self):
        self.fails('InvalidArgument', self.delete, 1, ChecksumAlgorithm='CRC32')
        self.delete(1, ChecksumAlgorithm='SHA256')
        self.delete(1, self.with_sum('x-amz-checksum-crc32c',
                                     lambda body: crc.crc32c(body).to_bytes(4, 'big')))
        self.delete(1, self.md5_only())
        self.chunked(501, 'NotImplemented')

    def test_uploads_block_bucket_deletion(self):
        self.s3.create_multipart_upload(Bucket='bkt', Key='k')
        self.fails('BucketNotEmpty', self.s3.delete_bucket, Bucket='bkt')

    def test_condition_of_multipart_hits_the_parts(self):
        self.fails('PreconditionFailed', self.multipart, 'new', [b'1'],
                   complete={'IfNoneMatch': '*'})


class Obs(Service):
    name, region = 'obs', 'cn-north-4'

    def test_encoded_marker_loops(self):
        for key in 'abc':
            self.put(key)
        first = self.s3.list_objects(Bucket='bkt', MaxKeys=1, EncodingType='url')
        again = self.s3.list_objects(Bucket='bkt', MaxKeys=1, EncodingType='url', Marker='a')
        self.assertEqual(first['Contents'][0]['Key'], again['Contents'][0]['Key'])
        self.assertTrue(again['IsTruncated'])

    def test_v2_is_answered_as_v1(self):
        found = self.s3.list_objects_v2(Bucket='bkt')
        self.assertNotIn('KeyCount', found)


class CephOld(Service):
    name, region = 'ceph-old', 'default'

    def test_common_prefixes_are_raw(self):
        self.put('a b/c')
        url = self.s3.generate_presigned_url('list_objects', Params={
            'Bucket': 'bkt', 'Delimiter': '/', 'EncodingType': 'url'})
        conn = http.client.HTTPConnection('127.0.0.1', self.server.port)
        conn.request('GET', url[len(self.server.endpoint):])
        text = conn.getresponse().read()
        conn.close()
        self.assertIn(b'<CommonPrefixes><Prefix>a b/</Prefix>', text)

    def test_location_token_trailer_usage(self):
        self.fails('InvalidLocationConstraint', self.s3.create_bucket, Bucket='other',
                   CreateBucketConfiguration={'LocationConstraint': 'eu-west-1'})
        self.chunked(400, 'XAmzContentSHA256Mismatch')
        self.put('k', b'12345', client=self.client(token='never issued'))
        headers = self.s3.head_bucket(Bucket='bkt')['ResponseMetadata']['HTTPHeaders']
        self.assertEqual((headers['x-rgw-object-count'], headers['x-rgw-bytes-used']), ('1', '5'))
        self.multipart('k', [b'1'], complete={'IfNoneMatch': '*'})


class SwiftOld(Service):
    name = 'swift-old'

    def test_limits_and_refusals(self):
        self.put('k', IfNoneMatch='*')
        self.fails('PreconditionFailed', self.put, 'k', IfNoneMatch='*')
        self.fails('NotImplemented', self.put, 'k', IfMatch='"x"')
        self.fails('NotImplemented', self.multipart, 'k', [b'1'], complete={'IfNoneMatch': '*'})
        self.fails('NotImplemented', self.s3.put_object_tagging, Bucket='bkt', Key='k',
                   Tagging={'TagSet': []})
        self.chunked(501, 'NotImplemented')
        upload = self.s3.create_multipart_upload(Bucket='bkt', Key='k')['UploadId']
        self.s3.upload_part(Bucket='bkt', Key='k', UploadId=upload, PartNumber=1000, Body=b'')
        self.fails('InvalidArgument', self.s3.upload_part, Bucket='bkt', Key='k',
                   UploadId=upload, PartNumber=1001, Body=b'')


class SeaweedOld(Service):
    name = 'seaweed-old'

    def test_framing_is_stored_in_the_object(self):
        self.put('k', b'1\r\na\r\n0\r\n\r\n', client=self.streaming())
        self.assertEqual(self.get('k'), b'1\r\na\r\n0\r\n\r\n')
        self.assertEqual(self.server.control('GET', 'state')['framing_stored'], 1)


class Garage(Service):
    name, region = 'garage', 'garage'

    def test_scope_is_checked_without_naming_the_region(self):
        answer = self.fails('AuthorizationHeaderMalformed',
                            self.server.client(region='us-east-1').list_buckets)
        self.assertIn('unexpected scope', answer['Error']['Message'])
        self.assertNotIn('Region', answer['Error'])

    def test_refusals(self):
        self.put('k')
        self.fails('NotImplemented', self.s3.get_object_acl, Bucket='bkt', Key='k')
        self.fails('NotImplemented', self.s3.list_object_versions, Bucket='bkt')
        self.chunked(400, 'InvalidRequest')


class Spaces(Service):
    name, region = 'spaces', 'nyc3'

    def test_start_after_is_ignored_and_bodies_are_refused(self):
        for key in 'abc':
            self.put(key)
        found = self.s3.list_objects_v2(Bucket='bkt', StartAfter='b')
        self.assertEqual(found['KeyCount'], 3)
        self.fails('InvalidLocationConstraint', self.s3.create_bucket, Bucket='other',
                   CreateBucketConfiguration={'LocationConstraint': 'nyc3'})


class Directory(Service):
    """boto3 makes its sessions here as it does at AWS: it is the judge of the server."""

    name = 'directory'
    bucket = 'bkt--use1-az4--x-s3'

    def setUp(self):
        self.server.become(self.name)
        self.s3 = self.client()
        # With an endpoint_url boto3 wants a session also of a bucket that is not there yet.
        self.client(sessions=False).create_bucket(Bucket=self.bucket, CreateBucketConfiguration={
            'Location': {'Type': 'AvailabilityZone', 'Name': 'use1-az4'},
            'Bucket': {'Type': 'Directory', 'DataRedundancy': 'SingleAvailabilityZone'}})

    def client(self, sessions=True):
        """One that is not told how to sign: it finds that by the bucket's name."""
        from botocore.config import Config
        disable = {'AWS_S3_DISABLE_EXPRESS_SESSION_AUTH': str(not sessions).lower()}
        with unittest.mock.patch.dict(os.environ, disable):
            return s3_scripted_client.boto3.session.Session().client(
                's3', endpoint_url=self.server.endpoint, region_name=self.region,
                aws_access_key_id='test', aws_secret_access_key='testsecret',
                config=Config(retries={'total_max_attempts': 1}))

    def sessions(self):
        return sum(entry['op'] == 'CreateSession' for entry in self.server.log())

    def test_one_session_signs_many_requests(self):
        for n in range(20):
            self.s3.put_object(Bucket=self.bucket, Key='k%d' % n, Body=b'x')
        self.s3.copy_object(Bucket=self.bucket, Key='copy',
                            CopySource={'Bucket': self.bucket, 'Key': 'k1'})
        self.s3.head_bucket(Bucket=self.bucket)
        keys, token = [], {}
        while token is not None:
            page = self.s3.list_objects_v2(Bucket=self.bucket, **token)
            keys += [item['Key'] for item in page['Contents']]
            token = ({'ContinuationToken': page['NextContinuationToken']}
                     if page['IsTruncated'] else None)
        self.assertNotEqual(keys, sorted(keys))
        self.assertEqual(sorted(keys), sorted(['copy'] + ['k%d' % n for n in range(20)]))
        self.assertEqual(self.sessions(), 1)

    def test_what_it_refuses(self):
        where = {'Bucket': self.bucket, 'Key': 'k'}
        self.fails('NotImplemented', self.s3.put_object, Body=b'', Tagging='a=b', **where)
        self.fails('NotImplemented', self.s3.put_object, Body=b'', ACL='private', **where)
        self.fails('InvalidArgument', self.s3.list_objects_v2, Bucket=self.bucket, Prefix='a')
        self.fails('NotImplemented', self.s3.list_objects_v2, Bucket=self.bucket, StartAfter='a')
        other = self.s3.generate_presigned_url('get_object', Params=where)
        self.assertIn('X-Amz-S3session-Token=', other)

    def test_buckets_are_listed_by_themselves(self):
        self.assertEqual([item['Name'] for item in self.s3.list_directory_buckets()['Buckets']],
                         [self.bucket])


class Liar(Service):
    name = 'liar'

    def test_every_condition_succeeds(self):
        self.put('k', b'1')
        self.put('k', b'2', IfNoneMatch='*')
        self.put('k', b'3', IfMatch='"no"')
        self.put('missing', IfMatch='"no"')
        self.assertEqual(self.get('k', IfMatch='"no"'), b'3')
        self.multipart('k', [b'4'], complete={'IfNoneMatch': '*'})
        self.put('k', ChecksumCRC32='AAAAAA==')
        self.s3.delete_object(Bucket='bkt', Key='k', IfMatch='"no"')


class Table(unittest.TestCase):
    def test_every_personality_has_its_exemptions_listed(self):
        with open(os.path.join(HERE, 'personalities.json'), encoding='utf-8') as file:
            listed = json.load(file)['personalities']
        self.assertEqual(sorted(listed), sorted(set(ROWS) - {'plain'}))
        for row in listed.values():
            for item in row['exempt']:
                self.assertTrue(item['behaviour'] and item['reason'])


if __name__ == '__main__':
    run(__file__)
