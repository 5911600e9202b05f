#!/usr/bin/env bash
# The real binary on whatever Node is first in PATH: demo, an encrypted run, verify with the right and a wrong passphrase, extract, history.
set -euo pipefail
bin=$1
node --version
work=$(mktemp -d)
trap '[ -z "${sandbox:-}" ] || kill "$sandbox" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
kfbackup() { node "$bin" "$@"; }

kfbackup --version
kfbackup demo --items 200 -q
# Not through the function: the process itself has to be killed, or it keeps the output open.
node "$bin" sandbox --items 100 --json >sandbox.json &
sandbox=$!
for _ in $(seq 100); do [ -s sandbox.json ] && break; sleep 0.1; done
field() { node -p "JSON.parse(require('fs').readFileSync('sandbox.json','utf8').split('\n')[0]).$1"; }
export KISSFLOW_BASE_URL=$(field base_url) KISSFLOW_ACCOUNT_ID=$(field account_id)
export KISSFLOW_ACCESS_KEY_ID=$(field access_key_id) KISSFLOW_ACCESS_KEY_SECRET=$(field access_key_secret)
export KFBACKUP_STATE_DIR=$work/state KFBACKUP_PASSPHRASE='Smoke test 1'
cat >kfbackup.config.json <<'J'
{ "account": {}, "storage": { "mode": "local", "path": "./backups" },
  "encryption": { "format": "openssl", "passphrase": "${KFBACKUP_PASSPHRASE}" } }
J
kfbackup run -q
kfbackup verify latest
code=0; KFBACKUP_PASSPHRASE='Wrong pass 1' kfbackup verify latest || code=$?
[ "$code" = 12 ]
kfbackup extract latest --to out
[ -s out/UserAndGroup.json ]
kfbackup history --json | grep -q '"message_type":"run"'
echo "smoke suite passed on $(node --version)"
