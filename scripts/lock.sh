#!/bin/sh
# Resolves every set of dependencies anew: lock.sh
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --universal --python-version 3.12 --generate-hashes --quiet \
        --no-annotate --no-header --upgrade "$@"
}
compile scripts/tools.in -o scripts/tools.lock
compile emulator/plugin/pyproject.toml emulator/executor/pyproject.toml -o emulator/requirements.lock
compile emulator/plugin/pyproject.toml --extra vision -c emulator/requirements.lock -o emulator/requirements-vision.lock
compile pyproject.toml --extra dev -c emulator/requirements.lock -o requirements.lock
compile functions/requirements.in -c requirements.lock -o functions/requirements.lock
compile emulator/python-runtime/requirements.in -c emulator/requirements.lock -o emulator/python-runtime/requirements.lock
