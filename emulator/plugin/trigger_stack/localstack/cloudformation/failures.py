"""A failed change of a stack says that it failed, and no change forgets a resource.

What: wraps ``ChangeSetModelExecutor.execute`` and ``_defer_action``.
Why: after a failure LocalStack keeps only the resources it came to: the others are nobody's, stay
when the stack is deleted, and are made a second time. ``UpdateStack`` then says UPDATE_COMPLETE.
``DeleteStack`` goes by the template that ``CreateStack`` had: what ``UpdateStack`` added stays, and
what it removed is removed once more, which is for a moment DELETE_FAILED. A failed update removes
what its template has no longer and what it has replaced, a queue with its messages, which AWS does
only after everything else has worked. Here nothing is rolled back, so that the stack's template
becomes what was reached: the old one with what was made and changed. What was replaced goes with
the next update that works, or with the stack.
Until: LocalStack rolls back, and keeps the template of an ``UpdateStack``.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``; for the template:
``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

import copy
import logging
import weakref
from dataclasses import dataclass
from typing import Any

from localstack.aws.api.cloudformation import ExecutionStatus, StackStatus
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
    ChangeSetModelExecutorResult,
    DeferredAction,
)

LOG = logging.getLogger(__name__)

type Template = dict[str, Any]

#: What the names of LocalStack's deferred actions begin with.
_NO_LONGER_WANTED = "remove-"
_REMOVALS = (_NO_LONGER_WANTED, "cleanup-from-replacement-", "type-migration-")

_original = ChangeSetModelExecutor.execute
_original_defer = ChangeSetModelExecutor._defer_action


@dataclass(frozen=True)
class Replaced:
    """A resource that another one of its stack has replaced, and that is still there.

    Attributes:
        resource_type: Its type.
        physical_id: Its id.
        remove: Removes it.
    """

    resource_type: str
    physical_id: str
    remove: DeferredAction


#: By stack, what its failed updates have replaced.
_replaced: weakref.WeakKeyDictionary[Any, list[Replaced]] = weakref.WeakKeyDictionary()


class StackUpdateError(Exception):
    """A resource could not be changed; ``UpdateStack`` ends in UPDATE_FAILED."""


def _execute(self: ChangeSetModelExecutor) -> ChangeSetModelExecutorResult:
    change_set: Any = self._change_set
    stack = change_set.stack
    is_update = stack.status == StackStatus.UPDATE_IN_PROGRESS
    result = _original(self)
    if not result.failure_message:
        _remove_replaced(stack, result.resources)
    if not is_update:
        return result
    if not result.failure_message:
        stack.processed_template = change_set.processed_template
        return result
    reached = [
        name
        for name, resource in result.resources.items()
        if "PhysicalResourceId" in resource
        and str(resource["ResourceStatus"]).endswith("_COMPLETE")
    ]
    template = merged(stack.processed_template, change_set.processed_template, reached)
    parameters = {**change_set.resolved_parameters, **stack.resolved_parameters}
    for holder in (stack, change_set):  # the provider takes those of a change set
        holder.template = copy.deepcopy(template)
        holder.processed_template = copy.deepcopy(template)
        holder.template_body = stack.template_body
        holder.resolved_parameters = parameters
    for name, resource in stack.resolved_resources.items():
        if "PhysicalResourceId" not in result.resources.get(name, {}):
            result.resources[name] = resource
    stack.status_reason = result.failure_message
    if change_set.execution_status != ExecutionStatus.EXECUTE_IN_PROGRESS:  # it is UpdateStack
        stack.resolved_resources = result.resources
        raise StackUpdateError(result.failure_message)
    return result


def merged(old: Template, new: Template, reached: list[str]) -> Template:
    """The template of a stack in the middle of an update.

    Args:
        old: What the stack had before, processed.
        new: What it was to have, processed.
        reached: Logical ids of the resources that are as ``new`` says.

    Returns:
        The old template with these resources, and with what they refer to.
    """
    template = copy.deepcopy(old)
    for section in ("Parameters", "Mappings", "Conditions"):
        if section in new:
            template[section] = copy.deepcopy(new[section]) | template.get(section, {})
    resources = template.setdefault("Resources", {})
    for name in reached:
        if name in new.get("Resources", {}):
            resources[name] = copy.deepcopy(new["Resources"][name])
    return template


def _remove_replaced(stack: Any, resources: dict[str, Any]) -> None:
    """Remove what failed updates have replaced, except for what has its place again."""
    there = {(one["Type"], one.get("PhysicalResourceId")) for one in resources.values()}
    for one in _replaced.pop(stack, []):
        if (one.resource_type, one.physical_id) not in there:
            try:
                one.remove()
            except Exception:
                LOG.exception("%s, which %s no longer has", one.physical_id, stack.stack_name)


def _defer_action(self: ChangeSetModelExecutor, name: str, action: DeferredAction) -> None:
    stack = self._change_set.stack
    kind = next((one for one in _REMOVALS if name.startswith(one)), None)
    if kind is None:
        _original_defer(self, name, action)
        return
    before: dict[str, Any] = {**stack.resolved_resources.get(name.removeprefix(kind), {})}

    def unless_failed() -> None:
        if stack.status != StackStatus.ROLLBACK_IN_PROGRESS:
            action()
        elif kind != _NO_LONGER_WANTED and "PhysicalResourceId" in before:
            replaced = Replaced(before["Type"], before["PhysicalResourceId"], action)
            _replaced.setdefault(stack, []).append(replaced)

    _original_defer(self, name, unless_failed)


def let_failed_updates_fail() -> None:
    """Patch LocalStack."""
    ChangeSetModelExecutor.execute = _execute  # type: ignore[method-assign]  # a patch
    ChangeSetModelExecutor._defer_action = _defer_action  # type: ignore[method-assign]  # a patch
