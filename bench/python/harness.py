"""What the Python benchmarks share: the server as a process, CPU of this process, medians."""
import os
import resource
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ANSWERS = os.environ.get("BENCH_ANSWERS") or os.path.join(HERE, "../../build/bench/answers")


class Server:
    """`with Server() as url:` the endpoint of build/bench/answers (ninja -C build bench/answers)."""

    def __enter__(self):
        self.process = subprocess.Popen([ANSWERS], stdout=subprocess.PIPE)
        return f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mib():
    """Of this program: ru_maxrss has that of the one which started it as well."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024


class Row:
    """One thing that is measured: run(n) does n operations."""

    def __init__(self, name, run, n):
        self.name, self.run, self.n = name, run, n
        self.cpu, self.wall = [], []

    def warm(self):
        self.run(max(1, self.n // 10))

    def round(self):
        before, begun = cpu(), time.monotonic()
        self.run(self.n)
        self.cpu.append((cpu() - before) / self.n)
        self.wall.append((time.monotonic() - begun) / self.n)


def compare(title, rows, rounds=5):
    """Rounds in turn; the first row is what the others are compared with."""
    for row in rows:
        row.warm()
    for _ in range(rounds):
        for row in rows:
            row.round()
    print(title)
    for row in rows:
        ratio = statistics.median(b / a for a, b in zip(rows[0].cpu, row.cpu))
        print(f"  {row.name:24} {statistics.median(row.cpu) * 1e6:8.1f} us CPU"
              f" [{min(row.cpu) * 1e6:.1f} - {max(row.cpu) * 1e6:.1f}]"
              f"  wall {statistics.median(row.wall) * 1e6:8.1f} us"
              + (f"  CPU {ratio:.1f}x of {rows[0].name}" if row is not rows[0] else ""),
              flush=True)


def pail_bucket(url):
    import pail
    return pail.open("s3://bench", aws_access_key="AK", aws_secret_key="SK",
                     aws_region="us-east-1", aws_endpoint_url=url, ignore_environment=True)


def obstore_store(url):
    from obstore.store import S3Store
    return S3Store("bench", access_key_id="AK", secret_access_key="SK", region="us-east-1",
                   endpoint=url, client_options={"allow_http": True})


def boto3_client(url):
    import boto3
    from botocore.config import Config
    return boto3.client("s3", aws_access_key_id="AK", aws_secret_access_key="SK",
                        region_name="us-east-1", endpoint_url=url,
                        config=Config(max_pool_connections=64))


def installed(*makers):
    """The peers that can be imported here."""
    made = []
    for maker in makers:
        try:
            made += maker()
        except ImportError as error:
            print(f"left out: {error}")
    return made
