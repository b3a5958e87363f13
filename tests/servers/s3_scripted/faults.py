"""Rules that a test loads: which requests to disturb, and how.

A rule is {"match": {...}, "action": {...}}. All conditions of `match` must hold:
  method, op        a word or a list of words
  path              regular expression, searched in the path as sent
  bucket, key       exact
  query             {name: regular expression or null for "present"}
  header            {name: regular expression or null for "present"; false for "absent"}
  nth               n, or a list: only these among the requests that match the rest (from 1)
  first, every      the first n, every n-th
`action` may combine, in this order:
  delay_ms          wait before anything else
  replace           {"bucket","key","body"|"size"}: store this object first
  apply             with an answer of its own (status, error, drop, ...): do the request all the same
  no_body           answer without reading the body of the request (the connection is closed after)
  expect            "ignore": send no 100 Continue; "refuse": 417
  drop              "before_read" | "before_headers" | "after_headers" | k: close after k body bytes
  reset             with drop: TCP reset instead of an orderly end
  raw               text that is sent as it is, then close
  garbage           so many pseudo-random bytes, then close
  error             an S3 error code, with `status`, `message`, `fields`, `headers` if wished
  status            an answer with `headers` and `body` (text)
  region            301 PermanentRedirect to this region, x-amz-bucket-region set
  redirect          307 (or `status`) to this Location, with `headers`
  skew              403 RequestTimeTooSkewed, Date shifted by so many seconds
  error_in_200      200 with an <Error> of this code
These change the true answer:
  set_headers, del_headers, status_only, content_length (n, "+n", "-n" or null for none),
  content_range, checksum ("wrong"), etag, cut (k: the body ends after k bytes, lengths agree),
  flip (offset of a byte of the body to change), insert (text before the body), chunked,
  chunk_garbage, header_flood (n), slow ({"bytes": n, "ms": n}), date_skew (seconds), close,
  close_silent (close afterwards without having said so)
For DeleteObjects: delete_errors {key: code} fails single keys.
"""

import random
import re
import time

from .data import Bytes
from .errors import S3Error
from .wire import Gone, Response, finish_headers, head_bytes, http_date



class Reset(Exception):
    """The connection is to be closed by a TCP reset."""


OWN_ANSWER = ('drop', 'raw', 'garbage', 'error', 'status', 'region', 'redirect', 'skew',
              'error_in_200')
KNOWN = OWN_ANSWER + (
    'delay_ms', 'replace', 'apply', 'no_body', 'expect', 'reset', 'headers', 'body', 'message',
    'fields', 'set_headers', 'del_headers', 'status_only', 'content_length', 'content_range',
    'checksum', 'etag', 'cut', 'flip', 'insert', 'chunked', 'chunk_garbage', 'header_flood',
    'slow', 'date_skew', 'close', 'close_silent', 'delete_errors')
MATCHES = ('method', 'op', 'path', 'bucket', 'key', 'query', 'header', 'nth', 'first', 'every')


def _one_of(wanted, value):
    return value in wanted if isinstance(wanted, list) else value == wanted


def _map_holds(wanted, values):
    for name, pattern in wanted.items():
        value = values.get(name)
        if pattern is False:
            if value is not None:
                return False
        elif value is None or (pattern is not None and not re.search(str(pattern), value)):
            return False
    return True


class Rule:
    """One rule with its count of matches."""

    def __init__(self, spec):
        self.match = spec.get('match', {})
        self.action = spec.get('action', {})
        for name in self.match:
            if name not in MATCHES:
                raise ValueError('no match %r; there are: %s' % (name, ', '.join(MATCHES)))
        for name in self.action:
            if name not in KNOWN:
                raise ValueError('no action %r; there are: %s' % (name, ', '.join(KNOWN)))
        self.seen = 0
        self.fired = 0

    def _holds(self, req):
        match = self.match
        return (('method' not in match or _one_of(match['method'], req.method))
                and ('op' not in match or _one_of(match['op'], req.op))
                and ('bucket' not in match or match['bucket'] == req.bucket)
                and ('key' not in match or match['key'] == req.key)
                and ('path' not in match or re.search(match['path'], req.raw_path) is not None)
                and _map_holds(match.get('query', {}), req.query)
                and _map_holds({name.lower(): value for name, value
                                in match.get('header', {}).items()}, req.headers))

    def takes(self, req):
        """True when the rule is to act on this request; counts it."""
        if not self._holds(req):
            return False
        self.seen += 1
        match = self.match
        hit = (('nth' not in match or _one_of(match['nth'], self.seen))
               and ('first' not in match or self.seen <= match['first'])
               and ('every' not in match or self.seen % match['every'] == 0))
        self.fired += hit
        return hit


