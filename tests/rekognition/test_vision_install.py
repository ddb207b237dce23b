"""The install step: nothing to do is nothing said, and nothing fetched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rekognition.emulator_process import MODELS, ROOT

SCRIPT = ROOT / "emulator" / "plugin" / "vision-install.sh"
REQUIREMENTS = ROOT / "emulator" / "requirements-vision.lock"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which everything is as set-up leaves it."""
    target = tmp_path / "vision"
    target.mkdir()
    for path in MODELS.iterdir():
        if path.is_file():
            (target / path.name).symlink_to(path.absolute())
    stamp = target / "requirements.sha256"
    stamp.unlink(missing_ok=True)
    stamp.write_text(hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest())
    return target


def install(target: Path, uv: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPT), str(uv), sys.executable, str(target)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def refusing_uv(tmp_path: Path) -> Path:
    """A ``uv`` that may not be called."""
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho called >&2\nexit 9\n")
    uv.chmod(0o755)
    return uv


def test_up_to_date_is_quiet(installed: Path, refusing_uv: Path) -> None:
    result = install(installed, refusing_uv)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_another_lock_installs_again(installed: Path, refusing_uv: Path) -> None:
    (installed / "requirements.sha256").write_text("of another lock")
    result = install(installed, refusing_uv)
    assert (result.returncode, result.stderr) == (9, "called\n")
    assert "vision packages" in result.stdout


def test_a_changed_model_is_built_again(installed: Path, refusing_uv: Path) -> None:
    (installed / "classifier.onnx").unlink()
    (installed / "classifier.onnx").write_bytes(b"changed")
    result = install(installed, refusing_uv)
    assert (result.returncode, result.stderr) == (9, "called\n")
    assert "models of Rekognition" in result.stdout


def test_arguments_are_needed() -> None:
    result = subprocess.run([str(SCRIPT)], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "usage" in result.stderr
