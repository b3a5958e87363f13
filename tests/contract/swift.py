"""Runs the contract suite against the Swift servers of servers.sh, logged in one way or another.

swift.py CONTRACT v1|token|token-file|keystone|credential
"""
import os
import sys
import tempfile
import urllib.request

SWIFT, KEYSTONE = "PAIL_TEST_SWIFT_", "PAIL_TEST_KEYSTONE_"


def variable(name):
    value = os.environ.get(name)
    if not value:
        print(f"1..0 # SKIP {name} is not set: this server does not run")
        sys.exit(0)
    return value


def v1():
    return {"ST_AUTH": variable(SWIFT + "AUTH_URL"), "ST_USER": variable(SWIFT + "USER"),
            "ST_KEY": variable(SWIFT + "KEY")}


def token():
    request = urllib.request.Request(variable(SWIFT + "AUTH_URL"), headers={
        "X-Auth-User": variable(SWIFT + "USER"), "X-Auth-Key": variable(SWIFT + "KEY")})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return {"OS_STORAGE_URL": answer.headers["X-Storage-Url"],
                "OS_AUTH_TOKEN": answer.headers["X-Auth-Token"]}


def token_file():
    got = token()
    path = os.path.join(tempfile.mkdtemp(prefix="pail-swift-"), "token")
    with open(path, "w", encoding="ascii") as file:
        file.write(got.pop("OS_AUTH_TOKEN") + "\n")
    return {**got, "OS_AUTH_TOKEN_FILE": path}


def keystone():
    return {"OS_AUTH_URL": variable(KEYSTONE + "AUTH_URL"),
            "OS_USERNAME": variable(KEYSTONE + "USER"),
            "OS_PASSWORD": variable(KEYSTONE + "PASSWORD"),
            "OS_PROJECT_NAME": variable(KEYSTONE + "PROJECT"),
            "OS_USER_DOMAIN_ID": variable(KEYSTONE + "DOMAIN_ID"),
            "OS_PROJECT_DOMAIN_ID": variable(KEYSTONE + "DOMAIN_ID"),
            "OS_REGION_NAME": variable(KEYSTONE + "REGION")}


def credential():
    return {"OS_AUTH_URL": variable(KEYSTONE + "AUTH_URL"),
            "OS_APPLICATION_CREDENTIAL_ID": variable(KEYSTONE + "APP_CRED_ID"),
            "OS_APPLICATION_CREDENTIAL_SECRET": variable(KEYSTONE + "APP_CRED_SECRET")}


WAYS = {"v1": v1, "token": token, "token-file": token_file, "keystone": keystone,
        "credential": credential}


def main():
    contract, login = sys.argv[1:3]
    if login in ("keystone", "credential"):
        variable("PAIL_TEST_SWIFT_KEYSTONE_ENDPOINT")
    os.environ.update(WAYS[login]())
    os.execv(contract, [contract, "swift", "swift:"])


if __name__ == "__main__":
    main()
