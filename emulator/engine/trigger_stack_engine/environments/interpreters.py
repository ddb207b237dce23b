"""Which of Lambda's runtimes this machine can run: where their interpreters are.

The packages of a Python runtime are installed when its first function needs them, with
``emulator/python-runtime/install.sh``. ``make check`` asks here, too: nothing but the standard
library is imported.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

#: The runtimes whose interpreters are looked for: those that the locked packages of AWS's runtime
#: (``emulator/python-runtime``) support.
PYTHONS = tuple(f"python3.{minor}" for minor in range(9, 14))
PYTHON = re.compile(r"python3\.\d+")
_INSTALL = Path(__file__).resolve().parents[3] / "python-runtime/install.sh"
_INSTALL_TIMEOUT_S = 100  # what waits for a function gives up after 2 minutes
#: What an interpreter must have, and what it says of itself.
_ASKED = "import ctypes, ssl, sys; print('python%d.%d' % sys.version_info[:2], sys.executable)"


class RuntimeUnavailableError(Exception):
    """A function cannot run on this machine; the text is the function's state reason."""


def prepared(runtimes: Path) -> list[str]:
    """The Python runtimes that are installed in ``runtimes``, and whose interpreter is there."""
    found = []
    for file in runtimes.glob("python3.*/.interpreter"):
        if Path(file.read_text().strip()).exists():
            found.append(file.parent.name)
    return sorted(found, key=lambda name: int(name.partition(".")[2]))


def check(name: str, runtimes: Path) -> None:
    """Say whether a runtime can run here; nothing is installed.

    Raises:
        RuntimeUnavailableError: No. The text says what is missing, and how to get it.
    """
    if PYTHON.fullmatch(name):
        if name not in prepared(runtimes):
            _to_install(name, runtimes)
    elif name.startswith("nodejs"):
        if shutil.which("node") is None:
            raise RuntimeUnavailableError(
                f"runtime {name} needs `node`, which is not installed on this machine; install"
                " Node.js with npm and start the emulator again"
            )
        client = node_client(name)
        try:
            client.NodeClient(runtimes, runtimes).check()
        except client.NodeClientError as error:
            raise RuntimeUnavailableError(f"runtime {name} {error}") from error
    elif not name.startswith("provided"):
        raise RuntimeUnavailableError(
            f"runtime {name} cannot run in the process executor; it runs {PYTHONS[0]} to"
            f" {PYTHONS[-1]}, nodejs*.x and provided*"
        )


def node_client(name: str) -> ModuleType:
    """The module that installs the client of the runtime ``name``.

    Raises:
        RuntimeUnavailableError: Few need Node.js: the package may be left out, see its docstring.
    """
    try:
        return import_module("trigger_stack_engine.environments.node.client")
    except ModuleNotFoundError as error:
        raise RuntimeUnavailableError(
            f"runtime {name} cannot run here: this engine was installed without its package"
            " for Node.js, trigger_stack_engine/environments/node/"
        ) from error


def prepare_python(name: str, runtimes: Path) -> None:
    """Install what AWS's managed runtime ``python3.X`` brings, unless it is there.

    Raises:
        RuntimeUnavailableError: There is no such interpreter, or the packages cannot be installed.
    """
    if name in prepared(runtimes):
        return
    uv, interpreter = _to_install(name, runtimes)
    try:
        runtimes.mkdir(parents=True, exist_ok=True)
        lock = os.open(runtimes, os.O_RDONLY | os.O_DIRECTORY)
        try:  # another emulator that installs the same is waited for
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                ["sh", _INSTALL, uv, interpreter, runtimes],
                env={"UV_CACHE_DIR": str(runtimes.parent / "cache/uv"), **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=_INSTALL_TIMEOUT_S,
                check=False,
            )
        finally:
            os.close(lock)
    except OSError as error:
        why = f"{error.strerror or error} ({error.filename or runtimes})"
    except subprocess.TimeoutExpired:
        why = f"no end within {_INSTALL_TIMEOUT_S} s"
    else:
        if done.returncode == 0:
            return
        why = " ".join(done.stdout.split())[-500:] or f"exit status {done.returncode}"
    raise RuntimeUnavailableError(
        f"runtime {name} needs packages of AWS's runtime, which could not be installed: {why}"
    )


def _to_install(name: str, runtimes: Path) -> tuple[str, str]:
    """Uv, and the interpreter to install ``name`` for.

    Raises:
        RuntimeUnavailableError: One of them is missing.
    """
    there = ", ".join(prepared(runtimes)) or "none"
    version = name.removeprefix("python")
    if name not in PYTHONS:
        raise RuntimeUnavailableError(
            f"runtime {name} cannot run here: functions run with {PYTHONS[0]} to {PYTHONS[-1]};"
            " set one of them"
        )
    uv = _uv()
    if uv is None or not _INSTALL.exists():
        raise RuntimeUnavailableError(
            f"runtime {name} is not installed here (installed runtimes: {there}), and"
            f" {_INSTALL.name if uv else 'uv'}, which would install it, is missing; set one that"
            " is installed"
        )
    interpreter = find(name)
    if interpreter is None:
        raise RuntimeUnavailableError(
            f"runtime {name} needs Python {version}, which is not installed on this machine"
            f" (installed runtimes: {there}). Install it, for example with: pyenv install"
            f" {version}, or: uv python install {version}"
        )
    return uv, interpreter


def find(name: str) -> str | None:
    """Path of the interpreter of ``python3.X``: on ``PATH``, of pyenv, or of uv."""
    for candidate in _candidates(name):
        said = _answer(str(candidate), "-ISc", _ASKED)
        kind, _, path = said.partition(" ")
        if kind == name:
            return path
    return None


def _candidates(name: str) -> Iterator[str | Path]:
    # Never the emulator's own virtual environment: functions do not see its packages.
    own = str(Path(sys.prefix) / "bin")
    folders = [one for one in os.environ.get("PATH", "").split(os.pathsep) if one != own]
    if on_path := shutil.which(name, path=os.pathsep.join(folders)):
        yield on_path
    version = name.removeprefix("python")
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))  # noqa: PTH111  without a home it stays as it is
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"), reverse=True)
    if uv := _uv():
        arguments = ("python", "find", "--system", "--no-python-downloads", "--no-project", version)
        if found := _answer(uv, *arguments):
            yield found


def _answer(*command: str) -> str:
    """What a program prints, or nothing."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.is_file() else shutil.which("uv")
