#!/bin/sh
# Installs the deployment tools that are tested into .build/tools, once per lock: install.sh [sam|cdk]
# The locks name versions and hashes but no registry: uv and npm ask the one they are configured for.
set -eu
cd "$(dirname "$0")/../.."
CACHE=$PWD/.build/cache
fail() { echo "$*" >&2; exit 1; }

# install NAME FILE…: makes .build/tools/NAME anew by install_NAME, when a file has changed.
install() {
    name=$1 target=.build/tools/$1
    shift
    wanted=$(cat tests/tools/install.sh "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
    [ "$(cat "$target/.installed" 2>/dev/null)" != "$wanted" ] || return 0
    echo "set-up: $name"
    rm -rf "$target"
    mkdir -p "$target"
    "install_$name" "$target"
    printf '%s' "$wanted" > "$target/.installed"
}

install_sam() {
    [ -x .venv/bin/uv ] || fail "The AWS SAM CLI is installed with .venv/bin/uv, which is missing: make setup"
    export UV_CACHE_DIR="${UV_CACHE_DIR:-$CACHE/uv}"
    .venv/bin/uv venv --quiet --no-project --python .venv/bin/python --clear "$1"
    .venv/bin/uv pip install --quiet --require-hashes --no-deps --python "$1/bin/python" -r tests/tools/sam.lock ||
        fail "The AWS SAM CLI cannot be installed (see above): does the package index answer?"
}

install_cdk() {
    command -v npm >/dev/null 2>&1 || fail "npm is missing. Install it, for example: apt-get install npm"
    cp tests/tools/cdk/package.json tests/tools/cdk/package-lock.json "$1/"
    npm ci --loglevel=error --prefix "$1" --cache "${npm_config_cache:-$CACHE/npm}" \
        --ignore-scripts --no-audit --no-fund --no-update-notifier ||
        fail "The AWS CDK cannot be installed (see above): does the npm registry answer?"
}

case ${1:-all} in
sam | all) install sam tests/tools/sam.lock ;;
esac
case ${1:-all} in
cdk | all) install cdk tests/tools/cdk/package.json tests/tools/cdk/package-lock.json ;;
esac
