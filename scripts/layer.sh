#!/bin/sh
# Builds the layer `dependencies` of serverless.yml: layer.sh UV PYTHON
# LAYER_PLATFORM=x86_64-manylinux2014 builds it for AWS on a machine that is not Linux.
set -eu
uv=$1 python=$2
target=.build/layers/dependencies
wanted=$({ cat functions/requirements.lock; echo "$python ${LAYER_PLATFORM:-}"; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
stamp=.build/stamps/layer
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -d "$target/python" ]; then
    exit 0
fi
echo "set-up: layer dependencies"
rm -rf "$target"
mkdir -p "$target" "$(dirname "$stamp")"
"$uv" pip install --quiet --python "$python" --target "$target/python" --require-hashes \
    ${LAYER_PLATFORM:+--python-platform "$LAYER_PLATFORM"} -r functions/requirements.lock
# Command-line entry points and uv's own lock are nothing that a function needs.
rm -rf "$target/python/bin" "$target/python/.lock"
printf '%s' "$wanted" > "$stamp"
