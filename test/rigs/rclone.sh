#!/usr/bin/env bash
# rclone, whose `serve s3` opens other stores by S3: as new as below, which no distribution has.
# usage: rclone.sh install      builds it with Go, unless it is there: with the backends alone that the tests use, a fifth of the time
#        rclone.sh path         prints where it is; fails where it isn't, or is too old
# RCLONE_BIN: its path. Without it: PATH, then Go's bin folder.
set -euo pipefail

VERSION=${RCLONE_VERSION:-v1.76.0}
OLDEST=1.76

gobin() {
  command -v go >/dev/null || return 1
  local bin
  bin=$(go env GOBIN)
  [ -n "$bin" ] || bin=$(go env GOPATH)/bin
  echo "$bin"
}

is_new() {
  local version
  version=$("$1" version 2>/dev/null | sed -n '1s/^rclone v\([0-9.]*\).*/\1/p')
  [ "$(printf '%s\n' "$OLDEST" "$version" | sort -V | head -n 1)" = "$OLDEST" ]
}

find_it() {
  local candidate
  for candidate in ${RCLONE_BIN:-$(command -v rclone || true) "$(gobin)/rclone"}; do
    if [ -x "$candidate" ] && is_new "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

build() {
  local source
  source=$(mktemp -d)
  cat >"$source/main.go" <<'END'
package main

import (
	_ "github.com/rclone/rclone/backend/crypt"
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/obscure"
	_ "github.com/rclone/rclone/cmd/serve"
	_ "github.com/rclone/rclone/cmd/serve/s3"
	_ "github.com/rclone/rclone/cmd/version"
)

func main() { cmd.Main() }
END
  printf 'module dag/rclone\n\ngo 1.25\n\nrequire github.com/rclone/rclone %s\n' "$VERSION" >"$source/go.mod"
  (cd "$source" && go mod tidy -e 2>/dev/null && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags="-s -w -X github.com/rclone/rclone/fs.Version=$VERSION" -o "$1" .)
  rm -rf "$source"
}

case ${1:-} in
path) find_it ;;
install)
  if at=$(find_it); then
    echo "rclone: $at"
    exit 0
  fi
  command -v go >/dev/null || { echo "rclone.sh: needs Go to build rclone $VERSION" >&2; exit 1; }
  build "${RCLONE_BIN:-$(gobin)/rclone}"
  echo "rclone: $(find_it)"
  ;;
*)
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
