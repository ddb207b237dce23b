"""Lets services in, as whoever deploys to AWS has to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

#: Those that hand events to functions, queues and topics of this stack.
SERVICES = ("events", "s3", "sns")
_ACTIONS = {"sns": "sns:Publish", "sqs": "sqs:SendMessage"}


def permit(client: Callable[[str], Any], *arns: str, services: tuple[str, ...] = SERVICES) -> None:
    """Let services use functions, queues and topics.

    Args:
        client: Makes the client of a service.
        arns: Of what they may use: functions, versions and aliases, queues, topics.
        services: For example ``s3``.
    """
    principals = [f"{service}.amazonaws.com" for service in services]
    for arn in arns:
        kind, name = arn.split(":")[2], arn.rpartition(":")[2]
        if kind == "lambda":
            _permit_invocations(client("lambda"), arn, principals)
            continue
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": principals},
            "Action": _ACTIONS[kind],
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if kind == "sns":
            client("sns").set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=policy
            )
        else:
            sqs = client("sqs")
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _permit_invocations(functions: Any, arn: str, principals: list[str]) -> None:
    for principal in principals:
        functions.add_permission(
            FunctionName=arn,
            StatementId=principal.partition(".")[0],
            Action="lambda:InvokeFunction",
            Principal=principal,
        )
