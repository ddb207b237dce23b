"""``stream``: an event source mapping on a stream of DynamoDB or Kinesis.

AWS Lambda, "Using AWS Lambda with Amazon DynamoDB" and "… with Amazon Kinesis".
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import EventType, Example, Trigger, awslocal
from bootstrap.definition.events.failures import DeadLetter, FailurePath
from bootstrap.definition.parsing import Model, Reference, is_arn
from bootstrap.definition.sample_event import item_of
from bootstrap.definition.samples import ANY_BODY
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_ACTIONS = {
    "dynamodb": ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"],
    "kinesis": ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"],
}
_CONSUMED_ACTIONS = ["GetRecords", "GetShardIterator", "DescribeStreamSummary", "ListShards"]
_DESTINATION_ACTIONS = {
    "sns": ["sns:Publish"],
    "sqs": ["sqs:ListQueues", "sqs:SendMessage"],
}
_BATCHES = {"KinesisBatchInfo": "kinesis", "DDBStreamBatchInfo": "dynamodbstreams"}


class OnFailure(Model):
    """Where batches that are given up go; ``type`` is needed when ``arn`` is no text."""

    arn: Reference
    type: Literal["sns", "sqs"] | None = None


class StreamDestinations(Model):
    """``destinations`` of a stream."""

    onFailure: OnFailure | str


class StreamEvent(Model):
    """``stream`` under ``events``: times are in seconds; -1 is without limit."""

    arn: Reference
    type: Literal["dynamodb", "kinesis"] | None = None
    consumer: Literal[True] | Reference | None = None
    batchSize: int = Field(10, ge=1, le=10_000)
    batchWindow: int | None = Field(None, ge=0, le=300)
    parallelizationFactor: int | None = Field(None, ge=1, le=10)
    startingPosition: Literal["LATEST", "TRIM_HORIZON", "AT_TIMESTAMP"] = "TRIM_HORIZON"
    startingPositionTimestamp: float | None = None
    enabled: bool = True
    maximumRetryAttempts: int | None = Field(None, ge=-1, le=10_000)
    maximumRecordAgeInSeconds: int | None = Field(None, ge=-1, le=604_800)
    bisectBatchOnFunctionError: bool | None = None
    functionResponseType: Literal["ReportBatchItemFailures"] | None = None
    tumblingWindowInSeconds: int | None = Field(None, ge=0, le=900)
    destinations: StreamDestinations | None = None
    filterPatterns: list[dict[str, Any]] = []

    @property
    def source(self) -> str:
        """``dynamodb`` or ``kinesis``."""
        if self.type:
            return self.type
        return self.arn.split(":")[2] if isinstance(self.arn, str) and is_arn(self.arn) else ""

    @property
    def on_failure(self) -> OnFailure | None:
        """The on-failure destination in its long form."""
        given = self.destinations.onFailure if self.destinations else None
        return OnFailure(arn=given, type=None) if isinstance(given, str) else given


class _OnFailure(FailurePath):
    """Records that a mapping gave up: the document says where they are in the stream.

    AWS Lambda, "Retain discarded batch records for a Kinesis Data Streams event source".
    """

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        pages = settings.client("lambda").get_paginator("list_event_source_mappings").paginate()
        for page in pages:
            for mapping in page["EventSourceMappings"]:
                target = mapping.get("DestinationConfig", {}).get("OnFailure", {})
                if "Destination" in target:
                    yield target["Destination"]

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        document = _json(message["Body"])
        batch = _batch(document)
        if batch is None:
            return None
        context = document["requestContext"]
        reason = (
            f"{context.get('condition')} after {context.get('approximateInvokeCount')} tries: "
            f"{batch['batchSize']} records of {batch['streamArn']} {batch['shardId']}"
        )
        name = str(context.get("functionArn", "")).split(":function:")[-1].split(":")[0]
        return DeadLetter(f"function {name}", reason, message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        """Read the records again, as long as the stream has them, and invoke the function."""
        document = json.loads(letter.payload)
        arn = document["requestContext"]["functionArn"]
        event = {"Records": read_again(settings, document)}
        answer = settings.client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event))
        result = answer["Payload"].read().decode()
        # A function that reports failed records has ended without an error of its own.
        reported = _json(result)
        failed = isinstance(reported, dict) and reported.get("batchItemFailures")
        if "FunctionError" in answer or failed:
            raise RuntimeError(f"the function failed again: {result}")


def read_again(settings: Settings, document: dict[str, Any]) -> list[dict[str, Any]]:
    """The records that a document of a mapping or pipe says it has given up.

    Raises:
        RuntimeError: The stream no longer has them all.
    """
    batch = next(document[name] for name in _BATCHES if name in document)
    records = list(_records(settings, document, batch))
    if len(records) != batch["batchSize"]:
        raise RuntimeError(
            f"the batch had {batch['batchSize']} records, and the stream has"
            f" {len(records)} there: some have expired, or others lay between them"
        )
    return records


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _batch(document: Any) -> dict[str, Any] | None:
    if not isinstance(document, dict) or "requestContext" not in document:
        return None
    return next((document[name] for name in _BATCHES if name in document), None)


def _records(
    settings: Settings, document: dict[str, Any], batch: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The records of a batch, as the function gets them."""
    kinesis = "KinesisBatchInfo" in document
    client = settings.client("kinesis" if kinesis else "dynamodbstreams")
    arn = "StreamARN" if kinesis else "StreamArn"
    number = "StartingSequenceNumber" if kinesis else "SequenceNumber"
    iterator = client.get_shard_iterator(
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        **{arn: batch["streamArn"], number: batch["startSequenceNumber"]},
    )["ShardIterator"]
    last = int(batch["endSequenceNumber"])
    while iterator:
        page = client.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            place = record["SequenceNumber"] if kinesis else record["dynamodb"]["SequenceNumber"]
            if int(place) > last:
                return
            yield (_kinesis_event if kinesis else _dynamodb_event)(record, batch)
            if int(place) == last:
                return
        if not page["Records"]:
            return
        iterator = page.get("NextShardIterator")


