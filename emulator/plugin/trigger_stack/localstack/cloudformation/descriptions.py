"""A stack that is gone is described no longer, and the ARN of none is an answer, not a failure.

What: wraps ``describe_stacks`` of LocalStack's provider, and ``find_stack_v2`` that it and others
call.
Why: without a name LocalStack lists deleted stacks, too, for which the tools that list stacks ask
next; the ARN of a stack that does not exist ends in a service error, which clients try again.
Until: LocalStack lists what AWS lists (AWS CloudFormation API Reference, "DescribeStacks").
Test: ``tests/unit/plugin/test_cloudformation_descriptions.py``.
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.aws.api.cloudformation import StackStatus
from localstack.services.cloudformation.v2 import provider

_describe = provider.CloudformationProviderV2.describe_stacks
_find = provider.find_stack_v2


def describe_what_is_there() -> None:
    """Patch LocalStack. Idempotent."""
    provider.CloudformationProviderV2.describe_stacks = _describe_stacks  # type: ignore[method-assign, assignment]  # the patch
    provider.find_stack_v2 = _find_stack


@functools.wraps(_describe)
def _describe_stacks(self: Any, context: Any, stack_name: Any = None, **parameters: Any) -> Any:
    answer: Any = _describe(self, context, stack_name=stack_name, **parameters)
    if not stack_name:
        gone = StackStatus.DELETE_COMPLETE
        answer["Stacks"] = [one for one in answer["Stacks"] if one["StackStatus"] != gone]
    return answer


@functools.wraps(_find)
def _find_stack(state: Any, stack_name: str | None) -> Any:
    if stack_name and provider.is_stack_arn(stack_name) and stack_name not in state.stacks_v2:
        return None
    return _find(state, stack_name)
