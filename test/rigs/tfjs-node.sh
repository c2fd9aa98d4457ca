#!/usr/bin/env bash
# The native TensorFlow.js, @tensorflow/tfjs-node, from the package registries alone: npm's sources, compiled against the C
# library of PyPI's TensorFlow, with @tensorflow/tfjs-backend-wasm beside it. For Linux.
# usage: tfjs-node.sh install     makes it, unless it is there: a minute, 650 MB
#        tfjs-node.sh path        prints the folder whose node_modules has it; fails where there is none
# Needs Node, npm, Python 3 with pip, a C++ compiler and make. It is there as a whole or not at all, whenever this is ended.
# DAG_TFJS_NODE: that folder. TF_PACKAGE, TF_VERSION: the package of PyPI. NODEDIR: a folder with include/node.
set -euo pipefail

TFJS_VERSION=${TFJS_VERSION:-4.22.0}
TF_PACKAGE=${TF_PACKAGE:-tensorflow-cpu}
TF_VERSION=${TF_VERSION:-2.15.1}
at=${DAG_TFJS_NODE:-${XDG_CACHE_HOME:-$HOME/.cache}/dag-ci/tfjs-node}
stamp="tfjs-node $TFJS_VERSION on $TF_PACKAGE $TF_VERSION"

die() {
  echo "tfjs-node.sh: $*" >&2
  exit 1
}

# A folder of somebody's own has no stamp of ours: that it has the addon will do.
is_there() {
  compgen -G "$at/node_modules/@tensorflow/tfjs-node/lib/napi-v*/tfjs_binding.node" >/dev/null || return 1
  [ ! -f "$at/made-of" ] || [ "$(cat "$at/made-of")" = "$stamp" ]
}

# The JavaScript half; install scripts would download a library that this makes itself.
fetch_packages() {
  echo '{"name":"tfjs-node","private":true}' >package.json
  npm install --ignore-scripts --no-audit --no-fund --loglevel=error \
    "@tensorflow/tfjs-node@$TFJS_VERSION" "@tensorflow/tfjs-backend-wasm@$TFJS_VERSION"
}

# The wheel is only unpacked: for which Python it was made does not matter.
fetch_wheel() {
  local machine python
  machine=$(uname -m)
  for python in 3.11 3.10 3.12 3.9; do
    if python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
      --implementation cp --python-version "$python" --platform "manylinux2014_$machine" \
      --platform "manylinux_2_17_$machine" -d "$1" "$TF_PACKAGE==$TF_VERSION" 2>"$1/error"; then
      return
    fi
  done
  cat "$1/error" >&2
  die "PyPI has no $TF_PACKAGE $TF_VERSION for $machine"
}

# Two shared libraries and the C headers, where the package's own install script would put them.
unpack_library() {
  python3 - "$1" "$2/deps" <<'PY'
import glob, os, shutil, sys, zipfile
wheels, out = sys.argv[1:]
libraries = ('libtensorflow_cc.so.2', 'libtensorflow_framework.so.2')
headers = tuple('include/' + name for name in ('tensorflow/c/', 'tensorflow/core/platform/', 'tensorflow/tsl/', 'tsl/', 'xla/tsl/'))
with zipfile.ZipFile(glob.glob(wheels + '/*.whl')[0]) as wheel:
    for name in wheel.namelist():
        inner = name.partition('tensorflow/')[2]
        if not name.startswith('tensorflow/') or name.endswith('/'): continue
        if inner in libraries: target = 'lib/' + inner
        elif inner.startswith(headers): target = inner
        else: continue
        target = os.path.join(out, target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with wheel.open(name) as source, open(target, 'wb') as file: shutil.copyfileobj(source, file, 1 << 20)
for name in ('lib/' + libraries[0], 'lib/' + libraries[1], 'include/tensorflow/c/c_api.h'):
    if not os.path.exists(os.path.join(out, name)): sys.exit('the wheel has no ' + name)
PY
  local expected name
  expected=$(sed -n "s/^const LIBTENSORFLOW_VERSION = '\(.*\)';/\1/p" "$2/scripts/deps-constants.js")
  for name in libtensorflow.so "libtensorflow.so.$expected"; do ln -sf libtensorflow_cc.so.2 "$2/deps/lib/$name"; done
  for name in libtensorflow_framework.so "libtensorflow_framework.so.$expected"; do
    ln -sf libtensorflow_framework.so.2 "$2/deps/lib/$name"
  done
}

# Node's headers: those beside node, or npm's for this very version.
node_headers() {
  local folder
  folder=${NODEDIR:-$(dirname "$(dirname "$(node -p process.execPath)")")}
  if [ ! -f "$folder/include/node/node_api.h" ]; then
    folder=$1/node
    mkdir -p "$folder"
    (cd "$1" && npm pack --silent --loglevel=error "$(node -p '`node-linux-${process.arch}@${process.versions.node}`')" >/dev/null)
    tar xzf "$1"/node-linux-*.tgz -C "$folder" --strip-components=1 package/include
  fi
  echo "$folder"
}

# N-API 8: one addon serves all versions of Node from 15 on. npm exec has node-pre-gyp use npm's own node-gyp.
compile() {
  echo '{"tf-lib":"in place"}' >"$1/scripts/custom-binary.json" # then its install script downloads nothing
  local headers
  headers=$(node_headers "$2")
  npm_config_nodedir=$headers npm_package_config_node_gyp_nodedir=$headers \
    npm exec --offline --loglevel=error -c "cd '$1' && node scripts/install.js" >"$2/compiled" 2>&1 ||
    { cat "$2/compiled" >&2; die 'the addon does not compile'; }
  rm -rf "$1/build" "$1"/build-tmp-* "$1/deps/include"
}

prove() {
  TF_CPP_MIN_LOG_LEVEL=2 node -e "
    const tf = require('@tensorflow/tfjs-node');
    const [sum] = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).dataSync();
    if (tf.getBackend() !== 'tensorflow' || sum !== 3) throw new Error('it loads, and computes wrongly: ' + sum);
    console.log('tfjs-node ' + tf.version['tfjs-node'] + ' on TensorFlow ' + tf.backend().binding.TF_Version);"
}

install() {
  command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || die 'needs Python 3 with pip'
  command -v c++ >/dev/null && command -v make >/dev/null || die 'needs a C++ compiler and make'
  local making=$at.making tools=$at.tools
  rm -rf "$making" "$tools"
  mkdir -p "$making" "$tools"
  trap "rm -rf '$making' '$tools'" EXIT
  cd "$making"
  fetch_packages
  local package=$making/node_modules/@tensorflow/tfjs-node
  fetch_wheel "$tools"
  unpack_library "$tools" "$package"
  compile "$package" "$tools"
  prove
  echo "$stamp" >made-of
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
  command -v flock >/dev/null && flock 9 # of two at once, the second finds what the first made
  is_there || install
  echo "tfjs-node: $at"
  ;;
*)
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
