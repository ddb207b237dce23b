#!/bin/sh
# Finds a Python and has it install everything the stack needs: see bootstrap/setup/.
set -eu
cd "$(dirname "$0")/.."
. scripts/settings.sh
PYTHON=$(setting PYTHON) VISION=$(setting VISION 1) LAYER_PLATFORM=$(setting LAYER_PLATFORM)
export PYTHON VISION LAYER_PLATFORM
python=.venv/bin/python
[ -x $python ] || python=$(sh scripts/find-python.sh) || exit 1
# Without site-packages: there may be none yet, and it is quicker.
exec "$python" -S -m bootstrap.setup
