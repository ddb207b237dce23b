"""What is built for a project before it is created: Python packages, archives.

Everything goes to :data:`FOLDER`, nothing into the project's own folder. A build is kept by the
hash of what it was made from; one that was interrupted leaves nothing that counts.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bootstrap import typescript
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.packaging import files_below, select, zip_entries
from trigger_stack_engine.environments import interpreters
from trigger_stack_engine.settings import runtimes_folder

if TYPE_CHECKING:
    from bootstrap.template import Template

FOLDER = Path(".build/packages")
#: As the engine knows it: trigger_stack_engine.environments.hot_reload.
_MODULE_FILE = ".trigger-stack-module"
_KEPT_ARCHIVES = 60
#: Smaller archives are made as quickly as they are read.
_WORTH_KEEPING = 1_000_000
_PYTHON = re.compile(r"python(3\.\d+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]+(\S+)")
_LOCAL = re.compile(
    r"(?:(?:-e|--editable)[ =]+)?((?:\.{1,2}|/)[^\s;\[]*|\.)(\[[^\]]*\])?\s*(?:;.*)?$"
)
_NOT_COPIED = (".git", "node_modules", ".venv", "build", "__pycache__", "*.egg-info")
#: Handlers of projects that zip their packages import it first.
_UNZIP = '"""The packages are not zipped here: they are beside the handler."""\n'
#: The handler that the plugin serverless-wsgi would write.
_WSGI = '''\
"""Serves a WSGI application."""

import importlib

import serverless_wsgi

module, _, name = "{app}".rpartition(".")
application = getattr(importlib.import_module(module.replace("/", ".")), name)
serverless_wsgi.TEXT_MIME_TYPES.extend({types})


def handler(event, context):
    """Lambda's handler."""
    return serverless_wsgi.handle_request(application, event, context)
