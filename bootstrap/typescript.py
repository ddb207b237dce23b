"""Handlers that are written in TypeScript, bundled with esbuild as the framework's plugins do.

A bundle has what the handler imports in it; AWS's SDK v3 is the runtime's own. Types are not
checked: that is the project's ``tsc``. esbuild is the project's (``node_modules``), or the one that
``bootstrap/esbuild/`` locks, which npm installs once into ``.build/esbuild``.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bootstrap.errors import DeployError, WrongUseError

SUFFIXES: Final = (".ts", ".tsx", ".mts", ".cts")
_LOCK: Final = Path(__file__).with_name("esbuild")
_INSTALLED: Final = Path(".build/esbuild")
_BUNDLES: Final = Path(".build/packages")
_TIMEOUT_S: Final = 120
#: Lambda's Node.js runtimes have it.
_EXTERNAL: Final = "@aws-sdk/*"


def source_of(root: Path, module: str) -> str | None:
    """The TypeScript file of a handler's module, relative to ``root``; None: there is none."""
    names = (f"{module}{suffix}" for suffix in SUFFIXES)
    return next((name for name in names if (root / name).is_file()), None)


def bundle_of(root: Path, source: str) -> Path:
    """Where the bundle of a source file is, once :func:`bundle` has made it."""
    place = f"{root.resolve()}\0{source}".encode()
    return _BUNDLES / f"typescript-{hashlib.sha256(place).hexdigest()[:20]}.js"


def bundle(root: Path, source: str, runtime: str) -> None:
    """Bundle a handler. It is made anew each time: that takes less time than to look for changes.

    Args:
        root: the project's folder.
        source: the TypeScript file, relative to it.
        runtime: ``nodejs22.x``: the version that the bundle is for.

    Raises:
        DeployError: it cannot be bundled; the message has esbuild's own words.
        WrongUseError: Node.js or npm is missing.
    """
    if shutil.which("node") is None:
        from bootstrap.runtime.choice import in_container  # with what starts the stack

        raise WrongUseError(
            f"{source}: a handler in TypeScript needs Node.js. "
            + (
                "The containers do not have it: use RUNTIME=native."
                if in_container()
                else "Install it."
            )
        )
    target = bundle_of(root, source)
    version = runtime.removeprefix("nodejs").removesuffix(".x")
    try:
        _BUNDLES.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_BUNDLES, prefix=".building-") as building:
            made = Path(building, "bundle.js").absolute()
            done = _run(
                [
                    *(str(_esbuild(root)), source, "--bundle", "--platform=node", "--format=cjs"),
                    *(f"--target=node{version}", f"--external:{_EXTERNAL}", "--log-level=error"),
                    *("--sourcemap=inline", "--sources-content=false", f"--outfile={made}"),
                ],
                root,
            )
            if done.returncode:
                said = done.stderr.strip()
                remedy = ""
                if "Could not resolve" in said and not (root / "node_modules").is_dir():
                    remedy = (
                        "\nThe project's packages are not installed. Run in its folder: npm install"
                    )
                raise DeployError(f"{source} could not be bundled:\n{said}{remedy}")
            made.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(f"{source} could not be bundled: {error}") from error


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
    )


def _esbuild(root: Path) -> Path:
    own = root / "node_modules/.bin/esbuild"
    if own.is_file():
        return own.resolve()
    program = _INSTALLED / "node_modules/.bin/esbuild"
    if not program.is_file():
        _install()
    return program.absolute()


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise WrongUseError(
            "npm is missing, which installs esbuild for TypeScript. Install Node.js."
        )
    _INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_INSTALLED.parent, prefix=".building-") as building:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_LOCK / name, building)
        cache = Path(".build/cache/npm").absolute()
        done = _run(
            [
                *(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
                *("--no-update-notifier", "--cache", str(cache)),
            ],
            Path(building),
        )
        if done.returncode:
            raise DeployError(f"esbuild could not be installed:\n{done.stderr.strip()}")
        shutil.rmtree(_INSTALLED, ignore_errors=True)
        Path(building).rename(_INSTALLED)
        Path(building).mkdir()  # which the context manager removes
