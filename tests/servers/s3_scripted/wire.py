"""HTTP/1.1 on a socket: heads, bodies, answers."""

import os
import socket
import ssl
import struct
import time
import urllib.parse

from .data import BLOCK, STRIDE, Bytes, Gen
from .errors import S3Error

HEAD_LIMIT = 256 * 1024
REASONS = {
    200: 'OK', 204: 'No Content', 206: 'Partial Content', 301: 'Moved Permanently',
    302: 'Found', 304: 'Not Modified', 307: 'Temporary Redirect', 308: 'Permanent Redirect',
    400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
    408: 'Request Timeout', 409: 'Conflict', 411: 'Length Required',
    412: 'Precondition Failed', 416: 'Range Not Satisfiable', 417: 'Expectation Failed',
    429: 'Too Many Requests', 500: 'Internal Server Error', 501: 'Not Implemented',
    502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
}


class Gone(Exception):
    """The connection is to be closed without another byte."""


class Conn:
    """A client connection with its read buffer and counters."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.requests = 0
        self.buffer = bytearray()

    def fill(self):
        """Read some more; False at the end of the stream."""
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            raise Gone() from None
        self.buffer += data
        return bool(data)

    def line(self):
        """One line without its end; None at the end of the stream."""
        start = 0
        while True:
            at = self.buffer.find(b'\n', start)
            if at >= 0:
                line = bytes(self.buffer[:at])
                del self.buffer[:at + 1]
                return line.rstrip(b'\r')
            start = len(self.buffer)
            if start > HEAD_LIMIT or not self.fill():
                return None

    def read(self, count, into=None):
        """`count` bytes, or fewer at the end of the stream; into=None keeps them, else they go
        to that scratch buffer and only their number is returned."""
        keep = bytearray(count) if into is None else into
        view = memoryview(keep)
        got = min(count, len(self.buffer))
        if into is None:
            view[:got] = self.buffer[:got]
        del self.buffer[:got]
        while got < count:
            if into is None:
                space = view[got:]
            else:
                space = view[:min(len(view), count - got)]
            try:
                number = self.sock.recv_into(space)
            except (ConnectionError, ssl.SSLError):
                raise Gone() from None
            if number == 0:
                break
            got += number
        if into is not None:
            return got
        return keep if got == count else keep[:got]

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ssl.SSLError):
            raise Gone() from None

    def send_content(self, data, start, end):
        """Bytes [start, end) of a content; generated ones by sendfile where that works."""
        if isinstance(data, Gen) and not isinstance(self.sock, ssl.SSLSocket):
            handle = data.file()
            if handle is not None:
                return self._send_file(handle, start + data.offset, end - start)
        for chunk in data.chunks(start, end):
            self.send(chunk)
        return None

    def _send_file(self, handle, at, left):
        whole = BLOCK * STRIDE
        try:
            while left:
                low = at % whole
                sent = os.sendfile(self.sock.fileno(), handle, low, min(whole - low, left))
                if sent == 0:
                    raise Gone()
                at += sent
                left -= sent
        except OSError:
            raise Gone() from None

    def close(self, reset=False):
        try:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack('ii', 1, 0))
            else:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Request:
    """One request. `headers`: lower-case names, repeated values joined by commas."""

    def __init__(self, method, target, pairs):
        self.method = method
        self.target = target
        self.pairs = pairs
        self.headers = {}
        for name, value in pairs:
            name = name.lower()
            self.headers[name] = (self.headers[name] + ',' + value if name in self.headers
                                  else value)
        if '://' in target.split('?')[0]:
            # The absolute form, sent by a client that takes this server for its proxy.
            rest = target.split('://', 1)[1]
            slash = rest.find('/')
            self.headers['host'] = rest[:slash] if slash >= 0 else rest
            target = rest[slash:] if slash >= 0 else '/'
        self.raw_path, _, self.raw_query = target.partition('?')
        self.query = dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))
        try:
            self.path = urllib.parse.unquote_to_bytes(self.raw_path).decode()
        except UnicodeDecodeError:
            self.path = None
        self.body = b''
        self.body_size = 0          # bytes of the body on the wire
        self.trailers = {}
        self.auth = None
        self.bucket = None
        self.key = None
        self.op = None
        self.continued = False

    def length(self):
        """The declared length of the body; None when it is in HTTP chunks; 0 without one."""
        if 'chunked' in self.headers.get('transfer-encoding', '').lower():
            return None
        text = self.headers.get('content-length', '0')
        if not text.isdigit():
            raise S3Error('InvalidArgument', 'Content-Length is not a number')
        return int(text)


def read_head(conn):
    """The next Request of a connection; None when the client has gone."""
    line = conn.line()
    while line == b'':
        line = conn.line()
    if line is None:
        return None
    words = line.decode('latin-1').split(' ')
    if len(words) != 3 or not words[2].startswith('HTTP/1.'):
        raise Gone()
    pairs = []
    while True:
        line = conn.line()
        if line is None:
            return None
        if not line:
            return Request(words[0], words[1], pairs)
        name, _, value = line.decode('latin-1').partition(':')
        pairs.append((name, value.strip(' \t')))


def read_body(conn, req, scratch=None):
    """Read the body into req.body, or drop it through `scratch` counting its bytes."""
    length = req.length()
    if length is not None:
        got = conn.read(length, scratch)
        if scratch is None:
            req.body = got
            got = len(got)
        req.body_size = got
        if got < length:
            raise Gone()
        return
    body = bytearray()
    while True:
        line = conn.line()
        if line is None:
            raise Gone()
        count = int(line.split(b';')[0] or b'0', 16)
        if count == 0:
            break
        if scratch is None:
            body += conn.read(count)
        else:
            conn.read(count, scratch)
        req.body_size += count
        conn.line()
    while conn.line():
        continue
    req.body = body


class Response:
    """An answer; `data` with [start, end) is the body, or `body` bytes."""

    def __init__(self, status=200, headers=(), body=b'', data=None, start=0, end=None):
        self.status = status
        self.headers = list(headers)
        self.data = data if data is not None else Bytes(body)
        self.start = start
        self.end = self.data.size if end is None else end
        self.close = False
        self.code = None            # the S3 error code, for the log
        self.chunked = False        # no length, HTTP chunks
        self.no_length = False      # no length, ends with the connection
        self.length = None          # a length that is not true
        self.date = None

    def get(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def put(self, name, value):
        """Set a header, replacing it; None takes it away."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        if value is not None:
            self.headers.append((name, str(value)))


