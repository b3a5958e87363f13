"""Logins by somebody else's token, impersonation, and URLs signed by IAM, by the command against the strict server."""
import json
import time
import urllib.error
import urllib.request

import gcs_client
from gcs_client import Strict

gcs_client.sys.path.insert(0, str(gcs_client.ROOT / 'servers'))
import gcs_strict_auth as logins  # noqa: E402

JWT = 'urn:ietf:params:oauth:token-type:jwt'
AWS = 'urn:ietf:params:aws:token-type:aws4_request'


class External(Strict):
    def external(self, name, source, kind=JWT, target=None, **more):
        out = {'type': 'external_account', 'audience': logins.AUDIENCE, 'subject_token_type': kind,
               'token_url': self.here + '/v1/token', 'credential_source': source, **more}
        if target:
            out['service_account_impersonation_url'] = self.generate(target)
        return self.file(name, out)

    def generate(self, who):
        return '%s/v1/projects/-/serviceAccounts/%s:generateAccessToken' % (self.here, who)

    def works(self, account, **how):
        self.run_pail('cp', '-', 'gs://bucket-one/x', data=b'who asks', account=account, **how)
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/x', account=account, **how), b'who asks')

    def fails(self, account, *words, **how):
        run = self.pail('ls', 'gs://bucket-one/', account=account, **how)
        self.assertNotEqual(run.returncode, 0, run.stdout)
        for word in words:
            self.assertIn(word.encode(), run.stderr)
        self.assertNotIn(b'HIDDEN', run.stderr)
        return run.stderr

    # ---- subject tokens

    def test_token_from_a_file_as_text_and_as_json(self):
        text = self.file('subject.txt', 'subject-of-file\n')
        as_json = self.file('subject.json', {'token': 'subject-of-file'})
        self.works(self.external('e1.json', {'file': str(text)}))
        self.works(self.external('e2.json', {'file': str(as_json), 'format': {
            'type': 'json', 'subject_token_field_name': 'token'}}))

    def test_token_from_a_url_as_text_and_as_json(self):
        headers = {'X-Who': 'pail'}
        self.works(self.external('e3.json', {'url': self.here + '/subject/text', 'headers': headers}))
        self.works(self.external('e4.json', {'url': self.here + '/subject/json', 'headers': headers, 'format': {
            'type': 'json', 'subject_token_field_name': 'id_token'}}))

    def aws(self, **more):
        return {'environment_id': 'aws1', 'regional_cred_verification_url': logins.STS_CALL.replace('%s', '{region}'), **more}

    def test_call_of_aws_signed_by_variables(self):
        account = self.external('a1.json', self.aws(), AWS)
        self.works(account, more={'AWS_ACCESS_KEY_ID': 'AKIDENV', 'AWS_SECRET_ACCESS_KEY': 'aws-secret-1',
                                  'AWS_REGION': 'eu-west-1'})
        self.fails(account, 'AWS_REGION', 'region_url')
        self.fails(account, 'AWS_ACCESS_KEY_ID', more={'AWS_REGION': 'eu-west-1'})
        self.fails(account, 'invalid_grant', more={'AWS_ACCESS_KEY_ID': 'AKIDENV', 'AWS_SECRET_ACCESS_KEY': 'HIDDEN-wrong',
                                                   'AWS_REGION': 'eu-west-1'})

    def test_call_of_aws_signed_by_the_role_of_the_machine(self):
        meta = self.here + '/latest/meta-data/'
        source = self.aws(region_url=meta + 'placement/availability-zone', url=meta + 'iam/security-credentials',
                          imdsv2_session_token_url=self.here + '/latest/api/token')
        self.works(self.external('a2.json', source, AWS))
        del source['imdsv2_session_token_url']
        self.fails(self.external('a3.json', source, AWS), 'HTTP 401', 'AWS region')

    def test_metadata_of_aws_is_nowhere_else(self):
        source = self.aws(region_url='http://169.254.169.254.evil.example/z', url='http://169.254.169.254/r')
        self.fails(self.external('a4.json', source, AWS), 'a4.json', '169.254.169.254.evil.example')

    def test_what_is_no_subject_token(self):
        self.fails(self.external('n1.json', {'file': str(self.folder / 'nowhere')}), 'nowhere', 'n1.json')
        self.fails(self.external('n2.json', {'file': str(self.file('empty', ' \n'))}), 'empty')
        self.fails(self.external('n3.json', {'file': str(self.file('half', '{"token": HIDDEN')), 'format': {
            'type': 'json', 'subject_token_field_name': 'token'}}), 'half', 'line 1')
        self.fails(self.external('n4.json', {'file': str(self.file('other', {'x': 'HIDDEN'})), 'format': {
            'type': 'json', 'subject_token_field_name': 'token'}}), '"token"')
        self.fails(self.external('n5.json', {'url': self.here + '/subject/text'}), 'HTTP 403', '/subject/text')
        self.fails(self.external('n6.json', {'file': str(self.file('wrong', 'HIDDEN-wrong'))}), 'invalid_grant', '/v1/token')

    def test_programs_are_not_run(self):
        self.fails(self.external('x1.json', {'executable': {'command': '/bin/true'}}), 'executable', 'credential_source.file')
        self.fails(self.external('x2.json', {}), 'credential_source')
        self.fails(self.external('x3.json', {'environment_id': 'aws9'}, AWS), 'aws9')

    def test_secrets_go_to_google_only(self):
        source = {'file': str(self.file('s', 'subject-of-file'))}
        for i, url in enumerate(['https://sts.googleapis.com.evil.example/v1/token', 'http://sts.googleapis.com/v1/token',
                                 'https://evil.example/sts.googleapis.com', 'https://sts.googleapis.com:8443/v1/token',
                                 'https://a.b.sts.googleapis.com/v1/token', 'https://storage.googleapis.com/v1/token']):
            self.fails(self.external('u%d.json' % i, source, token_url=url), 'u%d.json' % i, 'sts')
        self.fails(self.external('v.json', source, service_account_impersonation_url=
                                 'https://evil.example/v1/projects/-/serviceAccounts/a@b:generateAccessToken'), 'evil.example')
        for i, url in enumerate(['https://sts.googleapis.com/v1/token', 'https://us-east1-sts.googleapis.com/v1/token',
                                 'https://sts.us-east1.googleapis.com/v1/token', 'https://sts-x.p.googleapis.com/v1/token',
                                 'https://us.sts.mtls.googleapis.com/v1/token']):
            run = self.pail('config', 'explain', 'gs://bucket-one', account=self.external('w%d.json' % i, source, token_url=url))
            self.assertIn(b'external account', run.stdout)

    def test_token_endpoints_that_misbehave(self):
        source = {'file': str(self.file('s', 'subject-of-file'))}
        for path, word in (('html', 'no JSON'), ('redirect', 'redirect'), ('endless', '/bad/endless')):
            start = time.monotonic()
            self.fails(self.external('b.json', source, token_url='%s/bad/%s' % (self.here, path)), word, '/bad/' + path)
            self.assertLess(time.monotonic() - start, 20)

    # ---- impersonation

    def test_external_account_becomes_a_service_account(self):
        source = {'file': str(self.file('s', 'subject-of-file'))}
        self.works(self.external('i1.json', source, target=logins.TARGET))
        self.fails(self.external('i2.json', source, target='nobody' + logins.DOMAIN), 'PERMISSION_DENIED', 'Token Creator')

    def test_file_of_an_impersonated_account(self):
        inner = json.loads(self.account.read_text())
        out = {'type': 'impersonated_service_account', 'source_credentials': inner}
        self.works(self.file('j1.json', {**out, 'service_account_impersonation_url': self.generate(logins.TARGET)}))
        self.works(self.file('j2.json', {**out, 'service_account_impersonation_url': self.generate(logins.DEEP),
                                         'delegates': ['projects/-/serviceAccounts/' + logins.TARGET]}))
        self.fails(self.file('j3.json', {**out, 'service_account_impersonation_url': self.generate(logins.DEEP)}),
                   'PERMISSION_DENIED')
        self.fails(self.file('j4.json', {'type': 'impersonated_service_account', 'source_credentials': inner}), 'j4.json')

    def test_setting_that_impersonates(self):
        for who, how in ((logins.TARGET, {}), (logins.TARGET + ',' + logins.DEEP, {})):
            self.works(True, settings=['google_impersonate_service_account=' + who, 'google_iam_endpoint=' + self.here], **how)
        self.works(None, settings=['google_impersonate_service_account=' + logins.TARGET, 'google_token=given-token',
                                   'google_iam_endpoint=' + self.here])
        self.fails(True, 'NAME@PROJECT', settings=['google_impersonate_service_account=a/b'])

    def test_token_of_an_impersonated_account_is_fetched_once(self):
        before = len(self.requests())
        how = {'settings': ['google_impersonate_service_account=' + logins.TARGET, 'google_iam_endpoint=' + self.here]}
        self.run_pail('cp', '-', 'gs://bucket-one/once', data=b'1', **how)
        mid = len(self.requests())
        self.run_pail('cat', 'gs://bucket-one/once', 'gs://bucket-one/once', 'gs://bucket-one/once', **how)
        self.assertEqual(self.counted('/token', before), 2)
        self.assertEqual(self.counted('generateAccessToken', mid), 1)

    # ---- URLs that IAM signs

    def signs(self, **how):
        how.setdefault('settings', [])
        how['settings'] = [*how['settings'], 'google_iam_endpoint=' + self.here]
        self.run_pail('cp', '-', 'gs://bucket-one/by iam', data=b'signed')
        url = self.run_pail('presign', 'gs://bucket-one/by iam', **how).decode().strip()
        self.assertEqual(urllib.request.urlopen(url).read(), b'signed')
        with self.assertRaises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(url.replace('by%20iam', 'other'))
        failed.exception.close()
        return url

    def test_impersonated_account_signs_by_iam(self):
        url = self.signs(settings=['google_impersonate_service_account=' + logins.TARGET])
        self.assertIn('target', url)
        self.signs(account=self.external('i3.json', {'file': str(self.file('s', 'subject-of-file'))}, target=logins.TARGET))

    def test_machine_signs_by_iam(self):
        url = self.signs(account=None, settings=['gcs_metadata_host=' + self.here.split('//')[1]])
        self.assertIn('machine', url)

    def test_who_has_no_account_cannot_sign(self):
        account = self.external('k.json', {'file': str(self.file('s', 'subject-of-file'))})
        run = self.pail('presign', 'gs://bucket-one/x', account=account)
        self.assertIn(b'google_impersonate_service_account', run.stderr)

    def test_refused_signature_says_what_role_it_takes(self):
        how = {'settings': ['google_impersonate_service_account=nobody' + logins.DOMAIN, 'google_iam_endpoint=' + self.here]}
        run = self.pail('presign', 'gs://bucket-one/x', **how)
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b'Token Creator', run.stderr)
