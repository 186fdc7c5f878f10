# shellcheck shell=bash disable=SC2154
# The first start of a machine of the group, behind lines that set `region`, `group`, `hook`,
# `processes`, `secrets` and, in base64, `settings`, `worker_unit`, `drain_unit` and `drain_script`
# (autoscaling.tf). It ends before a worker has started: systemd does the rest.
set -euo pipefail

root=${BOOT_ROOT-}
umask 022
mkdir -p "$root/etc/watcher" "$root/etc/systemd/system" "$root/opt/watcher"
base64 -d <<<"$settings" >"$root/etc/watcher/watcher.yml"
base64 -d <<<"$worker_unit" >"$root/etc/systemd/system/watcher-worker@.service"
base64 -d <<<"$drain_unit" >"$root/etc/systemd/system/watcher-drain.service"
base64 -d <<<"$drain_script" >"$root/opt/watcher/drain.sh"
chmod 0755 "$root/opt/watcher/drain.sh"
printf 'REGION=%s\nGROUP=%s\nHOOK=%s\n' "$region" "$group" "$hook" >"$root/etc/watcher/drain.env"

# For root alone; systemd shows them to the workers.
umask 077
mkdir -p "$root/etc/watcher/credentials"
for pair in $secrets; do
  file=$root/etc/watcher/credentials/${pair%%=*}
  # A role that was made just now is not known everywhere yet.
  for attempt in 1 2 3 4 5 6; do
    if aws secretsmanager get-secret-value --region "$region" --secret-id "${pair#*=}" \
      --query SecretString --output text >"$file"; then
      break
    elif ((attempt == 6)); then
      echo "boot: the secret ${pair%%=*} cannot be read" >&2
      exit 1
    fi
    sleep "${BOOT_PAUSE-5}"
  done
done

systemctl daemon-reload
systemctl enable --now watcher-drain.service
for ((number = 1; number <= processes; number++)); do
  systemctl enable --now "watcher-worker@$number.service"
done
