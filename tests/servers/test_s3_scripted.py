#!/usr/bin/env python3
"""The scripted S3 server: a faithful S3 to boto3."""

import base64
import datetime
import hashlib
import hmac
import http.client
import os
import random
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
import zlib

import s3_scripted_client
from s3_scripted import crc, sums
from s3_scripted_client import Case, Scripted, run

MIB = 1 << 20
ODD_KEYS = ['.', '..', 'a', 'a/', 'a/b', 'a//b', 'a/../b', 'a/./b', 'a b+c', 'p/é', 'x&<>"\'',
            'q%20', '%2F', '~t', 'back\\slash', '?x=1#y', 'n\nl', 'c\x01d', '🪣', '//', 'z ' * 500]


def setUpModule():
    if s3_scripted_client.boto3 is None:
        raise unittest.SkipTest('boto3 is not installed (servers.sh install clients)')


class Signing(Case):
    def test_wrong_secret_is_refused(self):
        self.fails('SignatureDoesNotMatch', self.put, 'k', client=self.server.client(secret='no'))

    def test_unknown_key_and_anonymous_are_refused(self):
        self.fails('InvalidAccessKeyId', self.put, 'k', client=self.server.client(key='no'))
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(self.server.endpoint + '/bkt/k')
        self.assertEqual(caught.exception.code, 403)
        caught.exception.close()

    def test_wrong_region_names_the_right_one(self):
        answer = self.fails('AuthorizationHeaderMalformed',
                            self.server.client(region='eu-west-3').list_buckets)
        self.assertEqual(answer['Error']['Region'], 'us-east-1')

    def test_bucket_of_another_region_is_found_by_redirecting_client(self):
        self.s3.create_bucket(Bucket='elsewhere', CreateBucketConfiguration={
            'LocationConstraint': 'eu-west-1'})
        self.assertEqual(self.s3.get_bucket_location(Bucket='elsewhere')['LocationConstraint'],
                         'eu-west-1')
        self.server.client(attempts=3).put_object(Bucket='elsewhere', Key='k', Body=b'1')

    def test_session_token_is_required_and_checked(self):
        self.server.control('PUT', 'config', {'credentials': [
            {'access_key': 'tmp', 'secret': 's', 'token': 'tok'},
            {'access_key': 'old', 'secret': 's', 'token': 'tok', 'expired': True},
            {'access_key': 'one', 'secret': 's', 'token': 'tok', 'buckets': ['bkt']}]})
        self.put('k', client=self.server.client('tmp', 's', 'tok'))
        self.fails('InvalidToken', self.put, 'k', client=self.server.client('tmp', 's', 'bad'))
        self.fails('InvalidAccessKeyId', self.put, 'k', client=self.server.client('tmp', 's'))
        self.fails('ExpiredToken', self.put, 'k', client=self.server.client('old', 's', 'tok'))
        one = self.server.client('one', 's', 'tok')
        self.put('k', client=one)
        self.fails('AccessDenied', one.list_buckets)

    def test_presigned_urls(self):
        for key in ODD_KEYS[:12]:
            url = self.s3.generate_presigned_url('put_object', Params={
                'Bucket': 'bkt', 'Key': key})
            urllib.request.urlopen(urllib.request.Request(url, key.encode(), {
                'Content-Type': ''}, method='PUT')).close()
            url = self.s3.generate_presigned_url('get_object', Params={
                'Bucket': 'bkt', 'Key': key})
            with urllib.request.urlopen(url) as answer:
                self.assertEqual(answer.read(), key.encode())

    def test_presigned_url_expires_and_resists_change(self):
        self.put('k')
        url = self.s3.generate_presigned_url('get_object', Params={'Bucket': 'bkt', 'Key': 'k'},
                                             ExpiresIn=60)
        for changed in (url.replace('/k?', '/j?'), url + '&x=y'):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(changed)
            self.assertIn(b'SignatureDoesNotMatch', caught.exception.read())
            caught.exception.close()
        self.server.control('POST', 'clock', {'advance': 61})
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(url)
        self.assertIn(b'Request has expired', caught.exception.read())
        caught.exception.close()

    def test_skewed_clock_is_refused(self):
        self.server.control('PUT', 'config', {'clock_skew': 3600})
        self.fails('RequestTimeTooSkewed', self.put, 'k')

    def test_virtual_host_and_proxy_form(self):
        proxy = {'http': 'http://127.0.0.1:%d' % self.server.port}
        client = self.server.client(endpoint='http://s3.localhost:8080', style='virtual',
                                    proxies=proxy)
        self.put('a/b c', b'1', client=client)
        self.assertEqual(self.get('a/b c'), b'1')
        self.assertEqual(self.server.log()[-2]['path'], '/a/b c')


