"""The settings in ``.env``, read as Docker Compose reads them.

The reader is ``scripts/dotenv.awk``: the shell needs it before there is a Python, and two readers
would differ. ``docs/decisions/shell-before-python.md`` says more.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bootstrap.errors import WrongUseError

#: The names that :func:`load` has set: the shell has not.
loaded: set[str] = set()
_READER = Path(__file__).parents[1] / "scripts" / "dotenv.awk"


def read(file: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What ``file`` sets, by name; nothing when there is no such file.

    Args:
        environment: wins over the file, and has the variables that values refer to.

    Raises:
        WrongUseError: a line cannot be understood; the sentence names it.
    """
    if not file.is_file():
        return {}
    done = subprocess.run(
        ["awk", "-f", _READER, file],
        env={**environment, "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        sentence = done.stderr.decode(errors="replace").strip()
        raise WrongUseError(sentence.removeprefix("error "))
    assignments = shlex.split(done.stdout.decode(errors="surrogateescape"))
    return dict(assignment.split("=", 1) for assignment in assignments)


def load(file: Path) -> None:
    """Put what ``file`` sets into this process's environment, where it is not set already.

    Raises:
        WrongUseError: see :func:`read`.
    """
    for name, value in read(file).items():
        if name not in os.environ:
            os.environ[name] = value
            loaded.add(name)
