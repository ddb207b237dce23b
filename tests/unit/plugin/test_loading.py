"""Two services that import the same package, loaded at once."""

from __future__ import annotations

import importlib
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
#: second service imports the module first, while another thread looks for the package.
PACKAGE = "import {package}.module"
FIRST = "import {package}"
SECOND = "import sys; sys.modules['{package}_meeting'].begun.wait(0.5); import {package}.module"


class Meeting:
    """A finder that lets the two imports meet, if they run at once; in turns, it waits in vain."""

    def __init__(self, package: str) -> None:
        self.begun = threading.Event()
        self._package = package

    def find_spec(self, name: str, *_: Any) -> None:
        """Looking for the package takes until another thread imports its module."""
        if name != self._package or self.begun.is_set():
            return
        self.begun.set()
        deadline = time.monotonic() + 0.5
        locks: Any = vars(importlib._bootstrap)["_module_locks"]  # type: ignore[attr-defined]  # internal
        while f"{name}.module" not in locks and time.monotonic() < deadline:
            time.sleep(0.001)


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
    meeting: Any = Meeting(package)
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