class Streaming(Case):
    """aws-chunked bodies, the seed signature by botocore."""

    def signed(self, body, word, extra):
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        class Auth(S3SigV4Auth):
            def payload(self, request):
                return word

        request = AWSRequest('PUT', self.server.endpoint + '/bkt/k', headers={
            'x-amz-decoded-content-length': str(len(body)), 'content-encoding': 'aws-chunked',
            **extra})
        Auth(Credentials('test', 'testsecret'), 's3', 'us-east-1').add_auth(request)
        return dict(request.headers)

    def frames(self, headers, chunks, trailer=None):
        stamp = headers['X-Amz-Date']
        scope = '%s/us-east-1/s3/aws4_request' % stamp[:8]
        key = b'AWS4testsecret'
        for part in scope.split('/'):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        last = headers['Authorization'].rpartition('Signature=')[2]
        empty = hashlib.sha256(b'').hexdigest()
        out = b''
        for chunk in chunks + [b'']:
            text = '\n'.join(('AWS4-HMAC-SHA256-PAYLOAD', stamp, scope, last, empty,
                              hashlib.sha256(chunk).hexdigest()))
            last = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
            out += b'%x;chunk-signature=%s\r\n' % (len(chunk), last.encode())
            out += chunk + b'\r\n' if chunk else b''
        if trailer:
            text = '\n'.join(('AWS4-HMAC-SHA256-TRAILER', stamp, scope, last,
                              hashlib.sha256((trailer + '\n').encode()).hexdigest()))
            last = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
            out += ('%s\r\nx-amz-trailer-signature:%s\r\n' % (trailer, last)).encode()
        return out + b'\r\n'

    def send(self, headers, body):
        conn = http.client.HTTPConnection('127.0.0.1', self.server.port)
        conn.request('PUT', '/bkt/k', body, headers)
        answer = conn.getresponse()
        text = answer.read()
        conn.close()
        return answer.status, text

    def test_signed_chunks(self):
        chunks = [b'a' * 65536, b'b' * 1024]
        word = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
        headers = self.signed(b''.join(chunks), word, {'content-encoding': 'gzip,aws-chunked'})
        body = self.frames(headers, chunks)
        self.assertEqual(self.send(headers, body)[0], 200)
        answer = self.s3.get_object(Bucket='bkt', Key='k')
        self.assertEqual(answer['Body'].read(), b''.join(chunks))
        self.assertEqual(answer['ContentEncoding'], 'gzip')
        status, text = self.send(headers, body.replace(b'aaaa', b'aaab', 1))
        self.assertEqual(status, 403)
        self.assertIn(b'SignatureDoesNotMatch', text)

    def test_signed_trailer_is_verified(self):
        data = b'hello' * 1000
        good = base64.b64encode(zlib.crc32(data).to_bytes(4, 'big')).decode()
        word = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
        headers = self.signed(data, word, {'x-amz-trailer': 'x-amz-checksum-crc32'})
        body = self.frames(headers, [data], 'x-amz-checksum-crc32:' + good)
        self.assertEqual(self.send(headers, body)[0], 200)
        status, text = self.send(headers, self.frames(headers, [data],
                                                      'x-amz-checksum-crc32:AAAAAA=='))
        self.assertEqual((status, b'BadDigest' in text), (400, True))
        status, text = self.send(headers, body.replace(b'trailer-signature:', b'trailer-'
                                                                              b'signature:0'))
        self.assertEqual(status, 403)

    def test_wrong_payload_hash(self):
        headers = self.signed(b'x', hashlib.sha256(b'other').hexdigest(), {
            'content-encoding': 'identity'})
        status, text = self.send(headers, b'x')
        self.assertEqual((status, b'XAmzContentSHA256Mismatch' in text), (400, True))


