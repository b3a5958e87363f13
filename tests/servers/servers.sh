#!/usr/bin/env bash
#
# servers.sh - object-storage servers for the tests of Pail.
#
# Installs, starts and stops real object-storage servers on 127.0.0.1, so that
# every Pail provider can be tested over a real socket against an independent
# implementation. No containers, no root, no accounts: the servers come from
# the ordinary package clients (go, npm, pip) and live under one folder.
#
#   servers.sh install [name...]   fetch and build (default: the default set)
#   servers.sh start   [name...]   start and wait until ready (default: the
#                                  default set)
#   servers.sh stop    [name...]   stop (default: whatever runs)
#   servers.sh status              one line per server
#   servers.sh env     [name...]   print `export` lines: endpoints, credentials
#                                  (default: of the servers that run)
#   servers.sh installed NAME      status 0 if it is
#   servers.sh logs NAME [lines]   the end of a server's log
#   servers.sh list                the names, and what each is for
#   servers.sh clean               stop all, delete data, logs and configuration
#                                  (what is installed stays)
#
# Names: run `servers.sh list`. Besides single servers these groups exist:
#   default  swift moto (a minute to install; Swift also speaks S3)
#   all      every server that a test uses
#
# Settings (environment):
#   PAIL_SERVERS_DIR    where what is installed lives ($HOME/.cache/pail-servers)
#   PAIL_SERVERS_STATE  where configuration, data, logs and pid files of this set of
#                       running servers live ($PAIL_SERVERS_DIR); two sets with two
#                       folders run side by side
#   PAIL_SERVERS_PORT   first port of the range used, 400 ports wide (the first range
#                       from 19000 on in which every port needed is free)
#   PAIL_PYTHON         Python 3.10 or newer for the virtual environments (python3)
#   PAIL_SWIFT_DATA     where Swift keeps objects; needs user extended attributes of
#                       8 KiB and more (a folder of the state if that can do it; else,
#                       as on ext4, a folder of /dev/shm, in memory)
#   PAIL_SERVERS_WAIT   seconds to wait for a server to get ready            (60)
#
# All servers bind 127.0.0.1 only. The credentials are fixed, public test
# values: never put real data into these servers.

set -u -o pipefail

SELF_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
ROOT=${PAIL_SERVERS_DIR:-$HOME/.cache/pail-servers}
STATE=${PAIL_SERVERS_STATE:-$ROOT}
PYTHON=${PAIL_PYTHON:-python3}
WAIT=${PAIL_SERVERS_WAIT:-60}
HOST=127.0.0.1

BIN=$ROOT/bin CONF=$STATE/conf DATA=$STATE/data LOGS=$STATE/log RUN=$STATE/run

for part in settings common s3 azure gcs swift keystone toxiproxy pythons; do
  # shellcheck disable=SC1090
  . "$SELF_DIR/$part.sh"
done

# ---- what is not a server ----------------------------------------------------

install_clients() { venv clients "$CLIENT_PACKAGES"; }
install_tools()   { venv tools "$TOOL_PACKAGES"; }
install_mc()      { gobuild mc "$MC_MODULE"; }
install_s3tests() {
  [ -n "${PAIL_S3TESTS:-}" ] || { say 's3tests: PAIL_S3TESTS names no checkout, so nothing is needed'; return 0; }
  venv s3tests "$S3TESTS_PACKAGES"
}
install_format()  { venv format "$FORMAT_PACKAGES"; }

# ---- the subcommands --------------------------------------------------------

fn()  { echo "$1_${2//-/_}"; }
out() { printf 'export %s=%q\n' "$1" "$2"; }

installed() {
  case $1 in
    minio|minio-tls)      [ -x "$BIN/minio" ] ;;
    versitygw)            [ -x "$BIN/versitygw" ] ;;
    fake-gcs)             [ -x "$BIN/fake-gcs-server" ] ;;
    mc)                   [ -x "$BIN/mc" ] ;;
    toxiproxy)            [ -x "$BIN/toxiproxy-server" ] && [ -x "$BIN/toxiproxy-cli" ] ;;
    azurite|azurite-tls)  [ -e "$ROOT/azurite/.stamp" ] ;;
    swift)                [ -e "$ROOT/venv-swift/.stamp" ] ;;
    swift-keystone)       [ -e "$ROOT/venv-swift/.stamp" ] && [ -e "$ROOT/venv-keystone/.stamp" ] ;;
    pythons)              [ -e "$ROOT/.pythons" ] ;;
    *)                    [ -e "$ROOT/venv-$1/.stamp" ] ;;
  esac
}

