"""The content of ``/opt``: the layers of a function, merged in their order.

LocalStack stores layer versions; this module unpacks them, each once, and merges them, each
combination once. A later layer's file wins over an earlier one's (AWS documentation topic
"Adding layers to functions").
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

_LOCK = threading.Lock()


def merged_layers(folder: Path, layers: Sequence[tuple[str, str]]) -> Path:
    """The merged content of ``layers``, pairs of layer version ARN and folder, first to last.

    Returns an empty folder when there are none. The result lies below ``folder`` and is shared by
    all functions with the same layers: it must not be written to.
    """
    sources = [Path(source) for _, source in layers]
    identity = "\n".join(f"{arn} {source}" for arn, source in layers)
    target = folder / hashlib.sha256(identity.encode()).hexdigest()[:16]
    with _LOCK:
        if target.is_dir():
            return target
        folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=folder, prefix=".building-"))
        for source in sources:
            _merge(source, building)
        building.chmod(0o755)
        building.rename(target)
        return target


def _link(source: str, target: str) -> str:
    place = Path(target)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def _merge(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=_link)
