#!/usr/bin/env bash
# WebGPU without a GPU: npm's webgpu (Dawn) and @tensorflow/tfjs-backend-webgpu, with Chrome's software driver for Vulkan,
# SwiftShader, out of Debian's chromium-common (which is not installed: three files are taken). For Linux.
# usage: webgpu.sh install     makes it, unless it is there: half a minute, 170 MB
#        webgpu.sh path        prints the folder with node_modules, and vulkan/ for LD_LIBRARY_PATH; fails where there is none
# DAG_WEBGPU: that folder.
set -euo pipefail

WEBGPU_VERSION=${WEBGPU_VERSION:-0.6.2}
TFJS_VERSION=${TFJS_VERSION:-4.22.0}
at=${DAG_WEBGPU:-${XDG_CACHE_HOME:-$HOME/.cache}/dag-ci/webgpu}
files=(libvk_swiftshader.so vk_swiftshader_icd.json libvulkan.so.1)

die() {
  echo "webgpu.sh: $*" >&2
  exit 1
}

is_there() {
  [ "$(cat "$at/made-of" 2>/dev/null)" = "webgpu $WEBGPU_VERSION, tfjs $TFJS_VERSION" ]
}

# Puts the driver and the loader into vulkan/: those of an installed Chromium, or out of Debian's package.
fetch_driver() {
  local from=/usr/lib/chromium
  if [ ! -f "$from/${files[0]}" ]; then
    command -v apt-get >/dev/null || die 'needs apt-get, for chromium-common'
    mkdir deb
    (cd deb && { apt-get download -q chromium-common >/dev/null 2>&1 || { apt-get update -q >/dev/null && apt-get download -q chromium-common >/dev/null; }; })
    dpkg -x deb/*.deb deb
    from=deb/usr/lib/chromium
  fi
  mkdir vulkan
  for file in "${files[@]}"; do cp "$from/$file" vulkan/; done
  rm -rf deb
}

install() {
  local making=$at.making
  rm -rf "$making"
  mkdir -p "$making"
  trap "rm -rf '$making'" EXIT
  cd "$making"
  echo '{"name":"webgpu-rig","private":true}' >package.json
  npm install --no-audit --no-fund --loglevel=error "webgpu@$WEBGPU_VERSION" \
    "@tensorflow/tfjs-backend-webgpu@$TFJS_VERSION" "@tensorflow/tfjs-core@$TFJS_VERSION" "@tensorflow/tfjs-layers@$TFJS_VERSION"
  fetch_driver
  echo "webgpu $WEBGPU_VERSION, tfjs $TFJS_VERSION" >made-of
  cd "$(dirname "$at")"
  rm -rf "$at"
  mv "$making" "$at"
}

case ${1:-} in
path)
  is_there && echo "$at"
  ;;
install)
  [ "$(uname -s)" = Linux ] || die 'is for Linux'
  mkdir -p "$(dirname "$at")"
  exec 9>"$at.lock"
  command -v flock >/dev/null && flock 9
  is_there || install
  echo "webgpu: $at"
  ;;
*)
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
