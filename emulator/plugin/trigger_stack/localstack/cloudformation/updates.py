"""A changed resource is changed, or its stack fails by name.

What: wraps ``ResourceProviderExecutor.execute_action`` for changes. Types whose provider cannot
change a resource are changed here, as far as a trigger may depend on them; others fail.
Why: more than 70 of LocalStack's types have no update, buckets, rules, tables, function URLs and
stages of REST APIs among them. LocalStack then says UPDATE_COMPLETE and changes nothing: a
notification that is added to a bucket would never fire.
Until: LocalStack's providers update, or say that they cannot.
Test: ``tests/unit/plugin/test_cloudformation_patches.py``.
"""

from __future__ import annotations

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
    if kind in _PUT_AGAIN:
        request.desired_state = _kept(provider, before, after) | after
        event = provider.create(request)
        _PUT_AGAIN[kind](request.aws_client_factory, before, event.resource_model or {})
        return event
    kept = _kept(provider, before, after)
    if kind in _CHANGES:
        model = kept | after  # without what the template has no longer
        _CHANGES[kind](request.aws_client_factory, before, model)
        return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model)
    changed |= {
        name for name in before.keys() - after.keys() - kept.keys() if not name.endswith(_GENERATED)
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


def _kept(provider: ResourceProvider[Any], before: Model, after: Model) -> Model:
    """What a resource has beside the properties of its template: its names and attributes."""
    paths = [
        *provider.SCHEMA.get("primaryIdentifier", ()),
        *provider.SCHEMA.get("readOnlyProperties", ()),
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


# --- Types with an operation for a change


def _patches(before: Model, model: Model, paths: dict[str, str]) -> list[dict[str, str]]:
    """Patch operations of API Gateway for properties with one value."""
    return [
        {"op": "replace", "path": path, "value": _text(model[name])}
        for name, path in paths.items()
        if name in model and model[name] != before.get(name)
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _stage(clients: Any, before: Model, model: Model) -> None:
    patches = _patches(
        before,
        model,
        {
            "DeploymentId": "/deploymentId",
            "Description": "/description",
            "TracingEnabled": "/tracingEnabled",
        },
    )
    variables, old = model.get("Variables") or {}, before.get("Variables") or {}
    patches += [
        {"op": "replace", "path": f"/variables/{name}", "value": value}
        for name, value in variables.items()
        if value != old.get(name)
    ]
    patches += [{"op": "remove", "path": f"/variables/{name}"} for name in old.keys() - variables]
    if model.get("AccessLogSetting") != before.get("AccessLogSetting"):
        patches += [
            {
                "op": "replace",
                "path": f"/accessLogSettings/{name[0].lower()}{name[1:]}",
                "value": value,
            }
            for name, value in (model.get("AccessLogSetting") or {}).items()
        ]
    clients.apigateway.update_stage(
        restApiId=model["RestApiId"], stageName=model["StageName"], patchOperations=patches
    )


def _rest_api(clients: Any, before: Model, model: Model) -> None:
    if model.get("Body") != before.get("Body"):
        clients.apigateway.put_rest_api(
            restApiId=model["RestApiId"],
            mode="overwrite" if model.get("Mode") != "merge" else "merge",
            body=json.dumps(model["Body"]),
        )
    patches = _patches(
        before,
        model,
        {"Name": "/name", "Description": "/description", "Policy": "/policy"},
    )
    if patches:
        clients.apigateway.update_rest_api(restApiId=model["RestApiId"], patchOperations=patches)


def _table(clients: Any, before: Model, model: Model) -> None:
    name = model["TableName"]
    changes: list[Model] = []
    whole: Model = {
        key: model[key]
        for key in ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled")
        if key in model and model[key] != before.get(key)
    }
    if model.get("StreamSpecification") != before.get("StreamSpecification"):
        wanted = model.get("StreamSpecification")
        enabled = {"StreamEnabled": True, **wanted} if wanted else {"StreamEnabled": False}
        whole["StreamSpecification"] = enabled
    if whole:
        changes.append(whole)
    indexes = {one["IndexName"]: one for one in model.get("GlobalSecondaryIndexes") or []}
    old = {one["IndexName"]: one for one in before.get("GlobalSecondaryIndexes") or []}
    changes += [
        {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": gone}}]}
        for gone in old.keys() - indexes
    ]
    changes += [
        {
            "AttributeDefinitions": model["AttributeDefinitions"],
            "GlobalSecondaryIndexUpdates": [{"Create": indexes[new]}],
        }
        for new in indexes.keys() - old
    ]
    for one in changes:  # AWS takes one change of an index at a time
        clients.dynamodb.update_table(TableName=name, **one)
        clients.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_WAIT)
    lives = model.get("TimeToLiveSpecification")
    if lives and lives != before.get("TimeToLiveSpecification"):
        clients.dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=lives)
    made = clients.dynamodb.describe_table(TableName=name)["Table"]
    if made.get("LatestStreamArn"):
        model["StreamArn"] = made["LatestStreamArn"]


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


def _function_url(clients: Any, before: Model, model: Model) -> None:
    settings: Model = {
        key: model[key] for key in ("AuthType", "Cors", "InvokeMode") if key in model
    }
    if model.get("Qualifier"):
        settings["Qualifier"] = model["Qualifier"]
    clients.lambda_.update_function_url_config(FunctionName=model["TargetFunctionArn"], **settings)


def _alias(clients: Any, before: Model, model: Model) -> None:
    place = {"FunctionName": model["FunctionName"]}
    weights = (model.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    routing = {one["FunctionVersion"]: float(one["FunctionWeight"]) for one in weights}
    clients.lambda_.update_alias(
        **place,
        Name=model["Name"],
        FunctionVersion=model["FunctionVersion"],
        Description=model.get("Description") or "",
        RoutingConfig={"AdditionalVersionWeights": routing},
    )
    wanted, old = (one.get("ProvisionedConcurrencyConfig") for one in (model, before))
    if wanted and wanted != old:
        clients.lambda_.put_provisioned_concurrency_config(
            **place,
            Qualifier=model["Name"],
            ProvisionedConcurrentExecutions=int(wanted["ProvisionedConcurrentExecutions"]),
        )
    elif old and not wanted:
        clients.lambda_.delete_provisioned_concurrency_config(**place, Qualifier=model["Name"])


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
            {"ParameterKey": key, "ParameterValue": _text(value)}
            for key, value in (model.get("Parameters") or {}).items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = clients.cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName=model["Id"], WaiterConfig=_WAIT)
    (made,) = clients.cloudformation.describe_stacks(StackName=model["Id"])["Stacks"]
    model["Outputs"] = {one["OutputKey"]: one["OutputValue"] for one in made.get("Outputs", [])}


_CHANGES: dict[str, Change] = {
    "AWS::ApiGateway::RestApi": _rest_api,
    "AWS::ApiGateway::Stage": _stage,
    "AWS::CloudFormation::Stack": _nested_stack,
    "AWS::DynamoDB::Table": _table,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::Kinesis::Stream": set_stream,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::Url": _function_url,
    "AWS::Logs::LogGroup": set_retention,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::SecretsManager::Secret": _secret,
}
