#!/usr/bin/env bash
# A real S3 server for the tests, on the loopback: OpenStack Swift (one replica) with its S3 API, from Debian packages.
#
#   test/services/s3-server.sh start [FOLDER]   installs what is missing, starts, prints shell exports for the tests
#   test/services/s3-server.sh stop  [FOLDER]   stops what it started in FOLDER and removes FOLDER
#   test/services/s3-server.sh packages         prints the packages it needs
#
# S3_PORT (8085) and the four ports after it must be free. Addressing is path-style, the region us-east-1, parts have 5 MiB and more.
# What it has not: storage classes, server-side encryption, IAM policies; it takes object lock headers and ignores them.
# Tests of those look at what is sent, or at how the ignored lock is noticed.
set -euo pipefail

packages=(swift-proxy swift-account swift-container swift-object memcached curl)
action=${1:-}
folder=${2:-${TMPDIR:-/tmp}/kfbackup-s3-server}
port=${S3_PORT:-8085}
mark=$folder/.made-by-kfbackup-s3-server
me=$(id -un)

die() { echo "s3-server: $*" >&2; exit 1; }

is_ours() { [ -e "$mark" ]; }

# Ends exactly the processes whose ids were written down at the start, and only while they still are those programs.
stop_all() {
  local file pid
  for file in "$folder"/run/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    if tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -e swift- -e memcached; then kill "$pid" 2>/dev/null || true; fi
    rm -f "$file"
  done
}

install_missing() {
  if command -v swift-proxy-server >/dev/null && command -v memcached >/dev/null && command -v curl >/dev/null; then return; fi
  local sudo=''
  if [ "$(id -u)" != 0 ]; then sudo='sudo -n'; fi
  $sudo apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

require_free_ports() {
  local candidate
  for candidate in $(seq "$port" $((port + 4))); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then die "port $candidate is taken; set S3_PORT to the first of five free ones"; fi
  done
}

common() { # bind port
  printf '[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = %s\nswift_dir = %s/etc\nuser = %s\nworkers = 1\nlog_level = WARNING\n' "$1" "$folder" "$me"
}

write_settings() {
  local name number=2
  mkdir -p "$folder"/{etc,run,devices/disk}
  touch "$mark"
  printf '[swift-hash]\nswift_hash_path_prefix = kfbackup\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = only\ndefault = yes\n' >"$folder/etc/swift.conf"
  for name in account container object; do
    (
      cd "$folder/etc"
      swift-ring-builder "$name.builder" create 4 1 1
      swift-ring-builder "$name.builder" add --region 1 --zone 1 --ip 127.0.0.1 --port $((port + number)) --device disk --weight 1
      swift-ring-builder "$name.builder" rebalance || true # it warns of a single replica with exit code 1
    ) >/dev/null
    {
      common $((port + number))
      printf 'devices = %s/devices\nmount_check = false\n[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' "$folder" "$name" "$name" "$name"
    } >"$folder/etc/$name-server.conf"
    number=$((number + 1))
  done
  {
    common "$port"
    cat <<END
[pipeline:main]
pipeline = catch_errors cache s3api tempauth copy bulk slo dlo versioned_writes symlink proxy-server
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:$((port + 1))
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
dns_compliant_bucket_names = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
END
    for name in catch_errors copy bulk slo dlo symlink; do printf '[filter:%s]\nuse = egg:swift#%s\n' "$name" "$name"; done
  } >"$folder/etc/proxy-server.conf"
}

launch() { # name, command...
  local name=$1
  shift
  setsid "$@" >"$folder/run/$name.log" 2>&1 </dev/null &
  echo $! >"$folder/run/$name.pid"
}

answers() { curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$port/"; }

case $action in
  packages) echo "${packages[@]}" ;;
  stop)
    if is_ours; then
      stop_all
      rm -rf "$folder"
    fi
    ;;
  start)
    if [ -e "$folder" ] && ! is_ours; then die "$folder exists and was not made by this script"; fi
    if is_ours; then stop_all; fi
    install_missing
    for _ in 1 2 3 4 5 6; do
      (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break # an instance just stopped may need a moment
      sleep 0.5
    done
    require_free_ports
    rm -rf "$folder"
    write_settings
    launch memcached memcached -u "$me" -l 127.0.0.1 -p $((port + 1))
    for name in account container object proxy; do launch "$name" "swift-$name-server" "$folder/etc/$name-server.conf"; done
    for _ in $(seq 1 80); do
      if answers; then break; fi
      sleep 0.5
    done
    if ! answers; then
      tail -n 5 "$folder"/run/*.log >&2
      stop_all
      die "it does not answer on port $port"
    fi
    printf 'export KFBACKUP_TEST_S3_ENDPOINT=http://127.0.0.1:%s\nexport AWS_ACCESS_KEY_ID=test:tester\nexport AWS_SECRET_ACCESS_KEY=testing\nexport AWS_REGION=us-east-1\n' "$port"
    ;;
  *)
    sed -n '2,11p' "$0"
    exit 2
    ;;
esac
