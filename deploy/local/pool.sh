#!/usr/bin/env bash
# A whole pool on one machine, from nothing: a certificate authority, three etcd members, two admins,
# three workers. For trying watcher out and for seeing what happens when a part of it dies.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
home=$root/.watcher/pool
config=
first_port=24790

usage() {
  cat <<TEXT
Usage: pool.sh [start|stop|status] [OPTION...]

  start    makes certificates, starts 3 etcd members, 2 admins and 3 workers, waits until every
           check has an owner, and runs until Ctrl-C or 'pool.sh stop' (this is the default)
  stop     stops what runs, also after this script was killed
  status   says which process runs, under which id

  --config DIR   folder of check files; without it the pool watches its own five processes
  --home DIR     certificates, data, logs (default: ${home/#$PWD\//})
  --ports N      the first of 14 ports on 127.0.0.1 (default: $first_port)
  --help         this text

etcd must be on the PATH, or unpacked by the tests of this repository.
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
  printf 'pool.sh: %s\n' "$*" >&2
  exit 1
}

command=start
while (($# > 0)); do
  case $1 in
    start | stop | status) command=$1 ;;
    --config | --home | --ports)
      (($# > 1)) || fail "$1 needs a value; see pool.sh --help"
      case $1 in
        --config) config=$2 ;;
        --home) home=$2 ;;
        --ports) first_port=$2 ;;
      esac
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "what is '$1'? See pool.sh --help" ;;
  esac
  shift
done
if [[ ! $first_port =~ ^[0-9]{4,5}$ ]] || ((first_port < 1024 || first_port > 65500)); then
  fail "--ports $first_port is not a port from 1024 to 65500"
fi

# Absolute, because every part is known by a path below it on its command line.
home=$(realpath -m "$home")
certs=$home/certificates logs=$home/logs pids=$home/pids
node=$root/node_modules/.bin/node
watcher=("$node" --max-semi-space-size=8 "$root/src/cli.ts")
etcd_names=(etcd-1 etcd-2 etcd-3)
admin_names=(admin-1 admin-2)
worker_names=(worker-1 worker-2 worker-3)

etcd_port() { echo $((first_port - 1 + $1)); }    # 1 to 3, TLS
peer_port() { echo $((first_port + 2 + $1)); }    # 1 to 3, TLS
health_port() { echo $((first_port + 5 + $1)); }  # 1 to 3, /health and /metrics only
admin_port() { echo $((first_port + 8 + $1)); }   # 1 and 2
worker_port() { echo $((first_port + 10 + $1)); } # 1 to 3

# --- processes -------------------------------------------------------------------------------------

pid_of() { cat "$pids/$1" 2>/dev/null || true; }

# An id may have gone to somebody else's process since it was written down.
runs() {
  local pid
  pid=$(pid_of "$1")
  [[ -n $pid ]] && ps -p "$pid" -o args= 2>/dev/null | grep -qF -- "$2"
}
part_runs() { runs "$1" "$home"; }
script_runs() { runs pool.sh pool.sh; }

# In a process group of its own: Ctrl-C is for this script, which stops its parts in order.
launch() {
  local name=$1
  shift
  set -m
  "$@" >>"$logs/$name.out" 2>>"$logs/$name.log" </dev/null &
  echo $! >"$pids/$name"
  disown
  set +m
}

# Asked to end, given some seconds, then killed.
stop_parts() {
  local seconds=$1 name step
  shift
  for name in "$@"; do
    if part_runs "$name"; then kill "$(pid_of "$name")" 2>/dev/null || true; fi
  done
  for name in "$@"; do
    for ((step = 0; step < seconds * 10; step++)); do
      part_runs "$name" || break
      sleep 0.1
    done
    if part_runs "$name"; then
      ((seconds == 0)) || say "$name does not end: killed"
      kill -KILL "$(pid_of "$name")" 2>/dev/null || true
    fi
    rm -f "$pids/$name"
  done
}

# Workers hand back what they own, so they go before the ledger does.
stop_all() {
  stop_parts 15 "${worker_names[@]}"
  stop_parts 5 "${admin_names[@]}"
  # The last of three members would wait for the others; its data are not needed again.
  stop_parts 0 "${etcd_names[@]}"
}

# --- certificates ----------------------------------------------------------------------------------

certificate() { # NAME SUBJECT USAGE
  local name=$1
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
    -keyout "$certs/$name.key" -out "$certs/$name.csr" 2>/dev/null
  openssl x509 -req -in "$certs/$name.csr" -CA "$certs/ca.crt" -CAkey "$certs/ca.key" -days 30 \
    -CAcreateserial -out "$certs/$name.crt" -extfile <(
      printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3"
    ) 2>/dev/null
  rm "$certs/$name.csr"
}

# One for each purpose: what a client holds cannot pose as a member.
make_certificates() {
  command -v openssl >/dev/null || fail 'openssl is not installed: sudo apt-get install openssl'
  local name
  for name in ca server peer client; do
    openssl x509 -checkend 86400 -noout -in "$certs/$name.crt" >/dev/null 2>&1 || break
    [[ $name != client ]] || return 0
  done
  rm -rf "$certs"
  (umask 077 && mkdir -p "$certs")
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj '/CN=watcher local pool' -keyout "$certs/ca.key" -out "$certs/ca.crt" 2>/dev/null
  # etcd dials itself with its server certificate.
  certificate server etcd serverAuth,clientAuth
  certificate peer etcd-peer serverAuth,clientAuth
  certificate client watcher clientAuth
  chmod 600 "$certs"/*.key
}

# --- etcd ------------------------------------------------------------------------------------------

find_etcd() {
  local unpacked=$root/node_modules/.cache/debian/etcd/usr/bin/etcd
  etcd=$(command -v etcd || true)
  [[ -n $etcd || ! -x $unpacked ]] || etcd=$unpacked
  [[ -n $etcd ]] || fail "etcd is not on the PATH: sudo apt-get install etcd-server"
}

start_etcd() {
  local i cluster=
  for i in 1 2 3; do cluster+=,etcd-$i=https://127.0.0.1:$(peer_port $i); done
  # A cluster of its own each time: the folder is where everything comes from.
  rm -rf "$home/etcd"
  mkdir -p "$home/etcd"
  chmod 700 "$home/etcd"
  for i in 1 2 3; do
    launch "etcd-$i" "$etcd" --name "etcd-$i" --data-dir "$home/etcd/$i" \
      --initial-cluster "${cluster#,}" --initial-cluster-token "watcher-$$" \
      --listen-client-urls "https://127.0.0.1:$(etcd_port $i)" \
      --advertise-client-urls "https://127.0.0.1:$(etcd_port $i)" \
      --listen-peer-urls "https://127.0.0.1:$(peer_port $i)" \
      --initial-advertise-peer-urls "https://127.0.0.1:$(peer_port $i)" \
      --listen-metrics-urls "http://127.0.0.1:$(health_port $i)" \
      --cert-file "$certs/server.crt" --key-file "$certs/server.key" \
      --client-cert-auth --trusted-ca-file "$certs/ca.crt" \
      --peer-cert-file "$certs/peer.crt" --peer-key-file "$certs/peer.key" \
      --peer-client-cert-auth --peer-trusted-ca-file "$certs/ca.crt" \
      --auto-compaction-mode periodic --auto-compaction-retention 5m \
      --logger zap --log-level warn
  done
  for i in 1 2 3; do
    await 30 "etcd-$i" holds "http://127.0.0.1:$(health_port $i)/health" true
  done
}

# The client certificate names the user `watcher` (its CN), who may touch nothing but its prefix.
# Before authentication is on, etcd's JSON gateway takes these calls; afterwards it knows no names.
make_users() {
  "$node" --input-type=module - "$certs" "$(etcd_port 1)" <<'JS'
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
const [certs, port] = process.argv.slice(2);
const [ca, cert, key] = ['ca.crt', 'client.crt', 'client.key'].map((name) => readFileSync(`${certs}/${name}`));
const base64 = (text) => Buffer.from(text).toString('base64');
const call = (path, body) =>
  new Promise((resolve, reject) => {
    const options = { host: 'localhost', port, path: `/v3/auth/${path}`, method: 'POST', ca, cert, key };
    request(options, (response) => {
      response.resume();
      if (response.statusCode === 200) response.on('end', resolve);
      else reject(new Error(`etcd: auth/${path}: HTTP ${response.statusCode}`));
    }).on('error', reject).end(JSON.stringify(body));
  });
const prefix = { key: base64('/watcher/v1/'), range_end: base64('/watcher/v10') };
for (const name of ['root', 'watcher']) {
  await call('user/add', { name, options: { no_password: true } });
  await call('role/add', { name });
  await call('user/grant', { user: name, role: name });
}
await call('role/grant', { name: 'watcher', perm: { permType: 'READWRITE', ...prefix } });
await call('enable', {});
JS
}

# --- watcher ---------------------------------------------------------------------------------------

# Whether what a URL answers contains a text.
holds() {
  "$node" -e 'fetch(process.argv[1]).then((response) => response.text())
    .then((text) => process.exit(text.includes(process.argv[2]) ? 0 : 1), () => process.exit(1))' \
    "$1" "$2"
}

# Tries a command until it succeeds; the part named must live meanwhile.
await() {
  local seconds=$1 name=$2 end=$((SECONDS + $1))
  shift 2
  until "$@"; do
    if ! part_runs "$name" || ((SECONDS >= end)); then
      tail -n 5 "$logs/$name.log" >&2
      fail "$name did not come up; its log: $logs/$name.log"
    fi
    sleep 0.2
  done
}

write_own_checks() {
  local port
  config=$home/checks
  mkdir -p "$config"
  {
    say '# The pool watches itself: written at each start.'
    for port in "$(admin_port 1)" "$(admin_port 2)" "$(worker_port 1)" "$(worker_port 2)" "$(worker_port 3)"; do
      printf '127.0.0.1:%s/healthz:\n  cron_schedule: "*/5 * * * * *"\n  scheme: http\n' "$port"
      printf '  response_json_values: [status]\n  success_test: { key: status, value: ok }\n'
    done
  } >"$config/pool.yml"
}

