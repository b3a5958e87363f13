"""The suite of ceph/s3-tests over `pail serve` with a LOCAL store: s3tests.py [LANE...] [-- PYTEST...]

PAIL_S3TESTS names a folder with a checkout of the suite; without it all is skipped. What it needs
is installed by `tests/servers/servers.sh install s3tests`. Lanes: core, post, cors (all of them).

s3tests_passing.txt lists the tests that pass, s3tests_failing.txt those that do not with the reason
of each: a listed one that changes sides fails here, and so does one that stands in no list. A test is
judged by its own run; what its clean-up says counts as its failure too. PAIL_S3TESTS_WRITE=FILE
writes what was measured, one "passed|failed LANE ID" a line, to make the lists from.
"""
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gateway

PYTHON = os.path.join(os.environ.get("PAIL_SERVERS_DIR", os.path.expanduser("~/.cache/pail-servers")),
                      "venv-s3tests", "bin", "python")
FOLDER = "s3tests/functional/"
NOT_MARKED = """appendobject auth_aws2 bucket_encryption bucket_logging bucket_logging_cleanup
    bucket_policy cloud_transition cloud_restore delete_marker encryption iam_account
    iam_cross_account iam_role iam_user lifecycle lifecycle_expiration lifecycle_transition
    object_lock object_ownership s3website sns sse_s3 storage_class target_by_bucket versioning"""
NOT_NAMED = """acl grant policy object_lock versioning versioned lifecycle public logging sse website
    notification ownership access_bucket torrent payer expected_bucket_owner cors post_object restore
    usage unordered anonymous anon_put not_owned nonowner head_extended _version_ _current_"""
LANES = {
    "core": ["-m", " and ".join("not " + word for word in NOT_MARKED.split()), "-k",
             "not (raw_get and not expires) and " + " and ".join("not " + word for word in NOT_NAMED.split())],
    "post": ["-k", "post_object"],
    "cors": ["-k", "cors"],
}
# The suite's accounts; a server of ours knows keys.
ACCOUNTS = {"s3 main": "main", "s3 alt": "alt", "s3 tenant": "tenant", "iam": "iam",
            "iam root": "root", "iam alt root": "altroot"}


def configuration(server, folder):
    """The suite's file."""
    host, port = server.host.rsplit(":", 1)
    lines = ["[DEFAULT]", f"host = {host}", f"port = {port}", "is_secure = False", "ssl_verify = False",
             "[fixtures]", "bucket prefix = lane-{random}-"]
    for section, name in ACCOUNTS.items():
        lines += [f"[{section}]", f"display_name = {name}", f"user_id = {name}", f"email = {name}@example.com",
                  f"access_key = {name}-key", f"secret_key = {name}-secret-of-the-lane", "api_name = us-east-1",
                  "tenant = tenant"]
    path = os.path.join(folder, "s3tests.conf")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    return path


def credentials(folder):
    path = os.path.join(folder, "credentials")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(f"{name}-key {name}-secret-of-the-lane\n" for name in ACCOUNTS.values())
    return path


def measure(suite, lane, more):
    """{id: True or False}, of one lane over a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pail-s3tests-") as folder:
        server = gateway.Server("local:", "--credentials", credentials(folder))
        report = os.path.join(folder, "report.xml")
        env = {k: v for k, v in os.environ.items() if not k.startswith(gateway.FOREIGN)}
        env.update(S3TEST_CONF=configuration(server, folder), AWS_MAX_ATTEMPTS="1",
                   AWS_RETRY_MODE="standard", HOME=folder, PYTHONDONTWRITEBYTECODE="1")
        command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", f"--junitxml={report}",
                   FOLDER + "test_s3.py", FOLDER + "test_headers.py", *LANES[lane], *more]
        done = subprocess.run(command, cwd=suite, env=env, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        log = os.environ.get("PAIL_S3TESTS_LOG")
        if log:
            with open(f"{log}.{lane}", "w", encoding="utf-8") as out:
                out.write(done.stdout)
        status = server.stop()
        if done.returncode not in (0, 1) or status:
            sys.stderr.write(done.stdout[-4000:])
            raise SystemExit(f"pytest ended with {done.returncode}, the server with {status}")
        results = {}
        for case in xml.etree.ElementTree.parse(report).iter("testcase"):
            name = case.get("classname").rsplit(".", 1)[-1] + "::" + case.get("name")
            bad = any(child.tag in ("failure", "error", "skipped") for child in case)
            results[name] = results.get(name, True) and not bad
        return results


def listed(name):
    """{id: reason} of one list."""
    found = {}
    with open(os.path.join(HERE, name), encoding="utf-8") as lines:
        for line in lines:
            text, _, reason = line.partition("#")
            if text.strip():
                found[text.strip()] = reason.strip()
    return found


def judge(lane, results, passing, failing):
    """The sentences about what is not as the lists say."""
    wrong = []
    for name, good in sorted(results.items()):
        if good and name not in passing:
            wrong.append(f"{name} passes and is not in s3tests_passing.txt")
        elif not good and name in passing:
            wrong.append(f"{name} fails and stands in s3tests_passing.txt")
        elif not good and not failing.get(name):
            wrong.append(f"{name} fails without a reason in s3tests_failing.txt")
    good = sum(results.values())
    print(f"# lane {lane}: {good} of {len(results)} pass", flush=True)
    return wrong


def main(words):
    more = words[words.index("--") + 1:] if "--" in words else []
    lanes = [w for w in words[:len(words) - len(more)] if w != "--"] or list(LANES)
    suite = os.environ.get("PAIL_S3TESTS")
    reason = ("PAIL_S3TESTS names no checkout of ceph/s3-tests" if not suite else
              None if os.path.exists(PYTHON) else
              "its packages are missing: tests/servers/servers.sh install s3tests")
    if reason:
        print("\n".join(f"ok {n} - {lane} # SKIP {reason}" for n, lane in enumerate(lanes, 1)))
        print(f"1..{len(lanes)}")
        return 0
    passing, failing = listed("s3tests_passing.txt"), listed("s3tests_failing.txt")
    both = sorted(set(passing) & set(failing))
    bad = bool(both)
    print("".join(f"# {name} stands in both lists\n" for name in both), end="")
    for number, lane in enumerate(lanes, 1):
        results = measure(suite, lane, more)
        if os.environ.get("PAIL_S3TESTS_WRITE"):
            with open(os.environ["PAIL_S3TESTS_WRITE"], "a", encoding="utf-8") as out:
                out.writelines(f"{'passed' if good else 'failed'} {lane} {name}\n"
                               for name, good in sorted(results.items()))
        wrong = judge(lane, results, passing, failing)
        bad = bad or bool(wrong)
        print("".join(f"# {text}\n" for text in wrong), end="")
        print(f"{'not ok' if wrong else 'ok'} {number} - s3tests {lane}", flush=True)
    print(f"1..{len(lanes)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
