# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: OpenStack Swift with its S3 layer, alone or behind Keystone.

# Four processes (proxy, account, container, object), one replica, one device,
# one storage policy. TempAuth keeps tokens in a shared cache; rather than run
# memcached, the single proxy process gets a small in-process one.

install_swift()          { venv swift "$SWIFT_PACKAGES"; }
install_swift_keystone() { install_swift; }

swift_config() {
  local c=$CONF/swift d me kind port
  me=$(id -un)
  d=$(swift_data)
  mkdir -p "$c" "$d/d1" "$d/cache"
  swift_xattr "$d" 512 || { say "swift: $d cannot hold user extended attributes; set PAIL_SWIFT_DATA"; return 1; }

  cat >"$c/swift.conf" <<'EOT'
[swift-hash]
swift_hash_path_prefix = pail
swift_hash_path_suffix = pail

[storage-policy:0]
name = default
default = yes
EOT

  for kind in account container object; do
    port=P_SWIFT_${kind^^}; port=${!port}
    cat >"$c/$kind.conf" <<EOT
[DEFAULT]
bind_ip = $HOST
bind_port = $port
workers = 0
user = $me
swift_dir = $c
devices = $d
mount_check = false
disable_fallocate = true
log_level = WARNING

[pipeline:main]
pipeline = healthcheck $kind-server

[app:$kind-server]
use = egg:swift#$kind
# One server answers every method, replication requests included.
allow_versions = yes

[filter:healthcheck]
use = egg:swift#healthcheck
EOT
    # part_power 4, one replica, no minimum hours between rebalances.
    [ -s "$c/$kind.ring.gz" ] || (
      cd "$c" && rb=$ROOT/venv-swift/bin/swift-ring-builder &&
      rm -f "$kind.builder" &&
      "$rb" "$kind.builder" create 4 1 0 >/dev/null &&
      "$rb" "$kind.builder" add "r1z1-$HOST:$port/d1" 1 >/dev/null &&
      "$rb" "$kind.builder" rebalance >/dev/null ) || return 1
  done
  cat >>"$c/container.conf" <<EOT

[container-updater]
interval = 2
recon_cache_path = $d/cache
EOT

  swift_proxy_config "$c/proxy.conf" $P_SWIFT tempauth "$me" "$c"
  swift_proxy_config "$c/proxy-keystone.conf" $P_SWIFT_KEYSTONE 'authtoken keystoneauth' "$me" "$c"
  cp "$SELF_DIR/swift_cache.py" "$c/pail_cache.py"
}

swift_proxy_config() { # FILE PORT AUTH-FILTERS USER SWIFT-DIR
  cat >"$1" <<EOT
[DEFAULT]
bind_ip = $HOST
bind_port = $2
workers = 0
user = $4
swift_dir = $5
log_level = WARNING
expose_info = true

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl formpost $( [ "$3" = tempauth ] && echo s3api ) $3 staticweb copy container-quotas account-quotas slo dlo versioned_writes symlink proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
# There is one storage node: never set it aside after an error.
error_suppression_interval = 0

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
paste.filter_factory = pail_cache:filter_factory
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempurl]
use = egg:swift#tempurl
[filter:formpost]
use = egg:swift#formpost
[filter:staticweb]
use = egg:swift#staticweb
[filter:copy]
use = egg:swift#copy
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink

[filter:tempauth]
use = egg:swift#tempauth
user_${SWIFT_ACCOUNT}_${SWIFT_USER} = $SWIFT_PASSWORD .admin
user_${SWIFT_ACCOUNT}_reader = $SWIFT_PASSWORD

# S3 keys are "account:user" and the user's password; SigV4 is verified.
[filter:s3api]
use = egg:swift#s3api
location = $S3_REGION
s3_acl = false

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = http://$HOST:$P_KEYSTONE/v3
auth_url = http://$HOST:$P_KEYSTONE/v3
auth_type = password
username = swift
password = $KS_PASSWORD
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
service_token_roles_required = true

[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
EOT
}

# swift_xattr FOLDER BYTES: can files there carry that large an attribute?
swift_xattr() {
  "$PYTHON" - "$1" "$2" 2>/dev/null <<'EOT'
import os, sys
path = os.path.join(sys.argv[1], ".xattr")
open(path, "w").close()
try:
    os.setxattr(path, "user.pail", b"x" * int(sys.argv[2]))
finally:
    os.unlink(path)
EOT
}

