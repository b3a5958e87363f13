"""AWS signature version 4 as the server sees it: header, query, aws-chunked bodies."""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

from .errors import S3Error

EMPTY_SHA256 = hashlib.sha256(b'').hexdigest()
ALGORITHM = 'AWS4-HMAC-SHA256'
SKEW_SECONDS = 900
# x-amz-* names that a proxy may add and that AWS does not want signed.
UNSIGNED_ALLOWED = ('x-amzn-trace-id',)
PAYLOAD_WORDS = ('UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
                 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER')


class Auth:
    """Who signed, how, and what is needed to verify the body."""

    def __init__(self, kind, access_key=None):
        self.kind = kind            # 'header', 'query' or 'anonymous'
        self.access_key = access_key
        self.credential = None
        self.payload = None         # hex SHA-256 or one of PAYLOAD_WORDS
        self.key = b''
        self.scope = ''
        self.stamp = ''
        self.signature = ''
        self.signed = ()
        self.region = None
        self.service = None
        self.expires = None


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signing_key(secret, date, region, service):
    key = _hmac(('AWS4' + secret).encode(), date)
    for part in (region, service, 'aws4_request'):
        key = _hmac(key, part)
    return key


def encode(text, safe='-_.~'):
    return urllib.parse.quote(text, safe=safe)


def canonical_query(raw_query, leave_out=()):
    pairs = []
    for item in raw_query.split('&'):
        if not item:
            continue
        name, _, value = item.partition('=')
        name = urllib.parse.unquote_to_bytes(name.replace('+', ' '))
        value = urllib.parse.unquote_to_bytes(value.replace('+', ' '))
        if name.decode('latin-1') not in leave_out:
            pairs.append((encode(name), encode(value)))
    return '&'.join('%s=%s' % pair for pair in sorted(pairs))


def canonical_request(req, signed, payload, leave_out=()):
    path = encode(urllib.parse.unquote_to_bytes(req.raw_path), safe='/-_.~')
    lines = ''
    for name in signed:
        value = req.headers.get(name, '')
        lines += '%s:%s\n' % (name, re.sub(r'[ \t]+', ' ', value).strip())
    return '\n'.join((req.method, path, canonical_query(req.raw_query, leave_out),
                      lines, ';'.join(signed), payload))


def parse_stamp(text):
    """Seconds since 1970 of yyyymmddThhmmssZ, or None."""
    try:
        return calendar.timegm(time.strptime(text, '%Y%m%dT%H%M%SZ'))
    except (ValueError, TypeError):
        return None


def _http_date(text):
    for form in ('%a, %d %b %Y %H:%M:%S GMT',):
        try:
            return calendar.timegm(time.strptime(text or '', form))
        except ValueError:
            return None
    return None


def _malformed(auth_kind, message, **fields):
    code = ('AuthorizationHeaderMalformed' if auth_kind == 'header'
            else 'AuthorizationQueryParametersError')
    return S3Error(code, message, **fields)


def _split_credential(kind, text):
    parts = text.split('/')
    if len(parts) < 5 or parts[-1] != 'aws4_request':
        raise _malformed(kind, 'The credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/'
                               'REGION/SERVICE/aws4_request".')
    return '/'.join(parts[:-4]), parts[-4], parts[-3], parts[-2]


def parse(req):
    """The Auth that the request claims; nothing is verified yet."""
    header = req.headers.get('authorization')
    in_query = 'X-Amz-Algorithm' in req.query or 'X-Amz-Signature' in req.query
    if header is not None and in_query:
        raise S3Error('InvalidArgument', 'Only one auth mechanism allowed; only the '
                      'X-Amz-Algorithm query parameter, Signature query string parameter or the '
                      'Authorization header should be specified')
    if header is not None:
        return _parse_header(req, header)
    if in_query:
        return _parse_query(req)
    if 'AWSAccessKeyId' in req.query:
        raise S3Error('InvalidRequest', 'The authorization mechanism you have provided is not '
                                        'supported. Please use AWS4-HMAC-SHA256.')
    auth = Auth('anonymous')
    auth.payload = req.headers.get('x-amz-content-sha256', 'UNSIGNED-PAYLOAD')
    return auth


def _parse_header(req, header):
    if not header.startswith(ALGORITHM + ' '):
        raise S3Error('InvalidArgument', 'Unsupported Authorization Type')
    fields = {}
    for item in header[len(ALGORITHM):].split(','):
        name, _, value = item.strip().partition('=')
        fields[name] = value
    if not all(name in fields for name in ('Credential', 'SignedHeaders', 'Signature')):
        raise _malformed('header', 'The authorization header requires three components: '
                                   'Credential, SignedHeaders, and Signature.')
    access, date, region, service = _split_credential('header', fields['Credential'])
    auth = Auth('header', access)
    auth.signed = tuple(fields['SignedHeaders'].split(';'))
    auth.signature = fields['Signature']
    auth.stamp = req.headers.get('x-amz-date', '')
    auth.payload = req.headers.get('x-amz-content-sha256')
    auth.region, auth.service = region, service
    auth.scope = '/'.join((date, region, service, 'aws4_request'))
    if auth.payload is None:
        raise S3Error('InvalidRequest', 'Missing required header for this request: '
                                        'x-amz-content-sha256')
    return auth


def _parse_query(req):
    query = req.query
    for name in ('X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-Date',
                 'X-Amz-SignedHeaders', 'X-Amz-Expires'):
        if name not in query:
            raise _malformed('query', 'Query-string authentication version 4 requires the '
                             'X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, '
                             'X-Amz-SignedHeaders, and X-Amz-Expires parameters.')
    if query['X-Amz-Algorithm'] != ALGORITHM:
        raise _malformed('query', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
    access, date, region, service = _split_credential('query', query['X-Amz-Credential'])
    auth = Auth('query', access)
    auth.signed = tuple(query['X-Amz-SignedHeaders'].split(';'))
    auth.signature = query['X-Amz-Signature']
    auth.stamp = query['X-Amz-Date']
    auth.payload = req.headers.get('x-amz-content-sha256', 'UNSIGNED-PAYLOAD')
    auth.region, auth.service = region, service
    auth.scope = '/'.join((date, region, service, 'aws4_request'))
    if not query['X-Amz-Expires'].isdigit() or not 1 <= int(query['X-Amz-Expires']) <= 604800:
        raise _malformed('query', 'X-Amz-Expires must be between 1 and 604800 seconds')
    auth.expires = int(query['X-Amz-Expires'])
    return auth


def _check_payload_word(auth):
    if auth.payload not in PAYLOAD_WORDS and not re.fullmatch('[0-9a-f]{64}', auth.payload):
        raise S3Error('InvalidArgument', 'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, '
                      'STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, '
                      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
                      ArgumentName='x-amz-content-sha256', ArgumentValue=auth.payload)


def _check_time(auth, req, now):
    seconds = parse_stamp(auth.stamp)
    if seconds is None and auth.kind == 'header':
        seconds = _http_date(req.headers.get('date'))
        if seconds is not None:
            auth.stamp = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(seconds))
    if seconds is None:
        raise S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date '
                                      'header')
    if auth.stamp[:8] != auth.scope[:8]:
        raise _malformed(auth.kind, 'Invalid credential date "%s". This date is not the same as '
                         'X-Amz-Date: "%s".' % (auth.scope[:8], auth.stamp[:8]))
    server = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))
    if auth.kind == 'header' and abs(now - seconds) > SKEW_SECONDS:
        raise S3Error('RequestTimeTooSkewed', RequestTime=auth.stamp, ServerTime=server,
                      MaxAllowedSkewMilliseconds=SKEW_SECONDS * 1000)
    if auth.kind == 'query' and seconds - now > SKEW_SECONDS:
        raise S3Error('AccessDenied', 'Request is not yet valid', ServerTime=server)
    if auth.kind == 'query' and now > seconds + auth.expires:
        raise S3Error('AccessDenied', 'Request has expired',
                      **{'X-Amz-Expires': auth.expires, 'ServerTime': server})