'''


def prepare(template: Template, *, quiet: bool = False) -> None:
    """Install the packages of every function and layer that has some, and say what takes time.

    Args:
        quiet: say it on standard error, for standard output is for a program.

    Raises:
        DeployError: a package could not be installed; the message has the installer's own words.
    """
    _bundle(template)
    wanted: dict[str, dict[str, Any]] = {}
    owners: dict[str, list[str]] = {}
    for resource in template.resources.values():
        code = resource.properties.get("Code") or resource.properties.get("Content")
        source = code.get("Requirements") if isinstance(code, dict) else None
        if isinstance(source, dict) and source.get("File"):
            identity = _identity(source)
            wanted[identity] = source
            owners.setdefault(identity, []).append(str(resource.path[-1]))
    for identity, source in wanted.items():
        if not (FOLDER / identity).is_dir():
            users = owners[identity]
            _install_with_progress(identity, source, users, template.document.root, quiet=quiet)


def prepare_runtimes(template: Template) -> None:
    """Install what runs the functions where it is not there yet, and say what takes time.

    The engine would install it with the first function as well, and say nothing.

    Raises:
        DeployError: it could not be installed.
    """
    from bootstrap.console import out

    folder = runtimes_folder()
    wanted = {str(one.properties.get("Runtime")) for one in template.resources.values()}
    for name in sorted(filter(interpreters.PYTHON.fullmatch, wanted)):
        if name in interpreters.prepared(folder):
            continue
        began = time.monotonic()
        try:
            with out.status(f"installing the runtime {name}"):
                interpreters.prepare_python(name, folder)
        except interpreters.RuntimeUnavailableError as error:
            raise DeployError(f"{error}.") from error
        out.print(f"installed the runtime {name} in {time.monotonic() - began:.1f} s")


def _bundle(template: Template) -> None:
    """Bundle the handlers that are written in TypeScript, each once."""
    sources = {
        (code["Root"], code["TypeScript"]): str(resource.properties["Runtime"])
        for resource in template.resources.values()
        if isinstance(code := resource.properties.get("Code"), dict) and "TypeScript" in code
    }
    for (root, source), runtime in sources.items():
        typescript.bundle(Path(root), source, runtime)


def _install_with_progress(
    identity: str, source: dict[str, Any], owners: list[str], root: Path, *, quiet: bool
) -> None:
    from bootstrap import console

    out = console.err if quiet else console.out

    name = os.path.relpath(source["File"], root)
    users = ", ".join(owners[:3]) + (f" and {len(owners) - 3} more" if len(owners) > 3 else "")
    began = time.monotonic()
    with out.status(f"installing {name} for {users}"):
        count = _install(identity, source, name)
    out.print(f"installed {name} for {users}: {count} packages in {time.monotonic() - began:.1f} s")


def _install(identity: str, source: dict[str, Any], name: str) -> int:
    """Install the packages; returns how many there are."""
    interpreter = _interpreter(source["Runtime"])
    try:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as building:
            requirements = Path(building, "requirements.txt")
            requirements.write_text(_requirements(source, Path(building)), encoding="utf-8")
            target = Path(building, "packages")
            steps: list[list[str]] = [["-r", str(requirements.absolute())]]
            if extra := source.get("Extra"):  # with what the requirements say of its own needs
                steps.append(["--no-deps", *extra])
            for step in steps:
                done = subprocess.run(
                    [
                        *(_uv(), "pip", "install", "--quiet", *interpreter),
                        *("--target", target.absolute(), *source["Arguments"], *step),
                    ],
                    cwd=building,
                    env=_environment(Path(building)),
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                )
                if done.returncode:
                    said = done.stderr.strip() or done.stdout.strip()
                    raise DeployError(f"{name} could not be installed:\n{said}")
            target.mkdir(exist_ok=True)  # no requirements at all
            count = len(list(target.glob("*.dist-info")))
            _tidy(target, source)
            with contextlib.suppress(OSError):  # another run was quicker
                target.rename(FOLDER / identity)
            return count
    except OSError as error:
        raise DeployError(f"{name} could not be installed: {_reason(error)}") from error


def _interpreter(runtime: str) -> list[str]:
    """Arguments that say which Python uv installs for: one that is here, or its version alone."""
    python = _PYTHON.fullmatch(runtime)
    if python is None or python[1] == "{}.{}".format(*sys.version_info[:2]):
        return ["--python", sys.executable]
    if found := interpreters.find(runtime):
        return ["--python", found]
    return ["--python", sys.executable, "--python-version", python[1]]


def _reason(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{place}."


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise WrongUseError("uv is missing, which installs requirements. Run: make setup")
    return found


def _environment(building: Path) -> dict[str, str]:
    own = Path(".build/cache/uv")
    cache = own if os.access(own, os.W_OK) else FOLDER / ".cache"
    defaults = {
        "UV_CACHE_DIR": str(cache.absolute()),
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
        "UV_NO_CONFIG": "1",
    }
    return {**defaults, **os.environ, "TMPDIR": str(building.absolute())}


def _lines(file: Path, seen: set[Path]) -> Iterator[tuple[Path, str]]:
    """The lines of a requirements file and of those that it includes, each with its folder."""
    seen.add(file)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{file} cannot be read: {error}") from error
    for raw in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        included = _INCLUDE.fullmatch(line)
        if included and "://" not in included[1]:
            below = (file.parent / included[1]).resolve()
            if line.startswith(("-c", "--constraint")):
                yield below.parent, f"-c {below}"
            elif below not in seen:
                yield from _lines(below, seen)
        else:
            yield file.parent, line


def _requirements(source: dict[str, Any], building: Path) -> str:
    """The requirements to install, one a line; folders of the project are copied before."""
    omitted = {_canonical(name) for name in source["Omit"]}
    lines: list[str] = []
    for folder, line in _lines(Path(source["File"]), set()):
        name = _NAME.match(line)
        if name and _canonical(name[0]) in omitted:
            continue
        local = _LOCAL.fullmatch(line)
        place = (folder / local[1]) if local else None
        if local and place is not None and place.is_dir():
            copy = building / f"local-{len(lines)}"  # building a package writes beside its source
            shutil.copytree(place, copy, ignore=shutil.ignore_patterns(*_NOT_COPIED))
            lines.append(f"{copy.absolute()}{local[2] or ''}")
        elif place is not None and place.is_file():
            lines.append(str(place.resolve()))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _identity(source: dict[str, Any]) -> str:
    """What a build is kept by: its requirements with all they include, and how it is made."""
    digest = hashlib.sha256()
    facts = {k: v for k, v in source.items() if k not in ("File", "Vendor")}
    here = [sys.platform, os.uname().machine, sys.version_info[:2]]
    digest.update(json.dumps([facts, here], sort_keys=True).encode())
    for folder, line in _lines(Path(source["File"]), set()):
        digest.update(f"{line}\n".encode())
        if line.startswith("-c "):
            with contextlib.suppress(OSError):
                digest.update(Path(line[3:]).read_bytes())
        local = _LOCAL.fullmatch(line)
        if local and (folder / local[1]).is_dir():
            for name, file in sorted(files_below(folder / local[1], _NOT_COPIED).items()):
                digest.update(f"{name}\0{_facts(file)}\n".encode())
    return f"requirements-{digest.hexdigest()[:20]}"


def _facts(file: Path) -> str:
    facts = file.stat()
    return f"{facts.st_mtime_ns} {facts.st_size} {facts.st_mode & 0o111}"


def _tidy(target: Path, source: dict[str, Any]) -> None:
    """Leave out what no function needs, and what the project asks to leave out."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    if source["Slim"]:
        from wcmatch import glob

        for name in glob.glob(
            source["Slim"], root_dir=target, flags=glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE
        ):
            file = target / name
            shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    if source["Unzip"]:
        (target / "unzip_requirements.py").write_text(_UNZIP, encoding="utf-8")


def _packages(source: dict[str, Any] | None) -> dict[str, Path]:
    """The files of a build, by their name in an archive."""
    found: dict[str, Path] = {}
    if source and source["File"]:
        found |= files_below(FOLDER / _identity(source))
    if source and source["Vendor"]:
        found |= files_below(Path(source["Vendor"]))
    return found


def function_archive(code: Mapping[str, Any]) -> bytes | None:
    """The deployment package of a function; None when nothing is in it.

    Args:
        code: ``Code`` as :mod:`bootstrap.definition.compile` makes it.
    """
    if "Archive" in code:
        return Path(code["Archive"]).read_bytes()
    root, module = Path(code["Root"]), code.get("Module")
    own: dict[str, Path | bytes] = {n.as_posix(): root / n for n in select(root, code["Patterns"])}
    if module:
        top = f"{module}/"
        own = {k.removeprefix(top): file for k, file in own.items() if k.startswith(top)}
    if source := code.get("TypeScript"):
        # A bundle has all that the handler imports; what else is packaged must have been named.
        named = [one for one in code["Patterns"] if not one.startswith("!")]
        kept = own if named else {}
        own = {name: f for name, f in kept.items() if not name.endswith(typescript.SUFFIXES)}
        own[f"{source.rpartition('.')[0]}.js"] = typescript.bundle_of(root, source)
    if application := code.get("Wsgi"):
        text = _WSGI.format(app=application["App"], types=application["TextTypes"])
        own["wsgi_handler.py"] = text.encode()
    if not own:
        return None
    if module:  # for make watch, which looks for the files of a package in the project
        own[_MODULE_FILE] = module.encode()
    return _archive({**_packages(code.get("Requirements")), **own})


def hashes(template: Template) -> dict[str, str]:
    """The hash of the package of each function and layer, by logical id."""
    found: dict[str, str] = {}
    for resource in template.resources.values():
        code, content = (resource.properties.get(key) for key in ("Code", "Content"))
        if resource.type == "AWS::Lambda::Function" and isinstance(code, dict):
            found[resource.logical_id] = sha256(function_archive(code) or b"")
        elif resource.type == "AWS::Lambda::LayerVersion" and isinstance(content, dict):
            found[resource.logical_id] = sha256(layer_archive(content))
    return found


def sha256(archive: bytes) -> str:
    """The hash of a package, as Lambda writes it (``CodeSha256``)."""
    return base64.b64encode(hashlib.sha256(archive).digest()).decode()


def layer_archive(content: Mapping[str, Any]) -> bytes:
    """The archive of a layer.

    Args:
        content: ``Content`` as :mod:`bootstrap.definition.compile` makes it.
    """
    if "Folder" in content:
        return _archive(files_below(Path(content["Folder"])))
    packages = _packages(content["Requirements"])
    return _archive({f"python/{name}": file for name, file in packages.items()})


def _archive(files: Mapping[str, Path | bytes]) -> bytes:
    """The archive of some files; a large one is kept, for the next run needs its hash again."""
    sizes = (file.stat().st_size for file in files.values() if isinstance(file, Path))
    if sum(sizes) < _WORTH_KEEPING:
        return zip_entries(files)
    digest = hashlib.sha256()
    for name, file in sorted(files.items()):
        facts = f"{file}\0{_facts(file)}".encode() if isinstance(file, Path) else file
        digest.update(name.encode() + b"\0" + facts + b"\n")
    kept = FOLDER / f"archive-{digest.hexdigest()[:20]}.zip"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    content = zip_entries(files)
    # Without room or permission it is made again the next time.
    with contextlib.suppress(OSError):
        FOLDER.mkdir(parents=True, exist_ok=True)
        _forget_old_archives()
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".building-") as building:
            made = Path(building, "archive.zip")
            made.write_bytes(content)
            made.rename(kept)
    return content


def _forget_old_archives() -> None:
    archives = sorted(FOLDER.glob("archive-*.zip"), key=lambda file: file.stat().st_mtime)
    for file in archives[:-_KEPT_ARCHIVES]:
        file.unlink(missing_ok=True)
