# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: Azurite, which speaks Azure Blob.

install_azurite() {
  local d=$ROOT/azurite
  [ "$(cat "$d/.stamp" 2>/dev/null)" = "$AZURITE_PACKAGE" ] && return 0
  with_node || return 1
  need npm azurite
  mkdir -p "$d"
  npm install --prefix "$d" --no-audit --no-fund --no-save --loglevel=error "$AZURITE_PACKAGE" || return 1
  printf '%s' "$AZURITE_PACKAGE" >"$d/.stamp"
}
install_azurite_tls() { install_azurite; }
azurite_run() { # azurite_run NAME PORT [options]
  local name=$1 port=$2; shift 2
  with_node || return 1
  mkdir -p "$DATA/$name"
  AZURITE_ACCOUNTS="$AZ_ACCOUNT:$AZ_KEY" \
    spawn "$name" node "$ROOT/azurite/node_modules/azurite/dist/src/blob/main.js" \
      --blobHost $HOST --blobPort "$port" --location "$DATA/$name" --silent \
      --skipApiVersionCheck --disableTelemetry --disableProductStyleUrl "$@"
}
start_azurite() {
  claim_port azurite $P_AZURITE || return 1
  azurite_run azurite $P_AZURITE
  ready azurite azurite "http://$HOST:$P_AZURITE/"
}
start_azurite_tls() {
  claim_port azurite-tls $P_AZURITE_TLS || return 1
  certificates || return 1
  azurite_run azurite-tls $P_AZURITE_TLS --oauth basic \
    --cert "$CONF/tls/server.crt" --key "$CONF/tls/server.key"
  ready azurite-tls azurite-tls "https://$HOST:$P_AZURITE_TLS/" --cacert "$CONF/tls/ca.crt"
}
env_azure() { # env_azure PREFIX SCHEME PORT
  local url=$2://$HOST:$3/$AZ_ACCOUNT
  out "${1}_ENDPOINT" "$url"
  out "${1}_ACCOUNT" "$AZ_ACCOUNT"
  out "${1}_KEY" "$AZ_KEY"
  out "${1}_CONNECTION_STRING" "DefaultEndpointsProtocol=$2;AccountName=$AZ_ACCOUNT;AccountKey=$AZ_KEY;BlobEndpoint=$url;"
}
env_azurite()     { env_azure PAIL_TEST_AZURE http $P_AZURITE; }
env_azurite_tls() { env_azure PAIL_TEST_AZURE_TLS https $P_AZURITE_TLS
                    out PAIL_TEST_AZURE_TLS_CA "$CONF/tls/ca.crt"; }
