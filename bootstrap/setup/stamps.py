"""Which steps are done, by the hash of what they were made from.

Every make target asks, so it must be quick: neither here nor in ``__main__`` is an import that
costs more than it saves, ``pathlib`` first of all.
"""

from __future__ import annotations

import hashlib
import os

FOLDER = ".build/stamps"


def hash_of(files: list[str], *more: str) -> str:
    """SHA-256 of the contents of ``files`` and of ``more``, in this order."""
    digest = hashlib.sha256()
    for name in files:
        with open(name, "rb") as file:
            digest.update(file.read())
    for text in more:
        digest.update(text.encode())
    return digest.hexdigest()


def is_done(step: str, wanted: str) -> bool:
    """Whether ``step`` was last done for ``wanted``."""
    try:
        with open(f"{FOLDER}/{step}") as file:
            return file.read() == wanted
    except FileNotFoundError:
        return False


def remember(step: str, wanted: str) -> None:
    """``step`` is done for ``wanted``."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(f"{FOLDER}/{step}", "w") as file:
        file.write(wanted)


def forget(*steps: str) -> None:
    """The steps must be done again."""
    for step in steps:
        if os.path.exists(f"{FOLDER}/{step}"):
            os.remove(f"{FOLDER}/{step}")
