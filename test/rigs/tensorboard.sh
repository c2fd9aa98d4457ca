#!/usr/bin/env bash
# The real TensorBoard, whose reader tests hold our event files to.
#   tensorboard.sh install   installs it, where it is not there, into a folder of its own under the user's cache
#   tensorboard.sh python    prints the Python that has it, or fails
# TENSORBOARD_PYTHON: one that is there already.
set -euo pipefail

VERSION=2.21.0
venv=${XDG_CACHE_HOME:-$HOME/.cache}/dag-ci/tensorboard

has() { "$1" -c 'import tensorboard.backend.event_processing.event_accumulator' >/dev/null 2>&1; }

find_python() {
  for python in "${TENSORBOARD_PYTHON:-}" "$venv/bin/python"; do
    if [ -n "$python" ] && [ -x "$python" ] && has "$python"; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

case ${1:-} in
  python) find_python ;;
  install)
    find_python >/dev/null || {
      python3 -m venv --clear "$venv"
      "$venv/bin/python" -m pip install --quiet "tensorboard==$VERSION"
      has "$venv/bin/python"
    }
    ;;
  *)
    sed -n "2,5p" "$0" >&2
    exit 2
    ;;
esac