# Swift keeps all metadata of an object, up to 4 KiB and its own, in extended
# attributes. ext4 gives a file less than 4 KiB for them; xfs and the tmpfs of
# Linux 6.6 or newer give 64 KiB. Decided once, then remembered.
swift_data() {
  local d=${PAIL_SWIFT_DATA:-}
  [ -n "$d" ] || d=$(cat "$CONF/swift/data" 2>/dev/null)
  if [ -z "$d" ]; then
    d=$DATA/swift
    mkdir -p "$d" "$CONF/swift"
    if ! swift_xattr "$d" 8192 && mkdir -p "$SHM_DATA" 2>/dev/null; then
      if swift_xattr "$SHM_DATA" 8192; then d=$SHM_DATA; else rmdir "$SHM_DATA"; fi
    fi
    printf '%s' "$d" >"$CONF/swift/data"
  fi
  printf '%s' "$d"
}

# The storage nodes are shared by both proxies.
SWIFT_NODES='swift-account swift-container swift-object'
start_swift_nodes() {
  local kind port
  swift_config || return 1
  for kind in account container object; do
    alive swift-$kind && continue
    port=P_SWIFT_${kind^^}; claim_port swift-$kind ${!port} || return 1
    spawn swift-$kind "$ROOT/venv-swift/bin/swift-$kind-server" "$CONF/swift/$kind.conf" -v
  done
  for kind in account container object; do
    port=P_SWIFT_${kind^^}
    ready swift swift-$kind "http://$HOST:${!port}/healthcheck" || return 1
  done
  # Keeps the object counts in the account listing fresh.
  # (This daemon looks for swift.conf in /etc only, unless told before.)
  alive swift-updater || spawn swift-updater "$ROOT/venv-swift/bin/python" -c '
import sys
from swift.common import utils
utils.set_swift_dir(sys.argv.pop(1))
from swift.container.updater import main
main()' "$CONF/swift" "$CONF/swift/container.conf" -v
}
start_swift() {
  claim_port swift $P_SWIFT || return 1
  start_swift_nodes || return 1
  PYTHONPATH=$CONF/swift spawn swift "$ROOT/venv-swift/bin/swift-proxy-server" "$CONF/swift/proxy.conf" -v
  ready swift swift "http://$HOST:$P_SWIFT/healthcheck" || return 1
  # Creates the account and sets the key temporary URLs are signed with.
  local token
  token=$(curl -s --noproxy '*' -D - -o /dev/null -H "X-Auth-User: $SWIFT_ACCOUNT:$SWIFT_USER" \
    -H "X-Auth-Key: $SWIFT_PASSWORD" "http://$HOST:$P_SWIFT/auth/v1.0" |
    awk 'tolower($1) == "x-auth-token:" {print $2}' | tr -d '\r')
  curl -sf --noproxy '*' -X POST -H "X-Auth-Token: $token" \
    -H "X-Account-Meta-Temp-URL-Key: $SWIFT_TEMPURL_KEY" \
    "http://$HOST:$P_SWIFT/v1/AUTH_$SWIFT_ACCOUNT" || { say 'swift: could not set up the account'; return 1; }
}
start_swift_keystone() {
  claim_port swift-keystone $P_SWIFT_KEYSTONE || return 1
  alive keystone || start_keystone || return 1
  start_swift_nodes || return 1
  PYTHONPATH=$CONF/swift spawn swift-keystone "$ROOT/venv-swift/bin/swift-proxy-server" "$CONF/swift/proxy-keystone.conf" -v
  ready swift-keystone swift-keystone "http://$HOST:$P_SWIFT_KEYSTONE/healthcheck"
}
stop_swift_nodes() { # only when no proxy needs them any more
  alive swift || alive swift-keystone || {
    local n; for n in swift-updater $SWIFT_NODES; do quit $n; done; }
}
stop_swift()          { quit swift; stop_swift_nodes; }
stop_swift_keystone() { quit swift-keystone; stop_swift_nodes; }
env_swift() {
  out PAIL_TEST_SWIFT_AUTH_URL "http://$HOST:$P_SWIFT/auth/v1.0"
  out PAIL_TEST_SWIFT_USER "$SWIFT_ACCOUNT:$SWIFT_USER"
  out PAIL_TEST_SWIFT_KEY "$SWIFT_PASSWORD"
  out PAIL_TEST_SWIFT_STORAGE_URL "http://$HOST:$P_SWIFT/v1/AUTH_$SWIFT_ACCOUNT"
  out PAIL_TEST_SWIFT_TEMPURL_KEY "$SWIFT_TEMPURL_KEY"
  out PAIL_TEST_SWIFT_S3_ENDPOINT "http://$HOST:$P_SWIFT"
  out PAIL_TEST_SWIFT_S3_ACCESS_KEY "$SWIFT_ACCOUNT:$SWIFT_USER"
  out PAIL_TEST_SWIFT_S3_SECRET_KEY "$SWIFT_PASSWORD"
}
