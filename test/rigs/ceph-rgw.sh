#!/usr/bin/env bash
# Ceph's S3 gateway for tests, on loopback: one monitor, one store in memory, one gateway. Old and quirky where it comes from a
# distribution (16.2 in Debian 12): accepts wrong checksums, refuses bodies without a length, overwrites where an upload in
# parts is conditional.
# usage: ceph-rgw.sh missing                          says which programs are not there, if any
#        ceph-rgw.sh start FOLDER MONITOR_PORT PORT   FOLDER: absolute, for its state, which is removed first
#        ceph-rgw.sh stop FOLDER
# Its owner's keys are CEPH_ACCESS_KEY and CEPH_SECRET_KEY. Debian: apt-get install --no-install-recommends ceph-mon ceph-osd
# radosgw ceph-common.
set -euo pipefail

PROGRAMS=(ceph ceph-authtool ceph-mon ceph-osd monmaptool radosgw radosgw-admin curl)

configure() {
  local state=$1 monitor=$2 port=$3
  cat <<END
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon host = v2:127.0.0.1:$monitor
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = $state/keyring
ms bind ipv6 = false
ms bind msgr1 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd crush chooseleaf type = 0
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
mon max pg per osd = 1000
auth allow insecure global id reclaim = false
run dir = $state/run
admin socket = $state/run/\$name.asok
log file = $state/log/\$name.log
pid file = $state/run/\$name.pid
[mon.a]
mon data = $state/mon
[osd.0]
osd data = $state/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw data = $state/rgw
rgw thread pool size = 64
END
}

keys() {
  local keyring=$1
  ceph-authtool -C "$keyring" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  ceph-authtool "$keyring" --gen-key -n client.rgw --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
}

start() {
  local state=$1 monitor=$2 port=$3
  local conf=$state/ceph.conf osd
  rm -rf "$state"
  mkdir -p "$state"/{mon,osd,run,log,rgw}
  configure "$state" "$monitor" "$port" >"$conf"
  {
    keys "$state/keyring"
    monmaptool --create --fsid "$(sed -n 's/^fsid = //p' "$conf")" --addv a "[v2:127.0.0.1:$monitor]" "$state/monmap"
    ceph-mon -c "$conf" -i a --mkfs --monmap "$state/monmap" --keyring "$state/keyring"
    ceph-mon -c "$conf" -i a
    osd=$(cat /proc/sys/kernel/random/uuid)
    ceph -c "$conf" osd create "$osd" 0
    ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd"
    ceph-osd -c "$conf" -i 0
    radosgw-admin -c "$conf" -n client.rgw user create --uid=dag --display-name=dag \
      --access-key="$CEPH_ACCESS_KEY" --secret-key="$CEPH_SECRET_KEY"
    radosgw -c "$conf" -n client.rgw
  } >"$state/log/start" 2>&1 </dev/null || { cat "$state/log/start" >&2; return 1; }
  for _ in $(seq 240); do
    curl -s -o /dev/null "http://127.0.0.1:$port/" && return
    sleep 0.25
  done
  echo "ceph-rgw.sh: the gateway does not answer; see $state/log" >&2
  return 1
}

# Its state is in memory: there is nothing to be saved.
stop() {
  local state=$1 name pid
  for name in client.rgw osd.0 mon.a; do
    pid=$(cat "$state/run/$name.pid" 2>/dev/null) && kill -9 "$pid" 2>/dev/null || true
  done
}

case ${1:-} in
missing) for program in "${PROGRAMS[@]}"; do command -v "$program" >/dev/null || echo "$program"; done ;;
start) start "$2" "$3" "$4" ;;
stop) stop "$2" ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
