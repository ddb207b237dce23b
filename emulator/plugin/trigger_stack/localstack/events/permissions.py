"""Whether EventBridge may hand an event of a rule to a target or to its dead-letter queue.

What: no patch; asks ``execution_roles.py`` for a target with a role, else
``resource_policies.py``.
Why: LocalStack's open release asks neither, so that an event arrives here which AWS drops.
Until: LocalStack checks policies.
Test: ``tests/delivery/test_resource_policies.py``, ``tests/delivery/test_log_group_targets.py``.

AWS topics: EventBridge User Guide, "Using resource-based policies for Amazon EventBridge" (a log
group's target has no role) and "How EventBridge retries delivering events": what fails for want of
permissions is not tried again.
"""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

from trigger_stack.localstack.execution_roles import execution_roles
from trigger_stack.localstack.resource_policies import resource_policies

PRINCIPAL: Final = "events.amazonaws.com"
#: What the role of a target must allow, by service. Roles of other targets are not looked at.
_ACTIONS: Final = {
    "events": ("events:PutEvents",),
    "execute-api": ("execute-api:Invoke",),
    "kinesis": ("kinesis:PutRecord", "kinesis:PutRecords"),
    "firehose": ("firehose:PutRecord", "firehose:PutRecordBatch"),
    "lambda": ("lambda:InvokeFunction",),
    "logs": ("logs:CreateLogStream", "logs:PutLogEvents"),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage",),
    "states": ("states:StartExecution",),
}


def check(arn: str, rule_arn: str, role: str | None = None) -> None:
    """Check that EventBridge may use a target or dead-letter queue.

    Args:
        arn: Of the target or queue.
        rule_arn: Of the rule.
        role: ARN of the role that it does so with.

    Raises:
        ClientError: It may not: ``AccessDeniedException``.
    """
    service = arn.split(":", 3)[2]
    if role and service != "logs":
        problem = _with_role(arn, rule_arn, role)
    else:
        problem = resource_policies().why_not(PRINCIPAL, arn, rule_arn)
    if problem:
        answer: Any = {
            "Error": {"Code": "AccessDeniedException", "Message": problem},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        raise ClientError(answer, _ACTIONS[service][0].partition(":")[2])


def _with_role(arn: str, rule_arn: str, role: str) -> str | None:
    actions = _ACTIONS.get(arn.split(":", 3)[2])
    if ":api-destination/" in arn:
        actions = ("events:InvokeApiDestination",)
    if actions is None:
        return None
    if problem := execution_roles().why_not_assumed(role, PRINCIPAL, rule_arn):
        return problem
    return execution_roles().why_not_allowed(role, actions, arn, rule_arn)
