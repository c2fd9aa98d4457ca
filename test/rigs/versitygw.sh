#!/usr/bin/env bash
# A real S3 server for tests, on loopback: versitygw, which keeps a bucket as a folder of files.
# usage: versitygw.sh install      builds it with Go, unless it is there
#        versitygw.sh path         prints where it is; fails where it isn't
# VGW_BIN: its path. Without it: PATH, then Go's bin folder.
# The tests start their own servers (s3.ts); this script only sees to it that there is one to start.
set -euo pipefail

VERSION=${VGW_VERSION:-v1.8.0}

gobin() {
  command -v go >/dev/null || return 1
  local bin
  bin=$(go env GOBIN)
  [ -n "$bin" ] || bin=$(go env GOPATH)/bin
  echo "$bin"
}

find_it() {
  if [ -n "${VGW_BIN:-}" ]; then
    [ -x "$VGW_BIN" ] && echo "$VGW_BIN"
    return
  fi
  command -v versitygw && return
  local bin
  bin=$(gobin) && [ -x "$bin/versitygw" ] && echo "$bin/versitygw"
}

case ${1:-} in
path) find_it ;;
install)
  if at=$(find_it); then
    echo "versitygw: $at"
    exit 0
  fi
  command -v go >/dev/null || { echo "versitygw.sh: needs Go to build versitygw $VERSION" >&2; exit 1; }
  if [ -n "${VGW_BIN:-}" ]; then export GOBIN; GOBIN=$(dirname "$VGW_BIN"); fi
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false go install -trimpath -ldflags='-s -w' "github.com/versity/versitygw/cmd/versitygw@$VERSION"
  echo "versitygw: $(find_it)"
  ;;
*)
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
