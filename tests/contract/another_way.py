#!/usr/bin/env python3
"""Run the contract suite against a server over another way than a plain connection:

    another_way.py (proxy|socket) CONTRACT NAME PREFIX

proxy: through an HTTP proxy of our own, which tunnels (CONNECT) and forwards (absolute form).
socket: through a Unix socket that leads to the server. The run fails where nothing came that way."""
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse

came = 0


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join(a, b):
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    pump(b, a)


def proxy(client):
    """Tunnels; or forwards what comes, in absolute form, to the host that the first request names."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return
        head += data
    method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if method == b"CONNECT":
        host, port = target.rsplit(b":", 1)
        server = socket.create_connection((host.decode(), int(port)))
        client.sendall(b"HTTP/1.1 200 fine\r\n\r\n")
    else:
        place = urllib.parse.urlsplit(target.decode())
        server = socket.create_connection((place.hostname, place.port or 80))
        server.sendall(head)
    join(client, server)


def serve(listener, handle):
    global came
    while True:
        client, _ = listener.accept()
        came += 1
        threading.Thread(target=handle, args=(client,), daemon=True).start()


def main():
    way, contract, name, prefix = sys.argv[1:]
    endpoint = os.environ.get(prefix + "_ENDPOINT")
    with tempfile.TemporaryDirectory(prefix="pail-test-") as folder:
        if way == "proxy":
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            setting = "proxy_url=http://127.0.0.1:%d" % listener.getsockname()[1]
            handle = proxy
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(folder, "server"))
            listener.listen(128)
            setting = "unix_socket=" + os.path.join(folder, "server")
            place = urllib.parse.urlsplit(endpoint or "")
            handle = lambda client: join(client, socket.create_connection((place.hostname, place.port)))
        threading.Thread(target=serve, args=(listener, handle), daemon=True).start()
        env = {**os.environ, "PAIL_CONTRACT_SETTINGS": setting}
        status = subprocess.run([contract, name, "server:" + prefix], env=env).returncode
    if endpoint and not came:
        print("# nothing came this way")
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
