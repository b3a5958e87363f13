#!/usr/bin/env python3
"""The scripted S3 server breaks what a rule says, and nothing else."""

import http.client
import socket
import unittest
import urllib.error

import s3_scripted_client
from s3_scripted_client import Case, run


def setUpModule():
    if s3_scripted_client.boto3 is None:
        raise unittest.SkipTest('boto3 is not installed (servers.sh install clients)')


class Faults(Case):
    def raw(self, path='/bkt/k', method='GET', headers=None, body=None):
        """(status, headers, body) of a request with a presigned URL, by http.client."""
        url = self.s3.generate_presigned_url({'GET': 'get_object', 'PUT': 'put_object'}[method],
                                             Params={'Bucket': 'bkt', 'Key': 'k'})
        conn = http.client.HTTPConnection('127.0.0.1', self.server.port)
        try:
            conn.request(method, url[len(self.server.endpoint):], body, headers or {})
            answer = conn.getresponse()
            return answer.status, answer, answer.read()
        finally:
            conn.close()

    def setUp(self):
        super().setUp()
        self.put('k', b'0123456789')

    def test_nth_request_fails_and_client_retries(self):
        self.server.script(({'op': 'PutObject', 'nth': [1, 2]},
                            {'error': 'SlowDown', 'headers': {'Retry-After': '0'}}))
        self.server.control('DELETE', 'log')
        self.put('k', b'new', client=self.server.client(attempts=4))
        log = [(entry['status'], entry['verdict']) for entry in self.server.log()]
        self.assertEqual(log, [(503, 'scripted'), (503, 'scripted'), (200, 'ok')])

    def test_drops(self):
        for drop in ('before_read', 'before_headers', 'after_headers', 4):
            for reset in (False, True):
                self.server.script(({}, {'drop': drop, 'reset': reset}))
                with self.assertRaises((http.client.HTTPException, OSError)):
                    self.raw()

    def test_dropped_answer_of_an_applied_write(self):
        self.server.script(({'op': 'PutObject'}, {'drop': 'before_headers', 'apply': True}))
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.raw(method='PUT', body=b'done')
        self.server.control('DELETE', 'script')
        self.assertEqual(self.get('k'), b'done')

    def test_answers_of_their_own(self):
        for action, status, text in (
                ({'error': 'RequestTimeout'}, 400, b'RequestTimeout'),
                ({'skew': 7200}, 403, b'RequestTimeTooSkewed'),
                ({'region': 'eu-west-1'}, 301, b'PermanentRedirect'),
                ({'redirect': 'http://127.0.0.1:1/x'}, 307, b''),
                ({'error_in_200': 'InternalError'}, 200, b'<Error>'),
                ({'status': 502, 'body': '<html>', 'headers': {'Content-Type': 'text/html'}},
                 502, b'<html>')):
            self.server.script(({}, action))
            found = self.raw()
            self.assertEqual(found[0], status)
            self.assertIn(text, found[2])

    def test_changes_of_the_true_answer(self):
        for action, body in (({'cut': 3}, b'012'), ({'flip': 0}, b'1123456789'),
                             ({'insert': '<x>'}, b'<x>0123456789'),
                             ({'chunked': True}, b'0123456789'),
                             ({'content_length': None}, b'0123456789'),
                             ({'content_length': '-2'}, b'01234567'),
                             ({'slow': {'bytes': 5, 'ms': 1}}, b'0123456789')):
            self.server.script(({}, action))
            self.assertEqual(self.raw()[2], body, action)
        self.server.script(({}, {'content_length': '+5'}), )
        conn = socket.create_connection(('127.0.0.1', self.server.port))
        url = self.s3.generate_presigned_url('get_object', Params={'Bucket': 'bkt', 'Key': 'k'})
        conn.sendall(b'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n' % (
            url[len(self.server.endpoint):].encode(), self.server.port))
        text = b''
        while more := conn.recv(65536):
            text += more
        conn.close()
        self.assertIn(b'Content-Length: 15\r\n', text)
        self.assertTrue(text.endswith(b'\r\n\r\n0123456789'))

    def test_headers_changed(self):
        self.server.script(({}, {'content_range': 'bytes 5-6/99', 'etag': '"other"',
                                 'set_headers': {'X-New': '1'}, 'header_flood': 20}))
        _, answer, _ = self.raw(headers={'Range': 'bytes=0-1'})
        self.assertEqual((answer.getheader('content-range'), answer.getheader('etag'),
                          answer.getheader('x-new'), len(answer.getheader('x-flood-19'))),
                         ('bytes 5-6/99', '"other"', '1', 1000))

    def test_wrong_checksum_is_seen_by_boto3(self):
        from botocore.exceptions import FlexibleChecksumError
        client = self.server.client(sums=True)
        self.put('k', b'data', client=client)
        self.server.script(({'op': 'GetObject'}, {'checksum': 'wrong'}))
        with self.assertRaises(FlexibleChecksumError):
            self.get('k', client=client)

    def test_object_replaced_between_requests(self):
        self.server.script(({'op': 'GetObject', 'nth': 2}, {'replace': {'body': 'abcdefghij'}}))
        self.assertEqual(self.get('k'), b'0123456789')
        self.assertEqual(self.get('k'), b'abcdefghij')

    def test_garbage_and_raw(self):
        for action in ({'garbage': 100}, {'raw': 'SSH-2.0-x\r\n'}, {'chunk_garbage': True}):
            self.server.script(({}, action))
            with self.assertRaises((http.client.HTTPException, OSError)):
                self.raw()

    def test_single_keys_of_a_delete_fail(self):
        self.server.script(({'op': 'DeleteObjects'}, {'delete_errors': {'k': 'AccessDenied'}}))
        found = self.s3.delete_objects(Bucket='bkt', Delete={'Objects': [{'Key': 'k'},
                                                                         {'Key': 'j'}]})
        self.assertEqual(found['Errors'][0]['Code'], 'AccessDenied')
        self.assertEqual(found['Deleted'], [{'Key': 'j'}])

    def test_bad_rule_is_refused_by_name(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.server.script(({}, {'explode': 1}))
        self.assertIn(b'explode', caught.exception.read())
        caught.exception.close()

    def test_connection_ends_after_n(self):
        self.server.control('PUT', 'config', {'close_after': 2})
        before = self.server.control('GET', 'state')['connections_total']
        client = self.server.client(attempts=5)     # the close may cross the next request
        for _ in range(4):
            self.get('k', client=client)
        after = self.server.control('GET', 'state')['connections_total']
        self.assertGreaterEqual(after - before, 2)

    def talk(self, head, *then):
        """All that comes back on a socket: head is sent, then each text after some answer."""
        with socket.create_connection(('127.0.0.1', self.server.port)) as sock:
            sock.settimeout(10)
            sock.sendall(head)
            text = b''
            for more in then:
                text += sock.recv(65536)
                sock.sendall(more)
            while part := sock.recv(65536):
                text += part
            return text

    def put_head(self, *lines):
        url = self.s3.generate_presigned_url('put_object', Params={'Bucket': 'bkt', 'Key': 'k'})
        return '\r\n'.join(('PUT %s HTTP/1.1' % url[len(self.server.endpoint):],
                            'Host: 127.0.0.1:%d' % self.server.port, 'Content-Length: 3',
                            'Expect: 100-continue', *lines, '', '')).encode()

    def test_expect_is_answered_ignored_or_refused(self):
        text = self.talk(self.put_head('Connection: close'), b'abc')
        self.assertTrue(text.startswith(b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200'))
        self.assertEqual(self.get('k'), b'abc')
        self.server.script(({}, {'expect': 'refuse'}))
        self.assertTrue(self.talk(self.put_head('Connection: close')).startswith(
            b'HTTP/1.1 417'))
        self.server.script(({}, {'expect': 'ignore'}))
        self.assertTrue(self.talk(self.put_head('Connection: close') + b'xyz').startswith(
            b'HTTP/1.1 200'))

    def test_refusal_without_reading_the_body_closes(self):
        self.server.script(({}, {'no_body': True, 'error': 'AccessDenied'}))
        text = self.talk(self.put_head())
        self.assertIn(b'AccessDenied', text)
        self.assertIn(b'Connection: close', text)

    def test_answer_may_leave_the_connection_without_a_word(self):
        self.server.script(({}, {'close_silent': True}))
        url = self.s3.generate_presigned_url('get_object', Params={'Bucket': 'bkt', 'Key': 'k'})
        text = self.talk(b'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n' % (
            url[len(self.server.endpoint):].encode(), self.server.port))
        self.assertNotIn(b'Connection:', text)
        self.assertTrue(text.endswith(b'0123456789'))


if __name__ == '__main__':
    run(__file__)
