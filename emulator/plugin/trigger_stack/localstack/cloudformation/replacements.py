"""A resource is replaced only when a property has changed that cannot be.

What: wraps ``ChangeSetModelExecutor._execute_resource_change``.
Why: for LocalStack a reference to a resource that is changed is a change, though its value stays:
with a function's code, everything is replaced that names the function in such a property and has
another change as well. A second alias of the same name is refused; an event invoke config is put
and then deleted, with its on-failure destination: failed events would vanish.
Until: LocalStack compares the values.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

from localstack.services.cloudformation.engine.v2.change_set_model import is_nothing
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
)
from localstack.services.cloudformation.engine.v2.change_set_model_preproc import (
    PreprocResource,
)
from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor

_original = ChangeSetModelExecutor._execute_resource_change


def _execute_resource_change(
    self: ChangeSetModelExecutor, name: str, before: PreprocResource, after: PreprocResource
) -> None:
    changed = not is_nothing(before) and not is_nothing(after)
    if changed and before.resource_type == after.resource_type and after.requires_replacement:
        after.requires_replacement = is_other(before, after)
    _original(self, name, before, after)


def is_other(before: PreprocResource, after: PreprocResource) -> bool:
    """Whether a property has another value that only a new resource can have."""
    provider = ResourceProviderExecutor.try_load_resource_provider(after.resource_type)
    paths = provider.SCHEMA.get("createOnlyProperties", ()) if provider else ()
    names = {path.removeprefix("/properties/") for path in paths}
    old, new = before.properties.properties, after.properties.properties
    return any(old.get(name) != new.get(name) for name in names)


def replace_only_what_has_changed() -> None:
    """Patch LocalStack."""
    ChangeSetModelExecutor._execute_resource_change = _execute_resource_change  # type: ignore[assignment, method-assign]  # a patch
