"""CPU and time of small gets and puts from Python: pail beside obstore and boto3, where installed.

    PYTHONPATH=build/python python3 bench/python/small.py [OPERATIONS]

The server is a process of its own on 127.0.0.1 that answers every request the same, so only the
client's own work counts. 1,000 bytes; asyncio clients have 64 in flight, blocking ones 1.
"""
import asyncio
import multiprocessing
import resource
import sys
import time

import pail

N = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
BODY = b"x" * 1000
HEAD = (b"HTTP/1.1 200 OK\r\nETag: \"0123\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        b"Content-Length: %d\r\n")


class Answers(asyncio.Protocol):
    """As little HTTP as these clients need: bodies have a Content-Length."""

    def connection_made(self, transport):
        self.transport, self.seen = transport, b""

    def data_received(self, data):
        self.seen += data
        while b"\r\n\r\n" in self.seen:
            head, _, rest = self.seen.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), 0)
            if b"expect: 100" in head.lower():
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(rest) < length:
                return
            self.seen = rest[length:]
            is_get = head.startswith(b"GET")
            extra = b"Content-Range: bytes 0-999/1000\r\n" if b"\nrange:" in head.lower() else b""
            answer = HEAD % (len(BODY) if is_get else 0) + (extra if is_get else b"") + b"\r\n"
            if extra and is_get:
                answer = answer.replace(b"200 OK", b"206 Partial Content")
            self.transport.write(answer + (BODY if is_get else b""))


def serve(port):
    async def run():
        server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def measure(name, what, run):
    run(100)
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    run(N)
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - begun
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name:16} {what}  {cpu / N * 1e6:7.1f} us CPU  {wall / N * 1e6:7.1f} us each")


def gather(call):
    async def run(n):
        free = asyncio.Semaphore(64)

        async def one():
            async with free:
                await call()

        await asyncio.gather(*(one() for _ in range(n)))

    return lambda n: asyncio.run(run(n))


def repeat(call):
    def run(n):
        for _ in range(n):
            call()

    return run


def bench_pail(url):
    bucket = pail.open("s3://bench", aws_access_key="AK", aws_secret_key="SK",
                       aws_region="us-east-1", aws_endpoint_url=url, ignore_environment=True)
    measure("pail", "get", repeat(lambda: bucket.get("k")))
    measure("pail", "put", repeat(lambda: bucket.put("k", BODY)))
    remote = bucket.aio()
    measure("pail aio", "get", gather(lambda: remote.get("k")))
    measure("pail aio", "put", gather(lambda: remote.put("k", BODY)))
    measure("pail", "url", repeat(lambda: bucket.presign("k")))


def bench_obstore(url):
    from obstore.store import S3Store
    store = S3Store("bench", access_key_id="AK", secret_access_key="SK", region="us-east-1",
                    endpoint=url, client_options={"allow_http": True})

    async def get():
        return await (await store.get_async("k")).bytes_async()

    measure("obstore", "get", repeat(lambda: store.get("k").bytes()))
    measure("obstore", "put", repeat(lambda: store.put("k", BODY)))
    measure("obstore aio", "get", gather(get))
    measure("obstore aio", "put", gather(lambda: store.put_async("k", BODY)))


def bench_boto3(url):
    import boto3
    client = boto3.client("s3", aws_access_key_id="AK", aws_secret_access_key="SK",
                          region_name="us-east-1", endpoint_url=url)
    measure("boto3", "get", repeat(lambda: client.get_object(Bucket="bench", Key="k")["Body"]
                                   .read()))
    measure("boto3", "put", repeat(lambda: client.put_object(Bucket="bench", Key="k", Body=BODY)))
    measure("boto3", "url", repeat(lambda: client.generate_presigned_url(
        "get_object", {"Bucket": "bench", "Key": "k"})))


def main():
    port = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}"
    for bench in (bench_pail, bench_obstore, bench_boto3):
        try:
            bench(url)
        except ImportError as error:
            print(f"left out: {error}")
    server.terminate()


if __name__ == "__main__":
    main()
