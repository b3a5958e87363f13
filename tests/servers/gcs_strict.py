"""A strict server of Google's storage, for tests: it checks what emulators let pass.

    gcs_strict.py [--port N] [--public-key PEM] [--private-key PEM] [--email ADDRESS] [--bearer TOKEN]
                  [--tls CERT_AND_KEY] [--exit-on-eof]

Prints "ready PORT". Each request needs a bearer token - one that a login gave out, TOKEN, or a JWT that the account
signed itself - or, on /BUCKET/KEY, a V4 signature; both are verified with the public key. The XML API takes HMAC keys. Preconditions hold
everywhere, generations are exact, hashes are compared, pages are cut as asked, sessions and customer keys are exact.
/-/requests tells what came in. PUT /-/faults takes {METHOD: [INSTRUCTION, ...]} for the next requests of a method, in
the words of Google's retry conformance tests, GET tells what is left of them: return-CODE, return-reset-connection, return-broken-stream[-after-nK],
return-CODE-after-nK; "" lets one pass; and of ours: reset-after-nK (of an upload), reset-unanswered (done, but nobody hears of it)."""
import argparse
import datetime
import hashlib
import http.server
import json
import re
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import gcs_strict_auth as logins
import gcs_strict_sessions as sessions
import gcs_strict_xml as xml_api
from gcs_strict_store import Refused, Store, billed, error_of, insert, media, route, unb64url


def method_of(command, path, query):
    """"storage.objects.insert", ...: as Google names the methods of the JSON API."""
    names = path.split('/')
    if names[1] == 'batch':
        return 'batch'
    if names[1] == 'upload':
        return 'storage.objects.insert'
    rest = names[5:]  # behind /storage/v1/b/BUCKET
    if len(names) < 5 or len(names) == 5 and not names[4]:
        return {'GET': 'storage.buckets.list', 'POST': 'storage.buckets.insert'}.get(command, '')
    if not rest:
        return 'storage.buckets.' + {'GET': 'get', 'DELETE': 'delete'}.get(command, '')
    if len(rest) == 1:
        return 'storage.objects.list'
    if len(rest) > 2:
        return 'storage.objects.' + {'compose': 'compose', 'rewriteTo': 'rewrite', 'copyTo': 'copy'}.get(rest[2], '')
    return 'storage.objects.' + {'GET': 'get', 'DELETE': 'delete', 'PATCH': 'patch', 'PUT': 'update'}.get(command, '')



