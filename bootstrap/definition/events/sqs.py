"""``sqs``: an event source mapping on a queue (AWS Lambda, "Using Lambda with Amazon SQS")."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    EventType,
    Example,
    Trigger,
    awslocal,
)
from bootstrap.definition.events.failures import DeadLetter, FailurePath
from bootstrap.definition.parsing import Model, Reference
from bootstrap.definition.sample_event import sample_of
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

_MAX_BATCH_WITHOUT_WINDOW = 10


class SqsEvent(Model):
    """``sqs`` under ``events``: an event source mapping; the window is in seconds."""

    arn: Reference
    batchSize: int = Field(10, ge=1, le=10000)
    maximumBatchingWindow: int | None = Field(None, ge=0, le=300)
    enabled: bool = True
    functionResponseType: Literal["ReportBatchItemFailures"] | None = None
    filterPatterns: list[dict[str, Any]] = []
    maximumConcurrency: int | None = Field(None, ge=2, le=1000)


class _Redrive(FailurePath):
    """A message that SQS moved after ``maxReceiveCount`` receives (SQS, "Dead-letter queues")."""

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        for attributes in queues.values():
            if policy := attributes.get("RedrivePolicy"):
                yield json.loads(policy)["deadLetterTargetArn"]

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        source = message.get("Attributes", {}).get("DeadLetterQueueSourceArn")
        if not source:
            return None
        reason = (
            "received as often as maxReceiveCount allows without success (make logs shows each try)"
        )
        return DeadLetter(f"queue {_last_part(source)}", reason, message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        message, sqs = letter.message, settings.client("sqs")
        system = message["Attributes"]
        queue = _last_part(system["DeadLetterQueueSourceArn"])
        request: dict[str, Any] = {
            "QueueUrl": sqs.get_queue_url(QueueName=queue)["QueueUrl"],
            "MessageBody": message["Body"],
        }
        if attributes := message.get("MessageAttributes"):
            request["MessageAttributes"] = {
                name: {k: v for k, v in value.items() if not k.endswith("ListValues")}
                for name, value in attributes.items()
            }
        for key in ("MessageGroupId", "MessageDeduplicationId"):
            if key in system:
                request[key] = system[key]
        sqs.send_message(**request)


class Sqs(EventType[SqsEvent]):
    """Lambda polls a queue; what fails comes back until the queue's redrive policy moves it."""

    key = "sqs"
    model = SqsEvent
    failures = (_Redrive(),)

    def long_form(self, body: Any) -> Any:
        """``sqs: <ARN>``."""
        return {"arn": body} if isinstance(body, str) else body

    @override
    def check(self, trigger: Trigger[SqsEvent], service: Service, document: Document) -> None:
        event = trigger.event
        if event.batchSize > _MAX_BATCH_WITHOUT_WINDOW and not event.maximumBatchingWindow:
            document.fail(
                f"functions.{trigger.key}: a batchSize over {_MAX_BATCH_WITHOUT_WINDOW} needs a "
                "maximumBatchingWindow of at least 1 second.",
                *trigger.path,
                "batchSize",
            )

    def permissions(
        self, triggers: Sequence[Trigger[SqsEvent]], service: Service
    ) -> Iterator[Resource]:
        """None: Lambda reads the queue itself, in the execution role."""
        yield from ()

    @override
    def role_statements(self, triggers: Sequence[Trigger[SqsEvent]]) -> Iterator[dict[str, Any]]:
        if triggers:
            yield {
                "Effect": "Allow",
                "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                "Resource": [trigger.event.arn for trigger in triggers],
            }

    @override
    def resources(
        self, triggers: Sequence[Trigger[SqsEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        for trigger in triggers:
            queue = naming.alphanumeric(_logical_name(trigger.event.arn))
            yield Resource(
                f"{naming.normalized(trigger.key)}EventSourceMappingSQS{queue}",
                "AWS::Lambda::EventSourceMapping",
                _mapping(trigger),
                trigger.path,
                (naming.ROLE_ID,),
            )

    @override
    def example(self, trigger: Trigger[SqsEvent], service: Service, settings: Settings) -> Example:
        arn = trigger.event.arn
        queue = _last_part(arn) if isinstance(arn, str) else ""
        if isinstance(arn, dict) and "Fn::GetAtt" in arn:
            resource = service.resources.Resources.get(arn["Fn::GetAtt"][0], {})
            queue = resource.get("Properties", {}).get("QueueName", arn["Fn::GetAtt"][0])
        url = f"{settings.endpoint_url}/000000000000/{queue}"
        body = sample_of(next(iter(trigger.event.filterPatterns), {})).get("body", {})
        made = body if isinstance(body, str) else json.dumps(body)
        text = service.samples.body(queue) or made
        command = f"sqs send-message --queue-url {url} --message-body {shlex.quote(text)}"
        if queue.endswith(".fifo"):
            command += ' --message-group-id fire --message-deduplication-id "$(date +%s%N)"'
        return Example(f"SQS {queue}", f"{awslocal(settings)} {command}")


def _mapping(trigger: Trigger[SqsEvent]) -> dict[str, Any]:
    event = trigger.event
    properties: dict[str, Any] = {
        "BatchSize": event.batchSize,
        "EventSourceArn": event.arn,
        "FunctionName": trigger.function_arn,
        "Enabled": event.enabled,
    }
    if event.maximumBatchingWindow is not None:
        properties["MaximumBatchingWindowInSeconds"] = event.maximumBatchingWindow
    if event.functionResponseType:
        properties["FunctionResponseTypes"] = [event.functionResponseType]
    if event.filterPatterns:
        patterns = [json.dumps(p, separators=(",", ":")) for p in event.filterPatterns]
        properties["FilterCriteria"] = {"Filters": [{"Pattern": text} for text in patterns]}
    if event.maximumConcurrency:
        properties["ScalingConfig"] = {"MaximumConcurrency": event.maximumConcurrency}
    return properties


def _last_part(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _logical_name(arn: Reference) -> str:
    """The queue's part of the mapping's logical id, as the framework makes it."""
    if isinstance(arn, str):
        return _last_part(arn)
    match arn:
        case {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::Join": [_, [*_, name]]} if isinstance(name, str):
            return name
        case {"Fn::ImportValue": name} if isinstance(name, str):
            return name
    return "Queue"