def _check_signed_names(auth, req):
    missing = [name for name in req.headers
               if (name.startswith('x-amz-') or name == 'host')
               and name not in auth.signed and name not in UNSIGNED_ALLOWED]
    if auth.kind == 'query':
        # SDKs leave the payload word out of the signed names of a presigned request.
        missing = [name for name in missing if name != 'x-amz-content-sha256']
    if missing:
        raise S3Error('AccessDenied', 'There were headers present in the request which were not '
                      'signed', HeadersNotSigned=', '.join(missing))


def _check_token(auth, req, credential, ignore_token, token):
    sent = req.headers.get(token) or next(
        (value for name, value in req.query.items() if name.lower() == token), None)
    if ignore_token:
        return
    if credential.expired:
        raise S3Error('ExpiredToken', **{'Token-0': sent})
    if credential.token and not sent:
        raise S3Error('InvalidAccessKeyId', AWSAccessKeyId=auth.access_key)
    if sent and sent != credential.token:
        raise S3Error('InvalidToken', **{'Token-0': sent})


def verify(auth, req, credentials, now, ignore_token=False, service='s3',
           token='x-amz-security-token'):
    """Check everything that can be checked before the body is read."""
    if auth.kind == 'anonymous':
        return
    _check_payload_word(auth)
    credential = credentials.get(auth.access_key)
    if credential is None:
        raise S3Error('InvalidAccessKeyId', AWSAccessKeyId=auth.access_key)
    _check_token(auth, req, credential, ignore_token, token)
    if auth.service != service:
        raise _malformed(auth.kind, 'incorrect service "%s". This endpoint belongs to "%s".'
                         % (auth.service, service))
    _check_time(auth, req, now)
    leave_out = ('X-Amz-Signature',) if auth.kind == 'query' else ()
    canonical = canonical_request(req, auth.signed, auth.payload, leave_out)
    to_sign = '\n'.join((ALGORITHM, auth.stamp, auth.scope,
                         hashlib.sha256(canonical.encode('latin-1')).hexdigest()))
    auth.key = signing_key(credential.secret, *auth.scope.split('/')[:3])
    expected = hmac.new(auth.key, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, auth.signature):
        raise S3Error('SignatureDoesNotMatch', AWSAccessKeyId=auth.access_key,
                      StringToSign=to_sign, SignatureProvided=auth.signature,
                      CanonicalRequest=canonical)
    _check_signed_names(auth, req)
    auth.credential = credential


