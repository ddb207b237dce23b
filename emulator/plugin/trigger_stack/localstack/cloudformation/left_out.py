"""What LocalStack's resource types leave out is set, and what a template has no longer is unset.

What: wraps ``ResourceProviderExecutor.execute_action``: properties get the types of their schema,
and are refused when nobody looks at them; other operations for some types, more of them after some,
and defaults in place of properties that are gone.
Why: without a word, LocalStack gives every subscription filter of a log group the same name, so
that the second takes the place of the first; keeps a mapping's and a subscription's filter that a
template has no longer; makes a new topic at each change of one without a name; and leaves out most
settings that have an operation of their own: a bucket's life cycle, a stage's throttling, a table's
recovery, a function's concurrency, size of /tmp, SnapStart and code signing, the weights of an
alias, tags, retention, the conditions of a permission but its source. A parameter, which is a text,
fails where a number is needed. A stack with a mapping that could not be made cannot be deleted.
Until: LocalStack sets them.
Test: ``tests/delivery/test_cloudformation.py``,
``tests/delivery/test_cloudformation_properties.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.engine.quirks import PHYSICAL_RESOURCE_ID_SPECIAL_CASES
from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceProviderExecutor,
    ResourceRequest,
    convert_payload,
)

from trigger_stack.localstack.cloudformation import (
    buckets,
    bus_policies,
    conversions,
    functions,
    gateways,
    messaging,
    properties,
    tables,
    tags,
    versions,
)
from trigger_stack.localstack.cloudformation.operations import (
    Model,
    OperationsProvider,
    ResourceType,
)
from trigger_stack.localstack.cloudformation.updates import (
    Change,
    kept,
    set_retention,
    set_stream,
)

#: Types that are made, changed and deleted by operations of their service.
_OWN: dict[str, ResourceProvider[Any]] = {
    "AWS::Events::EventBusPolicy": bus_policies.EventBusPolicyProvider(),
    "AWS::Lambda::Version": versions.VersionProvider(),
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
    ),
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
        "EphemeralStorage": {"Size": functions.TMP_MB},
        "Layers": [],
        "LoggingConfig": {"LogFormat": "Text"},
        "MemorySize": 128,
        "ReservedConcurrentExecutions": "",
        "Timeout": 3,
        "TracingConfig": {"Mode": "PassThrough"},
        "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    },
    "AWS::SNS::Subscription": {
        "DeliveryPolicy": {},
        "FilterPolicy": {},
        "FilterPolicyScope": "MessageAttributes",
        "RawMessageDelivery": "false",
    },
    "AWS::SNS::Topic": {"TopicName": None},
    "AWS::SQS::Queue": {"RedriveAllowPolicy": {}},
}


def _stream(clients: Any, before: Model, model: Model) -> None:
    if not before:
        set_stream(clients, {"ShardCount": model.get("ShardCount")}, model)
    messaging.set_stream_tags(clients, before, model)


def _log_group(clients: Any, before: Model, model: Model) -> None:
    set_retention(clients, before, model)
    messaging.set_log_group_tags(clients, before, model)


#: What is to be done when a resource was made or changed.
_AFTER: dict[str, Change] = {
    "AWS::ApiGateway::RestApi": gateways.set_api,
    "AWS::ApiGateway::Stage": gateways.set_stage,
    "AWS::CloudWatch::Alarm": tags.set_by("cloudwatch", "ResourceARN", "Arn"),
    "AWS::CloudWatch::CompositeAlarm": tags.set_by("cloudwatch", "ResourceARN", "Arn"),
    "AWS::DynamoDB::GlobalTable": tables.set_global_table,
    "AWS::DynamoDB::Table": tables.set_table,
    "AWS::Events::EventBus": messaging.set_bus,
    "AWS::Events::Rule": tags.set_by("events", "ResourceARN", "Arn"),
    "AWS::Kinesis::Stream": _stream,
    "AWS::Lambda::Alias": functions.set_new_alias,
    "AWS::Lambda::Function": functions.set_function,
    "AWS::Lambda::Permission": functions.set_permission,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::S3::Bucket": buckets.set_bucket,
    "AWS::SNS::Subscription": messaging.change_subscription,
    "AWS::SNS::Topic": messaging.change_topic,
    "AWS::Scheduler::ScheduleGroup": tags.set_by("scheduler", "ResourceArn", "Arn"),
}
#: What the operation that makes a resource has otherwise, or not at all.
_LATER: dict[str, tuple[str, ...]] = {
    "AWS::Lambda::Alias": ("RoutingConfig",),
    "AWS::SNS::Topic": ("DataProtectionPolicy", "DeliveryStatusLogging"),
}
#: What a new resource has when its template does not say, and LocalStack takes something else.
_AT_FIRST: dict[str, Model] = {"AWS::S3::Bucket": {"AccessControl": "Private"}}
#: Resources, each with the ARN of its stack, that were refused when they were to be made.
_not_made: set[tuple[str, str]] = set()
#: The name that a new resource gets when its template has none.
_NAMED = {"AWS::Events::ApiDestination": "Name", "AWS::Events::Connection": "Name"}


def set_what_providers_leave_out() -> None:
    """Patch LocalStack."""
    original = ResourceProviderExecutor.execute_action
    PHYSICAL_RESOURCE_ID_SPECIAL_CASES["AWS::Logs::SubscriptionFilter"] = "/properties/FilterName"

    def execute(
        self: ResourceProviderExecutor, provider: ResourceProvider[Any], payload: Any
    ) -> ProgressEvent[Any]:
        kind, data = payload["resourceType"], payload["requestData"]
        provider_ = _OWN.get(kind, provider)
        place = (self.stack_id, data["logicalResourceId"])
        if payload["action"] == "Remove":
            if place in _not_made or never_made(kind, provider, data):
                _not_made.discard(place)
                return ProgressEvent(status=OperationStatus.SUCCESS, resource_model={})
            return original(self, provider_, payload)
        is_new = payload["action"] == "Add"
        if not payload["callbackContext"]:  # else it was looked at before
            complete(kind, provider_, data)
            if why := refused(kind, provider_, data):
                if is_new:
                    _not_made.add(place)
                return _failed(why, data.get("previousResourceProperties") or {}, ValueError(why))
            _not_made.discard(place)
        later = put_off(self, kind, data) if is_new else {}
        event: ProgressEvent[Any] = original(self, provider_, payload)
        if later:
            event.resource_model = {**(event.resource_model or {}), **later}
        if event.status is OperationStatus.FAILED and kind == "AWS::Lambda::Version" and is_new:
            _not_made.add(place)  # the version that there is belongs to another resource
        if event.status is OperationStatus.SUCCESS and kind in _AFTER:
            return finished(self, provider, payload, event)
        return event

    ResourceProviderExecutor.execute_action = execute  # type: ignore[assignment]  # a patch


def complete(kind: str, provider: ResourceProvider[Any], data: Model) -> None:
    """Give properties the types that they have, and what is gone its default.

    Args:
        kind: The type of the resource.
        provider: Of that type.
        data: With ``resourceProperties``, which are changed, and ``previousResourceProperties``.
    """
    given = data.get("resourceProperties")
    if given is None:
        return
    data["resourceProperties"] = conversions.converted(given, provider.SCHEMA)
    if kind == "AWS::S3::Bucket":
        buckets.say_whether_to_bus(data["resourceProperties"])
    unset(kind, data)


def refused(kind: str, provider: ResourceProvider[Any], data: Model) -> str:
    """Why a resource is not made or changed as its template has it; empty when it is.

    Args:
        kind: The type of the resource.
        provider: Of that type.
        data: With ``resourceProperties`` and ``logicalResourceId``.
    """
    given = data.get("resourceProperties") or {}
    # What a provider added when it made the resource comes back with a change.
    before = data.get("previousResourceProperties") or {}
    wanted = {
        name: given[name] for name in given if name not in before or given[name] != before[name]
    }
    why = properties.problem(kind, provider.SCHEMA, wanted)
    if not why:
        properties.note(kind, data.get("logicalResourceId") or "", wanted)
    return why


def put_off(executor: ResourceProviderExecutor, kind: str, data: Model) -> Model:
    """Complete the properties of a new resource, and take out those that are set later.

    Args:
        executor: Of the stack.
        kind: The type of the resource.
        data: With ``resourceProperties``, which are changed.

    Returns:
        What was taken out.
    """
    given = data.get("resourceProperties")
    if given is None:
        return {}
    for name, value in _AT_FIRST.get(kind, {}).items():
        given.setdefault(name, value)
    if kind in _NAMED and not given.get(_NAMED[kind]):
        given[_NAMED[kind]] = generate_default_name(
            executor.stack_name, data.get("logicalResourceId") or kind.rpartition(":")[2]
        )
    return {name: given.pop(name) for name in _LATER.get(kind, ()) if name in given}


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
    executor: ResourceProviderExecutor,
    provider: ResourceProvider[Any],
    payload: Any,
    event: ProgressEvent[Any],
) -> ProgressEvent[Any]:
    """The end of a resource's making or change: with what is set then."""
    kind = payload["resourceType"]
    request: ResourceRequest[Any] = convert_payload(
        stack_name=executor.stack_name, stack_id=executor.stack_id, payload=payload
    )
    before, wanted = dict(request.previous_state or {}), dict(request.desired_state)
    # LocalStack's function keeps what its template has no longer.
    gone = before.keys() - wanted.keys() - kept(provider, before, wanted).keys()
    model = {name: one for name, one in (event.resource_model or {}).items() if name not in gone}
    event.resource_model = model
    try:
        _AFTER[kind](request.aws_client_factory, before, model)
    except Exception as error:  # it is there, and can be deleted
        return _failed(str(error), model, error)
    return event


def _failed(why: str, model: Model, error: Exception) -> ProgressEvent[Any]:
    return ProgressEvent(
        status=OperationStatus.FAILED,
        resource_model=model,
        message=why,
        custom_context={"exception": error},
    )
