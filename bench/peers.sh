#!/bin/sh
# Installs what the benches measure beside us, into .build/peers: peers.sh
# Versions are pinned here; nothing of it is part of the stack.
set -eu
cd "$(dirname "$0")/.."
target=.build/peers
UV=$PWD/.venv/bin/uv
if [ ! -x "$target/python/bin/ministack" ]; then
    echo "bench: installing MiniStack and uvicorn"
    "$UV" venv --quiet --clear --python .venv/bin/python "$target/python"
    "$UV" pip install --quiet --python "$target/python/bin/python" \
        ministack uvicorn httptools uvloop
fi
if [ ! -x "$target/offline/node_modules/.bin/osls" ]; then
    command -v npm >/dev/null 2>&1 || { echo "npm is missing: serverless-offline is not measured"; exit 0; }
    echo "bench: installing serverless-offline"
    mkdir -p "$target/offline"
    npm install --loglevel=error --no-audit --no-fund --no-update-notifier --ignore-scripts \
        --prefix "$target/offline" --cache "${npm_config_cache:-$PWD/.build/cache/npm}" \
        osls@3.77.1 serverless-offline@13.10.1
fi