def check_payload(auth, body):
    """Compare a signed payload hash with the body."""
    if re.fullmatch('[0-9a-f]{64}', auth.payload or ''):
        actual = hashlib.sha256(body).hexdigest()
        if actual != auth.payload:
            raise S3Error('XAmzContentSHA256Mismatch', ClientComputedContentSHA256=auth.payload,
                          S3ComputedContentSHA256=actual)


def is_streaming(auth):
    return (auth.payload or '').startswith('STREAMING-')


class Chunks:
    """Decoder of one aws-chunked body that is already in memory."""

    def __init__(self, auth, body):
        self.auth = auth
        self.view = memoryview(body)
        self.raw = bytes(body)
        self.at = 0
        self.signed = (auth.payload or '').startswith('STREAMING-AWS4')
        self.trailing = (auth.payload or '').endswith('-TRAILER')
        self.previous = auth.signature

    def _line(self):
        end = self.raw.find(b'\n', self.at)
        if end < 0:
            raise S3Error('IncompleteBody')
        line = self.raw[self.at:end]
        self.at = end + 1
        return line.rstrip(b'\r').decode('latin-1')

    def _verify_chunk(self, signature, data):
        text = '\n'.join(('AWS4-HMAC-SHA256-PAYLOAD', self.auth.stamp, self.auth.scope,
                          self.previous, EMPTY_SHA256, hashlib.sha256(data).hexdigest()))
        self._compare(signature, text)

    def _compare(self, signature, text):
        if self.auth.kind == 'anonymous':
            return
        expected = hmac.new(self.auth.key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise S3Error('SignatureDoesNotMatch', StringToSign=text)
        self.previous = signature

    def decode(self):
        """(content, trailers)"""
        out = bytearray()
        last = None
        while True:
            size, _, extension = self._line().partition(';')
            if not re.fullmatch('[0-9a-fA-F]{1,16}', size):
                raise S3Error('IncompleteBody', 'Malformed chunk size')
            count = int(size, 16)
            data = self.view[self.at:self.at + count]
            if len(data) < count:
                raise S3Error('IncompleteBody')
            if self.signed:
                if not extension.startswith('chunk-signature='):
                    raise S3Error('IncompleteBody', 'A chunk has no signature')
                self._verify_chunk(extension[len('chunk-signature='):].strip(), data)
            if count and last is not None and last < 8192 and self.signed:
                raise S3Error('InvalidChunkSizeError')
            self.at += count
            out += data
            if count == 0:
                return bytes(out), self._trailers()
            last = count
            if self._line():
                raise S3Error('IncompleteBody', 'A chunk is longer than its size')

    def _trailers(self):
        trailers = {}
        hashed = ''
        while self.at < len(self.raw):
            line = self._line()
            if not line:
                continue
            name, _, value = line.partition(':')
            name = name.strip().lower()
            if name == 'x-amz-trailer-signature':
                text = '\n'.join(('AWS4-HMAC-SHA256-TRAILER', self.auth.stamp, self.auth.scope,
                                  self.previous, hashlib.sha256(hashed.encode()).hexdigest()))
                self._compare(value.strip(), text)
                hashed = None
                continue
            if hashed is None:
                raise S3Error('IncompleteBody', 'Data after the trailer signature')
            trailers[name] = value.strip()
            hashed += '%s:%s\n' % (name, value.strip())
        if self.trailing and self.signed and hashed:
            raise S3Error('SignatureDoesNotMatch', 'The trailer is not signed')
        return trailers


def decode_streaming(auth, req, body):
    """(content, trailers) of an aws-chunked body, lengths and announced trailers checked."""
    content, trailers = Chunks(auth, body).decode()
    declared = req.headers.get('x-amz-decoded-content-length')
    if declared is None or not declared.isdigit():
        raise S3Error('MissingContentLength')
    if int(declared) != len(content):
        raise S3Error('IncompleteBody', 'You did not provide the number of bytes specified by '
                                        'the x-amz-decoded-content-length header')
    announced = [name.strip().lower() for name in req.headers.get('x-amz-trailer', '').split(',')
                 if name.strip()]
    if sorted(announced) != sorted(trailers):
        raise S3Error('MalformedTrailerError')
    return content, trailers
