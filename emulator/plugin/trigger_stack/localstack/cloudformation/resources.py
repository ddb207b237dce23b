"""A resource that had no properties can get some.

What: wraps ``PreprocResource.__init__``: without ``Properties`` a resource has an empty mapping.
Why: LocalStack compares the properties of a resource before and after a change, and fails with
``'NothingType' object has no attribute 'properties'`` when one side has no ``Properties`` at all.
In a stack of the CDK that is any bucket that gets its first property.
Until: LocalStack compares them.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.services.cloudformation.engine.v2.change_set_model import is_nothing
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import (
    PreprocProperties,
    PreprocResource,
)

_original = PreprocResource.__init__


@functools.wraps(_original)
def _with_properties(self: PreprocResource, *arguments: Any, **named: Any) -> None:
    _original(self, *arguments, **named)
    if is_nothing(self.properties):
        self.properties = PreprocProperties(properties={})


def give_every_resource_properties() -> None:
    """Patch LocalStack."""
    PreprocResource.__init__ = _with_properties  # type: ignore[method-assign]  # a patch
