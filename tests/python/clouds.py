"""The other clouds that the page's programs run on, each as its users configure it.

Azure is Azurite (account key; with TLS a bearer token, whose URLs are signed by a delegation key), Google the strict
server of these tests, which verifies tokens and signatures, Swift its own server behind TempAuth and behind Keystone."""
import base64
import contextlib
import json
import os
import pathlib
import sys
import time
import urllib.request
from unittest import mock

import stores
from pail import CloudProviderFactory, ProviderList

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "contract"))
import gcs_strict  # noqa: E402


def variables(start, *names):
    """What servers.sh says of a server; None where it is not up."""
    found = [os.environ.get(start + name) for name in names]
    return None if None in found else found


class Cloud:
    """A server, the provider's name and its configuration."""

    def __init__(self, name, provider, config, put_without_header=(200, 201), ca=None, token=None):
        self.name, self.provider, self.config = name, provider, config
        self.put_without_header, self.ca, self.token = put_without_header, ca, token

    def make(self):
        return CloudProviderFactory().create_provider(self.provider, self.config)


def bearer_token():
    """A token as Azurite wants it with --oauth basic: claims right, signature not looked at."""
    def part(data):
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
    now = int(time.time())
    claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/t/",
              "nbf": now - 60, "iat": now - 60, "exp": now + 3600, "oid": "o", "tid": "t"}
    return f'{part({"alg": "RS256", "typ": "JWT"})}.{part(claims)}.c2ln'


def azure():
    found = variables("PAIL_TEST_AZURE_", "ENDPOINT", "ACCOUNT", "KEY")
    if found:
        endpoint, account, key = found
        yield Cloud("azurite", ProviderList.AZURE, {
            "azure_endpoint": endpoint, "azure_storage_account": account,
            "azure_storage_account_key": key}, put_without_header=(400,))
    found = variables("PAIL_TEST_AZURE_TLS_", "ENDPOINT", "ACCOUNT", "CA")
    if found:
        endpoint, account, ca = found
        yield Cloud("azurite-tls", ProviderList.AZURE, {
            "azure_endpoint": endpoint, "azure_storage_account": account, "ca_bundle": ca,
            "azure_access_token": bearer_token()}, put_without_header=(400,), ca=ca)


def swift_login(url, headers):
    """TempAuth: the storage URL and a token. Source: Swift API "Authentication", v1."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]


def keystone_login(url, user, password, project, region):
    """The same by Keystone. Source: Identity API v3, "Password authentication with scoped authorization"."""
    domain = {"id": "default"}
    body = {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "domain": domain, "password": password}}},
        "scope": {"project": {"name": project, "domain": domain}}}}
    request = urllib.request.Request(url + "/auth/tokens", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        token = answer.headers["X-Subject-Token"]
        catalog = json.load(answer)["token"]["catalog"]
    return next(endpoint["url"] for service in catalog if service["type"] == "object-store"
                for endpoint in service["endpoints"]
                if endpoint["interface"] == "public" and endpoint["region"] == region), token


def swift():
    found = variables("PAIL_TEST_SWIFT_", "AUTH_URL", "USER", "KEY", "TEMPURL_KEY")
    if found:
        url, user, key, tempurl = found
        token = swift_login(url, {"X-Auth-User": user, "X-Auth-Key": key})
        yield Cloud("swift", ProviderList.OPENSTACK, {
            "os_storage_url": token[0], "os_auth_token": token[1], "swift_tempurl_key": tempurl},
            token=token)
    found = variables("PAIL_TEST_KEYSTONE_", "AUTH_URL", "USER", "PASSWORD", "PROJECT", "REGION")
    if found and os.environ.get("PAIL_TEST_SWIFT_KEYSTONE_ENDPOINT"):
        url, user, password, project, region = found
        yield Cloud("swift-keystone", ProviderList.OPENSTACK, {
            "os_auth_url": url, "os_username": user, "os_password": password,
            "os_project_name": project, "os_user_domain_name": "Default",
            "os_project_domain_name": "Default", "os_region_name": region,
            "swift_tempurl_key_create": True},
            token=keystone_login(url, user, password, project, region))


@contextlib.contextmanager
def google(test):
    """The strict server, for as long as it is used."""
    server, here, account = gcs_strict.start(pathlib.Path(stores.folder(test)))
    try:
        with mock.patch.dict(os.environ, {"STORAGE_EMULATOR_HOST": here}):
            yield Cloud("gcs-strict", ProviderList.GCP, {"gcp_service_creds_file": str(account)})
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()
