"""A changed resource is changed, or its stack fails by name.

What: wraps ``ResourceProviderExecutor.execute_action`` for changes. Types whose provider cannot
change a resource are changed here, as far as a trigger may depend on them; others fail.
Why: more than 70 of LocalStack's types have no update, buckets, rules, tables, function URLs and
stages of REST APIs among them. LocalStack then says UPDATE_COMPLETE and changes nothing: a
notification that is added to a bucket would never fire. A role's own policies, and a method's
authorizer and responses, stay what they were, too; with another trust policy a role is deleted, and
one of another name is made. A rule or an alarm without a name is made a second time, and the first
goes on to fire.
Until: LocalStack's providers update, or say that they cannot.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable
from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceProviderExecutor,
    ResourceRequest,
    convert_payload,
)

from trigger_stack.localstack.cloudformation import functions, gateways, roles, tables

type Model = dict[str, Any]
#: Changes a resource; its arguments are the clients of services, and the properties before and
#: after. It may add to the latter.
type Change = Callable[[Any, Model, Model], None]

LOG = logging.getLogger(__name__)
#: What LocalStack adds to a resource that its template does not name ends so.
_GENERATED = ("Arn", "Id", "Name", "Url")
_WAIT = {"Delay": 1, "MaxAttempts": 300}

_original = ResourceProviderExecutor.execute_action


def _execute(
    self: ResourceProviderExecutor, provider: ResourceProvider[Any], payload: Any
) -> ProgressEvent[Any]:
    if payload["action"] not in {"Dynamic", "Modify"}:
        return _original(self, provider, payload)
    request: ResourceRequest[Any] = convert_payload(
        stack_name=self.stack_name, stack_id=self.stack_id, payload=payload
    )
    before = dict(request.previous_state or {})
    try:
        try:
            if request.resource_type in _INSTEAD:
                return change(provider, request)
            return provider.update(request)
        except NotImplementedError:
            return change(provider, request)
    except Exception as error:  # it stays as it was, and can still be deleted
        return ProgressEvent(
            status=OperationStatus.FAILED,
            resource_model=before,
            message=str(error),
            custom_context={"exception": error},
        )


def change(provider: ResourceProvider[Any], request: ResourceRequest[Any]) -> ProgressEvent[Any]:
    """Change a resource whose provider cannot.

    Raises:
        ValueError: Nobody can; with the type and the properties that changed.
    """
    kind = request.resource_type
    before, after = dict(request.previous_state or {}), dict(request.desired_state)
    changed = {name for name in after if after[name] != before.get(name)}
    if kind in _MADE_ANEW:
        _MADE_ANEW[kind](request.aws_client_factory, before)
        request.desired_state = copy.deepcopy(after)  # a provider takes from it what it has put
        provider.create(request)
        model = kept(provider, before, after) | after
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
    if kind in _PUT_AGAIN:
        request.desired_state = kept(provider, before, after) | _rule_name(kind, before) | after
        event = provider.create(request)
        _PUT_AGAIN[kind](request.aws_client_factory, before, event.resource_model or {})
        return event
    own = kept(provider, before, after)
    if kind in _CHANGES:
        model = own | after  # without what the template has no longer
        _CHANGES[kind](request.aws_client_factory, before, model)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
    changed |= {
        name for name in before.keys() - after.keys() - own.keys() if not name.endswith(_GENERATED)
    }
    if changed != {"Tags"}:
        raise ValueError(
            f"{kind} cannot be changed in a stack here ({', '.join(sorted(changed))}): delete it"
            " and make it again, or give the resource another logical id"
        )
    LOG.warning("the tags of %s (%s) stay as they are", request.logical_resource_id, kind)
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=before | after)


def change_what_providers_do_not() -> None:
    """Patch LocalStack."""
    ResourceProviderExecutor.execute_action = _execute  # type: ignore[assignment]  # a patch


def _rule_name(kind: str, before: Model) -> Model:
    """The name that a rule got when it was made: else another rule would be made."""
    return {"Name": before["Id"].rpartition("|")[2]} if kind == "AWS::Events::Rule" else {}


def kept(provider: ResourceProvider[Any], before: Model, after: Model) -> Model:
    """What a resource has beside the properties of its template: its names and attributes.

    Args:
        provider: Of its type.
        before: What it was.
        after: What the template has.
    """
    paths = [
        *provider.SCHEMA.get("primaryIdentifier", ()),
        *provider.SCHEMA.get("readOnlyProperties", ()),
        # A name that the template does not have; when it has another, the resource is replaced.
        *provider.SCHEMA.get("createOnlyProperties", ()),
    ]
    names = {path.rpartition("/")[2] for path in paths} | {"Id", "Name"}
    return {name: before[name] for name in names if name in before and name not in after}


# --- Types whose ``create`` puts: it is called again, and what is gone is taken away


def _nothing_left(clients: Any, before: Model, model: Model) -> None:
    """``create`` has put everything."""


def _bucket(clients: Any, before: Model, model: Model) -> None:
    name = model["BucketName"]
    if before.get("NotificationConfiguration") and not model.get("NotificationConfiguration"):
        clients.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
    if before.get("CorsConfiguration") and not model.get("CorsConfiguration"):
        clients.s3.delete_bucket_cors(Bucket=name)
    if before.get("Tags") and not model.get("Tags"):
        clients.s3.delete_bucket_tagging(Bucket=name)
    if before.get("WebsiteConfiguration") and not model.get("WebsiteConfiguration"):
        clients.s3.delete_bucket_website(Bucket=name)


def _rule(clients: Any, before: Model, model: Model) -> None:
    ids = {target["Id"] for target in model.get("Targets") or []}
    gone = [one["Id"] for one in before.get("Targets") or [] if one["Id"] not in ids]
    if gone:
        bus = {"EventBusName": model["EventBusName"]} if model.get("EventBusName") else {}
        rule = model["Id"].rpartition("|")[2]
        clients.events.remove_targets(Rule=rule, Ids=gone, **bus)


_PUT_AGAIN: dict[str, Change] = {
    "AWS::ApiGateway::Account": _nothing_left,
    "AWS::ApiGateway::GatewayResponse": _nothing_left,
    "AWS::CloudWatch::Alarm": _nothing_left,
    "AWS::CloudWatch::CompositeAlarm": _nothing_left,
    "AWS::Events::EventBusPolicy": _nothing_left,
    "AWS::Events::Rule": _rule,
    "AWS::Lambda::EventInvokeConfig": _nothing_left,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _nothing_left,
    "AWS::SNS::TopicPolicy": _nothing_left,
}


#: Types that cannot be put a second time, each with what makes room.
_MADE_ANEW: dict[str, Callable[[Any, Model], None]] = {
    "AWS::ApiGateway::Method": gateways.delete_method,
}
#: Types whose provider changes a part, and says that it has changed all.
_INSTEAD = frozenset({"AWS::ApiGateway::Method", "AWS::ApiGateway::UsagePlan", "AWS::IAM::Role"})


# --- Types with an operation for a change


def set_stream(clients: Any, before: Model, model: Model) -> None:
    """The shards and the retention of a Kinesis stream."""
    name = model["Name"]
    ready = clients.kinesis.get_waiter("stream_exists")
    ready.wait(StreamName=name, WaiterConfig=_WAIT)
    if model.get("ShardCount") != before.get("ShardCount"):
        clients.kinesis.update_shard_count(
            StreamName=name,
            TargetShardCount=int(model["ShardCount"]),
            ScalingType="UNIFORM_SCALING",
        )
        ready.wait(StreamName=name, WaiterConfig=_WAIT)
    hours = int(model.get("RetentionPeriodHours") or 24)
    old = int(before.get("RetentionPeriodHours") or 24)
    if hours != old:
        direction = "increase" if hours > old else "decrease"
        operation = getattr(clients.kinesis, f"{direction}_stream_retention_period")
        operation(StreamName=name, RetentionPeriodHours=hours)


def set_retention(clients: Any, before: Model, model: Model) -> None:
    """How long a log group keeps its events; without ``RetentionInDays`` forever."""
    name, days = model["LogGroupName"], model.get("RetentionInDays")
    if days:
        clients.logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
    elif before.get("RetentionInDays"):
        clients.logs.delete_retention_policy(logGroupName=name)


def _schedule(clients: Any, before: Model, model: Model) -> None:
    names = (
        "Description", "EndDate", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "Name",
        "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "State", "Target",
    )  # fmt: skip
    clients.scheduler.update_schedule(**{name: model[name] for name in names if name in model})


def _connection(clients: Any, before: Model, model: Model) -> None:
    names = ("Name", "Description", "AuthorizationType", "AuthParameters")
    clients.events.update_connection(**{name: model[name] for name in names if name in model})


def _api_destination(clients: Any, before: Model, model: Model) -> None:
    names = (
        *("Name", "Description", "ConnectionArn", "HttpMethod", "InvocationEndpoint"),
        "InvocationRateLimitPerSecond",
    )
    settings = {name: model[name] for name in names if name in model}
    clients.events.update_api_destination(**settings)


def _secret(clients: Any, before: Model, model: Model) -> None:
    settings = {key: model[key] for key in ("Description", "SecretString") if key in model}
    clients.secretsmanager.update_secret(SecretId=model["Id"], **settings)


def _managed_policy(clients: Any, before: Model, model: Model) -> None:
    document = model["PolicyDocument"]
    text = document if isinstance(document, str) else json.dumps(document)
    clients.iam.create_policy_version(PolicyArn=model["Id"], PolicyDocument=text, SetAsDefault=True)


def _nested_stack(clients: Any, before: Model, model: Model) -> None:
    clients.cloudformation.update_stack(
        StackName=model["Id"],
        TemplateURL=model["TemplateURL"],
        Parameters=[
            {"ParameterKey": key, "ParameterValue": gateways.text(value)}
            for key, value in (model.get("Parameters") or {}).items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = clients.cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName=model["Id"], WaiterConfig=_WAIT)
    (made,) = clients.cloudformation.describe_stacks(StackName=model["Id"])["Stacks"]
    model["Outputs"] = {one["OutputKey"]: one["OutputValue"] for one in made.get("Outputs", [])}


_CHANGES: dict[str, Change] = {
    "AWS::ApiGateway::RestApi": gateways.change_api,
    "AWS::ApiGateway::Stage": gateways.change_stage,
    "AWS::ApiGateway::UsagePlan": gateways.change_usage_plan,
    "AWS::CloudFormation::Stack": _nested_stack,
    "AWS::DynamoDB::GlobalTable": tables.change_global_table,
    "AWS::DynamoDB::Table": tables.change_table,
    "AWS::Events::ApiDestination": _api_destination,
    "AWS::Events::Connection": _connection,
    "AWS::Events::EventBus": _nothing_left,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": roles.change_role,
    "AWS::Kinesis::Stream": set_stream,
    "AWS::Lambda::Alias": functions.change_alias,
    "AWS::Lambda::CodeSigningConfig": functions.change_signing,
    "AWS::Lambda::Url": functions.change_url,
    "AWS::Logs::LogGroup": set_retention,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _nothing_left,
    "AWS::SecretsManager::Secret": _secret,
}
