"""Deployment packages: zip files whose bytes depend on their content alone.

Equal content gives an equal ``CodeSha256``, which is how a second run sees that nothing changed.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from wcmatch import glob

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FLAGS = glob.GLOBSTAR | glob.DOTGLOB


def select(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Files below ``root`` that ``package.patterns`` picks (Serverless guide, "Packaging").

    Patterns are read in order: a plain one adds what it matches, one with ``!`` removes it. The
    framework starts from everything; only files that some plain pattern matches are looked for
    here when the first pattern is ``!**``.

    Returns:
        Paths relative to ``root``, sorted.
    """
    chosen: dict[str, None] = {}
    ordered = list(patterns)
    if not ordered or ordered[0] != "!**":
        ordered = ["**", *ordered]
    for pattern in ordered:
        if pattern.startswith("!"):
            matcher = glob.compile(pattern[1:], flags=_FLAGS)
            chosen = {name: None for name in chosen if not matcher.match(name)}
        else:
            for name in glob.iglob(pattern, root_dir=root, flags=_FLAGS):
                if (root / name).is_file() and "__pycache__" not in Path(name).parts:
                    chosen[name] = None
    return [Path(name) for name in sorted(chosen)]


def zip_files(root: Path, files: Iterable[Path]) -> bytes:
    """A zip file of ``files`` (relative to ``root``), byte for byte the same for equal content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            source = root / file
            info = zipfile.ZipInfo(file.as_posix(), _EPOCH)
            mode = 0o755 if source.stat().st_mode & 0o111 else 0o644
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, source.read_bytes())
    return buffer.getvalue()


def zip_folder(folder: Path) -> bytes:
    """A zip file of everything below ``folder``, compiled Python left out."""
    files = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    return zip_files(folder, files)