def http_date(seconds):
    return time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(seconds))


def head_bytes(resp):
    lines = ['HTTP/1.1 %d %s' % (resp.status, REASONS.get(resp.status, 'Status'))]
    lines += ['%s: %s' % pair for pair in resp.headers]
    return ('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1', 'replace')


def finish_headers(resp, req, date):
    """Length, date and connection lines, unless a rule has set them already."""
    if resp.get('date') is None:
        resp.headers.append(('Date', resp.date or http_date(date)))
    size = resp.end - resp.start
    if resp.chunked:
        resp.put('Transfer-Encoding', 'chunked')
    elif resp.no_length:
        resp.close = True
    elif resp.length is not None:
        resp.put('Content-Length', resp.length)
    elif resp.status not in (204, 304) and resp.get('content-length') is None:
        resp.put('Content-Length', size)
    if resp.close:
        resp.put('Connection', 'close')


def send(conn, req, resp, date, stop_after=None):
    """Send an answer; stop_after=k: k bytes of the body, then nothing more (raises Gone)."""
    finish_headers(resp, req, date)
    head = head_bytes(resp)
    bodyless = req.method == 'HEAD' or resp.status in (204, 304)
    end = resp.start if bodyless else resp.end
    if stop_after is not None:
        end = min(end, resp.start + stop_after)
    size = end - resp.start
    if resp.chunked and not bodyless:
        conn.send(head)
        for chunk in resp.data.chunks(resp.start, end):
            conn.send(b'%x\r\n%s\r\n' % (len(chunk), bytes(chunk)))
        if stop_after is None:
            conn.send(b'0\r\n\r\n')
    elif size <= 65536:
        conn.send(head + b''.join(bytes(c) for c in resp.data.chunks(resp.start, end)))
    else:
        conn.send(head)
        conn.send_content(resp.data, resp.start, end)
    if stop_after is not None:
        raise Gone()
