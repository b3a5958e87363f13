"""One request from its head to its answer; connections; the command line."""

import argparse
import collections
import itertools
import os
import socket
import ssl
import sys
import threading
import time
import traceback

from . import buckets, control, directory, faults, intake, listing, multipart, objects, routes, wire
from .data import BLOCK, generated
from .errors import S3Error, error_body
from .personality import ROWS, Settings
from .store import Bucket, Credential, Store, Version
from .wire import Gone, Response

LOG_MAX = 100_000
OPERATIONS = {
    'ListBuckets': buckets.list_buckets, 'CreateBucket': buckets.create_bucket,
    'HeadBucket': buckets.head_bucket, 'DeleteBucket': buckets.delete_bucket,
    'GetBucketLocation': buckets.get_location, 'GetBucketVersioning': buckets.get_versioning,
    'PutBucketVersioning': buckets.put_versioning, 'GetBucketTagging': buckets.get_tagging,
    'PutBucketTagging': buckets.put_tagging, 'DeleteBucketTagging': buckets.delete_tagging,
    'GetBucketAcl': buckets.get_acl, 'PutBucketAcl': buckets.put_acl,
    'DeleteObjects': buckets.delete_objects, 'ListObjects': listing.list_v1,
    'ListObjectsV2': listing.list_v2, 'ListObjectVersions': listing.list_versions,
    'ListMultipartUploads': listing.list_uploads, 'PutObject': objects.put_object,
    'GetObject': objects.get_object, 'HeadObject': objects.get_object,
    'DeleteObject': objects.delete_object, 'CopyObject': objects.copy_object,
    'GetObjectTagging': objects.get_tagging, 'PutObjectTagging': objects.put_tagging,
    'DeleteObjectTagging': objects.delete_tagging, 'GetObjectAcl': objects.get_acl,
    'PutObjectAcl': objects.put_acl, 'GetObjectAttributes': objects.get_attributes,
    'CreateMultipartUpload': multipart.create, 'UploadPart': multipart.upload_part,
    'UploadPartCopy': multipart.upload_part_copy, 'ListParts': multipart.list_parts,
    'AbortMultipartUpload': multipart.abort, 'CompleteMultipartUpload': multipart.complete,
}


class GenBucket(Bucket):
    """The bucket `gen`: every well-formed key exists and is generated while it is sent."""

    def current(self, key):
        data = generated(key)
        if data is None:
            return super().current(key)
        tag = data.size * 0x9E3779B97F4A7C15 % (1 << 128)
        version = Version(data, '"%032x-1"' % tag, self.created)
        version.headers = {'content-type': 'application/octet-stream'}
        return version

    def visible(self, key):
        return self.current(key)


