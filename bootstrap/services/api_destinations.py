"""Amazon EventBridge: API destinations, and the connections that have their credentials.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::Events::ApiDestination" and
"AWS::Events::Connection"; Amazon EventBridge API Reference, "DescribeConnection".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bootstrap.definition import naming
from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    outcome_of,
    subset,
)
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
#: What EventBridge keeps in a secret and does not show again.
_SECRET = ("ApiKeyValue", "ClientSecret", "Password")
_PARAMETERS = ("HeaderParameters", "QueryStringParameters", "BodyParameters")
#: EventBridge, "CreateApiDestination": requests a second.
_RATE_LIMIT = 300


def _name(context: Context, logical_id: str, properties: Properties) -> str:
    return str(properties.get("Name") or naming.generated(context.service, logical_id))


def _connection(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = _name(context, logical_id, properties)
    wanted = {**properties, "Name": name}
    existing = found(lambda: events.describe_connection(Name=name), _GONE)
    if existing is None:
        events.create_connection(**wanted)
        made = events.describe_connection(Name=name)
        return Outcome.CREATED, _made(name, made["ConnectionArn"], SecretArn=made["SecretArn"])
    different = not _same_connection(context, wanted, existing)
    if different:
        events.update_connection(**wanted)
    secret = str(existing.get("SecretArn", ""))
    return outcome_of(False, different), _made(name, existing["ConnectionArn"], SecretArn=secret)


def _made(name: str, arn: str, **others: str) -> Physical:
    return Physical(name, {"Arn": arn, "ArnForPolicy": arn.rpartition("/")[0], **others})


def _same_connection(context: Context, wanted: Properties, actual: dict[str, Any]) -> bool:
    public = _without_secrets(wanted)
    shown = {"AuthParameters": _without_secrets(actual.get("AuthParameters", {}))}
    return (
        subset(public, {**actual, **shown})
        and subset(shown, public)
        and _has_secrets(context, wanted["AuthParameters"], actual.get("SecretArn", ""))
    )


def _without_secrets(value: Any) -> Any:
    """What ``DescribeConnection`` shows: no secrets, and nothing of a parameter but its name."""
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _shown(one) if key in _PARAMETERS else _without_secrets(one)
        for key, one in value.items()
        if key not in _SECRET
    }


def _shown(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"Key": one["Key"], **({} if _is_secret(one) else {"Value": one["Value"]})}
        for one in parameters
    ]


def _is_secret(parameter: dict[str, Any]) -> bool:
    return parameter.get("IsValueSecret", True) is not False


def _secrets(value: Any) -> Iterator[str]:
    """The secrets in the description of a connection."""
    if isinstance(value, list):
        for one in value:
            yield from _secrets(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key in _SECRET:
                yield str(one)
            elif key in _PARAMETERS:
                yield from (str(each["Value"]) for each in one if _is_secret(each))
            else:
                yield from _secrets(one)


def _has_secrets(context: Context, wanted: Any, arn: str) -> bool:
    """Whether the secret of a connection, whose form AWS does not say, has all values."""
    secrets = {*_secrets(wanted)}
    if not secrets or not arn:
        return True
    client = context.client("secretsmanager")
    answer = found(lambda: client.get_secret_value(SecretId=arn), _GONE)
    return answer is not None and secrets <= {*_values(json.loads(answer["SecretString"]))}


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _values(one)
    else:
        yield str(value)


def _connection_exists(context: Context, key: Key) -> bool:
    events = context.client("events")
    return found(lambda: events.describe_connection(Name=key["Ref"]), _GONE) is not None


def _destination(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    events = context.client("events")
    name = _name(context, logical_id, properties)
    rate_limit = int(properties.get("InvocationRateLimitPerSecond", _RATE_LIMIT))
    wanted = {**properties, "Name": name, "InvocationRateLimitPerSecond": rate_limit}
    existing = found(lambda: events.describe_api_destination(Name=name), _GONE)
    if existing is None:
        made = events.create_api_destination(**wanted)
        return Outcome.CREATED, _made(name, made["ApiDestinationArn"])
    actual = {"InvocationRateLimitPerSecond": _RATE_LIMIT, **existing}
    different = not subset(wanted, actual)
    if different:
        events.update_api_destination(**wanted)
    return outcome_of(False, different), _made(name, existing["ApiDestinationArn"])


def _destination_exists(context: Context, key: Key) -> bool:
    events = context.client("events")
    return found(lambda: events.describe_api_destination(Name=key["Ref"]), _GONE) is not None


RESOURCE_TYPES = {
    "AWS::Events::ApiDestination": ResourceType(
        _destination,
        shapes.all_as_aws("ConnectionArn", "HttpMethod", "InvocationEndpoint"),
        shapes.all_as_aws("Description", "InvocationRateLimitPerSecond", "Name"),
        exists=_destination_exists,
        delete_with="events delete-api-destination --name {Ref}",
        holds_data=False,
    ),
    "AWS::Events::Connection": ResourceType(
        _connection,
        shapes.all_as_aws("AuthorizationType", "AuthParameters"),
        shapes.all_as_aws("Description", "Name"),
        exists=_connection_exists,
        delete_with="events delete-connection --name {Ref}",
        holds_data=False,
    ),
}
