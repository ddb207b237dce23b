"""The layer ``dependencies`` of ``serverless.yml``, in ``.build/layers/dependencies``.

``LAYER_PLATFORM=x86_64-manylinux2014`` builds it for AWS on a machine that is not Linux.
In an image: ``python -m bootstrap.setup.layer UV PYTHON``.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from bootstrap.setup import stamps
from bootstrap.setup.process import SetupError, run, say

PACKAGES = Path(".build/layers/dependencies/python")
_LOCK = "functions/requirements.lock"


def build_if_changed(uv: Path, interpreter: Path) -> None:
    """Install what the functions share, for ``interpreter``.

    Raises:
        SetupError: a package could not be installed.
    """
    platform = os.environ.get("LAYER_PLATFORM", "")
    wanted = stamps.hash_of([_LOCK], f"{interpreter} {platform}\n")
    if stamps.is_done("layer", wanted) and PACKAGES.is_dir():
        return
    say("set-up: layer dependencies")
    shutil.rmtree(PACKAGES.parent, ignore_errors=True)
    PACKAGES.parent.mkdir(parents=True)
    run(
        *(uv, "pip", "install", "--quiet", "--python", interpreter, "--target", PACKAGES),
        *(["--python-platform", platform] if platform else []),
        *("--require-hashes", "-r", _LOCK),
    )
    # Command-line entry points and uv's own lock are nothing that a function needs.
    shutil.rmtree(PACKAGES / "bin", ignore_errors=True)
    (PACKAGES / ".lock").unlink(missing_ok=True)
    stamps.remember("layer", wanted)


if __name__ == "__main__":
    try:
        build_if_changed(Path(sys.argv[1]), Path(sys.argv[2]))
    except SetupError as error:
        sys.exit(f"error {error}")
