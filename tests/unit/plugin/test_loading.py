"""Two services that import the same package, loaded at once."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.plugins import Service, ServicePluginManager

from trigger_stack.localstack import loading

#: As ``moto.ec2`` does, the package imports its module; as LocalStack's provider of EC2 does, the
#: second service imports the module first, while another thread begins with the package.
PACKAGE = "import {package}.module"
FIRST = "import {package}"
SECOND = "import sys; sys.modules['{package}_meeting'].wait(); import {package}.module"


class Meeting(importlib.machinery.SourceFileLoader):
    """Loads a package, and lets the two imports meet if they run at once; else it waits in vain."""

    #: How long to wait for the other import.
    patience_s = 30.0

    def __init__(self, package: str, folder: Path) -> None:
        super().__init__(package, str(folder / package / "__init__.py"))
        self._begun = threading.Event()

    def find_spec(self, name: str, *_: Any) -> Any:
        """The package is loaded by this loader, all else as ever."""
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def create_module(self, spec: Any) -> None:
        """The import of the package has begun: wait until another thread waits for it."""
        if self._begun.is_set():  # the other one begins anew with what could not be imported
            return
        self._begun.set()
        deadline = time.monotonic() + self.patience_s
        blocking: Any = vars(importlib._bootstrap)["_blocking_on"]  # locks by thread
        while time.monotonic() < deadline:
            locks = itertools.chain(*(blocking.get(one.ident, ()) for one in threading.enumerate()))
            if any(lock.name == self.name for lock in locks):
                return
            time.sleep(0.001)

    def wait(self) -> None:
        """Until the import of the package has begun."""
        self._begun.wait(self.patience_s)


class Manager(ServicePluginManager):
    """Loads a service by importing the module of its name."""

    def exists(self, name: str) -> bool:
        return True

    def _load_service_plugin(self, name: str) -> Any:
        importlib.import_module(name)
        return SimpleNamespace(service=Service(name))


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two services that import one package."""
    package = f"package_{uuid.uuid4().hex[:8]}"
    meeting: Any = Meeting(package, tmp_path)
    monkeypatch.setitem(sys.modules, f"{package}_meeting", meeting)
    monkeypatch.setattr(sys, "meta_path", [meeting, *sys.meta_path])
    (tmp_path / package).mkdir()
    files = {f"{package}/__init__": PACKAGE, f"{package}/module": "", "first": FIRST}
    for name, text in (files | {"second": SECOND}).items():
        folder, _, file = name.rpartition("/")
        file = file if folder else f"{package}_{file}"
        (tmp_path / folder / f"{file}.py").write_text(text.format(package=package))
    monkeypatch.syspath_prepend(tmp_path)
    return [f"{package}_first", f"{package}_second"]


def load(services: list[str]) -> list[str]:
    """What became of loading each of them, all at once."""
    manager = Manager()

    def one(name: str) -> str:
        try:
            container = manager.get_service_container(name)
        except Exception as error:
            return str(error).partition(" by ")[0]
        return "loaded" if container else "missing"

    with ThreadPoolExecutor(len(services)) as pool:
        return sorted(pool.map(one, services))


def test_localstack_loads_them_at_once(services: list[str]) -> None:
    """If this fails, LocalStack does it by itself, and the patch can go."""
    assert load(services) == ["deadlock detected", "loaded"]


def test_the_patch_loads_one_after_the_other(
    services: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    patched = loading._unless_loaded(ServicePluginManager.get_service_container)
    monkeypatch.setattr(ServicePluginManager, "get_service_container", patched)
    monkeypatch.setattr(Meeting, "patience_s", 0.5)

    assert load(services) == ["loaded", "loaded"]


def test_a_loaded_service_does_not_wait_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    patched = loading._unless_loaded(ServicePluginManager.get_service_container)
    monkeypatch.setattr(ServicePluginManager, "get_service_container", patched)
    manager = Manager()
    container = manager.get_service_container("json")
    found: list[Any] = []

    with loading.LOCK:
        ask = threading.Thread(target=lambda: found.append(manager.get_service_container("json")))
        ask.start()
        ask.join(10)

    assert found == [container]


def test_the_patch_is_installed_once() -> None:
    code = """
from trigger_stack.localstack import loading
from localstack.services.plugins import ServicePluginManager
from moto import backends
from plux import PluginManager
def patched():
    manager = ServicePluginManager
    return [manager.get_service_container, PluginManager.load, backends._import_backend]
before = patched()
loading.one_after_the_other(); once = patched(); loading.one_after_the_other()
assert once == patched()
assert [one.__wrapped__ for one in once] == before
backends.get_backend("sts")["123456789012"]["aws"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
