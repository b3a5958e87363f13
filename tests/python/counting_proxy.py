"""A forwarding HTTP proxy on loopback that writes down each request: method, host with port, path."""
import http.client
import http.server
import threading
import urllib.parse

HOP = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "expect"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def upstream(self, host):
        if getattr(self, "to", None) != host:
            if hasattr(self, "connection_up"):
                self.connection_up.close()
            self.to, self.connection_up = host, http.client.HTTPConnection(host, timeout=60)
        return self.connection_up

    def ask(self, host, target, body):
        """The answer and its bytes; once more where the server had closed an idle connection."""
        for attempt in (1, 2):
            up = self.upstream(host)
            try:
                up.putrequest(self.command, target, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in HOP | {"content-length"}:
                        up.putheader(name, value)
                if body or self.command in ("PUT", "POST"):
                    up.putheader("Content-Length", str(len(body)))
                up.endheaders(body)
                answer = up.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError):
                up.close()
                if attempt == 2:
                    raise

    def finish(self):
        super().finish()
        if hasattr(self, "connection_up"):
            self.connection_up.close()

    def forward(self):
        place = urllib.parse.urlsplit(self.path)
        target = urllib.parse.urlunsplit(("", "", place.path or "/", place.query, ""))
        with self.server.lock:
            self.server.seen.append((self.command, place.netloc, target))
        answer, data = self.ask(place.netloc, target, self.body())
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP | {"content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        if length is not None and answer.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_COPY = do_OPTIONS = forward


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen, self.lock = [], threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that went away

    def taken(self):
        """What came since it was last asked."""
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def close(self):
        self.shutdown()
        self.server_close()
