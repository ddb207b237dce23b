"""Services are loaded one after the other.

What: ``ServicePluginManager.get_service_container``, plux's ``PluginManager.load`` and moto's
``_import_backend`` take one lock before they import anything.
Why: LocalStack has a lock for each service. One that imports ``moto.ec2`` while another imports
``moto.ec2.exceptions`` each wait for the other, and Python ends one of them with ``deadlock
detected by _ModuleLock``. LocalStack remembers the error: the service answers 500 until the
emulator is started again.
Until: LocalStack loads services one after the other.
Test: ``tests/unit/plugin/test_loading.py``.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Final

#: Taken before LocalStack's lock of a service, never after it. Reentrant: to load a service may
#: load others.
LOCK: Final = threading.RLock()


def one_after_the_other() -> None:
    """Patch LocalStack, plux and moto. Idempotent."""
    from localstack.services.plugins import ServicePluginManager
    from moto import backends
    from plux import PluginManager  # type: ignore[import-untyped]  # it has no types

    manager: Any = ServicePluginManager
    if hasattr(manager.get_service_container, "__wrapped__"):
        return
    manager.get_service_container = _unless_loaded(manager.get_service_container)
    plugins: Any = PluginManager
    plugins.load = locked(plugins.load)
    backends._import_backend = locked(backends._import_backend)


def locked[**P, R](original: Callable[P, R]) -> Callable[P, R]:
    """A function that one thread at a time is in."""

    @functools.wraps(original)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with LOCK:
            return original(*args, **kwargs)

    return alone


def _unless_loaded(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """A request to a service that is there does not wait for another service to be loaded."""
    load = locked(original)

    @functools.wraps(original)
    def get_service_container(manager: Any, name: str) -> Any:
        return manager._services.get(name) or load(manager, name)

    return get_service_container