def _kinesis_event(record: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{batch['shardId']}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "awsRegion": batch["streamArn"].split(":")[3],
        "eventSourceARN": batch["streamArn"],
    }


def _dynamodb_event(record: dict[str, Any], batch: dict[str, Any]) -> dict[str, Any]:
    event = {
        **{name: record[name] for name in ("eventID", "eventName", "dynamodb")},
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": batch["streamArn"].split(":")[3],
        "eventSourceARN": batch["streamArn"],
    }
    plain: Callable[[Any], Any] = lambda value: (  # noqa: E731  used once
        base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()
    )
    decoded: dict[str, Any] = json.loads(json.dumps(event, default=plain))
    return decoded


class Stream(EventType[StreamEvent]):
    """Lambda reads a stream, shard by shard in order; what it gives up has a destination."""

    key = "stream"
    model = StreamEvent
    failures = (_OnFailure(),)

    def long_form(self, body: Any) -> Any:
        """``stream: <ARN>``."""
        return {"arn": body} if isinstance(body, str) else body

    @override
    def check(self, trigger: Trigger[StreamEvent], service: Service, document: Document) -> None:
        event, fail = trigger.event, document.fail
        where = f"functions.{trigger.key}: "
        if event.source not in _ACTIONS:
            fail(f"{where}a stream needs type: dynamodb or kinesis.", *trigger.path)
        if event.startingPosition == "AT_TIMESTAMP" and event.startingPositionTimestamp is None:
            path = (*trigger.path, "startingPosition")
            fail(f"{where}AT_TIMESTAMP needs a startingPositionTimestamp.", *path)
        if event.startingPosition == "AT_TIMESTAMP" and event.source == "dynamodb":
            path = (*trigger.path, "startingPosition")
            fail(f"{where}a stream of a table cannot start AT_TIMESTAMP.", *path)
        if event.consumer and event.source == "dynamodb":
            path = (*trigger.path, "consumer")
            fail(f"{where}a stream of a table has no consumers: remove this key.", *path)
        if isinstance(event.consumer, str) and not is_arn(event.consumer):
            fail(f"{where}consumer: “{event.consumer}” is no ARN.", *trigger.path, "consumer")
        age = event.maximumRecordAgeInSeconds
        if age is not None and age != -1 and age < 60:
            path = (*trigger.path, "maximumRecordAgeInSeconds")
            fail(f"{where}maximumRecordAgeInSeconds must be -1, or 60 at least.", *path)
        target = event.on_failure
        if target and not is_arn(target.arn):
            path = (*trigger.path, "destinations", "onFailure")
            fail(f"{where}“{target.arn}” is no ARN.", *path)
        if target and target.type is None and not isinstance(target.arn, str):
            path = (*trigger.path, "destinations", "onFailure")
            fail(f"{where}onFailure needs type: sqs or sns.", *path)

    def permissions(
        self, triggers: Sequence[Trigger[StreamEvent]], service: Service
    ) -> Iterator[Resource]:
        """None: Lambda reads the stream itself, in the execution role."""
        yield from ()

    @override
    def role_statements(self, triggers: Sequence[Trigger[StreamEvent]]) -> Iterator[dict[str, Any]]:
        events = [trigger.event for trigger in triggers]
        statements = [
            (source, actions, [e.arn for e in events if e.source == source and not e.consumer])
            for source, actions in _ACTIONS.items()
        ]
        consumed = [e.arn for e in events if e.consumer]
        consumers = [_source(trigger) for trigger in triggers if trigger.event.consumer]
        statements += [
            ("kinesis", _CONSUMED_ACTIONS, consumed),
            ("kinesis", ["SubscribeToShard"], consumers),
        ]
        for source, actions, arns in statements:
            if arns:
                names = [f"{source}:{action}" for action in actions]
                yield {"Effect": "Allow", "Action": names, "Resource": arns}
        targets = [target for trigger in triggers if (target := trigger.event.on_failure)]
        for kind, actions in _DESTINATION_ACTIONS.items():
            arns = [target.arn for target in targets if _kind(target) == kind]
            if arns:
                yield {"Effect": "Allow", "Action": actions, "Resource": arns}

    @override
    def resources(
        self, triggers: Sequence[Trigger[StreamEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        for trigger in triggers:
            event = trigger.event
            name = naming.alphanumeric(_name(event.arn))
            if event.consumer is True:
                yield Resource(
                    _consumer_id(trigger),
                    "AWS::Kinesis::StreamConsumer",
                    {"ConsumerName": _consumer(trigger), "StreamARN": event.arn},
                    trigger.path,
                )
            yield Resource(
                naming.normalized(trigger.key)
                + f"EventSourceMapping{event.source.capitalize()}{name}",
                "AWS::Lambda::EventSourceMapping",
                _mapping(trigger),
                trigger.path,
                (naming.ROLE_ID,),
            )

    @override
    def example(
        self, trigger: Trigger[StreamEvent], service: Service, settings: Settings
    ) -> Example:
        event = trigger.event
        name = _name(event.arn)
        if not isinstance(event.arn, str):
            properties = service.resources.Resources.get(name, {}).get("Properties", {})
            name = properties.get("TableName") or properties.get("Name") or name
        if event.source == "dynamodb":
            item = item_of(event.filterPatterns)
            given = f" ITEM={shlex.quote(json.dumps(item))}" if item else ""
            return Example(f"stream of table {name}", f"make fire-table TABLE={name}{given}")
        data = shlex.quote(service.samples.body(name) or ANY_BODY)
        command = f"kinesis put-record --stream-name {name} --partition-key acme --data {data}"
        return Example(f"Kinesis {name}", f"{awslocal(settings)} {command}")


def _kind(target: OnFailure) -> str:
    if target.type:
        return target.type
    return "sns" if isinstance(target.arn, str) and ":sns:" in target.arn else "sqs"


def _mapping(trigger: Trigger[StreamEvent]) -> dict[str, Any]:
    event = trigger.event
    given: dict[str, Any] = {
        "BatchSize": event.batchSize,
        "Enabled": event.enabled,
        "EventSourceArn": _source(trigger),
        "FunctionName": trigger.function_arn,
        "StartingPosition": event.startingPosition,
        "StartingPositionTimestamp": event.startingPositionTimestamp,
        "ParallelizationFactor": event.parallelizationFactor,
        "MaximumBatchingWindowInSeconds": event.batchWindow,
        "MaximumRetryAttempts": event.maximumRetryAttempts,
        "MaximumRecordAgeInSeconds": event.maximumRecordAgeInSeconds,
        "BisectBatchOnFunctionError": event.bisectBatchOnFunctionError,
        "TumblingWindowInSeconds": event.tumblingWindowInSeconds,
    }
    properties = {name: value for name, value in given.items() if value is not None}
    if event.functionResponseType:
        properties["FunctionResponseTypes"] = [event.functionResponseType]
    if event.on_failure:
        properties["DestinationConfig"] = {"OnFailure": {"Destination": event.on_failure.arn}}
    if event.filterPatterns:
        patterns = [json.dumps(p, separators=(",", ":")) for p in event.filterPatterns]
        properties["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in patterns]}
    return properties


def _source(trigger: Trigger[StreamEvent]) -> Reference:
    """The ARN of what the mapping reads: the stream, or a consumer of it."""
    consumer = trigger.event.consumer
    if consumer is True:
        return {"Ref": _consumer_id(trigger)}
    return consumer or trigger.event.arn


def _consumer(trigger: Trigger[StreamEvent]) -> str:
    """The name of the consumer that the framework makes for a function."""
    return f"{trigger.key}{_name(trigger.event.arn)}Consumer"


def _consumer_id(trigger: Trigger[StreamEvent]) -> str:
    return f"{naming.normalized(_consumer(trigger))}StreamConsumer"


def _name(arn: Reference) -> str:
    """The stream's part of the mapping's logical id, as the framework makes it."""
    if isinstance(arn, str):
        return arn.split("/")[1] if "/" in arn else arn
    if isinstance(attribute := arn.get("Fn::GetAtt"), list) and attribute:
        return str(attribute[0])
    for key in ("Fn::ImportValue", "Ref"):
        if isinstance(arn.get(key), str):
            return str(arn[key])
    joined = arn.get("Fn::Join")
    if isinstance(joined, list) and len(joined) > 1 and isinstance(joined[1], list) and joined[1]:
        return str(joined[1][-1]).rsplit("/", maxsplit=1)[-1]
    return "Stream"
