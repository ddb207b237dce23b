"""The virtual environment: the interpreter, uv, and the packages in ``.venv``."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bootstrap.setup import stamps
from bootstrap.setup.process import SetupError, answer, run, say

PYTHON = Path(".venv/bin/python")
UV = Path(".venv/bin/uv")
_TOOLS = "scripts/tools.lock"
_LOCKS = ["emulator/requirements.lock", "requirements.lock"]
_OURS = ("emulator/plugin", "emulator/engine")


def find_interpreter() -> Path:
    """The interpreter to use.

    Raises:
        SetupError: there is none, which ``scripts/find-python.sh`` has said.
    """
    return Path(answer("sh", "scripts/find-python.sh").strip())


def version_of(interpreter: Path) -> str:
    """``python3.13``, as Lambda's runtimes are called."""
    code = "import sys; print('python%d.%d' % sys.version_info[:2])"
    return answer(interpreter, "-ISc", code).strip()


def make(interpreter: Path, version: str) -> None:
    """Make ``.venv`` with ``interpreter``, and put uv into it.

    Raises:
        SetupError: it cannot make virtual environments, or uv could not be installed.
    """
    wanted = f"{stamps.hash_of([_TOOLS])}-{interpreter}"
    if stamps.is_done("venv", wanted) and UV.is_file() and PYTHON.exists():
        return
    say(f"set-up: {version} from {interpreter}")
    shutil.rmtree(".venv", ignore_errors=True)
    tools = ("--quiet", "--require-hashes", "-r", _TOOLS)
    made = subprocess.run(
        [interpreter, "-m", "venv", ".venv"], stderr=subprocess.DEVNULL, check=False
    )
    if made.returncode == 0:
        run(PYTHON, "-m", "pip", "install", "--no-cache-dir", *tools)
    elif shutil.which("uv"):
        run("uv", "venv", "--quiet", "--clear", "--python", interpreter, ".venv")
        run("uv", "pip", "install", "--python", PYTHON, *tools)
    else:
        raise SetupError(
            f"{interpreter} cannot make a virtual environment. Install python3-venv, or uv."
        )
    stamps.forget("packages", "plugins")
    stamps.remember("venv", wanted)


def install_packages() -> None:
    """Install the packages of the emulator, the bootstrap and the tests, and our own two.

    Raises:
        SetupError: a package could not be installed.
    """
    wanted = stamps.hash_of(_LOCKS)
    if not stamps.is_done("packages", wanted):
        say("set-up: Python packages")
        locks = [argument for lock in _LOCKS for argument in ("-r", lock)]
        _install("--require-hashes", *locks)
        stamps.remember("packages", wanted)
    wanted = stamps.hash_of([f"{folder}/pyproject.toml" for folder in _OURS])
    if not stamps.is_done("plugins", wanted):
        folders = [argument for folder in _OURS for argument in ("-e", folder)]
        _install("--no-build-isolation", "--no-deps", *folders)
        stamps.remember("plugins", wanted)


def _install(*arguments: str | Path) -> None:
    run(UV.absolute(), "pip", "install", "--quiet", "--python", PYTHON, *arguments)
