#!/bin/sh
# Lays the browser's packages, pinned by package-lock.json, beside the page. Does nothing when they are there.
set -eu
cd "$(dirname "$0")/.."
target=src/freehold/console/static/vendor
wanted=$(cat web/package-lock.json scripts/vendor.py web/types/*.mts web/types/*/*.mts | cksum)
[ "$(cat $target/.stamp 2>/dev/null)" = "$wanted" ] && exit 0

stop() {
    echo "freehold: $1" >&2
    echo "  what to do: $2" >&2
    exit 1
}

command -v npm >/dev/null 2>&1 || stop "npm is not installed, and the page needs packages from it" \
    "install Node.js with npm"
if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
    HOME=$PWD/.venv/home
    export HOME
    mkdir -p "$HOME"
fi
echo "installing the browser packages" >&2
(cd web && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --silent) ||
    stop "the browser packages were not installed" "see the lines above: no network, a full disk, or a wrong hash"
.venv/bin/python scripts/vendor.py
printf '%s' "$wanted" >$target/.stamp
