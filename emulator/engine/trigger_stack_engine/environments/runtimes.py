"""How each Lambda runtime is started: which program, which search path, which parent."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trigger_stack_engine.environments import interpreters
from trigger_stack_engine.environments.interpreters import PYTHON, RuntimeUnavailableError
from trigger_stack_engine.environments.preloads import LAYER, RUNTIME, STANDARD_LIBRARY
from trigger_stack_engine.environments.spawner import Spawner
from trigger_stack_engine.settings import Settings

if TYPE_CHECKING:
    from trigger_stack_engine.environments.node.client import NodeClient

_DIST_INFO = re.compile(r"(.+?)-([^-]+)\.dist-info")


def canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(folder: Path) -> dict[str, str]:
    """Version by canonical name of what is installed in ``folder``, read from its dist-infos."""
    found = {}
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return {}
    for name in names:
        match = _DIST_INFO.fullmatch(name)
        if match:
            found[canonical(match[1])] = match[2]
    return found


def top_level_names(folder: Path) -> set[str]:
    """Importable names that ``folder`` holds."""
    try:
        entries = [entry.name for entry in folder.iterdir()]
    except OSError:
        return set()
    names = set()
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info", ".pth")) or entry == "__pycache__":
            continue
        name = entry.split(".", 1)[0]
        if name.isidentifier():
            names.add(name)
    return names


@dataclass
class Preloaded:
    """One distribution that the zygote has imported."""

    name: str
    version: str
    modules: set[str]
    requires: set[str] = field(default_factory=set)


def preloaded_distributions(folder: Path) -> dict[str, Preloaded]:
    """The distributions installed in ``folder`` with their importable names and requirements."""
    found: dict[str, Preloaded] = {}
    for name, version in distributions(folder).items():
        found[name] = Preloaded(name, version, set())
    for info in folder.glob("*.dist-info"):
        match = _DIST_INFO.fullmatch(info.name)
        if not match:
            continue
        dist = found[canonical(match[1])]
        record = info / "RECORD"
        if record.exists():
            for line in record.read_text().splitlines():
                top = line.split(",", 1)[0].split("/", 1)[0]
                base = top.split(".", 1)[0]
                if base.isidentifier() and not top.endswith((".dist-info", ".data")):
                    dist.modules.add(base)
        metadata = info / "METADATA"
        if metadata.exists():
            for line in metadata.read_text(errors="replace").splitlines():
                if not line:
                    break
                required = re.match(r"Requires-Dist: *([A-Za-z0-9._-]+)([^;]*)(;.*)?", line)
                if required and "extra" not in (required[3] or ""):
                    dist.requires.add(canonical(required[1]))
    return found


def reusable(preloaded: dict[str, Preloaded], own: dict[str, str], given: set[str]) -> set[str]:
    """Names of the pre-imported distributions that a function may use as they are.

    A distribution may be used when the function brings the very same version itself (``own``) and
    the same holds for everything it requires, unless that is in ``given``, which every function
    has.
    """
    keep = {name for name, dist in preloaded.items() if own.get(name) == dist.version}
    while True:
        broken = {
            name
            for name in keep
            if any(
                needed in preloaded and needed not in keep and needed not in given
                for needed in preloaded[name].requires
            )
        }
        if not broken:
            return keep
        keep -= broken


class PythonRuntime:
    """One ``python3.X`` runtime: an interpreter and AWS's packages installed for it."""

    def __init__(self, name: str, folder: Path, sandbox: dict[str, Any]) -> None:
        self.name = name
        self.folder = folder
        self.preload_folder = folder / ".preload"
        self.debug_folder = folder / ".debug"
        self.interpreter = (folder / ".interpreter").read_text().strip()
        self.version = name.removeprefix("python")
        self.given = preloaded_distributions(folder)
        self.extra = preloaded_distributions(self.preload_folder)
        prefix = Path(self.interpreter).resolve().parent.parent
        needed = [] if str(prefix) == "/usr" else [str(prefix)]
        facts = {**sandbox, "needed": needed, "runtime": str(folder)}
        self.spawner = Spawner(self.interpreter, [folder], [*STANDARD_LIBRARY, *RUNTIME], facts)
        # For functions that begin in an interpreter of their own, behind a wrapper script.
        self.plain = Spawner(self.interpreter, [], [], facts)
        # For functions whose layer is what it has imported; started with the first of them.
        self.layered_spawner = Spawner(
            self.interpreter,
            [folder, self.preload_folder],
            [*STANDARD_LIBRARY, *RUNTIME, *LAYER],
            facts,
        )
        self._standard_path: list[str] | None = None

    def standard_path(self) -> list[str]:
        """The interpreter's own search path: the standard library and nothing else."""
        if self._standard_path is None:
            base = Path(self.interpreter).resolve().parent.parent
            digits = self.version.replace(".", "")
            library = base / "lib" / f"python{self.version}"
            self._standard_path = [
                str(base / "lib" / f"python{digits}.zip"),
                str(library),
                str(library / "lib-dynload"),
            ]
        return self._standard_path

    def search_path(self, task_root: str, opt: str, runtime_dir: str) -> list[str]:
        """``sys.path`` of a function, in the order of AWS's managed runtime."""
        return [
            task_root,
            f"{opt}/python/lib/python{self.version}/site-packages",
            f"{opt}/python",
            runtime_dir,
            *self.standard_path(),
        ]

    def parent_for(self, folders: list[Path]) -> tuple[Spawner, set[str] | None]:
        """The parent to fork a function from, which brings packages in ``folders`` itself.

        Second, the top-level names of pre-imported modules that the function may use, or ``None``
        for all of that parent's: evicting modules costs time and memory, so a parent is chosen
        that has nothing to evict whenever there is one.
        """
        own: dict[str, str] = {}
        names: set[str] = set()
        for folder in reversed(folders):
            own.update(distributions(folder))
            names |= top_level_names(folder)
        given = {module for dist in self.given.values() for module in dist.modules}
        same = {
            module
            for known in (self.given, self.extra)
            for dist in known.values()
            if own.get(dist.name) == dist.version
            for module in dist.modules
        }
        shadowed = (names & given) - same
        good = reusable(self.extra, own, set() if shadowed else set(self.given))
        if not shadowed and good and good == set(self.extra):
            return self.layered_spawner, None
        extra = {module for name in good for module in self.extra[name].modules}
        if not shadowed and not (extra - given):
            return self.spawner, None
        # boto3 and what it needs stand and fall together.
        kept = extra if shadowed else extra | given
        return (self.layered_spawner if good else self.spawner), kept

    def job(
        self, task_root: str, opt: str, runtime_dir: str, keep: set[str] | None
    ) -> dict[str, Any]:
        """The part of a spawn request that says how to run Python code.

        ``task_root``, ``opt`` and ``runtime_dir`` are paths as the function sees them; ``keep`` is
        what :meth:`parent_for` said.
        """
        return {
            "path": self.search_path(task_root, opt, runtime_dir),
            "evict": [] if keep is None else [runtime_dir + os.sep],
            "keep": sorted(keep or ()),
            "argv0": f"{task_root}/bootstrap",
        }


