"""What LocalStack's resource types leave out is set, and what a template has no longer is unset.

What: wraps ``ResourceProviderExecutor.execute_action``: other operations for some types, more of
them after some, and defaults in place of properties that are gone.
Why: without a word, LocalStack gives every subscription filter of a log group the same name, so
that the second takes the place of the first; keeps a mapping's and a subscription's filter that a
template has no longer; makes a new topic at each change of one without a name; and sets no reserved
concurrency, no size of /tmp, no retention and no condition of a permission but its source. A stack
with a mapping that could not be made cannot be deleted.
Until: LocalStack sets them.
Test: ``tests/delivery/test_cloudformation.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.engine.quirks import PHYSICAL_RESOURCE_ID_SPECIAL_CASES
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceProviderExecutor,
    ResourceRequest,
    convert_payload,
)

from trigger_stack.localstack.cloudformation.operations import (
    Model,
    OperationsProvider,
    ResourceType,
)
from trigger_stack.localstack.cloudformation.updates import Change, set_retention, set_stream

#: Lambda's own size of /tmp.
_TMP_MB = 512
_UPDATE_SECONDS = 60

#: Types that are made, changed and deleted by operations of their service.
_OWN = {
    "AWS::Logs::SubscriptionFilter": OperationsProvider(
        ResourceType(
            name="AWS::Logs::SubscriptionFilter",
            service="logs",
            create="put_subscription_filter",
            delete="delete_subscription_filter",
            update="put_subscription_filter",
            reference="FilterName",
            identity={"logGroupName": "LogGroupName", "filterName": "FilterName"},
            create_only=("FilterName", "LogGroupName"),
            named="FilterName",
            longest_name=512,
        )
    )
}
#: What a property becomes when a template has it no longer; None: it stays what it was.
_UNSET: dict[str, Model] = {
    "AWS::Lambda::EventSourceMapping": {
        "FilterCriteria": {"Filters": []},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "ScalingConfig": {},
    },
    "AWS::Lambda::Function": {
        "DeadLetterConfig": {"TargetArn": ""},
        "Description": "",
        "Environment": {"Variables": {}},
        "EphemeralStorage": {"Size": _TMP_MB},
        "Layers": [],
        "MemorySize": 128,
        "ReservedConcurrentExecutions": "",
        "Timeout": 3,
    },
    "AWS::SNS::Subscription": {
        "FilterPolicy": {},
        "FilterPolicyScope": "MessageAttributes",
        "RawMessageDelivery": "false",
    },
    "AWS::SNS::Topic": {"TopicName": None},
}


def _function(clients: Any, before: Model, model: Model) -> None:
    name, wanted = model["FunctionName"], model.get("ReservedConcurrentExecutions")
    if wanted not in (None, ""):
        clients.lambda_.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=int(wanted)
        )
    elif before.get("ReservedConcurrentExecutions") not in (None, ""):
        clients.lambda_.delete_function_concurrency(FunctionName=name)
    size = int(model.get("EphemeralStorage", {}).get("Size", _TMP_MB))
    if size != int(before.get("EphemeralStorage", {}).get("Size", _TMP_MB)):
        clients.lambda_.update_function_configuration(
            FunctionName=name, EphemeralStorage={"Size": size}
        )
        clients.lambda_.get_waiter("function_updated_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": _UPDATE_SECONDS}
        )


def _permission(clients: Any, before: Model, model: Model) -> None:
    conditions = ("EventSourceToken", "FunctionUrlAuthType", "PrincipalOrgID", "SourceAccount")
    more = {name: str(model[name]) for name in conditions if model.get(name)}
    if more:
        place = {"FunctionName": model["FunctionName"], "StatementId": model["Id"]}
        same = {name: model[name] for name in ("Action", "Principal", "SourceArn") if name in model}
        clients.lambda_.remove_permission(**place)
        clients.lambda_.add_permission(**place, **same, **more)


def _new_stream(clients: Any, before: Model, model: Model) -> None:
    if not before:
        set_stream(clients, {"ShardCount": model.get("ShardCount")}, model)


#: What is to be done when a resource was made or changed.
_AFTER: dict[str, Change] = {
    "AWS::Kinesis::Stream": _new_stream,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Permission": _permission,
    "AWS::Logs::LogGroup": set_retention,
}


def set_what_providers_leave_out() -> None:
    """Patch LocalStack."""
    original = ResourceProviderExecutor.execute_action
    PHYSICAL_RESOURCE_ID_SPECIAL_CASES["AWS::Logs::SubscriptionFilter"] = "/properties/FilterName"

    def execute(
        self: ResourceProviderExecutor, provider: ResourceProvider[Any], payload: Any
    ) -> ProgressEvent[Any]:
        kind = payload["resourceType"]
        changes = payload["action"] in {"Dynamic", "Modify"}
        data = payload["requestData"]
        if payload["action"] == "Remove" and never_made(kind, provider, data):
            return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
        if changes:
            unset(kind, data)
        event: ProgressEvent[Any] = original(self, _OWN.get(kind, provider), payload)
        made = event.status is OperationStatus.SUCCESS and (changes or payload["action"] == "Add")
        return finished(self, kind, payload, event) if made and kind in _AFTER else event

    ResourceProviderExecutor.execute_action = execute  # type: ignore[assignment]  # a patch


def never_made(kind: str, provider: ResourceProvider[Any], data: Model) -> bool:
    """Whether a resource lacks the id that it would have got when it was made.

    Args:
        kind: The type of the resource.
        provider: Of that type.
        data: With ``resourceProperties``.
    """
    given = set(provider.SCHEMA.get("readOnlyProperties", ()))
    special = PHYSICAL_RESOURCE_ID_SPECIAL_CASES.get(kind)
    paths = [special] if special else provider.SCHEMA.get("primaryIdentifier", ())
    properties = data.get("resourceProperties") or {}
    return any(
        path.removeprefix("/properties/") not in properties for path in paths if path in given
    )


def unset(kind: str, data: Model) -> None:
    """Give what a template has no longer its default.

    Args:
        kind: The type of the resource.
        data: With ``resourceProperties``, which are changed, and ``previousResourceProperties``.
    """
    properties = data.get("resourceProperties")
    before = data.get("previousResourceProperties") or {}
    if properties is None:
        return
    for name, default in _UNSET.get(kind, {}).items():
        if name in before and name not in properties:
            properties[name] = before[name] if default is None else default


def finished(
    executor: ResourceProviderExecutor, kind: str, payload: Any, event: ProgressEvent[Any]
) -> ProgressEvent[Any]:
    """The end of a resource's making or change: with what is set then."""
    request: ResourceRequest[Any] = convert_payload(
        stack_name=executor.stack_name, stack_id=executor.stack_id, payload=payload
    )
    model = dict(event.resource_model or {})
    try:
        _AFTER[kind](request.aws_client_factory, dict(request.previous_state or {}), model)
    except Exception as error:  # it is there, and can be deleted
        return ProgressEvent(
            status=OperationStatus.FAILED,
            resource_model=model,
            message=str(error),
            custom_context={"exception": error},
        )
    return event
