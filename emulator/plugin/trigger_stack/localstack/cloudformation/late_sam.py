"""SAM's translator is imported when a template has its transform.

What: while LocalStack's provider of CloudFormation is imported, what it imports of
``samtranslator`` are functions that import the real one when they are called.
Why: the translator takes longer to import than everything else that the first stack needs, and only
a template with ``Transform: AWS::Serverless-2016-10-31`` uses it.
Until: LocalStack imports it when it translates.
Test: ``tests/unit/plugin/test_late_sam.py``, ``tests/delivery/test_cloudformation_sam.py``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

_PACKAGE: Final = "samtranslator"
#: What LocalStack imports, by module.
_NAMES: Final = {
    "samtranslator.translator.managed_policy_translator": "ManagedPolicyLoader",
    "samtranslator.translator.transform": "transform",
}


@contextmanager
def imported_later() -> Iterator[None]:
    """Import LocalStack's modules within: they get functions that import the translator."""
    if _PACKAGE in sys.modules:
        yield
        return
    modules = _stand_ins()
    sys.modules |= modules
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _stand_ins() -> dict[str, ModuleType]:
    modules = {name: ModuleType(name) for name in (_PACKAGE, f"{_PACKAGE}.translator", *_NAMES)}
    for name, module in modules.items():
        if name in _NAMES:
            setattr(module, _NAMES[name], _late(name, _NAMES[name]))
        else:
            module.__path__ = []
    return modules


def _late(module: str, name: str) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*arguments, **named)

    return call
