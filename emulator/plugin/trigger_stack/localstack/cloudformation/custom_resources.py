"""Custom resources: their function is invoked, and its answer is waited for.

What: a resource provider of LocalStack (a public extension point) for ``Custom::…`` and
``AWS::CloudFormation::CustomResource``, and the address that functions send their answer to.
Why: LocalStack's open release says that such a resource is complete and never calls its function; a
bucket notification of the CDK, which is one, would never be made.
Until: LocalStack has custom resources.
Test: ``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from typing import Any

from localstack import config
from localstack.http import Request, Response, route
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)
from localstack.services.edge import ROUTER
from localstack.utils.strings import long_uid

type Model = dict[str, Any]

LOG = logging.getLogger(__name__)
PATH = "/_trigger_stack/custom-resources"
#: Of AWS, when the resource has no ``ServiceTimeout``.
_SERVICE_TIMEOUT_S = 3600.0
_LARGEST_ANSWER = 4096
#: What the resource keeps beside the attributes that its function gave it.
_PROPERTIES = "trigger-stack:properties"
_ID = "PhysicalResourceId"


class Answers:
    """Answers that functions send to the address in ``ResponseURL``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: dict[str, Model | None] = {}

    def expect(self) -> str:
        """A new address's last part."""
        token = secrets.token_urlsafe(24)
        with self._changed:
            self._answers[token] = None
        return token

    def wait(self, token: str, seconds: float) -> Model | None:
        """The answer, or None when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._answers[token] is not None, seconds)
            return self._answers.pop(token)

    @route(f"{PATH}/<token>", methods=["PUT"])
    def take(self, request: Request, token: str) -> Response:
        """One function's answer."""
        data = request.get_data()
        with self._changed:
            if token not in self._answers:
                return Response("Nobody waits for this answer.\n", status=404)
            try:
                answer = json.loads(data) if len(data) <= _LARGEST_ANSWER else None
            except ValueError:
                answer = None
            if not isinstance(answer, dict):
                answer = {
                    "Status": "FAILED",
                    "Reason": f"the answer is no JSON object of at most {_LARGEST_ANSWER} bytes",
                }
            self._answers[token] = answer
            self._changed.notify_all()
        return Response("", status=200)


ANSWERS = Answers()
_routed = threading.Event()


class CustomResourceProvider(ResourceProvider[Model]):
    """Asks a function, or a topic, to make, change and delete a resource.

    AWS topic: AWS CloudFormation User Guide, "Custom resources".
    """

    def __init__(self) -> None:
        self.SCHEMA = {
            "typeName": "AWS::CloudFormation::CustomResource",
            "primaryIdentifier": [f"/properties/{_ID}"],
            "createOnlyProperties": ["/properties/ServiceToken"],
        }

    def create(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Ask for a new one."""
        return _ask(request, "Create", _texts(request.desired_state))

    def update(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Ask for a change; what gets a new id is a new resource, and the old one is deleted."""
        before = dict(request.previous_state or {})
        old = before.get(_PROPERTIES) or {}
        event = _ask(request, "Update", _texts(request.desired_state), before.get(_ID), old)
        model = event.resource_model or {}
        if event.status is OperationStatus.SUCCESS and model.get(_ID) != before.get(_ID):
            gone = _ask(request, "Delete", old, before.get(_ID))
            if gone.status is not OperationStatus.SUCCESS:
                LOG.warning("%s is left over: %s", before.get(_ID), gone.message)
        return event

    def delete(self, request: ResourceRequest[Model]) -> ProgressEvent[Model]:
        """Ask for the end of one."""
        model = dict(request.desired_state)
        properties = model.get(_PROPERTIES) or _texts(
            {name: value for name, value in model.items() if name != _ID}
        )
        return _ask(request, "Delete", properties, model.get(_ID))


def _ask(
    request: ResourceRequest[Model],
    kind: str,
    properties: Model,
    physical_id: str | None = None,
    old: Model | None = None,
) -> ProgressEvent[Model]:
    token = str(properties.get("ServiceToken") or "")
    if not token:
        return _failed("a custom resource needs ServiceToken: the ARN of a function or a topic")
    if not _routed.is_set():
        _routed.set()
        ROUTER.add(ANSWERS)
    expected = ANSWERS.expect()
    event = {
        "RequestType": kind,
        "ServiceToken": token,
        "ResponseURL": f"{config.internal_service_url()}{PATH}/{expected}",
        "StackId": request.stack_id,
        "RequestId": long_uid(),
        "LogicalResourceId": request.logical_resource_id,
        "ResourceType": request.resource_type,
        "ResourceProperties": properties,
        **({"PhysicalResourceId": physical_id} if physical_id else {}),
        **({"OldResourceProperties": old} if old is not None else {}),
    }
    _send(request, token, event)
    lasts = float(properties.get("ServiceTimeout") or _SERVICE_TIMEOUT_S)
    began = time.monotonic()
    answer = ANSWERS.wait(expected, lasts)
    if answer is None:
        return _failed(
            f"{token} did not answer within {time.monotonic() - began:.0f} seconds: it has to PUT"
            " its answer to the event's ResponseURL"
        )
    if answer.get("Status") != "SUCCESS":
        reason = answer.get("Reason") or "no reason given"
        return _failed(f"{token} refused to {kind.lower()} the resource: {reason}")
    if kind == "Delete":
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
    identifier = str(answer.get(_ID) or physical_id or "")
    if not identifier:
        return _failed(f"the answer of {token} has no {_ID}")
    data = answer.get("Data")
    model = (dict(data) if isinstance(data, dict) else {}) | {
        _ID: identifier,
        _PROPERTIES: properties,
    }
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)


def _send(request: ResourceRequest[Model], token: str, event: Model) -> None:
    clients = request.aws_client_factory
    if ":sns:" in token:
        clients.sns.publish(
            TopicArn=token,
            Subject="AWS CloudFormation custom resource request",
            Message=json.dumps(event),
        )
    else:
        clients.lambda_.invoke(
            FunctionName=token, InvocationType="Event", Payload=json.dumps(event)
        )


def _texts(value: Any) -> Any:
    """As CloudFormation sends properties: numbers and booleans are texts."""
    if isinstance(value, dict):
        return {name: _texts(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_texts(part) for part in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) or value is None else str(value)


def _failed(message: str) -> ProgressEvent[Model]:
    return ProgressEvent(status=OperationStatus.FAILED, resource_model={}, message=message)
