#!/bin/sh
# Regenerates the lock files: exact versions and every hash, no index, no host. Needs `uv`. Python 3.11, Linux.
# Usage: scripts/lock.sh [--upgrade]
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --generate-hashes --no-emit-index-url --no-header --quiet \
        --python-version 3.11 --python-platform x86_64-unknown-linux-gnu "$@"
}
compile pyproject.toml requirements/base.in --extra local -o requirements/base.txt "$@"
compile pyproject.toml requirements/base.in requirements/test.in --all-extras \
    --constraint requirements/base.txt -o requirements/test.txt "$@"
for extra in postgres parquet hub names; do
    compile pyproject.toml --extra $extra --constraint requirements/test.txt -o requirements/$extra.txt "$@"
done
compile requirements/bench.in -o requirements/bench.txt "$@"
compile requirements/guards.in -o requirements/guards.txt "$@"
(cd web && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved)
(cd tests/node && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved)
