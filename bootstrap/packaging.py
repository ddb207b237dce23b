"""Deployment packages: zip files whose bytes depend on their content alone.

Equal content gives an equal ``CodeSha256``, which is how a second run sees that nothing changed.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

#: Files that Node.js functions are in.
NODE_SUFFIXES = (".js", ".mjs", ".cjs")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MAGIC = re.compile(r"[^A-Za-z0-9_./-]")
#: What the framework leaves out unless a pattern asks for it.
_LEFT_OUT = (
    "!.git/**",
    "!.gitignore",
    "!.DS_Store",
    "!npm-debug.log",
    "!serverless.yml",
    "!.serverless/**",
    "!.serverless_plugins/**",
)


def select(root: Path, patterns: Iterable[str]) -> list[Path]:
    """Files below ``root`` that ``package.patterns`` picks (Serverless guide, "Packaging").

    Patterns are read in order: a plain one adds what it matches, one with ``!`` removes it. The
    framework starts from everything but version control and its own files; only files that some
    plain pattern matches are looked for here when the first pattern is ``!**``.

    Returns:
        Paths relative to ``root``, sorted.
    """
    from wcmatch import glob

    flags = _flags()
    chosen: dict[str, None] = {}
    for pattern in _in_order(patterns):
        if pattern.startswith("!"):
            matcher = glob.compile(pattern[1:], flags=flags)
            chosen = {name: None for name in chosen if not matcher.match(name)}
        else:
            for name in glob.iglob(pattern, root_dir=root, flags=flags):
                if (root / name).is_file() and "__pycache__" not in Path(name).parts:
                    chosen[name] = None
    return [Path(name) for name in sorted(chosen)]


def picks(name: str, patterns: Iterable[str]) -> bool:
    """Whether ``package.patterns`` picks the file ``name``; looks at no file."""
    picked = False
    for pattern in _in_order(patterns):
        if _matches(name, pattern.removeprefix("!")):
            picked = not pattern.startswith("!")
    return picked


def _matches(name: str, pattern: str) -> bool:
    """Whether a glob pattern matches a file; the usual ones are told without importing wcmatch."""
    plain = pattern.removesuffix("/**").removeprefix("**/")
    parts, steps = name.split("/"), plain.split("/")
    usual = not _MAGIC.search(plain) and not {"", ".", ".."} & {*parts, *steps}
    if usual and pattern == plain:
        return name == plain
    if usual and pattern == f"{plain}/**" and name != plain:
        return parts[: len(steps)] == steps
    if usual and len(steps) == 1 and pattern == f"**/{plain}/**":
        return plain in parts[:-1]
    if pattern == "**":
        return True
    from wcmatch import glob

    return bool(glob.globmatch(name, pattern, flags=_flags()))


def _flags() -> int:
    from wcmatch import glob

    return int(glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE | glob.EXTGLOB)


def _in_order(patterns: Iterable[str]) -> list[str]:
    ordered = [re.sub(r"^(!?)(?:\./)+", r"\1", pattern) for pattern in patterns]
    return ordered if ordered[:1] == ["!**"] else ["**", *_LEFT_OUT, *ordered]


def zip_files(root: Path, files: Iterable[Path]) -> bytes:
    """A zip file of ``files`` (relative to ``root``), byte for byte the same for equal content."""
    return zip_entries({file.as_posix(): root / file for file in files})


def zip_entries(files: Mapping[str, Path | bytes]) -> bytes:
    """A zip file of ``files`` or contents, by their names in it, the same for equal content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, source in sorted(files.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            runs = isinstance(source, Path) and source.stat().st_mode & 0o111
            info.external_attr = (0o755 if runs else 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, source.read_bytes() if isinstance(source, Path) else source)
    return buffer.getvalue()


def files_below(folder: Path, left_out: Iterable[str] = ()) -> dict[str, Path]:
    """Every file below ``folder`` by its path there, compiled Python left out.

    Args:
        left_out: names of files and folders, as :mod:`fnmatch` matches them.
    """
    found: dict[str, Path] = {}
    ignored = ("__pycache__", *left_out)
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not any(fnmatch(n, one) for one in ignored)]
        for name in names:
            file = Path(place, name)
            if not any(fnmatch(name, one) for one in ignored) and file.is_file():
                found[file.relative_to(folder).as_posix()] = file
    return found


def zip_folder(folder: Path) -> bytes:
    """A zip file of everything below ``folder``, compiled Python left out."""
    return zip_entries(files_below(folder))
