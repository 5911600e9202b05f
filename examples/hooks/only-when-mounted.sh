#!/bin/sh
# For the config:  "commands": { "before": ["/etc/kfbackup/only-when-mounted.sh", "/mnt/backup"] }
# Exit 75 skips the run without an alarm; the next look at the schedule tries again. Any other failure stops the run with exit 1.
set -eu
disk=${1:?name the mount point}
if ! mountpoint -q "$disk"; then
  echo "$disk is not mounted; no backup of ${KFBACKUP_ACCOUNT:-the account} now" >&2
  exit 75
fi
if ! [ -w "$disk" ]; then
  echo "$disk cannot be written to" >&2
  exit 1
fi
