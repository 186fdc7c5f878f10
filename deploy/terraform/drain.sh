#!/bin/bash
# Waits until the group wants this machine gone, has the workers hand their checks to others, and lets
# the machine go. REGION, GROUP and HOOK stand in /etc/watcher/drain.env.
set -euo pipefail

metadata=${METADATA-http://169.254.169.254}/latest

token() {
  curl --fail --silent --max-time 2 --request PUT "$metadata/api/token" \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60'
}

# Nothing while it is in no group, or when nobody answers: asked again.
about() {
  curl --fail --silent --max-time 2 "$metadata/meta-data/$1" \
    --header "X-aws-ec2-metadata-token: $(token)" || true
}

until [[ $(about autoscaling/target-lifecycle-state) == Terminated ]]; do
  sleep "${PAUSE-5}"
done

echo 'this machine is to go: its workers drain'
# It returns when they have ended.
systemctl stop 'watcher-worker@*.service'

instance=$(about instance-id)
until aws autoscaling complete-lifecycle-action --region "$REGION" \
  --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
  --instance-id "$instance" --lifecycle-action-result CONTINUE; do
  sleep "${PAUSE-5}"
done
echo 'drained'
