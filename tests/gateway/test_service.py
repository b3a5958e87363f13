"""As a service: the socket that a manager passes, and what the manager hears (sd_listen_fds(3), sd_notify(3))."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import gateway

WAIT_S = 30
# Stands between: the pid that LISTEN_PID names is that of the server itself.
LAUNCH = """import os, sys
pid = sys.argv[1] if sys.argv[1] != "own" else str(os.getpid())
os.environ.update(LISTEN_PID=pid, LISTEN_FDS=sys.argv[2], LISTEN_FDNAMES="http")
os.execv(sys.argv[3], sys.argv[3:])"""


@unittest.skipIf(shutil.which("systemd-analyze") is None, "systemd is not installed")
class Units(unittest.TestCase):
    def setUp(self):
        self.dir = os.path.join(os.path.dirname(gateway.BIN), "dist")
        self.units = {name: os.path.join(self.dir, "pail-serve." + name) for name in ("service", "socket")}

    def analyze(self, *args):
        return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, check=False,
                              env={**os.environ, "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"})

    def test_systemd_finds_nothing_wrong(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, path in self.units.items():
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                with open(os.path.join(folder, "pail-serve." + name), "w", encoding="utf-8") as file:
                    file.write(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=" + gateway.BIN, text))
            done = self.analyze("verify", "--man=no", os.path.join(folder, "pail-serve.service"),
                                os.path.join(folder, "pail-serve.socket"))
        said = [line for line in done.stderr.splitlines() if "pail-serve" in line]
        self.assertEqual(said, [])

    def test_the_service_is_shut_in(self):
        done = self.analyze("security", "--offline=true", self.units["service"])
        found = re.search(r"Overall exposure level.*: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(found, done.stdout + done.stderr)
        self.assertLess(float(found.group(1)), 2)

    def test_its_command_is_one_that_runs(self):
        with open(self.units["service"], encoding="utf-8") as file:
            command = re.search(r"(?m)^ExecStart=(.*)", file.read()).group(1).split()
        known = subprocess.run([gateway.BIN, "serve", "--help"], capture_output=True, text=True, check=True)
        self.assertEqual(command[1], "serve")
        for word in command[2:]:
            self.assertTrue(not word.startswith("--") or word in known.stdout, word)


class Service(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pail-service-")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(gateway.FOREIGN)}
        self.env.update(PAIL_HOME=os.path.join(self.dir, "home"), HOME=self.dir)

    def notified(self, address):
        """A socket like that of a manager, at a path or in the abstract space."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.settimeout(WAIT_S)
        sock.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)
        self.env["NOTIFY_SOCKET"] = address
        return sock

    def start(self, passed, *args, pid="own", count=None, key=True):
        """The server with these sockets as its descriptors from 3 on."""
        keys = ["--key", f"{gateway.KEY}:{gateway.SECRET}"] if key else []
        command = ["python3", "-c", LAUNCH, pid, str(len(passed) if count is None else count),
                   gateway.BIN, "serve", *keys, *args]
        numbers = [sock.fileno() for sock in passed]

        def place():  # above all that is to be replaced first
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(numbers)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
        process = subprocess.Popen(command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, close_fds=False, preexec_fn=place)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def listener(self, address="127.0.0.1"):
        sock = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.addCleanup(sock.close)
        return sock

    def ask(self, sock, method="GET", path="/"):
        self.address = self.host = "%s:%d" % sock.getsockname()[:2]
        return gateway.Request(self, method, path).by_header().send()

    def test_the_passed_socket_is_served_and_the_manager_hears_of_it(self):
        for address in (os.path.join(self.dir, "notify"), "@pail-test-%d" % os.getpid()):
            with self.subTest(address=address):
                manager, sock = self.notified(address), self.listener()
                server = self.start([sock], "memory:")
                self.assertEqual(manager.recv(200), b"READY=1")
                self.assertIn("at http://127.0.0.1:%d " % sock.getsockname()[1], server.stdout.readline())
                self.assertEqual(self.ask(sock, "PUT", "/bucket").status, 200)
                with open(f"/proc/{server.pid}/fdinfo/3", encoding="ascii") as file:
                    flags = int(re.search(r"flags:\s*(\d+)", file.read()).group(1), 8)
                self.assertTrue(flags & os.O_CLOEXEC)
                server.terminate()
                self.assertEqual(manager.recv(200), b"STOPPING=1")
                self.assertEqual(server.wait(WAIT_S), 0)
                socket.create_connection(sock.getsockname()).close()  # the manager's own: it listens on

    @unittest.skipIf(shutil.which("systemd-socket-activate") is None, "systemd is not installed")
    def test_as_systemd_itself_passes_it(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        names = [part for name in ("PAIL_HOME", "HOME") for part in ("-E", f"{name}={self.env[name]}")]
        activator = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", *names, gateway.BIN, "serve", "--key",
             f"{gateway.KEY}:{gateway.SECRET}", "memory:"], env=self.env, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(activator.communicate)
        self.addCleanup(activator.kill)
        self.assertIn("Listening on", activator.stderr.readline())
        self.host = f"127.0.0.1:{port}"
        self.assertEqual(gateway.Request(self, "PUT", "/bucket").by_header().send().status, 200)
        activator.terminate()
        self.assertEqual(activator.wait(WAIT_S), 0)

    def test_who_comes_before_it_runs_is_served_then(self):
        sock = self.listener()
        with socket.create_connection(sock.getsockname()) as early:
            early.sendall(b"GET /-/readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.start([sock], "memory:")
            early.settimeout(WAIT_S)
            self.assertIn(b"200 OK", early.recv(65536))

    def test_the_next_server_takes_what_the_last_left(self):
        sock = self.listener()
        for _ in range(2):
            server = self.start([sock], "local:")
            self.assertIn(" at ", server.stdout.readline())
            self.assertIn(self.ask(sock, "PUT", "/bucket").status, (200, 409))
            server.terminate()
            self.assertEqual(server.wait(WAIT_S), 0)

    def test_reloading_is_told(self):
        manager, sock = self.notified(os.path.join(self.dir, "notify")), self.listener()
        keys = os.path.join(self.dir, "keys")
        with open(keys, "w", encoding="utf-8") as file:
            file.write("first first-secret\n")
        server = self.start([sock], "--credentials", keys, "memory:")
        self.assertEqual(manager.recv(200), b"READY=1")
        before = time.monotonic_ns() // 1000
        server.send_signal(signal.SIGHUP)
        told = dict(line.split("=") for line in manager.recv(200).decode().splitlines())
        self.assertEqual(told["RELOADING"], "1")
        self.assertGreaterEqual(int(told["MONOTONIC_USEC"]), before)
        self.assertEqual(manager.recv(200), b"READY=1")

    def test_sockets_of_another_process_are_not_taken(self):
        sock = self.listener()
        for pid, count in (("1", 1), ("own", 0), ("own", -1), ("own", 1000), ("x", 1)):
            with self.subTest(pid=pid, count=count):
                server = self.start([sock], "--addr", "127.0.0.1:0", "memory:", pid=pid, count=count)
                line = server.stdout.readline()
                self.assertIn(" at http://127.0.0.1:", line)
                self.assertNotIn(":%d " % sock.getsockname()[1], line)

    def refused(self, sockets, *args, **how):
        server = self.start(sockets, *args, **how)
        _, said = server.communicate(timeout=WAIT_S)
        self.assertNotEqual(server.returncode, 0)
        return said

    def test_what_cannot_be_served_is_said(self):
        sock, other = self.listener(), self.listener()
        self.assertIn("more than one socket", self.refused([sock, other], "memory:"))
        self.assertIn("--addr", self.refused([sock], "--addr", "127.0.0.1:0", "memory:"))
        with socket.socket(socket.AF_UNIX) as unix, socket.socket() as silent:
            unix.bind(os.path.join(self.dir, "unix"))
            unix.listen()
            silent.bind(("127.0.0.1", 0))
            for wrong in (unix, silent):
                self.assertIn("no TCP socket that listens", self.refused([wrong], "memory:"))

    def test_an_address_for_everybody_needs_a_key_here_too(self):
        sock = self.listener("0.0.0.0")
        self.assertIn("no key was given", self.refused([sock], "memory:", key=False))
        server = self.start([sock], "memory:")
        self.assertIn("http://0.0.0.0:", server.stdout.readline())

    def test_a_manager_that_does_not_listen_harms_nothing(self):
        self.env["NOTIFY_SOCKET"] = os.path.join(self.dir, "nobody")
        sock = self.listener()
        server = self.start([sock], "memory:")
        self.assertIn(" at ", server.stdout.readline())
        self.assertEqual(self.ask(sock, "PUT", "/bucket").status, 200)
        server.terminate()
        self.assertEqual(server.wait(WAIT_S), 0)


if __name__ == "__main__":
    unittest.main()