class Objects(Case):
    def test_every_legal_key_comes_back(self):
        for key in ODD_KEYS:
            self.put(key, key.encode())
        for key in ODD_KEYS:
            self.assertEqual(self.get(key), key.encode())
        listed = [item['Key'] for item in self.s3.list_objects_v2(Bucket='bkt')['Contents']]
        self.assertEqual(listed, sorted(ODD_KEYS, key=lambda key: key.encode()))
        self.fails('KeyTooLongError', self.put, 'k' * 1025)

    def test_attributes(self):
        self.put('k', b'{}', ContentType='application/json', CacheControl='no-cache',
                 ContentDisposition='inline', ContentLanguage='en', Metadata={'One': 'two'},
                 Tagging='a=1&b=x%20y', StorageClass='STANDARD_IA', ACL='public-read',
                 ServerSideEncryption='AES256')
        head = self.s3.head_object(Bucket='bkt', Key='k')
        self.assertEqual((head['ContentType'], head['CacheControl'], head['ContentLanguage']),
                         ('application/json', 'no-cache', 'en'))
        self.assertEqual((head['Metadata'], head['StorageClass'], head['ServerSideEncryption']),
                         ({'one': 'two'}, 'STANDARD_IA', 'AES256'))
        tags = self.s3.get_object_tagging(Bucket='bkt', Key='k')['TagSet']
        self.assertEqual(tags, [{'Key': 'a', 'Value': '1'}, {'Key': 'b', 'Value': 'x y'}])
        kept = self.server.control('GET', 'object?bucket=bkt&key=k')
        self.assertEqual((kept['acl'], kept['size']), ('public-read', 2))
        with urllib.request.urlopen(self.server.endpoint + '/bkt/k') as answer:
            self.assertEqual(answer.read(), b'{}')

    def test_customer_key_is_needed_to_read(self):
        key = {'SSECustomerAlgorithm': 'AES256', 'SSECustomerKey': 'k' * 32}
        self.put('k', b'1', **key)
        self.assertEqual(self.get('k', **key), b'1')
        self.fails('InvalidRequest', self.get, 'k')
        self.fails('AccessDenied', self.get, 'k', SSECustomerAlgorithm='AES256',
                   SSECustomerKey='j' * 32)

    def test_ranges(self):
        self.put('k', b'0123456789')
        self.put('empty', b'')
        for text, expected in (('0-0', b'0'), ('3-5', b'345'), ('7-99', b'789'), ('-3', b'789'),
                               ('-99', b'0123456789'), ('4-', b'456789')):
            self.assertEqual(self.get('k', Range='bytes=' + text), expected)
        for key, text in (('k', '10-'), ('k', '-0'), ('empty', '0-0')):
            self.fails('InvalidRange', self.get, key, Range='bytes=' + text)

    def test_read_conditions(self):
        etag = self.put('k')['ETag']
        now = datetime.datetime.now(datetime.timezone.utc)
        hour = datetime.timedelta(hours=1)
        self.get('k', IfMatch=etag)
        self.fails('PreconditionFailed', self.get, 'k', IfMatch='"no"')
        self.fails('304', self.get, 'k', IfNoneMatch=etag)
        self.fails('304', self.get, 'k', IfModifiedSince=now)
        self.get('k', IfModifiedSince=now - hour)
        self.fails('PreconditionFailed', self.get, 'k', IfUnmodifiedSince=now - hour)

    def test_write_conditions(self):
        etag = self.put('k', IfNoneMatch='*')['ETag']
        self.fails('PreconditionFailed', self.put, 'k', IfNoneMatch='*')
        self.fails('PreconditionFailed', self.put, 'k', IfMatch='"no"')
        self.put('k', b'2', IfMatch=etag)
        self.fails('NoSuchKey', self.put, 'missing', IfMatch=etag)
        self.fails('NotImplemented', self.put, 'k', IfNoneMatch='"x"')
        self.fails('PreconditionFailed', self.s3.delete_object, Bucket='bkt', Key='k',
                   IfMatch=etag)
        self.fails('PreconditionFailed', self.multipart, 'k', [b'x'],
                   complete={'IfNoneMatch': '*'})

    def test_checksums_each_algorithm(self):
        for name in ('CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'):
            value = sums.compute(name, [b'hello' * 5000])
            self.put('k', b'hello' * 5000, **{'Checksum' + name: value})
            answer = self.s3.get_object(Bucket='bkt', Key='k', ChecksumMode='ENABLED')
            answer['Body'].read()
            self.assertEqual(answer['Checksum' + name], value)
            self.assertEqual(answer['ChecksumType'], 'FULL_OBJECT')
            wrong = ('A' if value[0] != 'A' else 'B') + value[1:]
            self.fails('BadDigest', self.put, 'k', **{'Checksum' + name: wrong})
        self.fails('BadDigest', self.put, 'k', ContentMD5=base64.b64encode(b'0' * 16).decode())
        self.fails('InvalidDigest', self.put, 'k', ContentMD5='AAAA')

    def test_copy(self):
        etag = self.put('a/é +', b'1', Metadata={'m': '1'})['ETag']
        source = {'Bucket': 'bkt', 'Key': 'a/é +'}
        self.s3.copy_object(Bucket='bkt', Key='b', CopySource=source)
        self.assertEqual(self.s3.head_object(Bucket='bkt', Key='b')['Metadata'], {'m': '1'})
        self.s3.copy_object(Bucket='bkt', Key='b', CopySource=source, Metadata={'n': '2'},
                            MetadataDirective='REPLACE')
        self.assertEqual(self.s3.head_object(Bucket='bkt', Key='b')['Metadata'], {'n': '2'})
        self.s3.copy_object(Bucket='bkt', Key='b', CopySource=source, CopySourceIfMatch=etag)
        self.fails('PreconditionFailed', self.s3.copy_object, Bucket='bkt', Key='b',
                   CopySource=source, CopySourceIfNoneMatch=etag)
        self.fails('InvalidRequest', self.s3.copy_object, Bucket='bkt', Key='b',
                   CopySource={'Bucket': 'bkt', 'Key': 'b'})
        self.fails('NoSuchKey', self.s3.copy_object, Bucket='bkt', Key='b',
                   CopySource={'Bucket': 'bkt', 'Key': 'none'})
        self.fails('InvalidRequest', self.s3.copy_object, Bucket='bkt', Key='b',
                   CopySource={'Bucket': 'gen', 'Key': 'size-6G'})

    def test_delete_many(self):
        for key in ODD_KEYS:
            self.put(key)
        found = self.s3.delete_objects(Bucket='bkt', Delete={
            'Objects': [{'Key': key} for key in ODD_KEYS if key != 'c\x01d'] + [
                {'Key': 'missing'}]})
        self.assertEqual(len(found['Deleted']), len(ODD_KEYS))
        self.assertEqual(self.s3.list_objects_v2(Bucket='bkt')['KeyCount'], 1)
        self.fails('MalformedXML', self.s3.delete_objects, Bucket='bkt', Delete={
            'Objects': [{'Key': str(i)} for i in range(1001)]})

    def test_versions(self):
        self.s3.put_bucket_versioning(Bucket='bkt', VersioningConfiguration={'Status': 'Enabled'})
        ids = [self.put('k', bytes([n]))['VersionId'] for n in (1, 2, 3)]
        self.assertEqual(self.get('k', VersionId=ids[0]), b'\x01')
        self.assertTrue(self.s3.delete_object(Bucket='bkt', Key='k')['DeleteMarker'])
        self.fails('NoSuchKey', self.get, 'k')
        pages = list(self.s3.get_paginator('list_object_versions').paginate(
            Bucket='bkt', PaginationConfig={'PageSize': 1}))
        self.assertEqual([v['VersionId'] for p in pages for v in p.get('Versions', ())],
                         ids[::-1])
        self.assertEqual(sum(len(p.get('DeleteMarkers', ())) for p in pages), 1)
        self.fails('BucketNotEmpty', self.s3.delete_bucket, Bucket='bkt')
        self.s3.delete_object(Bucket='bkt', Key='k', VersionId=ids[0])
        self.fails('NoSuchVersion', self.get, 'k', VersionId=ids[0])


