"""One object of 1 GiB up from bytes and down into bytes: Python beside the C library, in one run.

    ninja -C build bench/answers bench/large
    PYTHONPATH=build/python python3 bench/python/large.py [MIB] [ROUNDS]

Both get and put the same bytes in memory, in turn; CPU is that of the process that does it,
without its start. The C library is asked by pail_get_alloc and pail_put (bench/probe/large.c).
"""
import os
import statistics
import subprocess
import sys
import time

import harness

SIZE = (int(sys.argv[1]) if len(sys.argv) > 1 else 1024) << 20
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
LARGE = os.path.join(os.path.dirname(harness.ANSWERS), "large")


def by_c(url, verb):
    done = subprocess.run([LARGE, url, verb, str(SIZE)], check=True, stdout=subprocess.PIPE)
    return tuple(float(seconds) for seconds in done.stdout.split())


def by_python(call):
    before, begun = harness.cpu(), time.monotonic()
    kept = call()  # freed afterwards, as in C
    used = harness.cpu() - before, time.monotonic() - begun
    del kept
    return used


def tell(verb, c, python):
    for i, what in enumerate(("CPU", "time")):
        ours, theirs = [p[i] for p in python], [p[i] for p in c]
        ratio = [a / b for a, b in zip(ours, theirs)]
        print(f"{SIZE >> 20} MiB {verb}, {what}: Python {statistics.median(ours):.2f} s"
              f" [{min(ours):.2f} - {max(ours):.2f}], C library {statistics.median(theirs):.2f} s"
              f" [{min(theirs):.2f} - {max(theirs):.2f}], ratio {statistics.median(ratio):.2f}"
              f" [{min(ratio):.2f} - {max(ratio):.2f}]", flush=True)


def main():
    with harness.Server() as url:
        bucket = harness.pail_bucket(url)
        data = b"x" * SIZE
        calls = {"get": lambda: bucket.get(f"x-{SIZE}"), "put": lambda: bucket.put("k", data)}
        for verb, call in calls.items():
            rounds = [(by_c(url, verb), by_python(call)) for _ in range(ROUNDS)]
            tell(verb, *zip(*rounds))


if __name__ == "__main__":
    main()
