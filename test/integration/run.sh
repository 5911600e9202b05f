#!/usr/bin/env bash
# What `npm test` cannot do with Node, openssl and unzip alone: a real S3 server, the age program, zsh and fish, systemd-analyze, tmux, large files.
# Installs what is missing from Debian packages (as root), starts the S3 server, runs the suite, stops it.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=()
command -v age >/dev/null || packages+=(age)
command -v zsh >/dev/null || packages+=(zsh)
command -v fish >/dev/null || packages+=(fish)
command -v systemd-analyze >/dev/null || packages+=(systemd)
command -v tmux >/dev/null || packages+=(tmux)
command -v zip >/dev/null || packages+=(zip)
command -v python3 >/dev/null || packages+=(python3)
command -v script >/dev/null || packages+=(bsdutils)
if [ ${#packages[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ]; then echo "test:integration needs: ${packages[*]}; install them, or run as root." >&2; exit 1; fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi
if [ -z "${KFBACKUP_TEST_S3_ENDPOINT:-}" ]; then
  dir=$(mktemp -d)/s3
  settings=$(bash test/services/s3-server.sh start "$dir")
  trap 'bash test/services/s3-server.sh stop "$dir"' EXIT
  eval "$settings"
fi
npx vitest run --config test/integration/vitest.config.ts "$@"