install_each() {
  local n t0 rc=0
  for n in "$@"; do
    t0=$SECONDS
    if "$(fn install "$n")"; then say "$n: installed ($((SECONDS - t0)) s)"
    else say "$n: INSTALL FAILED"; rc=1; fi
  done
  return $rc
}

# Two lanes at once: compiling Go keeps the processors busy while npm and pip
# mostly wait for the network.
do_install() {
  local n rc=0 go='' other=''
  need curl install
  for n in $(expand "${@:-default}"); do
    case $n in
      minio*|versitygw|fake-gcs|toxiproxy|mc) go="$go $n" ;;
      swift-keystone) other="$other keystone $n" ;;
      *) other="$other $n" ;;
    esac
  done
  # shellcheck disable=SC2086
  install_each $other & n=$!
  # shellcheck disable=SC2086
  install_each $go || rc=1
  wait $n || rc=1
  return $rc
}

do_start() {
  local n t0 rc=0
  need curl start
  choose_ports
  for n in $(expand "${@:-default}"); do
    if alive "$n"; then say "$n: already running"; continue; fi
    installed "$n" || { say "$n: not installed (servers.sh install $n)"; rc=1; continue; }
    t0=$(date +%s%N)
    if "$(fn start "$n")"; then
      say "$n: ready ($(( ($(date +%s%N) - t0) / 1000000 )) ms)"
    else
      say "$n: START FAILED"; do_stop "$n"; rc=1
    fi
  done
  return $rc
}

do_stop() {
  local n f
  # shellcheck disable=SC2086
  if [ $# -eq 0 ]; then set -- $SERVERS; fi
  for n in $(expand "$@" | tac); do
    f=$(fn stop "$n")
    if declare -F "$f" >/dev/null; then "$f"; else quit "$n"; fi
  done
}

do_status() {
  local n state rss
  printf '%-15s %-13s %-8s %-9s %s\n' NAME STATE PID RSS-MiB FOR
  for n in $SERVERS; do
    rss='' pid=''
    if alive "$n"; then
      state=running pid=$(pid_of "$n")
      rss=$(awk '/^VmRSS/ {printf "%d", $2 / 1024}' "/proc/$pid/status" 2>/dev/null)
    elif installed "$n"; then state=stopped
    else state='not installed'; fi
    printf '%-15s %-13s %-8s %-9s %s\n' "$n" "$state" "${pid:--}" "${rss:--}" "$(describe "$n")"
  done
}

do_env() {
  local n
  [ $# -gt 0 ] || for n in $SERVERS; do alive "$n" && set -- "$@" "$n"; done
  [ $# -gt 0 ] || return 0
  for n in $(expand "$@"); do
    declare -F "$(fn env "$n")" >/dev/null && "$(fn env "$n")"
  done | awk '!seen[$0]++'
}

lock() {
  mkdir -p "$ROOT" "$STATE" || die "cannot make $ROOT or $STATE"
  if have flock; then exec 9>"$ROOT/.lock-$1"; flock 9; fi
}

main() {
  local cmd=${1:-help}
  [ $# -gt 0 ] && shift
  # A server started by us must not go through a web proxy for 127.0.0.1.
  export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
  export no_proxy=$NO_PROXY
  recall_ports
  # One install and one start at a time, among all sets; an install does not hold up a start.
  case $cmd in
    install)          lock install ;;
    start|stop|clean) lock start ;;
  esac
  case $cmd in
    install) do_install "$@" ;;
    start)   do_start "$@" ;;
    stop)    do_stop "$@" ;;
    status)  do_status ;;
    env)     do_env "$@" ;;
    list)    local n; for n in $SERVERS clients tools mc s3tests format pythons; do printf '%-15s %s\n' "$n" "$(describe "$n")"; done
             printf '%-15s %s\n' default "group: $DEFAULT_SET" all "group: $USED_SET" ;;
    installed) [ $# -eq 1 ] || die 'installed needs a name'; installed "$1" ;;
    logs)    [ $# -ge 1 ] || die 'logs needs a name'; tail -n "${2:-50}" "$LOGS/$1.log" ;;
    clean)   do_stop; rm -rf "${DATA:?}" "${LOGS:?}" "${CONF:?}" "${RUN:?}" "${SHM_DATA:?}" ;;
    help|-h|--help) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "${BASH_SOURCE[0]}" ;;
    *)       die "no such command: $cmd (try: servers.sh help)" ;;
  esac
}

main "$@"; exit $?
