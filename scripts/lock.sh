#!/bin/sh
# Resolves every set of dependencies anew: lock.sh
set -eu
cd "$(dirname "$0")/.."
python=3.12
compile() {
    .venv/bin/uv pip compile --universal --python-version $python --generate-hashes --quiet \
        --no-annotate --no-header --upgrade "$@"
}
compile scripts/tools.in -o scripts/tools.lock
compile emulator/plugin/pyproject.toml emulator/engine/pyproject.toml -o emulator/requirements.lock
compile emulator/engine/pyproject.toml --extra otel -c emulator/requirements.lock -o emulator/requirements-otel.lock
compile emulator/requirements-vision.in -c emulator/requirements.lock -o emulator/requirements-vision.lock
compile --no-deps emulator/plugin/vision-models.in -o emulator/plugin/vision-models.lock
compile --no-deps tests/rekognition/pictures.in -o tests/rekognition/pictures.lock
compile tests/tools/sam.in -o tests/tools/sam.lock
compile pyproject.toml --extra dev -c emulator/requirements.lock -o requirements.lock
compile pyproject.toml -c requirements.lock -o bootstrap/requirements.lock
compile functions/requirements.in -c requirements.lock -o functions/requirements.lock
# Functions run with Python 3.9, too, for which the other locks' versions need not be.
python=3.9
pins() { sed -n "s/^\([A-Za-z0-9._-]*==[^ ;]*\).*/\1 ; python_version >= '3.10'/p" "$1" >.build/pins.in; }
pins emulator/requirements.lock
compile emulator/python-runtime/requirements.in -c .build/pins.in -o emulator/python-runtime/requirements.lock
pins functions/requirements.lock
compile emulator/python-runtime/preload.in -c .build/pins.in -o emulator/python-runtime/preload.lock
compile emulator/python-runtime/debug.in -o emulator/python-runtime/debug.lock
