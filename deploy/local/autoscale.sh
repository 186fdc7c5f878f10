#!/usr/bin/env bash
# An autoscaling group on one machine; see autoscale.sh --help.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=$root/node_modules/.bin/node
if [[ ! -x $node ]]; then
  printf "autoscale.sh: run 'npm ci' in %s first\n" "$root" >&2
  exit 1
fi
exec "$node" "$root/deploy/local/autoscale.ts" "$@"