class Runtimes:
    """All runtimes of this machine and the parents their environments are started from."""

    def __init__(self, settings: Settings, plain_interpreter: str) -> None:
        self.settings = settings
        self.sandbox: dict[str, Any] = {
            "wanted": settings.isolation != "none",
            "hide": [str(settings.work_dir), str(Path(tempfile.gettempdir()) / "lambda")],
        }
        for folder in self.sandbox["hide"]:
            Path(folder).mkdir(parents=True, exist_ok=True)
        needed: set[str] = set()
        for program in (plain_interpreter, shutil.which("node")):
            if program:
                needed.add(str(Path(program).resolve().parent.parent))
        self.plain = Spawner(
            plain_interpreter,
            [],
            [],
            {**self.sandbox, "needed": sorted(needed - {"/usr", "/"})},
        )
        self._node: NodeClient | None = None
        self._python: dict[str, PythonRuntime] = {}
        self._lock = threading.Lock()

    def python_names(self) -> list[str]:
        """Names of the Python runtimes that are installed."""
        return interpreters.prepared(self.settings.runtimes_dir)

    def python(self, name: str) -> PythonRuntime:
        """The runtime ``python3.X``, installed when its first function needs it.

        Raises:
            RuntimeUnavailableError: There is no such interpreter here, or AWS's packages cannot be
                installed for it.
        """
        with self._lock:
            runtime = self._python.get(name)
        if runtime is None:
            interpreters.prepare_python(name, self.settings.runtimes_dir)
            made = PythonRuntime(name, self.settings.runtimes_dir / name, self.sandbox)
            with self._lock:
                runtime = self._python.setdefault(name, made)
        return runtime

    def node(self) -> str:
        """Path of ``node``.

        Raises:
            RuntimeUnavailableError: It is not installed.
        """
        path = shutil.which("node")
        if path is None:
            raise RuntimeUnavailableError("`node` is not installed on this machine")
        return str(Path(path).resolve())

    def node_folder(self, name: str) -> Path:
        """Folder of the client that runs the functions of runtime ``name``; installs it if need be.

        Raises:
            RuntimeUnavailableError: It cannot be installed, or this engine has no client at all.
        """
        client = interpreters.node_client(name)
        with self._lock:
            if self._node is None:
                self._node = client.NodeClient(self.settings.runtimes_dir, self.settings.work_dir)
            node = self._node
        try:
            return node.folder()
        except client.NodeClientError as error:
            raise RuntimeUnavailableError(f"runtime {name} {error}") from error

    def check(self, name: str | None) -> None:
        """Refuse a runtime that cannot run here; install what can be installed.

        Raises:
            RuntimeUnavailableError: With the reason, to become the function's state reason.
        """
        if name is None:
            raise RuntimeUnavailableError("container images cannot run in the process executor")
        interpreters.check(name, self.settings.runtimes_dir)
        if PYTHON.fullmatch(name):
            self.python(name)
        elif name.startswith("nodejs"):
            self.node_folder(name)

    def warm_up(self, name: str, folders: list[Path]) -> None:
        """Start the parent of a function's environments, so that it is ready when needed.

        ``folders`` are where the function's own packages may lie.
        """
        if PYTHON.fullmatch(name):
            runtime = self.python(name)
            forked = self.settings.zygote
            (runtime.parent_for(folders)[0] if forked else runtime.plain).ensure_started()
        else:
            self.plain.ensure_started()

    def close(self) -> None:
        """End every parent and with it every environment."""
        with self._lock:
            spawners = [self.plain]
            for runtime in self._python.values():
                spawners += [runtime.plain, runtime.spawner, runtime.layered_spawner]
        for spawner in spawners:
            spawner.close()
