# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: fake-gcs-server, which speaks the Google JSON API.

install_fake_gcs() { gobuild fake-gcs-server "$FAKE_GCS_MODULE"; }
start_fake_gcs() {
  claim_port fake-gcs $P_FAKE_GCS || return 1
  service_account || return 1
  # -public-host makes path-style XML/signed URLs on this address work;
  # -external-url is what resumable uploads get back as their session address.
  spawn fake-gcs "$BIN/fake-gcs-server" -scheme http -host $HOST -port $P_FAKE_GCS \
    -backend memory -public-host "$HOST:$P_FAKE_GCS" \
    -external-url "http://$HOST:$P_FAKE_GCS" -log-level warn
  ready fake-gcs fake-gcs "http://$HOST:$P_FAKE_GCS/_internal/healthcheck"
}
# A service-account key file with a throw-away RSA key, for signing tests.
service_account() {
  local f=$CONF/fake-gcs/service-account.json
  [ -s "$f" ] && return 0
  need openssl fake-gcs
  mkdir -p "$CONF/fake-gcs"
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$f.pem" 2>/dev/null &&
  openssl pkey -in "$f.pem" -pubout -out "$CONF/fake-gcs/service-account.pub.pem" &&
  cat >"$f" <<EOT
{
  "type": "service_account",
  "project_id": "$GCS_PROJECT",
  "private_key_id": "pail-test-key",
  "private_key": "$(awk '{printf "%s\\n", $0}' "$f.pem")",
  "client_email": "pail@$GCS_PROJECT.iam.example",
  "client_id": "1",
  "token_uri": "http://$HOST:$P_FAKE_GCS/token"
}
EOT
  chmod 600 "$f" "$f.pem"
}
env_fake_gcs() {
  out PAIL_TEST_GCS_ENDPOINT "http://$HOST:$P_FAKE_GCS"
  out PAIL_TEST_GCS_PROJECT "$GCS_PROJECT"
  out PAIL_TEST_GCS_SERVICE_ACCOUNT "$CONF/fake-gcs/service-account.json"
  out PAIL_TEST_GCS_PUBLIC_KEY "$CONF/fake-gcs/service-account.pub.pem"
  out STORAGE_EMULATOR_HOST "http://$HOST:$P_FAKE_GCS"
}
