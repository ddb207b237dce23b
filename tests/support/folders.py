"""Folders that emulators started by tests and benchmarks write to."""

from __future__ import annotations

from pathlib import Path


def temporary_folder(folder: Path) -> Path:
    """``folder/tmp``, made when it is missing: the TMPDIR of an emulator of its own."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return temporary
