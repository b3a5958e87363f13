"""What it costs to begin and to sign: pail beside CloudBridge, boto3 and obstore, in one run.

    ninja -C build bench/answers
    PYTHONPATH=build/python [BENCH_CLOUDBRIDGE=VENV/bin/python] python3 bench/python/start.py

Each client runs in processes of its own: import, one provider (client, store) for S3, then signed
URLs. CPU and peak memory are those over bare Python. CloudBridge needs old versions of much, so it
may live in an environment of its own, whose Python BENCH_CLOUDBRIDGE names.
"""
import os
import statistics
import subprocess
import sys
import tempfile

import harness

ROUNDS, URLS = 7, 2000
CLIENTS = {
    "pail": """
import pail
provider = pail.CloudProviderFactory().create_provider(pail.ProviderList.AWS, {
    "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "us-east-1",
    "s3_endpoint_url": URL})
def make():
    obj = provider.storage.buckets.get("bench").objects.get("key")
    return lambda: obj.generate_url(60)""",
    "cloudbridge": """
from cloudbridge.factory import CloudProviderFactory, ProviderList
provider = CloudProviderFactory().create_provider(ProviderList.AWS, {
    "aws_access_key": "AK", "aws_secret_key": "SK", "aws_region_name": "us-east-1",
    "s3_endpoint_url": URL})
provider.storage
def make():
    obj = provider.storage.buckets.get("bench").objects.get("key")
    return lambda: obj.generate_url(60)""",
    "boto3": """
import boto3
client = boto3.client("s3", aws_access_key_id="AK", aws_secret_access_key="SK",
                      region_name="us-east-1", endpoint_url=URL)
def make():
    return lambda: client.generate_presigned_url("get_object", {"Bucket": "bench", "Key": "key"})""",
    "obstore": """
import obstore
from obstore.store import S3Store
store = S3Store("bench", access_key_id="AK", secret_access_key="SK", region="us-east-1",
                endpoint=URL, client_options={"allow_http": True})
def make():
    from datetime import timedelta
    return lambda: obstore.sign(store, "GET", "key", timedelta(seconds=60))""",
}
HEAD = """
import resource
URL = {url!r}
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
def peak():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
"""
TAIL = """
begun, memory = cpu(), peak()
sign = make()
assert sign()
before = cpu()
for _ in range({urls}):
    sign()
print(begun, memory, (cpu() - before) / {urls})
"""
BARE = "\nprint(cpu(), peak(), 0.0)\n"


def run(python, program, url, cache):
    text = HEAD.format(url=url) + (program + TAIL.format(urls=URLS) if program else BARE)
    done = subprocess.run([python, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=True,
                          env={**os.environ, "PYTHONPYCACHEPREFIX": cache,
                               "PYTHONDONTWRITEBYTECODE": ""})
    return tuple(float(n) for n in done.stdout.split()[-3:])


def main():
    pythons = {"cloudbridge": os.environ.get("BENCH_CLOUDBRIDGE", sys.executable)}
    found, clients = {}, dict(CLIENTS)
    with harness.Server() as url, tempfile.TemporaryDirectory() as cache:
        for n in range(ROUNDS + 1):  # the first compiles what is not compiled yet
            for name, program in list(clients.items()):
                python = pythons.get(name, sys.executable)
                try:
                    bare = run(python, None, url, cache)
                    full = run(python, program, url, cache)
                except subprocess.CalledProcessError as error:
                    print(f"{name} is left out: {error.stderr.strip().splitlines()[-1]}")
                    del clients[name]
                    continue
                if n:
                    found.setdefault(name, []).append(
                        (full[0] - bare[0], full[1] - bare[1], full[2]))
    units = (("CPU to begin", 1e3, "ms"), ("memory", 1, "MiB"), ("CPU of a signed URL", 1e6, "us"))
    for i, (what, scale, unit) in enumerate(units):
        print(what)
        for name, runs in found.items():
            values = [r[i] * scale for r in runs]
            ratio = statistics.median(r[i] for r in runs) / statistics.median(
                r[i] for r in found["pail"])
            print(f"  {name:12} {statistics.median(values):8.1f} {unit}"
                  f" [{min(values):.1f} - {max(values):.1f}]"
                  + (f"  {ratio:.1f}x of pail" if name != "pail" else ""), flush=True)


if __name__ == "__main__":
    main()