class Server:
    """Settings, store, script and log of one running server."""

    def __init__(self, settings, credentials, domains=('s3.localhost',), skew=0):
        self.settings = settings
        self.credentials = {item.access_key: item for item in credentials}
        self.domains = list(domains)
        self.skew = skew
        self.anonymous = False
        self.close_after = 0
        self.script = faults.Script()
        self.log = collections.deque(maxlen=LOG_MAX)
        self.numbers = itertools.count(1)
        self.connections_open = 0
        self.connections_total = 0
        self.requests = 0
        self.local = threading.local()
        self.reset()

    def reset(self):
        """Forget all objects; the special buckets come back."""
        self.store = Store()
        self.sessions = {}
        for name, kind in (('gen', GenBucket), ('sink', Bucket)):
            bucket = kind(name, self.settings.region, int(self.now()))
            bucket.hidden = True
            self.store.buckets[name] = bucket

    def now(self):
        return time.time() + self.skew

    def bucket(self, req):
        """The bucket of a request, or NoSuchBucket."""
        found = self.store.buckets.get(req.bucket)
        if found is None:
            raise S3Error('NoSuchBucket', BucketName=req.bucket)
        return found

    def add_bucket(self, name, region, owner):
        bucket = Bucket(name, region, self.now())
        bucket.owner = owner
        if self.settings.delete_hides:
            bucket.versioning = 'Enabled'
        self.store.buckets[name] = bucket
        return bucket

    def check_delete_fault(self, key):
        """The error that a rule gives to one key of a DeleteObjects."""
        code = getattr(self.local, 'delete_errors', {}).get(key)
        if code:
            raise S3Error(code)

    def error_response(self, req, error):
        headers = list(error.headers)
        if error.status == 304:
            resp = Response(304, headers)
        else:
            headers.append(('Content-Type', 'application/xml'))
            resp = Response(error.status, headers, error_body(error, req.path or '',
                                                              request_id(req)))
        resp.code = error.code
        return resp

    # --- one request ----------------------------------------------------------------------------

    def serve(self, sock):
        """All requests of one connection."""
        with self.store.lock:
            self.connections_total += 1
            self.connections_open += 1
            conn = wire.Conn(sock, self.connections_total)
        reset = False
        try:
            while self.one(conn):
                continue
        except faults.Reset:
            reset = True
        except (Gone, OSError):
            pass
        except Exception:       # a defect of this server: say so, end this connection only
            traceback.print_exc()
        finally:
            conn.close(reset)
            with self.store.lock:
                self.connections_open -= 1

    def one(self, conn):
        """Handle one request; False when the connection is to end."""
        req = wire.read_head(conn)
        if req is None:
            return False
        conn.requests += 1
        if req.raw_path.startswith('/-/'):
            wire.read_body(conn, req)
            wire.send(conn, req, control.handle(self, req), self.now())
            return True
        self.requests += 1
        req.number = next(self.numbers)
        entry = self.new_entry(conn, req)
        resp, action = self.answer(conn, req, entry)
        return self.reply(conn, req, resp, action, entry)

    def new_entry(self, conn, req):
        entry = {'n': req.number, 'conn': conn.number, 'conn_request': conn.requests,
                 'method': req.method, 'target': req.target, 'path': req.path,
                 'query': req.query, 'headers': dict(req.headers), 'pairs': req.pairs,
                 'body_length': 0, 'op': None, 'bucket': None, 'key': None, 'auth': None,
                 'payload': None, 'status': None, 'verdict': None, 'rule': None}
        self.log.append(entry)
        return entry

    def answer(self, conn, req, entry):
        """(Response, action of the rule that acts)."""
        action = {}
        try:
            intake.locate(self, req)
            req.op = routes.operation(req)
        except S3Error as error:
            resp = self.error_response(req, error)
            self.drain(conn, req, entry)
            return resp, action
        entry.update(op=req.op, bucket=req.bucket, key=req.key)
        with self.store.lock:
            entry['rule'], action = self.script.find(req)
        self.before(conn, req, action)
        own = faults.has_own_answer(action) and not isinstance(action.get('drop'), int) and (
            action.get('drop') != 'after_headers')
        try:
            if own and not action.get('apply'):
                if not action.get('no_body'):
                    self.drain(conn, req, entry)
                resp = faults.own_answer(self, req, action) or Response()
                entry['verdict'] = 'scripted'
            else:
                resp = self.perform(conn, req, action, entry)
                if own:
                    resp = faults.own_answer(self, req, action) or resp
        except S3Error as error:
            resp = self.error_response(req, error)
        return resp, action

    def before(self, conn, req, action):
        """What a rule does before the request is looked at."""
        if 'delay_ms' in action:
            time.sleep(action['delay_ms'] / 1000)
        if action.get('drop') == 'before_read':
            raise faults.Reset() if action.get('reset') else Gone()
        if action.get('expect') == 'ignore':
            req.continued = True
        if 'replace' in action:
            spec = action['replace']
            with self.store.lock:
                bucket = self.store.buckets[spec.get('bucket', req.bucket)]
                text = spec.get('body')
                control.store_object(self, bucket, spec.get('key', req.key),
                                     None if text is None else text.encode(), spec.get('size'))

    def drain(self, conn, req, entry):
        """Take the body of a request that is refused, so that the connection stays usable."""
        if req.headers.get('expect', '').lower() == '100-continue' and not req.continued:
            req.no_keep = True      # the client may or may not send it
            return
        wire.read_body(conn, req, bytearray(BLOCK))
        entry['body_length'] = req.body_size

    def perform(self, conn, req, action, entry):
        """The true answer of a request."""
        try:
            intake.check_style(self, req)
            intake.check_key(req)
            intake.authenticate(self, req)
            entry.update(auth=req.auth.kind, payload=req.auth.payload)
            intake.check_refused(self, req)
            intake.check_framing(self, req)
            if action.get('expect') == 'refuse' and 'expect' in req.headers:
                return Response(417)
        except S3Error as error:
            resp = self.error_response(req, error)
            self.drain(conn, req, entry)
            return resp
        intake.read_body(self, req, conn)
        entry['body_length'] = req.body_size
        intake.verify_body(self, req)
        with self.store.lock:
            self.local.delete_errors = action.get('delete_errors', {})
            table = directory.OPERATIONS if self.settings.directory else {}
            return table.get(req.op, OPERATIONS.get(req.op))(self, req)

    def reply(self, conn, req, resp, action, entry):
        """Send the answer, as the rule wants it; False when the connection is to end."""
        entry['status'] = resp.status
        entry['verdict'] = entry['verdict'] or resp.code or 'ok'
        resp.headers += [('x-amz-request-id', request_id(req)), ('Server', 'scripted')]
        last = self.close_after and conn.requests >= self.close_after
        faults.change_answer(self, action, resp)
        if action.get('no_body') or getattr(req, 'no_keep', False):
            resp.close = True
        drop = action.get('drop')
        stop = 0 if drop == 'after_headers' else drop if isinstance(drop, int) else None
        try:
            if not faults.send_special(self, conn, req, resp, action):
                wire.send(conn, req, resp, self.now(), stop)
        except Gone:
            if action.get('reset'):
                raise faults.Reset() from None
            raise
        return not (resp.close or last or action.get('close_silent')
                    or req.headers.get('connection', '').lower() == 'close')


