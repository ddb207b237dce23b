"""A statement of the policy of a bus; a bus may have several.

What: a resource provider of LocalStack (a public extension point) for
``AWS::Events::EventBusPolicy``, in place of LocalStack's.
Why: LocalStack puts the statement in place of the whole policy: of two resources, the statement of
one would be gone.
Until: LocalStack keeps the other statements.
Test: ``tests/delivery/test_cloudformation_properties.py``.

AWS topic: AWS CloudFormation Template Reference Guide, "AWS::Events::EventBusPolicy".
"""

from __future__ import annotations

import json
import threading
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

type Model = dict[str, Any]

#: A policy is read and put as a whole, and stacks are made side by side.
_one_policy_at_a_time = threading.Lock()


class EventBusPolicyProvider(ResourceProvider[Model]):
    """Puts and removes one statement of the policy of a bus."""

    def __init__(self) -> None:
        self.SCHEMA = {
            "typeName": "AWS::Events::EventBusPolicy",
            "primaryIdentifier": ["/properties/Id"],
            "createOnlyProperties": ["/properties/EventBusName", "/properties/StatementId"],
            "readOnlyProperties": ["/properties/Id"],
            "properties": dict.fromkeys(
                (
                    *("Action", "Condition", "EventBusName", "Id", "Principal", "Statement"),
                    "StatementId",
                )
            ),
        }

    def create(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Add the statement, or put it in place of the one of this id."""
        model = dict(request.desired_state)
        client, bus = request.aws_client_factory.events, _bus(model)
        with _one_policy_at_a_time:
            described = client.describe_event_bus(Name=bus)
            others = _others(described, model["StatementId"])
            _put(client, bus, [*others, _statement(model, described)])
        # A name on AWS, too: of the bus, and of the statement.
        return _done(model | {"Id": f"{bus}|{model['StatementId']}"})

    def update(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """The same."""
        return self.create(request)

    def delete(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Take the statement away; the bus may be gone already, with its policy."""
        model = dict(request.desired_state)
        client, bus = request.aws_client_factory.events, _bus(model)
        with _one_policy_at_a_time:
            try:
                described = client.describe_event_bus(Name=bus)
            except client.exceptions.ResourceNotFoundException:
                return _done({})
            _put(client, bus, _others(described, model["StatementId"]))
        return _done({})


def _bus(model: Model) -> str:
    return str(model.get("EventBusName") or "default").rpartition("/")[2]


def _others(described: Any, statement_id: str) -> list[Model]:
    statements = json.loads(described.get("Policy") or '{"Statement": []}')["Statement"]
    return [one for one in statements if one.get("Sid") != statement_id]


def _statement(model: Model, described: Any) -> Model:
    """As the template has it, or as ``PutPermission`` makes it of an account or everybody."""
    if model.get("Statement"):
        return {"Sid": model["StatementId"], **model["Statement"]}
    principal = str(model["Principal"])
    made: Model = {
        "Sid": model["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": model["Action"],
        "Resource": described["Arn"],
    }
    if condition := model.get("Condition"):
        made["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return made


def _put(client: Any, bus: str, statements: list[Model]) -> None:
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client.put_permission(EventBusName=bus, Policy=policy)
    else:
        client.remove_permission(EventBusName=bus, RemoveAllPermissions=True)


def _done(model: Model) -> ProgressEvent[Model]:
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
