"""Projects, users, the object-store catalogue entry and one application
credential, through Keystone's own HTTP API."""
import os
import requests

e = os.environ
base = e["PAIL_KS"]


def call(method, path, token, body=None, ok=(200, 201, 204)):
    r = requests.request(method, base + path, json=body,
                         headers={"X-Auth-Token": token} if token else {})
    if r.status_code not in ok:
        raise SystemExit(f"{method} {path}: {r.status_code} {r.text}")
    return r


def login(user, password, project):
    r = call("POST", "/auth/tokens", None, {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}})
    return r.headers["X-Subject-Token"], r.json()["token"]


admin, _ = login("admin", e["PAIL_ADMIN_PASSWORD"], "admin")
roles = {r["name"]: r["id"] for r in call("GET", "/roles", admin).json()["roles"]}


def project(name):
    return call("POST", "/projects", admin, {"project": {
        "name": name, "domain_id": "default"}}).json()["project"]["id"]


def user(name, password, proj, role):
    uid = call("POST", "/users", admin, {"user": {
        "name": name, "domain_id": "default", "password": password}}).json()["user"]["id"]
    call("PUT", f"/projects/{proj}/users/{uid}/roles/{roles[role]}", admin)
    return uid


service, pail = project("service"), project(e["PAIL_PROJECT"])
user("swift", e["PAIL_PASSWORD"], service, "admin")
uid = user(e["PAIL_USER"], e["PAIL_PASSWORD"], pail, "member")
sid = call("POST", "/services", admin, {"service": {
    "type": "object-store", "name": "swift"}}).json()["service"]["id"]
for interface in ("public", "internal"):
    call("POST", "/endpoints", admin, {"endpoint": {
        "service_id": sid, "interface": interface, "region_id": "RegionOne",
        "url": e["PAIL_SWIFT"]}})
token, _ = login(e["PAIL_USER"], e["PAIL_PASSWORD"], e["PAIL_PROJECT"])
cred = call("POST", f"/users/{uid}/application_credentials", token, {
    "application_credential": {"name": "pail-app", "secret": e["PAIL_APP_SECRET"]}}).json()
print("application credential", cred["application_credential"]["id"])
