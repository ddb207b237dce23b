"""A failed change of a stack says that it failed, and no change forgets a resource.

What: wraps ``ChangeSetModelExecutor.execute``.
Why: after a failure LocalStack keeps only the resources it came to: the others are nobody's, stay
when the stack is deleted, and are made a second time. ``UpdateStack`` then says UPDATE_COMPLETE.
``DeleteStack`` goes by the template that ``CreateStack`` had: what ``UpdateStack`` added stays, and
what it removed is removed once more, which is for a moment DELETE_FAILED.
Until: LocalStack rolls back, and keeps the template of an ``UpdateStack``.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``; for the template:
``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.api.cloudformation import ExecutionStatus, StackStatus
from localstack.services.cloudformation.engine.v2.change_set_model_executor import (
    ChangeSetModelExecutor,
    ChangeSetModelExecutorResult,
)

_original = ChangeSetModelExecutor.execute


class StackUpdateError(Exception):
    """A resource could not be changed; ``UpdateStack`` ends in UPDATE_FAILED."""


def _execute(self: ChangeSetModelExecutor) -> ChangeSetModelExecutorResult:
    change_set: Any = self._change_set
    stack = change_set.stack
    is_update = stack.status == StackStatus.UPDATE_IN_PROGRESS
    result = _original(self)
    if not is_update:
        return result
    if not result.failure_message:
        stack.processed_template = change_set.processed_template
        return result
    for name, resource in stack.resolved_resources.items():
        if "PhysicalResourceId" not in result.resources.get(name, {}):
            result.resources[name] = resource
    stack.status_reason = result.failure_message
    if change_set.execution_status != ExecutionStatus.EXECUTE_IN_PROGRESS:  # it is UpdateStack
        stack.resolved_resources = result.resources
        raise StackUpdateError(result.failure_message)
    return result


def let_failed_updates_fail() -> None:
    """Patch LocalStack."""
    ChangeSetModelExecutor.execute = _execute  # type: ignore[method-assign]  # a patch
