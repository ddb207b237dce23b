"""LocalStack's index of all AWS APIs, made once: see :mod:`bootstrap.runtime.catalog`."""

from __future__ import annotations

import shutil
from pathlib import Path

from bootstrap.setup import stamps
from bootstrap.setup.environment import PYTHON
from bootstrap.setup.process import run_quietly

_TARGET = Path(".build/localstack")


def build_if_changed() -> None:
    """Build the index for the locked LocalStack.

    Raises:
        SetupError: it could not be built.
    """
    wanted = stamps.hash_of(["emulator/requirements.lock"])
    if stamps.is_done("catalog", wanted):
        return
    shutil.rmtree(_TARGET, ignore_errors=True)
    (_TARGET / "usr/lib/localstack").mkdir(parents=True)
    run_quietly(
        "The index of AWS APIs",
        *(PYTHON, "-m", "localstack.aws.spec"),
        OVERRIDE_IN_DOCKER="0",
        FILESYSTEM_ROOT=str(_TARGET.absolute()),
    )
    stamps.remember("catalog", wanted)