def request_id(req):
    return 'SCRIPTED%08d' % getattr(req, 'number', 0)


# --- start --------------------------------------------------------------------------------------

def listen(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('127.0.0.1', port))
    sock.listen(512)
    return sock


def accept_forever(server, listener, context):
    def connection(sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context:
                sock = context.wrap_socket(sock, server_side=True)
        except (OSError, ssl.SSLError):
            sock.close()
            return
        server.serve(sock)

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=connection, args=(sock,), daemon=True).start()


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog='s3_scripted.py', description=__doc__)
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--personality', default='aws', choices=sorted(ROWS))
    parser.add_argument('--set', action='append', default=[], metavar='NAME=VALUE',
                        help='change a field of the personality')
    parser.add_argument('--credential', action='append', default=[],
                        metavar='KEY:SECRET[:TOKEN]', help='default: test:testsecret')
    parser.add_argument('--anonymous', action='store_true', help='accept everything unsigned')
    parser.add_argument('--domain', action='append', default=[],
                        help='hosts BUCKET.DOMAIN are buckets (default s3.localhost)')
    parser.add_argument('--clock-skew', type=float, default=0, metavar='SECONDS')
    parser.add_argument('--close-after', type=int, default=0, metavar='N',
                        help='close each connection silently after N requests')
    parser.add_argument('--cert')
    parser.add_argument('--key')
    parser.add_argument('--exit-on-eof', action='store_true', help='end when stdin ends')
    return parser.parse_args(arguments)


def make_server(options):
    changes = dict(item.partition('=')[::2] for item in options.set)
    credentials = [Credential(*item.split(':', 2))
                   for item in options.credential or ['test:testsecret']]
    server = Server(Settings(options.personality, changes), credentials,
                    options.domain or ['s3.localhost'], options.clock_skew)
    server.anonymous = options.anonymous
    server.close_after = options.close_after
    return server


def main(arguments=None):
    """Start a server and print `ready PORT`."""
    options = parse_arguments(arguments)
    server = make_server(options)
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    listener = listen(options.port)
    print('ready', listener.getsockname()[1], flush=True)
    if options.exit_on_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)),
                         daemon=True).start()
    try:
        accept_forever(server, listener, context)
    except KeyboardInterrupt:
        pass
    return 0
