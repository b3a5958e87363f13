"""Every way to log in to Google, and signed URLs, by the command against the strict server, which verifies them."""
import json
import pathlib
import time
import urllib.error
import urllib.request

from gcs_client import Strict


class Auth(Strict):
    def test_self_signed_token_needs_no_exchange(self):
        before = len(self.requests())
        self.run_pail('cp', '-', 'gs://bucket-one/a', data=b'alpha')
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/a'), b'alpha')
        self.assertEqual(self.counted('/token', before), 0)

    def test_token_in_exchange_is_fetched_once(self):
        for i in range(3):
            self.run_pail('cp', '-', 'gs://bucket-one/many/%d' % i, data=b'x')
        before = len(self.requests())
        out = self.run_pail('cat', 'gs://bucket-one/many/0', 'gs://bucket-one/many/1', 'gs://bucket-one/many/2',
                            settings=['google_token_exchange=true'])
        self.assertEqual(out, b'xxx')
        self.assertEqual(self.counted('POST /token', before), 1)

    def test_user_login(self):
        user = self.file('user.json', {'type': 'authorized_user', 'client_id': 'client', 'client_secret': 'secret',
                                       'refresh_token': 'refresh', 'token_uri': self.here + '/token'})
        self.run_pail('cp', '-', 'gs://bucket-one/u', data=b'user', account=user)
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/u', account=user), b'user')

    def test_token_uri_of_elsewhere_gets_no_secret(self):
        account = json.loads(pathlib.Path(self.account).read_text())
        user = {'type': 'authorized_user', 'client_id': 'client', 'client_secret': 'HIDDEN1',
                'refresh_token': 'HIDDEN2'}
        before = len(self.requests())
        for i, where in enumerate(('http://localhost:%s/token' % self.here.rsplit(':', 1)[1],
                                   'http://oauth2.googleapis.com/token', 'https://evil.example/token',
                                   'https://oauth2.googleapis.com.evil.example/token')):
            for kind, settings in ((user, []), (account, ['google_token_exchange=true'])):
                with self.subTest(where=where, kind=kind['type']):
                    file = self.file('elsewhere%d.json' % i, {**kind, 'token_uri': where})
                    run = self.pail('ls', 'gs://bucket-one/', account=file, settings=settings)
                    self.assertNotEqual(run.returncode, 0)
                    self.assertIn(b'"token_uri"', run.stderr)
                    self.assertIn(b'elsewhere%d.json' % i, run.stderr)
                    self.assertIn(b'gets no secret', run.stderr)
                    self.assertNotIn(b'HIDDEN', run.stderr)
        self.assertEqual(self.counted('/token', before), 0)

    def test_revoked_login_says_so_and_leaks_nothing(self):
        user = self.file('old.json', {'type': 'authorized_user', 'client_id': 'client', 'client_secret': 'HIDDEN1',
                                      'refresh_token': 'HIDDEN2', 'token_uri': self.here + '/token'})
        run = self.pail('ls', 'gs://bucket-one/', account=user)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b'invalid_grant', run.stderr)
        self.assertNotIn(b'HIDDEN', run.stderr)

    def test_metadata_server(self):
        host = self.here.split('//')[1]
        self.run_pail('cp', '-', 'gs://bucket-one/m', data=b'meta', account=None, settings=['gcs_metadata_host=' + host])
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/m'), b'meta')

    def test_no_metadata_server_tells_what_was_tried_soon(self):
        start = time.monotonic()
        run = self.pail('ls', 'gs://bucket-one/', account=None, settings=['gcs_metadata_host=127.0.0.1:1'])
        self.assertLess(time.monotonic() - start, 5)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b'google_application_credentials', run.stderr)
        self.assertIn(b'metadata server', run.stderr)

    def test_wrong_token_and_no_token_are_refused(self):
        run = self.pail('ls', 'gs://bucket-one/', account=None, settings=['google_token=wrong'])
        self.assertIn(b'Invalid Credentials', run.stderr)
        self.assertIn(b'bearer token', run.stderr)
        self.assertNotEqual(self.pail('ls', 'gs://bucket-one/', account=None).returncode, 0)

    def test_malformed_files_name_the_file(self):
        for name, content in (('no.json', '{"type":'), ('kind.json', {'type': 'gdch_service_account'}),
                              ('key.json', {'type': 'service_account', 'client_email': 'a', 'private_key': 'SECRET?'})):
            run = self.pail('ls', 'gs://bucket-one/', account=self.file(name, content))
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(name.encode(), run.stderr)
            self.assertNotIn(b'SECRET?', run.stderr)

    def test_malformed_texts_name_the_line(self):
        key = json.loads(self.account.read_text())['private_key'].split('\n')
        cut, dirty = '\n'.join(key[:-2]), '\n'.join([*key[:3], 'HIDDEN?', *key[4:]])
        for name, content, words in (('two.json', '{"type": "service_account",\n HIDDEN', ('two.json', 'line 2')),
                                     ('cut.json', {'private_key': cut}, ('"private_key" in', 'line')),
                                     ('dirty.json', {'private_key': dirty}, ('"private_key" in', 'line 4'))):
            if not isinstance(content, str):
                content = {**json.loads(self.account.read_text()), **content}
            run = self.pail('ls', 'gs://bucket-one/', account=self.file(name, content))
            self.assertNotEqual(run.returncode, 0)
            for word in words:
                self.assertIn(word.encode(), run.stderr)
            self.assertNotIn(b'HIDDEN', run.stderr)

    def test_bucket_names_that_are_forbidden_ask_nobody(self):
        before = len(self.requests())
        others = (('1.2.3.4', 'IP address'), ('UPPER', 'allowed'), ('ab', '3 characters'))
        owned = (('goog-mine', 'begins with'), ('my-google-b', 'contains'))
        for verb, name, rule in (*(('mb', *one) for one in owned + others), *(('ls', *one) for one in others)):
            run = self.pail(verb, 'gs://%s' % name)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(rule.encode(), run.stderr)
        self.assertEqual(self.requests()[before:], [])
        self.assertIn(b'no such bucket', self.pail('ls', 'gs://my-google-b/').stderr)  # Google's own are there to be read

    def test_token_endpoints_that_misbehave(self):
        user = {'type': 'authorized_user', 'client_id': 'client', 'client_secret': 'HIDDEN', 'refresh_token': 'HIDDEN'}
        for path, word in (('html', b'no JSON'), ('redirect', b'redirect'), ('endless', b'/bad/endless')):
            run = self.pail('ls', 'gs://bucket-one/', account=self.file('bad.json', {
                **user, 'token_uri': '%s/bad/%s' % (self.here, path)}))
            self.assertNotEqual(run.returncode, 0)
            self.assertIn(word, run.stderr)
            self.assertNotIn(b'HIDDEN', run.stderr)

    def test_hmac_key_alone_speaks_the_xml_api(self):
        key = ['google_hmac_access_id=GOOGHMACID', 'google_hmac_secret=hmac-secret']
        self.run_pail('cp', '-', 'gs://bucket-one/by-key', data=b'keyed', account=None, settings=key)
        before = len(self.requests())
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/by-key', account=None, settings=key), b'keyed')
        self.assertEqual(self.requests()[before:], ['GET /bucket-one/by-key'])
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/by-key'), b'keyed')  # the same store by JSON
        self.assertNotEqual(self.pail('cp', '-n', '-', 'gs://bucket-one/by-key', account=None, settings=key).returncode, 0)
        run = self.pail('cat', 'gs://bucket-one/by-key', account=None, settings=[key[0], 'google_hmac_secret=HIDDEN'])
        self.assertIn(b'SignatureDoesNotMatch', run.stderr)
        self.assertNotIn(b'HIDDEN', run.stderr)
        run = self.pail('ls', 'gs://bucket-one/', account=None, settings=[*key, 'google_user_project=p'])
        self.assertIn(b'google_user_project', run.stderr)

    def test_hmac_key_beside_an_account_only_signs_urls(self):
        key = ['google_hmac_access_id=GOOGHMACID', 'google_hmac_secret=hmac-secret']
        before = len(self.requests())
        self.run_pail('ls', 'gs://bucket-one/', settings=key)
        self.assertIn('/storage/v1/b/bucket-one/o', self.requests()[before])

    def test_calls_cost_the_requests_that_they_must(self):
        def cost(*args, **how):
            before = len(self.requests())
            self.run_pail(*args, **how)
            return len(self.requests()) - before
        self.assertEqual(cost('cp', '-', 'gs://bucket-one/n/small', data=b'x'), 1)
        self.assertEqual(cost('cat', 'gs://bucket-one/n/small'), 1)
        self.assertEqual(cost('stat', 'gs://bucket-one/n/small'), 1)
        self.assertEqual(cost('ls', 'gs://bucket-one/n/'), 1)
        self.assertEqual(cost('presign', 'gs://bucket-one/n/small'), 0)
        for n in (2, 31, 32, 33, 63, 97, 100, 132, 197, 1000):  # parts, composes, batches of deletes
            with self.subTest(n):
                self.assertLessEqual(cost('cp', '-', 'gs://bucket-one/n/large', data=b'0123456' * n,
                                          settings=['part_size=7']), n + -(-n // 31) + -(-n // 100))
                self.assertEqual(self.run_pail('cat', 'gs://bucket-one/n/large'), b'0123456' * n)
                self.assertEqual(self.run_pail('uploads', 'ls', 'gs://bucket-one'), b'')

    def test_signed_urls_read_and_write(self):
        key = 'gs://bucket-one/signed/a b+%é'
        self.run_pail('cp', '-', key, data=b'signed')
        url = self.run_pail('presign', key).decode().strip()
        self.assertEqual(urllib.request.urlopen(url).read(), b'signed')
        for bad in (url.replace('a%20b', 'a%20c'), url[:-1] + ('0' if url[-1] != '0' else '1')):
            with self.assertRaises(urllib.error.HTTPError) as failed:
                urllib.request.urlopen(bad)
            self.assertEqual(failed.exception.code, 403)
            failed.exception.close()
        url = self.run_pail('presign', '--method', 'PUT', key).decode().strip()
        urllib.request.urlopen(urllib.request.Request(url, data=b'put', method='PUT', headers={'Content-Type': ''})).close()
        self.assertEqual(self.run_pail('cat', key), b'put')
