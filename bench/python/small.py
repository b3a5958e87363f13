"""CPU and time of small gets and puts from Python: pail beside obstore and boto3, where installed.

    ninja -C build bench/answers && PYTHONPATH=build/python python3 bench/python/small.py [OPERATIONS]

The server is a process of its own on 127.0.0.1 that answers every request the same, so only the
client's own work counts: user + system time of this process. 1,000 bytes. 64 in flight by 64
tasks of one asyncio loop and by 64 threads (boto3 has threads only); then one by one.
"""
import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import harness
from harness import Row

N = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
SLOW = max(1, N // 8)
IN_FLIGHT = 64
BODY = b"x" * 1000


def tasks(call):
    """64 tasks, each with one operation under way."""
    async def run(n):
        left = iter(range(n))

        async def work():
            for _ in left:
                await call()

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))

    loop = asyncio.new_event_loop()
    return lambda n: loop.run_until_complete(run(n))


def threads(call):
    pool = ThreadPoolExecutor(IN_FLIGHT)

    def run(n):
        def work():
            for _ in range(n // IN_FLIGHT):
                call()

        for done in [pool.submit(work) for _ in range(IN_FLIGHT)]:
            done.result()

    return run


def repeat(call):
    def run(n):
        for _ in range(n):
            call()

    return run


def pail_calls(url):
    bucket = harness.pail_bucket(url)
    remote = bucket.aio()
    return {"get": lambda: bucket.get("k"), "put": lambda: bucket.put("k", BODY),
            "async get": lambda: remote.get("k"), "async put": lambda: remote.put("k", BODY),
            "url": lambda: bucket.presign("k")}


def obstore_calls(url):
    store = harness.obstore_store(url)

    async def get():
        return await (await store.get_async("k")).bytes_async()

    return {"get": lambda: store.get("k").bytes(), "put": lambda: store.put("k", BODY),
            "async get": get, "async put": lambda: store.put_async("k", BODY)}


def boto3_calls(url):
    client = harness.boto3_client(url)
    return {"get": lambda: client.get_object(Bucket="bench", Key="k")["Body"].read(),
            "put": lambda: client.put_object(Bucket="bench", Key="k", Body=BODY),
            "url": lambda: client.generate_presigned_url(
                "get_object", {"Bucket": "bench", "Key": "k"})}


def main():
    with harness.Server() as url:
        peers = harness.installed(lambda: [("pail", pail_calls(url), N)],
                                  lambda: [("obstore", obstore_calls(url), N)],
                                  lambda: [("boto3", boto3_calls(url), SLOW)])
        for verb in ("get", "put"):
            forms = [("tasks", tasks, "async " + verb), ("threads", threads, verb)]
            harness.compare(f"{verb}, 64 in flight",
                            [Row(f"{name}, {form}", make(calls[key]), n)
                             for name, calls, n in peers
                             for form, make, key in forms if key in calls])
        for verb in ("get", "put", "url"):
            harness.compare(f"{verb}, one by one", [Row(name, repeat(calls[verb]), n)
                                                    for name, calls, n in peers if verb in calls])


if __name__ == "__main__":
    main()
