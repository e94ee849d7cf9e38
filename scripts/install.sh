#!/bin/sh
# Installs a lock file into a virtual environment, and Freehold itself (editable) unless the third word is `alone`.
# Usage: scripts/install.sh FOLDER LOCKFILE [alone]. A second run with nothing changed does nothing and needs no network.
set -eu
cd "$(dirname "$0")/.."
venv=$1 lock=$2 alone=${3:-}

stop() {
    echo "freehold: $1" >&2
    echo "  what to do: $2" >&2
    exit 1
}

# pip warns of each retry; what counts are its errors. All of it stays in the log when something failed.
log=$venv/pip.log
heard() {
    while IFS= read -r line; do
        case $line in
        WARNING:*) ;;
        *) echo "$line" >&2 ;;
        esac
    done <"$log"
}

# pip and npm keep caches in the user's folder; without one they get a place of their own.
if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
    HOME=$PWD/$venv/home
    export HOME
fi

[ -f "$lock" ] || stop "there is no $lock" "the extras are postgres, parquet, hub and names"

stamp=$venv/.stamp-$(basename "$lock" .txt)
wanted=$(cat "$lock" pyproject.toml scripts/install.sh | cksum)-$PWD-$alone
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
    python=
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$name
            break
        fi
    done
    [ -n "$python" ] || stop "no Python 3.11 or newer found ($(python3 --version 2>&1 || true))" \
        "install Python 3.11+, or name it: make up PYTHON=/path/to/python3.11"
    echo "creating $venv with $("$python" --version)" >&2
    rm -rf "$venv" # remains of one that was never finished
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        stop "the virtual environment could not be made" \
            "see the lines above: disk space, permissions, or the package python3-venv on Debian and Ubuntu"
    fi
fi
mkdir -p "$HOME"

echo "installing $lock into $venv" >&2
# A lock file has all that is needed, so nothing else is looked for.
"$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet --progress-bar on \
    --require-hashes --no-deps -r "$lock" 2>"$log" || {
    heard
    stop "the packages of $lock were not installed" \
        "no network, a full disk, or a file whose hash is not the locked one: $log has all that pip said; run it again"
}
if [ -z "$alone" ]; then
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
        --no-index --no-deps --no-build-isolation --editable . ||
        stop "Freehold itself was not installed" "see the lines above"
fi
rm -f "$log"
printf '%s' "$wanted" >"$stamp"
