#!/bin/sh
# An authority of one's own, certificates for the members of etcd and for watcher, and the key of the
# pool, in the folder FOLDER. What is still good for a month is left as it is.
#
#   certificates.sh FOLDER [MEMBER...]
#
# FOLDER/authority  ca.key: whoever has it can make himself a member. Needed here only.
# FOLDER/etcd       for the members
# FOLDER/watcher    for admins and workers; owned by WATCHER_UID where it is set
set -eu

folder=${1:?the folder to write to}
shift
[ $# -gt 0 ] || set -- localhost
authority=$folder/authority etcd=$folder/etcd watcher=$folder/watcher
month=2592000 days=365

is_good() { openssl x509 -checkend $month -noout -in "$1" >/dev/null 2>&1; }

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

# FILE-WITHOUT-ENDING SUBJECT USAGE [SUBJECT-ALTERNATIVE-NAMES]
certificate() {
  new_key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  {
    echo "extendedKeyUsage=$3"
    [ -z "${4-}" ] || echo "subjectAltName=$4"
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$authority/ca.pem" -CAkey "$authority/ca.key" \
    -CAcreateserial -days $days -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}

umask 077
mkdir -p "$authority" "$etcd" "$watcher"

names=DNS:localhost,IP:127.0.0.1
for member in "$@"; do names=$names,DNS:$member; done

if ! is_good "$authority/ca.pem"; then
  new_key "$authority/ca.key"
  openssl req -x509 -new -key "$authority/ca.key" -days 3650 -subj '/CN=watcher pool' \
    -out "$authority/ca.pem"
  rm -f "$etcd"/*.pem "$watcher"/*.pem
fi
cp "$authority/ca.pem" "$etcd/ca.pem"
cp "$authority/ca.pem" "$watcher/etcd-ca.pem"

# One for each purpose: what a client holds cannot pose as a member. etcd dials itself with what it
# serves with, so these two are for both directions.
is_good "$etcd/server.pem" || certificate "$etcd/server" etcd serverAuth,clientAuth "$names"
is_good "$etcd/peer.pem" || certificate "$etcd/peer" etcd-peer serverAuth,clientAuth "$names"
is_good "$watcher/etcd-client.pem" || certificate "$watcher/etcd-client" watcher clientAuth
[ -s "$watcher/pool.key" ] || openssl rand -base64 32 >"$watcher/pool.key"

[ -z "${WATCHER_UID-}" ] || chown -R "$WATCHER_UID" "$watcher"
