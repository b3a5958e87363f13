# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: the OpenStack identity service.

install_keystone() { venv keystone "$KEYSTONE_PACKAGES"; }

keystone_config() {
  local c=$CONF/keystone m="$ROOT/venv-keystone/bin/keystone-manage" me grp
  me=$(id -un) grp=$(id -gn)
  mkdir -p "$c" "$DATA/keystone"
  cat >"$c/keystone.conf" <<EOT
[DEFAULT]
log_file =
use_stderr = true
[database]
connection = sqlite:///$DATA/keystone/keystone.db
[cache]
enabled = false
[token]
provider = fernet
expiration = 3600
[fernet_tokens]
key_repository = $c/fernet
[fernet_receipts]
key_repository = $c/fernet
[credential]
key_repository = $c/credential
[identity]
# The cheapest setting allowed: test passwords need no strength.
password_hash_rounds = 4
EOT
  [ -s "$DATA/keystone/keystone.db" ] && [ -e "$c/.bootstrapped" ] && return 0
  rm -f "$DATA/keystone/keystone.db" "$c/.bootstrapped"
  mkdir -p "$LOGS"
  {
    "$m" --config-file "$c/keystone.conf" db_sync &&
    "$m" --config-file "$c/keystone.conf" fernet_setup --keystone-user "$me" --keystone-group "$grp" &&
    "$m" --config-file "$c/keystone.conf" credential_setup --keystone-user "$me" --keystone-group "$grp" &&
    "$m" --config-file "$c/keystone.conf" bootstrap --bootstrap-password "$KS_ADMIN_PASSWORD" \
      --bootstrap-public-url "http://$HOST:$P_KEYSTONE/v3" \
      --bootstrap-internal-url "http://$HOST:$P_KEYSTONE/v3" --bootstrap-region-id RegionOne
  } >"$LOGS/keystone-setup.log" 2>&1 || { tail -n 20 "$LOGS/keystone-setup.log" >&2; return 1; }
}
start_keystone() {
  claim_port keystone $P_KEYSTONE || return 1
  keystone_config || return 1
  OS_KEYSTONE_CONFIG_FILES=$CONF/keystone/keystone.conf \
    spawn keystone "$ROOT/venv-keystone/bin/python" "$SELF_DIR/keystone_serve.py" $HOST $P_KEYSTONE
  ready keystone keystone "http://$HOST:$P_KEYSTONE/v3" || return 1
  [ -e "$CONF/keystone/.bootstrapped" ] && return 0
  PAIL_KS="http://$HOST:$P_KEYSTONE/v3" PAIL_SWIFT="http://$HOST:$P_SWIFT_KEYSTONE/v1/AUTH_%(project_id)s" \
  PAIL_ADMIN_PASSWORD=$KS_ADMIN_PASSWORD PAIL_PROJECT=$KS_PROJECT PAIL_USER=$KS_USER PAIL_PASSWORD=$KS_PASSWORD \
  PAIL_APP_SECRET=$KS_APP_CRED_SECRET \
    "$ROOT/venv-keystone/bin/python" "$SELF_DIR/keystone_setup.py" >>"$LOGS/keystone-setup.log" 2>&1 ||
    { tail -n 20 "$LOGS/keystone-setup.log" >&2; return 1; }
  touch "$CONF/keystone/.bootstrapped"
}
env_keystone() {
  local id
  id=$(awk '/^application credential / {id = $3} END {print id}' "$LOGS/keystone-setup.log" 2>/dev/null)
  out PAIL_TEST_KEYSTONE_AUTH_URL "http://$HOST:$P_KEYSTONE/v3"
  out PAIL_TEST_KEYSTONE_USER "$KS_USER"
  out PAIL_TEST_KEYSTONE_PASSWORD "$KS_PASSWORD"
  out PAIL_TEST_KEYSTONE_PROJECT "$KS_PROJECT"
  out PAIL_TEST_KEYSTONE_DOMAIN_ID default
  out PAIL_TEST_KEYSTONE_REGION RegionOne
  out PAIL_TEST_KEYSTONE_APP_CRED_ID "$id"
  out PAIL_TEST_KEYSTONE_APP_CRED_SECRET "$KS_APP_CRED_SECRET"
}
env_swift_keystone() {
  env_keystone
  out PAIL_TEST_SWIFT_KEYSTONE_ENDPOINT "http://$HOST:$P_SWIFT_KEYSTONE/v1"
}
