# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: TCP faults in front of the other servers.

install_toxiproxy() {
  gobuild toxiproxy-server "$TOXIPROXY_SERVER_MODULE" server &&
  gobuild toxiproxy-cli "$TOXIPROXY_CLI_MODULE" cli
}
start_toxiproxy() {
  claim_port toxiproxy $P_TOXIPROXY || return 1
  mkdir -p "$CONF/toxiproxy"
  # One faulty twin per server; its port is the server's port + 201.
  local n first=1
  {
    echo '['
    while read -r n port; do
      [ $first = 1 ] || echo ','; first=0
      printf '  {"name": "%s", "listen": "%s:%d", "upstream": "%s:%d", "enabled": true}' \
        "$n" $HOST $((port + TOXI_SHIFT)) $HOST "$port"
    done <<EOT
minio $P_MINIO
minio-tls $P_MINIO_TLS
versitygw $P_VERSITYGW
moto $P_MOTO
azurite $P_AZURITE
azurite-tls $P_AZURITE_TLS
fake-gcs $P_FAKE_GCS
swift $P_SWIFT
swift-keystone $P_SWIFT_KEYSTONE
keystone $P_KEYSTONE
EOT
    echo; echo ']'
  } >"$CONF/toxiproxy/proxies.json"
  spawn toxiproxy "$BIN/toxiproxy-server" -host $HOST -port $P_TOXIPROXY -config "$CONF/toxiproxy/proxies.json"
  ready toxiproxy toxiproxy "http://$HOST:$P_TOXIPROXY/version"
}
env_toxiproxy() {
  out PAIL_TEST_TOXIPROXY_API "http://$HOST:$P_TOXIPROXY"
  out PAIL_TEST_TOXIPROXY_CLI "$BIN/toxiproxy-cli"
  out PAIL_TEST_TOXIPROXY_PORT_SHIFT "$TOXI_SHIFT"
}
