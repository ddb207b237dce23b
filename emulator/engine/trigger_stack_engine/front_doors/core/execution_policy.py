"""Whether a function's resource-based policy lets an HTTP API invoke it.

AWS topics: "Using resource-based policies for Lambda" and "Actions, resources, and condition keys
for Amazon API Gateway" (the ARN of an execution).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trigger_stack_engine.front_doors.core.policy import allows


def source_arn(
    *, region: str, account_id: str, api_id: str, stage: str, method: str, route_path: str
) -> str:
    """ARN with which an HTTP API introduces itself to Lambda.

    Args:
        route_path: Path of the route's key with its variables (``/brand/{brandId}``), or
            ``$default``, which stands without a method.
    """
    tail = route_path if not route_path.startswith("/") else f"{method}{route_path}"
    return f"arn:aws:execute-api:{region}:{account_id}:{api_id}/{stage}/{tail}"


def allows_invoke(statements: Iterable[Mapping[str, Any]], *, arn: str, account_id: str) -> bool:
    """Whether the policy lets API Gateway invoke the function.

    Args:
        statements: Of the policy.
        arn: See :func:`source_arn`.
        account_id: Account of the API.
    """
    return allows(
        statements,
        action="lambda:invokefunction",
        principals=("apigateway.amazonaws.com",),
        keys={"aws:sourcearn": arn, "aws:sourceaccount": account_id},
    )
