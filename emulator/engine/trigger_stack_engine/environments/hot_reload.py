"""Code from a working tree instead of the deployed package, as long as somebody watches.

A package keeps the paths of the files that it was made of. While a root folder is set, a function's
code is a snapshot: the package, with every file that the tree has under the same path replaced, and
with new files beside them. Another snapshot is made when a file has changed, so that the next
invoke runs it; resources and the deployed package stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

#: A file of a package: the folder below the root that is at the package's top (its ``module``).
MODULE_FILE = ".trigger-stack-module"
_IGNORED = frozenset({"__pycache__", ".git", "node_modules", ".venv"})


class HotReload:
    """Makes snapshots below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.root: Path | None = None

    def set_root(self, root: str | None) -> None:
        """Run functions from the folder ``root``, or from their packages again."""
        self.root = Path(root) if root else None

    def code_for(self, package: Path) -> Path:
        """The folder to run in place of ``package``, which is an unpacked deployment package."""
        root = self.root
        if root is None:
            return package
        sources = dict(_sources(package, root))
        target = self._folder / _signature(package, sources)
        with self._lock:
            if not target.is_dir():
                self._build(package, sources, target)
        return target

    def _build(self, package: Path, sources: dict[str, Path], target: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=self._folder, prefix=".building-"))
        shutil.copytree(package, building, symlinks=True, dirs_exist_ok=True)
        for name, source in sources.items():
            place = building / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            place.chmod(0o755)
        building.chmod(0o755)
        building.rename(target)


def _sources(package: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Files of ``root`` that belong into ``package``, by their path in it."""
    marker = package / MODULE_FILE
    if marker.is_file():
        root /= marker.read_text(encoding="utf-8").strip()
    for folder, _, files in os.walk(package):
        place = Path(folder).relative_to(package)
        in_tree = root / place
        # The package's own top folder says nothing of where new files belong.
        if not files or place == Path() or not in_tree.is_dir():
            for name in files:
                if (in_tree / name).is_file():
                    yield str(place / name), in_tree / name
            continue
        for below, folders, names in os.walk(in_tree):
            folders[:] = [name for name in folders if name not in _IGNORED]
            for name in names:
                file = Path(below) / name
                if file.is_file():
                    yield str(file.relative_to(root)), file


def _signature(package: Path, sources: dict[str, Path]) -> str:
    digest = hashlib.sha256(str(package).encode())
    for name, source in sorted(sources.items()):
        try:
            facts = source.stat()
        except OSError:
            continue
        digest.update(f"{name}\0{facts.st_mtime_ns}\0{facts.st_size}\0".encode())
    return digest.hexdigest()[:20]
