# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: the S3 servers.

# ---- S3: MinIO --------------------------------------------------------------

install_minio()     { gobuild minio "$MINIO_MODULE"; }
install_minio_tls() { install_minio; }
minio_run() { # minio_run NAME PORT [options]
  local name=$1 port=$2; shift 2
  mkdir -p "$DATA/$name"
  # No browser console, no update check, no sanity limits meant for clusters.
  MINIO_ROOT_USER=$S3_KEY MINIO_ROOT_PASSWORD=$S3_SECRET \
  MINIO_BROWSER=off MINIO_UPDATE=off MINIO_REGION=$S3_REGION MINIO_API_SYNC_EVENTS=on \
    spawn "$name" "$BIN/minio" server --quiet --address "$HOST:$port" "$@" "$DATA/$name"
}
start_minio() {
  claim_port minio $P_MINIO || return 1
  minio_run minio $P_MINIO
  ready minio minio "http://$HOST:$P_MINIO/minio/health/ready"
}
start_minio_tls() {
  claim_port minio-tls $P_MINIO_TLS || return 1
  certificates || return 1
  mkdir -p "$CONF/minio-tls"
  cp "$CONF/tls/server.crt" "$CONF/minio-tls/public.crt"
  cp "$CONF/tls/server.key" "$CONF/minio-tls/private.key"
  minio_run minio-tls $P_MINIO_TLS --certs-dir "$CONF/minio-tls"
  ready minio-tls minio-tls "https://$HOST:$P_MINIO_TLS/minio/health/ready" --cacert "$CONF/tls/ca.crt"
}
env_s3() { # env_s3 PREFIX URL
  out "${1}_ENDPOINT" "$2"
  out "${1}_ACCESS_KEY" "$S3_KEY"
  out "${1}_SECRET_KEY" "$S3_SECRET"
  out "${1}_REGION" "$S3_REGION"
}
env_minio()     { env_s3 PAIL_TEST_MINIO "http://$HOST:$P_MINIO"; }
env_minio_tls() { env_s3 PAIL_TEST_MINIO_TLS "https://$HOST:$P_MINIO_TLS"
                  out PAIL_TEST_MINIO_TLS_CA "$CONF/tls/ca.crt"; }

# ---- S3: versitygw ----------------------------------------------------------

install_versitygw() { gobuild versitygw "$VERSITYGW_MODULE"; }
start_versitygw() {
  claim_port versitygw $P_VERSITYGW || return 1
  mkdir -p "$DATA/versitygw" "$DATA/versitygw-versions"
  # Object metadata is kept in extended attributes of the files.
  ROOT_ACCESS_KEY=$S3_KEY ROOT_SECRET_KEY=$S3_SECRET VGW_REGION=$S3_REGION \
    spawn versitygw "$BIN/versitygw" --quiet --port "$HOST:$P_VERSITYGW" --health /pail-health \
      posix --versioning-dir "$DATA/versitygw-versions" "$DATA/versitygw"
  ready versitygw versitygw "http://$HOST:$P_VERSITYGW/pail-health"
}
env_versitygw() { env_s3 PAIL_TEST_VERSITYGW "http://$HOST:$P_VERSITYGW"; }

# ---- S3: moto ---------------------------------------------------------------

install_moto() { venv moto "$MOTO_PACKAGES"; }
start_moto() {
  claim_port moto $P_MOTO || return 1
  spawn moto "$ROOT/venv-moto/bin/moto_server" -H $HOST -p $P_MOTO
  ready moto moto "http://$HOST:$P_MOTO/moto-api/"
}
env_moto() { env_s3 PAIL_TEST_MOTO "http://$HOST:$P_MOTO"; }
