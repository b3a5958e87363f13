"""Iterating over many keys: peak memory of the whole process and CPU, beside bare Python and boto3.

    ninja -C build bench/answers && PYTHONPATH=build/python python3 bench/python/lists.py [KEYS] [ROUNDS]

Each runs in a process of its own; the server makes pages of 1,000 keys up as they are asked for.
"""
import statistics
import subprocess
import sys

import harness

PROGRAMS = {
    "bare Python": "count = {keys}",
    "pail, 10,000 keys": "count = sum(1 for _ in harness.pail_bucket({url!r}).list("
                         "prefix='n-10000/')) * {keys} // 10000",
    "pail": "count = sum(1 for _ in harness.pail_bucket({url!r}).list(prefix='n-{keys}/'))",
    "pail, as CloudBridge": """
import pail
provider = pail.CloudProviderFactory().create_provider("aws", {{
    "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "us-east-1",
    "s3_endpoint_url": {url!r}}})
bucket = provider.storage.buckets.get("bench")
count = sum(1 for _ in bucket.objects.iter(prefix="n-{keys}/"))""",
    "boto3": """
pages = harness.boto3_client({url!r}).get_paginator("list_objects_v2")
count = sum(1 for page in pages.paginate(Bucket="bench", Prefix="n-{keys}/")
            for _ in page["Contents"])""",
}
TAIL = """
assert count == {keys}, count
print(harness.peak_mib(), harness.cpu())"""
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3


def run(program, **values):
    head = f"import sys; sys.path.insert(0, {harness.HERE!r}); import harness\n"
    done = subprocess.run([sys.executable, "-c", (head + program + TAIL).format(**values)],
                          check=True, stdout=subprocess.PIPE)
    return tuple(float(n) for n in done.stdout.split())


def main():
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    programs = dict(PROGRAMS)
    if not harness.installed(lambda: [__import__("boto3")]):
        del programs["boto3"]
    print(f"{keys} keys, of {ROUNDS} runs in turn")
    with harness.Server() as url:
        found = {name: [] for name in programs}
        for _ in range(ROUNDS):
            for name, program in programs.items():
                found[name].append(run(program, url=url, keys=keys))
        for name, runs in found.items():
            peaks, cpus = zip(*runs)
            print(f"  {name:22} {max(peaks):6.1f} MiB at its peak"
                  f"  {statistics.median(cpus) / keys * 1e6:6.2f} us CPU a key"
                  f" [{min(cpus) / keys * 1e6:.2f} - {max(cpus) / keys * 1e6:.2f}]", flush=True)


if __name__ == "__main__":
    main()
