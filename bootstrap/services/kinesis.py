"""Amazon Kinesis Data Streams: streams and their consumers."""

from __future__ import annotations

from typing import Any

from bootstrap.services import shapes
from bootstrap.services.base import (
    Context,
    Key,
    Outcome,
    Properties,
    ResourceType,
    found,
    outcome_of,
)
from bootstrap.services.waiting import until_true
from bootstrap.template import Physical

_GONE = "ResourceNotFoundException"
_RETENTION_HOURS = 24  # Kinesis' default


def _stream(context: Context, logical_id: str, properties: Properties) -> tuple[Outcome, Physical]:
    kinesis = context.client("kinesis")
    name = properties["Name"]
    mode = properties.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    shards = None if mode == "ON_DEMAND" else int(properties.get("ShardCount", 1))
    missing = _summary(kinesis, name) is None
    if missing:
        count = {} if shards is None else {"ShardCount": shards}
        kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": mode}, **count)
    summary = _wait(kinesis, name)
    arn = summary["StreamARN"]
    changes = [
        _mode(kinesis, summary, mode),
        _shards(kinesis, name, summary, shards),
        _retention(kinesis, name, summary, int(properties.get("RetentionPeriodHours", 24))),
        _tags(kinesis, name, {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}),
    ]
    return outcome_of(missing, *changes), Physical(name, {"Arn": arn})


def _summary(kinesis: Any, name: str) -> dict[str, Any] | None:
    answer = found(lambda: kinesis.describe_stream_summary(StreamName=name), _GONE)
    return answer and dict(answer["StreamDescriptionSummary"])


@until_true(60)
def _wait(kinesis: Any, name: str) -> Any:
    """The stream's description once it is active (decorated: called until then)."""
    summary = _summary(kinesis, name)
    return summary if summary and summary["StreamStatus"] == "ACTIVE" else None


def _mode(kinesis: Any, summary: dict[str, Any], wanted: str) -> bool:
    if summary.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED") == wanted:
        return False
    kinesis.update_stream_mode(
        StreamARN=summary["StreamARN"], StreamModeDetails={"StreamMode": wanted}
    )
    return True


def _shards(kinesis: Any, name: str, summary: dict[str, Any], wanted: int | None) -> bool:
    """Kinesis doubles or halves at most, so it may take several steps."""
    current = summary["OpenShardCount"]
    if wanted is None or wanted == current:
        return False
    while current != wanted:
        current = min(wanted, 2 * current) if wanted > current else max(wanted, (current + 1) // 2)
        kinesis.update_shard_count(
            StreamName=name, TargetShardCount=current, ScalingType="UNIFORM_SCALING"
        )
        _wait(kinesis, name)
    return True


def _retention(kinesis: Any, name: str, summary: dict[str, Any], wanted: int) -> bool:
    current = summary.get("RetentionPeriodHours", _RETENTION_HOURS)
    if wanted == current:
        return False
    change = (
        kinesis.increase_stream_retention_period
        if wanted > current
        else kinesis.decrease_stream_retention_period
    )
    change(StreamName=name, RetentionPeriodHours=wanted)
    return True


def _tags(kinesis: Any, name: str, wanted: dict[str, str]) -> bool:
    tags = kinesis.list_tags_for_stream(StreamName=name)["Tags"]
    current = {tag["Key"]: tag.get("Value", "") for tag in tags}
    stale = sorted(current.keys() - wanted.keys())
    new = {key: value for key, value in wanted.items() if current.get(key) != value}
    if stale:
        kinesis.remove_tags_from_stream(StreamName=name, TagKeys=stale)
    if new:
        kinesis.add_tags_to_stream(StreamName=name, Tags=new)
    return bool(stale or new)


def _exists(context: Context, key: Key) -> bool:
    return _summary(context.client("kinesis"), key["Ref"]) is not None


def _consumer(
    context: Context, logical_id: str, properties: Properties
) -> tuple[Outcome, Physical]:
    kinesis = context.client("kinesis")
    stream, name = properties["StreamARN"], properties["ConsumerName"]
    missing = _described(kinesis, stream, name) is None
    if missing:
        kinesis.register_stream_consumer(StreamARN=stream, ConsumerName=name)
    consumer = _wait_for_consumer(kinesis, stream, name)
    attributes = {
        "ConsumerARN": consumer["ConsumerARN"],
        "ConsumerName": name,
        "ConsumerStatus": consumer["ConsumerStatus"],
        "StreamARN": stream,
    }
    return outcome_of(missing), Physical(consumer["ConsumerARN"], attributes)


def _described(kinesis: Any, stream: str, name: str) -> dict[str, Any] | None:
    answer = found(
        lambda: kinesis.describe_stream_consumer(StreamARN=stream, ConsumerName=name), _GONE
    )
    return answer and dict(answer["ConsumerDescription"])


@until_true(60)
def _wait_for_consumer(kinesis: Any, stream: str, name: str) -> Any:
    """The consumer's description once it is active (decorated: called until then)."""
    consumer = _described(kinesis, stream, name)
    return consumer if consumer and consumer["ConsumerStatus"] == "ACTIVE" else None


def _consumer_exists(context: Context, key: Key) -> bool:
    kinesis = context.client("kinesis")
    return (
        found(lambda: kinesis.describe_stream_consumer(ConsumerARN=key["Ref"]), _GONE) is not None
    )


RESOURCE_TYPES = {
    "AWS::Kinesis::StreamConsumer": ResourceType(
        _consumer,
        shapes.all_as_aws("ConsumerName", "StreamARN"),
        exists=_consumer_exists,
        delete_with="kinesis deregister-stream-consumer --consumer-arn {Ref}",
        holds_data=False,
    ),
    "AWS::Kinesis::Stream": ResourceType(
        _stream,
        shapes.all_as_aws("Name"),
        {
            **shapes.all_as_aws("ShardCount", "StreamModeDetails", "Tags"),
            "RetentionPeriodHours": shapes.number(24, 8760),
        },
        exists=_exists,
        delete_with="kinesis delete-stream --stream-name {Ref}",
    ),
}