start_watcher() {
  local i endpoints=
  for i in 1 2 3; do endpoints+=,https://localhost:$(etcd_port $i); done
  local store=(
    --etcd "${endpoints#,}" --etcd-tls-ca "$certs/ca.crt"
    --etcd-tls-cert "$certs/client.crt" --etcd-tls-key "$certs/client.key"
  )
  # Workers first: they share what the admin publishes, instead of the first one taking it all.
  for i in 1 2 3; do
    launch "worker-$i" "${watcher[@]}" worker "${store[@]}" \
      --listen "127.0.0.1:$(worker_port $i)" --state "$home/state/worker-$i"
  done
  for i in 1 2 3; do
    await 30 "worker-$i" holds "http://127.0.0.1:$(worker_port $i)/healthz" '"ok"'
  done
  for i in 1 2; do
    launch "admin-$i" "${watcher[@]}" admin "${store[@]}" --config "$config" \
      --listen "127.0.0.1:$(admin_port $i)"
  done
  for i in 1 2; do
    await 30 "admin-$i" holds "http://127.0.0.1:$(admin_port $i)/healthz" '"ok"'
  done
  await 60 admin-1 all_owned
}

all_owned() {
  local ledger
  ledger=$("${watcher[@]}" ledger --json --address "127.0.0.1:$(admin_port 1)" 2>/dev/null) || return 1
  [[ $ledger == *'"owner":"'* && $ledger != *'"owner":null'* ]]
}