class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = 'HTTP/1.1', True
    store, options = None, None

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):  # given up by the client
            pass

    # ---- answers

    def answer(self, status, body=b'', headers=(), cut=None):
        """cut: so many bytes of the body are sent, then the connection ends."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = [('Content-Type', 'application/json; charset=UTF-8'), *headers]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('X-GUploader-UploadID', 'id-%d' % len(self.store.requests))
        if status not in (204, 304):
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD' and status not in (204, 304):
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.reset()

    def refuse(self, e, plain=False):
        if plain:
            self.answer(e.status, e.message.encode(), [('Content-Type', 'text/html; charset=UTF-8')])
        else:
            self.answer(e.status, error_of(e))

    def reset(self):
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.close_connection = True
        raise ConnectionError

    # ---- who asks

    def verify(self, text, signature):
        with tempfile.NamedTemporaryFile() as f:
            f.write(signature)
            f.flush()
            return subprocess.run(['openssl', 'dgst', '-sha256', '-verify', self.options.public_key, '-signature', f.name],
                                  input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def jwt(self, text, audience):
        try:
            head, claims, signature = text.split('.')
            header, claims_json = json.loads(unb64url(head)), json.loads(unb64url(claims))
            fine = (header['alg'] == 'RS256' and header['typ'] == 'JWT' and claims_json['iss'] == self.options.email and
                    claims_json['aud'] == audience and claims_json['iat'] <= time.time() + 60 < claims_json['exp'] + 60 and
                    claims_json['exp'] - claims_json['iat'] <= 3600)
            return fine and self.verify(('%s.%s' % (head, claims)).encode(), unb64url(signature))
        except (ValueError, KeyError, TypeError):
            return False

    def authorize(self):
        value = self.headers.get('Authorization', '')
        token = value[7:] if value.startswith('Bearer ') else ''
        if token and token == self.options.bearer or self.store.tokens.get(token, 0) > time.time():
            return
        if token and token not in self.store.tokens and self.jwt(token, 'https://storage.googleapis.com/'):
            self.store.tokens[token] = time.time() + 3600
            return
        raise Refused(401, 'authError' if token else 'required', 'Invalid Credentials' if token else 'Anonymous caller')

    def signed(self, path, query):
        """A V4 signature in the query, by the account's key."""
        q = dict(query)
        sig = q.pop('X-Goog-Signature', '')
        names = q.get('X-Goog-SignedHeaders', '').split(';')
        quote = lambda s: urllib.parse.quote(s, safe='-._~')
        lines = ''.join('%s:%s\n' % (n, ' '.join(self.headers.get(n, '').split())) for n in names)
        canonical = '\n'.join([self.command, path,
                               '&'.join('%s=%s' % (quote(k), quote(v)) for k, v in sorted(q.items())), lines,
                               ';'.join(names), 'UNSIGNED-PAYLOAD'])
        date = q.get('X-Goog-Date', '')
        scope = date[:8] + '/auto/storage/goog4_request'
        text = '\n'.join([q.get('X-Goog-Algorithm', ''), date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        try:
            made = datetime.datetime.strptime(date, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc).timestamp()
            who, _, of = q['X-Goog-Credential'].partition('/')
            fine = ('host' in names and made - 900 < time.time() < made + min(int(q['X-Goog-Expires']), 604800) and
                    who in (self.options.email, logins.TARGET, logins.MACHINE) and of == scope and
                    q['X-Goog-Algorithm'] == 'GOOG4-RSA-SHA256' and self.verify(text.encode(), bytes.fromhex(sig)))
        except (ValueError, KeyError):
            fine = False
        if not fine:
            raise Refused(403, 'SignatureDoesNotMatch', 'SignatureDoesNotMatch')

    # ---- faults

    def fault(self, path, query, body):
        """What is to go wrong with this request; acts at once where nothing of it is done. Returns what comes after."""
        waiting = self.store.faults.get(method_of(self.command, path, query))
        what = waiting[0] if waiting else ''
        code, after = re.fullmatch(r'return-(\d+)(-after-\d+K)?', what), re.search(r'-after-(\d+)K', what)
        most = int(after.group(1)) * 1024 if after else 0
        if waiting and not what:
            waiting.pop(0)  # this one goes well
        if not what or (code or what.startswith('reset')) and after and not \
                sessions.keep_some(self.store, query, self.headers, body, most):
            return ''
        waiting.pop(0)
        if what == 'return-reset-connection' or what.startswith('reset-after'):
            self.reset()
        if code:
            if code.group(1) == '410':
                self.store.sessions.pop(query.get('upload_id', ''), None)
            raise Refused(int(code.group(1)), 'backendError' if code.group(1)[0] == '5' else 'injected', what)
        return what

    # ---- one request

    def handle_one(self):
        length = int(self.headers.get('Content-Length') or 0)
        body = self.rfile.read(length) if length else b''
        if len(body) < length:  # given up in the middle
            self.close_connection = True
            return None
        path, _, raw = self.path.partition('?')
        query = dict(urllib.parse.parse_qsl(raw, keep_blank_values=True))
        if path == '/-/requests':
            return self.answer(200, self.store.requests)
        if path == '/-/faults' and self.command == 'GET':
            return self.answer(200, self.store.faults)
        if path == '/-/faults':
            self.store.faults = json.loads(body)
            return self.answer(200)
        self.store.requests.append('%s %s' % (self.command, self.path))
        if path.startswith('/bad/'):
            return logins.bad(self, path)
        plain = query.get('alt') == 'media'
        try:
            with self.store.lock:
                if path == '/token':
                    return self.token(body)
                if logins.answer(self, path, body):
                    return None
                if not re.match(r'/(upload/|batch/)?storage/v1', path):
                    return self.xml(path, query, body)
                self.authorize()
                what = self.fault(path, query, body)
                if path.startswith('/batch/'):
                    return self.batch(body)
                made = route(self.store, self.command, path, query, self.headers, body)
                if what == 'reset-unanswered':
                    self.reset()
                after = re.search(r'-after-(\d+)K', what)
                cut = int(after.group(1)) * 1024 if after else 0
                return self.answer(*made, **({'cut': cut} if what.startswith('return-broken-stream') else {}))
        except Refused as e:
            return self.refuse(e, plain)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_one

    def token(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        here = 'http://%s/token' % self.headers['Host']
        grant = form.get('grant_type')
        fine = (grant == 'urn:ietf:params:oauth:grant-type:jwt-bearer' and self.jwt(form.get('assertion', ''), here) or
                grant == 'refresh_token' and form.get('refresh_token') == 'refresh' and
                form.get('client_secret') == 'secret' and form.get('client_id') == 'client')
        if not fine:
            return self.answer(400, {'error': 'invalid_grant', 'error_description': 'no'})
        scope = logins.CLOUD if grant == 'refresh_token' else json.loads(unb64url(form['assertion'].split('.')[1]))['scope']
        token = logins.give(self.store, scope)
        return self.answer(200, {'access_token': token, 'expires_in': 3600, 'token_type': 'Bearer'})

    def xml(self, path, query, body):
        if 'Authorization' in self.headers or 'X-Goog-Signature' not in query:
            return xml_api.answer(self, path, query, body)
        self.signed(path, query)
        _, bucket, key = path.split('/', 2)
        bucket, key = urllib.parse.unquote(bucket), urllib.parse.unquote(key)
        billed(bucket, query)
        if self.command == 'PUT':
            o = insert(self.store, bucket, {'name': key, 'contentType': self.headers.get('Content-Type')}, body, {})
            return self.answer(200, b'', [('x-goog-generation', o['generation'])])
        return self.answer(*media(self.store, bucket, key, query, self.headers))

    def batch(self, body):
        match = re.fullmatch(r'multipart/mixed; boundary="?([^";]+)"?', self.headers.get('Content-Type', ''))
        parts = body.split(b'--' + match.group(1).encode())[1:-1] if match else []
        if not parts or len(parts) > 100:
            raise Refused(400, 'badRequest', 'a batch has 1 to 100 calls')
        out = []
        for part in parts:
            head, _, call = part.strip(b'\r\n').partition(b'\r\n\r\n')
            number = re.search(rb'(?i)content-id: <([^>]+)>', head)
            line = call.split(b'\r\n', 1)[0].decode().split(' ')
            path, _, raw = line[1].partition('?')
            query = dict(urllib.parse.parse_qsl(raw))
            waiting = self.store.faults.get(method_of(line[0], path, query))
            what = waiting.pop(0) if waiting else ''
            try:
                if what:
                    raise Refused(int(what[len('return-'):]), 'injected', what)
                status, answer, _ = (*route(self.store, line[0], path, query, {}, b''), ())[:3]
            except Refused as e:
                status, answer = e.status, error_of(e)
            text = json.dumps(answer) if answer else ''
            out.append('--batch_x\r\nContent-Type: application/http\r\nContent-ID: <response-%s>\r\n\r\n'
                       'HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s\r\n' %
                       (number.group(1).decode(), status, len(text), text))
        out.reverse()  # the order of the answers is not that of the calls
        self.answer(200, (''.join(out) + '--batch_x--\r\n').encode(), [('Content-Type', 'multipart/mixed; boundary=batch_x')])


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--port', type=int, default=0)
    p.add_argument('--public-key')
    p.add_argument('--private-key')
    p.add_argument('--email', default='')
    p.add_argument('--bearer', default='')
    p.add_argument('--tls')
    p.add_argument('--exit-on-eof', action='store_true')
    Handler.options = p.parse_args()
    Handler.store = Store()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', Handler.options.port), Handler)
    server.daemon_threads = True
    if Handler.options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Handler.options.tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print('ready %d' % server.server_address[1], flush=True)
    if Handler.options.exit_on_eof:
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


if __name__ == '__main__':
    main()
