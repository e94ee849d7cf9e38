#!/bin/sh
# What the tests need besides Python packages: PostgreSQL, a browser with fonts, Node's packages for tests, and tsc.
# Does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."

stop() {
    echo "freehold: $1" >&2
    echo "  what to do: $2" >&2
    exit 1
}

have_postgres() {
    command -v postgres >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1
}

if ! have_postgres; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing PostgreSQL" >&2
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } >/dev/null ||
            stop "PostgreSQL was not installed" "see the lines above"
    else
        stop "the tests of the store need PostgreSQL" "install it, e.g. sudo apt-get install postgresql"
    fi
    have_postgres || stop "PostgreSQL was installed, but its server is not found" "put its bin folder on PATH"
fi

have_browser() {
    [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
        command -v google-chrome >/dev/null 2>&1
}

if ! have_browser; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing chromium" >&2
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core \
            fonts-noto-core; } >/dev/null || stop "chromium was not installed" "see the lines above"
    else
        stop "the tests of the page need a browser" "install it, e.g. sudo apt-get install chromium fonts-noto-core"
    fi
    have_browser || stop "chromium was installed, but is not found" "name it: CHROMIUM=/path/to/chromium"
fi

command -v node >/dev/null 2>&1 || stop "the tests of the official Node client need Node.js" "install Node.js with npm"
if [ -z "${HOME:-}" ] || [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then
    HOME=$PWD/.venv/home
    export HOME
    mkdir -p "$HOME"
fi

# node_packages FOLDER WHAT: lay the packages of its lock file into it, unless they are there.
node_packages() {
    wanted=$(cksum <"$1/package-lock.json")
    if [ "$(cat "$1/node_modules/.stamp" 2>/dev/null)" != "$wanted" ]; then
        (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --silent) ||
            stop "$2 was not installed" "see the lines above: no network, a full disk, or a wrong hash"
        printf '%s' "$wanted" >"$1/node_modules/.stamp"
    fi
}

node_packages tests/node "the Node client"
node_packages tests/node/oidc "the identity provider of the tests"
# The compiler that checks the page's types; `scripts/browser.sh` lays only what the page itself needs.
node_packages web "the compiler of the page's types"