# --- commands --------------------------------------------------------------------------------------

tell() {
  local run="npm run watcher --"
  cat <<TEXT

The pool runs, and every check has an owner. In another shell, in $root:
  $run workers --address 127.0.0.1:$(admin_port 1)    who works
  $run ledger --address 127.0.0.1:$(admin_port 1)     who owns what
  $run status --address 127.0.0.1:$(worker_port 1)     what one worker sees
Kill one on purpose, and watch the others take over within seven seconds:
  kill -9 \$(cat $pids/worker-1)
results: $logs/worker-*.out
logs:    $logs/*.log
data:    $home/etcd
stop:    Ctrl-C, or $0 stop${home_option}
TEXT
}

require_free_ports() {
  local port
  for ((port = first_port; port < first_port + 14; port++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      fail "port $port of 127.0.0.1 is taken: give another range by --ports"
    fi
  done
}

start() {
  if script_runs; then
    say "a pool runs already in $home; stop it by: $0 stop${home_option}"
    exit 0
  fi
  [[ -x $node ]] || fail "run 'npm ci' in $root first"
  [[ -z $config || -d $config ]] || fail "there is no folder $config; make it, or leave --config out"
  find_etcd
  mkdir -p "$logs" "$pids"
  # Of a script that was killed.
  stop_all
  require_free_ports
  rm -f "$logs"/*
  trap 'exit 0' INT TERM HUP
  trap 'trap "" INT TERM HUP; stop_all; rm -f "$pids/pool.sh"; say "The pool has stopped; nothing runs any more."' EXIT
  echo $$ >"$pids/pool.sh"
  say "certificates: $certs"
  make_certificates
  say "etcd: $etcd"
  start_etcd
  make_users
  [[ -n $config ]] || write_own_checks
  say "checks: $config"
  start_watcher
  tell
  keep_watch
}

# Says once of each part that it has gone; the pool is there to do without it.
keep_watch() {
  local name alive=("${etcd_names[@]}" "${admin_names[@]}" "${worker_names[@]}") still
  while ((${#alive[@]} > 0)); do
    still=()
    for name in "${alive[@]}"; do
      if part_runs "$name"; then still+=("$name"); else say "$name has ended; its log: $logs/$name.log"; fi
    done
    alive=("${still[@]}")
    sleep 1
  done
}

stop() {
  local step
  if script_runs; then
    kill "$(pid_of pool.sh)"
    for ((step = 0; step < 400; step++)); do
      script_runs || break
      sleep 0.1
    done
    script_runs && fail "process $(pid_of pool.sh) does not end"
  fi
  stop_all
  say "Nothing runs in $home."
}

status() {
  local name
  for name in "${etcd_names[@]}" "${admin_names[@]}" "${worker_names[@]}"; do
    if part_runs "$name"; then say "$name runs as process $(pid_of "$name")"; else say "$name does not run"; fi
  done
}

home_option=
[[ $home == "$root/.watcher/pool" ]] || home_option=" --home $home"
"$command"