class Lists(Case):
    KEYS = ['a', 'a-b', 'a.b', 'a/1', 'a/2', 'a/sub/3', 'b/1', 'b/2', 'c', 'z/', 'é/1', 'é/2']

    def setUp(self):
        super().setUp()
        for key in self.KEYS:
            self.put(key)

    def pages(self, operation, size, **options):
        out = []
        for page in self.s3.get_paginator(operation).paginate(
                Bucket='bkt', PaginationConfig={'PageSize': size}, **options):
            out += [item['Key'] for item in page.get('Contents', ())]
            out += [item['Prefix'] for item in page.get('CommonPrefixes', ())]
        return sorted(out)

    def test_pages_of_every_size_agree(self):
        grouped = sorted({key[:key.find('/') + 1] or key for key in self.KEYS})
        for operation in ('list_objects_v2', 'list_objects'):
            for size in (1, 2, 3, 1000):
                self.assertEqual(self.pages(operation, size), self.KEYS)
                self.assertEqual(self.pages(operation, size, Delimiter='/'), grouped)
                self.assertEqual(self.pages(operation, size, Prefix='a/', Delimiter='/'),
                                 ['a/1', 'a/2', 'a/sub/'])

    def test_start_after_and_missing_bucket(self):
        self.assertEqual(self.pages('list_objects_v2', 2, StartAfter='b/1'), self.KEYS[7:])
        self.assertEqual(self.pages('list_objects_v2', 2, StartAfter='a/1', Delimiter='/'),
                         ['a/', 'b/', 'c', 'z/', 'é/'])
        self.fails('NoSuchBucket', self.s3.list_objects_v2, Bucket='none')
        self.fails('InvalidArgument', self.s3.list_objects_v2, Bucket='bkt',
                   ContinuationToken='!!')

    def test_uploads(self):
        keys = ['k/%d' % (n // 2) for n in range(6)]
        ids = [self.s3.create_multipart_upload(Bucket='bkt', Key=key)['UploadId'] for key in keys]
        found = []
        for page in self.s3.get_paginator('list_multipart_uploads').paginate(
                Bucket='bkt', PaginationConfig={'PageSize': 1}):
            found += [(item['Key'], item['UploadId']) for item in page['Uploads']]
        self.assertEqual(sorted(found), sorted(zip(keys, ids)))


class Multipart(Case):
    def test_parts_make_the_object(self):
        parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), b'end']
        etag = self.multipart('k', parts)['ETag']
        raw = b''.join(hashlib.md5(part).digest() for part in parts)
        self.assertEqual(etag, '"%s-3"' % hashlib.md5(raw).hexdigest())
        self.assertEqual(self.get('k'), b''.join(parts))
        self.assertEqual(self.get('k', Range='bytes=5242870-5242890'),
                         b''.join(parts)[5242870:5242891])
        self.assertEqual(self.get('k', PartNumber=3), b'end')
        self.fails('EntityTooSmall', self.multipart, 'k', [b'1', b'2'])

    def test_checksums_of_parts_and_whole(self):
        self.server.control('PUT', 'config', {'set': {'part_min': 1}})
        parts = [b'one', b'two', b'three']
        made = self.multipart('k', parts, create={'ChecksumAlgorithm': 'SHA256'},
                              ChecksumAlgorithm='SHA256')
        raw = b''.join(hashlib.sha256(part).digest() for part in parts)
        self.assertEqual(made['ChecksumSHA256'], base64.b64encode(
            hashlib.sha256(raw).digest()).decode() + '-3')
        whole = base64.b64encode(zlib.crc32(b''.join(parts)).to_bytes(4, 'big')).decode()
        create = {'ChecksumAlgorithm': 'CRC32', 'ChecksumType': 'FULL_OBJECT'}
        made = self.multipart('k', parts, create=create, ChecksumAlgorithm='CRC32', complete={
            'ChecksumCRC32': whole, 'ChecksumType': 'FULL_OBJECT'})
        self.assertEqual(made['ChecksumCRC32'], whole)
        self.fails('BadDigest', self.multipart, 'k', parts, create=create,
                   ChecksumAlgorithm='CRC32', complete={'ChecksumCRC32': 'AAAAAA==',
                                                        'ChecksumType': 'FULL_OBJECT'})

    def test_wrong_parts_and_abort(self):
        upload = self.s3.create_multipart_upload(Bucket='bkt', Key='k')['UploadId']
        names = {'Bucket': 'bkt', 'Key': 'k', 'UploadId': upload}
        etag = self.s3.upload_part(PartNumber=1, Body=b'1', **names)['ETag']
        for parts, code in (([{'PartNumber': 2, 'ETag': etag}], 'InvalidPart'),
                            ([{'PartNumber': 1, 'ETag': '"no"'}], 'InvalidPart'),
                            ([{'PartNumber': 2, 'ETag': etag}, {'PartNumber': 1, 'ETag': etag}],
                             ('InvalidPart', 'InvalidPartOrder'))):
            self.fails(code, self.s3.complete_multipart_upload, MultipartUpload={'Parts': parts},
                       **names)
        self.fails('InvalidArgument', self.s3.upload_part, PartNumber=10001, Body=b'', **names)
        listed = self.s3.list_parts(**names)['Parts']
        self.assertEqual([(part['PartNumber'], part['Size']) for part in listed], [(1, 1)])
        self.s3.abort_multipart_upload(**names)
        self.fails('NoSuchUpload', self.s3.upload_part, PartNumber=1, Body=b'', **names)

    def test_copied_parts_of_a_huge_object(self):
        names = {'Bucket': 'bkt', 'Key': 'k'}
        names['UploadId'] = self.s3.create_multipart_upload(**names)['UploadId']
        parts = []
        for number, span in enumerate(('0-5368709119', '5368709120-6442450943'), 1):
            copied = self.s3.upload_part_copy(PartNumber=number, CopySourceRange='bytes=' + span,
                                              CopySource='gen/size-6G', **names)
            parts.append({'PartNumber': number, 'ETag': copied['CopyPartResult']['ETag']})
        self.s3.complete_multipart_upload(MultipartUpload={'Parts': parts}, **names)
        self.assertEqual(self.s3.head_object(Bucket='bkt', Key='k')['ContentLength'], 6 << 30)
        span = 'bytes=5368709110-5368709130'
        expected = self.s3.get_object(Bucket='gen', Key='size-6G', Range=span)['Body'].read()
        self.assertEqual(self.get('k', Range=span), expected)


