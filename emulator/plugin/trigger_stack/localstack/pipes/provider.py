"""Amazon EventBridge Pipes: the control plane of ours in front of the pollers.

What: a provider at LocalStack's extension point ``localstack.aws.provider``.
Why: LocalStack's open release has no pipes. moto's are stored and carry nothing.
Until: LocalStack has pipes.
Test: ``tests/delivery/test_pipes.py``.
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.plugins import SERVICE_PLUGINS, Service, ServiceLifecycleHook
from localstack.utils.event_matcher import validate_event_pattern

from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.localstack.execution_roles import execution_roles
from trigger_stack.localstack.pipes.runner import LocalRunner
from trigger_stack.services.pipes.service import Pipes


def is_pattern(pattern: Any) -> bool:
    """Whether filters can have a pattern: whatever is wrong with it."""
    try:
        return validate_event_pattern(pattern)
    except Exception:  # LocalStack's engine expects a certain shape
        return False


def why_not_assumed(role: str, pipe: str) -> str | None:
    """Why Pipes cannot assume a role for a pipe, both by ARN; None when it can."""
    return execution_roles().why_not_assumed(role, "pipes.amazonaws.com", pipe)


@functools.cache
def pipes() -> Pipes:
    """The emulator's one control plane of pipes."""
    return Pipes(LocalRunner(), is_pattern, why_not_assumed)


class _Ends(ServiceLifecycleHook):
    """Ends the pollers before what they call."""

    def on_before_stop(self) -> None:
        pipes().stop_all()


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    SERVICE_PLUGINS.require("lambda")  # a table's changes wake who reads its stream
    skeleton = Skeleton(load_service("pipes"), dispatch_table(pipes()))
    return Service("pipes", skeleton=skeleton, lifecycle_hook=_Ends())