class Script:
    """The rules of a server in order; the first that takes a request acts alone."""

    def __init__(self):
        self.rules = []

    def load(self, specs):
        return [Rule(spec) for spec in specs]

    def find(self, req):
        """(index, action) of the rule for this request, or (None, {})."""
        taken = None
        for index, rule in enumerate(self.rules):
            if taken is None and rule.takes(req):
                taken = index
        return (None, {}) if taken is None else (taken, self.rules[taken].action)


def has_own_answer(action):
    return any(name in action for name in OWN_ANSWER)


def own_answer(srv, req, action):
    """The answer that a rule gives instead of the true one; None to go on to it."""
    headers = list(action.get('headers', {}).items())
    if 'error' in action:
        error = S3Error(action['error'], action.get('message'), action.get('status'), headers,
                        **action.get('fields', {}))
        return srv.error_response(req, error)
    if 'region' in action:
        return srv.error_response(req, S3Error(
            'PermanentRedirect', status=action.get('status'),
            headers=headers + [('x-amz-bucket-region', action['region'])],
            Endpoint='s3.%s.amazonaws.com' % action['region'], Bucket=req.bucket))
    if 'redirect' in action:
        return Response(action.get('status', 307),
                        headers + [('Location', action['redirect'])],
                        action.get('body', '').encode())
    if 'skew' in action:
        now = srv.now() + action['skew']
        resp = srv.error_response(req, S3Error(
            'RequestTimeTooSkewed', MaxAllowedSkewMilliseconds=900000,
            ServerTime=time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))))
        resp.date = http_date(now)
        return resp
    if 'error_in_200' in action:
        resp = srv.error_response(req, S3Error(action['error_in_200'], action.get('message')))
        resp.status = 200
        return resp
    if 'status' in action:
        return Response(action['status'], headers, action.get('body', '').encode())
    return None


def _replace_sum(resp):
    for name, value in list(resp.headers):
        if name.lower().startswith('x-amz-checksum-') and name.lower() != 'x-amz-checksum-type':
            swapped = ('B' if value[0] != 'B' else 'C') + value[1:]
            resp.put(name, swapped)


def _content(resp):
    return b''.join(bytes(chunk) for chunk in resp.data.chunks(resp.start, resp.end))


def _set_content(resp, content):
    resp.data, resp.start, resp.end = Bytes(content), 0, len(content)


def _change_length(resp, value):
    if value is None:
        resp.no_length = True
    elif isinstance(value, str):
        resp.length = max(resp.end - resp.start + int(value), 0)
    else:
        resp.length = value


def change_answer(srv, action, resp):
    """Apply the changes of a rule to the true answer."""
    if 'checksum' in action:
        _replace_sum(resp)
    if 'status_only' in action:
        resp.status = action['status_only']
    if 'content_range' in action:
        resp.put('Content-Range', action['content_range'])
    if 'etag' in action:
        resp.put('ETag', action['etag'])
    for name, value in action.get('set_headers', {}).items():
        resp.put(name, value)
    for name in action.get('del_headers', ()):
        resp.put(name, None)
    if 'cut' in action:
        resp.end = min(resp.start + action['cut'], resp.end)
    if 'flip' in action:
        content = bytearray(_content(resp))
        if action['flip'] < len(content):
            content[action['flip']] ^= 1
        _set_content(resp, content)
    if 'insert' in action:
        _set_content(resp, action['insert'].encode() + _content(resp))
    if 'content_length' in action:
        _change_length(resp, action['content_length'])
    if 'header_flood' in action:
        resp.headers += [('x-flood-%d' % i, 'f' * 1000) for i in range(action['header_flood'])]
    if 'date_skew' in action:
        resp.date = http_date(srv.now() + action['date_skew'])
    resp.chunked = resp.chunked or bool(action.get('chunked') or action.get('chunk_garbage'))
    resp.close = resp.close or bool(action.get('close'))


def _send_slowly(conn, req, resp, srv, slow):
    finish_headers(resp, req, srv.now())
    conn.send(head_bytes(resp))
    if req.method == 'HEAD' or resp.status in (204, 304):
        return
    content = _content(resp)
    for at in range(0, len(content), slow['bytes']):
        time.sleep(slow['ms'] / 1000)
        conn.send(content[at:at + slow['bytes']])


def send_special(srv, conn, req, resp, action):
    """Send in the way of a rule; True when the answer has been dealt with."""
    if 'raw' in action:
        conn.send(action['raw'].encode('latin-1'))
        raise Gone()
    if 'garbage' in action:
        conn.send(random.Random(1).randbytes(action['garbage']))
        raise Gone()
    if action.get('drop') == 'before_headers':
        raise Gone()
    if action.get('chunk_garbage'):
        finish_headers(resp, req, srv.now())
        conn.send(head_bytes(resp) + b'5\r\nhello\r\nzz-not-a-size\r\n')
        raise Gone()
    if 'slow' in action:
        _send_slowly(conn, req, resp, srv, action['slow'])
        return True
    return False