class Crc(unittest.TestCase):
    def test_published_check_values(self):
        self.assertEqual(crc.crc32c(b'123456789'), 0xE3069283)
        self.assertEqual(crc.crc64nvme(b'123456789'), 0xAE8B14860A799888)

    def test_long_inputs_agree_with_byte_by_byte(self):
        data = random.Random(1).randbytes(70001)
        for one in (crc.crc32c, crc.crc64nvme):
            for size in (63, 64, 65, 1000, 65535, 65536, 65537, len(data)):
                state = 0
                for at in range(0, size, 50):
                    state = one(data[at:min(at + 50, size)], state)
                self.assertEqual(one(data[:size]), state)


class Generated(Case):
    def test_ranges_of_one_stream_agree(self):
        get = self.s3.get_object
        block = get(Bucket='gen', Key='size-1M')['Body'].read()
        self.assertEqual(len(block), MIB)
        for at in (0, 7, MIB - 3, 16 * MIB - 5, (64 << 30) - 100):
            part = get(Bucket='gen', Key='size-64G',
                       Range='bytes=%d-%d' % (at, at + 99))['Body'].read()
            self.assertEqual(part, (block + block)[at % MIB:at % MIB + 100])
        self.assertEqual(self.s3.head_object(Bucket='gen', Key='zeros-64G')['ContentLength'],
                         64 << 30)
        self.assertEqual(get(Bucket='gen', Key='zeros-9')['Body'].read(), bytes(9))
        long = get(Bucket='gen', Key='size-33555432')['Body'].read()
        self.assertEqual(hashlib.md5(long).digest(),
                         hashlib.md5((block * 33)[:33555432]).digest())

    def test_sink_keeps_sizes_only(self):
        self.s3.put_object(Bucket='sink', Key='k', Body=bytes(3 * MIB))
        self.assertEqual(self.s3.head_object(Bucket='sink', Key='k')['ContentLength'], 3 * MIB)


class Tls(unittest.TestCase):
    def test_unsigned_trailer_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = folder + '/cert.pem', folder + '/key.pem'
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days',
                            '2', '-subj', '/CN=127.0.0.1', '-addext',
                            'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
                           check=True, capture_output=True)
            server = Scripted('--cert', cert, '--key', key)
            try:
                client = server.client(sums=True, verify=cert)
                client.create_bucket(Bucket='bkt')
                client.put_object(Bucket='bkt', Key='k', Body=b'hello' * 100)
                answer = client.get_object(Bucket='bkt', Key='k')
                self.assertEqual(answer['Body'].read(), b'hello' * 100)
                self.assertIn('ChecksumCRC32', answer)
                gen = client.get_object(Bucket='gen', Key='zeros-3M')['Body'].read()
                self.assertEqual(gen, bytes(3 * MIB))
            finally:
                server.close()


if __name__ == '__main__':
    run(__file__)
