"""Which project a command is about: this folder's, or the one that ``APP`` or ``SERVERLESS`` names.

Nothing is ever written into another project's folder: what is built for it goes to
:data:`bootstrap.builds.FOLDER`.
"""

from __future__ import annotations

import os
from pathlib import Path

from bootstrap import dotenv
from bootstrap.errors import WrongUseError

OWN = Path("serverless.yml")
_NAMES = ("serverless.yml", "serverless.yaml", "serverless.json")
_CODE = ("serverless.ts", "serverless.js", "serverless.cjs", "serverless.mjs")


def definition(given: Path | None = None) -> Path:
    """The definition file: ``--file``, else ``SERVERLESS``, else the one in ``APP``, else our own.

    Raises:
        WrongUseError: there is none where it should be; the sentence says what there is.
    """
    if given is not None:
        return given
    file, folder = os.environ.get("SERVERLESS"), os.environ.get("APP")
    if file:
        return _file(file)
    return _in(folder) if folder else OWN


def _file(name: str) -> Path:
    path = Path(name)
    if path.is_dir():
        raise WrongUseError(f"SERVERLESS={name} is a folder. Write APP={name}.")
    if not path.is_file():
        raise WrongUseError(f"SERVERLESS={name}: there is no such file{_seen_from(path)}.")
    if path.suffix in (".ts", ".js", ".cjs", ".mjs"):
        raise WrongUseError(f"SERVERLESS={name} is code, which is not run here. {_AS_YAML}")
    return path


_AS_YAML = "Write it as YAML: osls print prints what it comes to."


def _in(name: str) -> Path:
    folder = Path(name)
    if folder.is_file():
        raise WrongUseError(f"APP={name} is a file. Write SERVERLESS={name}.")
    if not folder.is_dir():
        raise WrongUseError(f"APP={name}: there is no such folder{_seen_from(folder)}.")
    for file in _NAMES:
        if (folder / file).is_file():
            return folder / file
    if code := next((file for file in _CODE if (folder / file).is_file()), None):
        raise WrongUseError(f"APP={name}: {code} is code, which is not run here. {_AS_YAML}")
    below = sorted(path.parent for path in folder.glob("*/serverless.y*ml"))
    hint = f" There is one in {', '.join(map(str, below))}." if below else ""
    raise WrongUseError(
        f"APP={name}: the folder has no serverless.yml.{hint} Name another file with SERVERLESS="
        f"{folder}/<file>, or begin one: make init APP={name}"
    )


def _seen_from(path: Path) -> str:
    return "" if path.is_absolute() else f" (seen from {Path.cwd()})"


def is_own(file: Path) -> bool:
    """Whether ``file`` is in this folder, not in another project's."""
    return file.parent.resolve() == Path.cwd().resolve()


def environment(file: Path, stage: str) -> dict[str, str]:
    """What ``${env:NAME}`` sees: the shell's values, then the project's ``.env``, then ours.

    The framework (guide, "Environment variables") reads ``.env.<stage>`` in place of ``.env``
    where there is one. None of the two sets anything for the stack itself: its ports stay what
    they are.

    Raises:
        WrongUseError: a line of it cannot be understood.
    """
    own, of_stage = file.parent / ".env", file.parent / f".env.{stage}"
    if not of_stage.is_file():
        if is_own(file):  # it has been read
            return dict(os.environ)
        of_stage = own
    shell = {k: v for k, v in os.environ.items() if k not in dotenv.loaded}
    return {**os.environ, **dotenv.read(of_stage, shell), **shell}
