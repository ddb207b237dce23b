"""``bootstrap dlq`` and ``bootstrap redrive``: where failures land, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
from botocore.exceptions import ClientError
from rich.markup import escape

from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.services.base import found
from bootstrap.settings import Settings

_PEEK_SECONDS = 20
_PEEK_LIMIT = 1000


@dataclass(frozen=True)
class DeadLetter:
    """One message in a dead-letter queue.

    Attributes:
        origin: what failed, in words: ``hourly_metrics``, ``queue brand-notifications``.
        reason: why it is here, as far as the message says.
        payload: the original event or message body.
        message: the SQS message as received.
    """

    origin: str
    reason: str
    payload: str
    message: dict[str, Any]


def describe(message: dict[str, Any]) -> DeadLetter:
    """Read what AWS writes into a dead letter.

    Four kinds: a Lambda on-failure record (its body), a Lambda dead letter and an EventBridge
    target's dead letter (their message attributes), and a message that SQS moved itself.
    """
    body = message["Body"]
    text = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    system = message.get("Attributes", {})
    if "RULE_ARN" in text:
        rule = text["RULE_ARN"].rsplit("/", 1)[-1]
        reason = f"{text.get('ERROR_CODE', '')}: {text.get('ERROR_MESSAGE', '')}"
        return DeadLetter(f"rule {rule} → {text.get('TARGET_ARN', '')}", reason, body, message)
    if "ErrorMessage" in text:
        return DeadLetter("function", text["ErrorMessage"], body, message)
    if source := system.get("DeadLetterQueueSourceArn"):
        queue = source.rsplit(":", 1)[-1]
        return DeadLetter(
            f"queue {queue}",
            "received as often as maxReceiveCount allows without success "
            "(make logs shows each try)",
            body,
            message,
        )
    record = _json(body)
    context = record.get("requestContext") if isinstance(record, dict) else None
    if isinstance(context, dict) and "requestPayload" in record:
        answer = record.get("responsePayload") or {}
        error = answer.get("errorMessage") if isinstance(answer, dict) else None
        kind = answer.get("errorType") if isinstance(answer, dict) else None
        tries = context.get("approximateInvokeCount", "?")
        reason = f"{context.get('condition')} after {tries} tries: {kind or ''} {error or ''}"
        name = str(context.get("functionArn", "")).split(":function:")[-1].split(":")[0]
        return DeadLetter(
            f"function {name}", reason.strip(), json.dumps(record["requestPayload"]), message
        )
    return DeadLetter("unknown", "the message does not say", body, message)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def dead_letter_queues(settings: Settings) -> dict[str, str]:
    """URL of every queue that anything uses as its dead-letter queue or on-failure destination.

    What is deleted between being listed and being read is passed over.
    """
    sqs = settings.client("sqs")
    arns: set[str] = set()
    urls: dict[str, str] = {}
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            names = ["QueueArn", "RedrivePolicy"]
            queue = found(
                partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=names),
                "AWS.SimpleQueueService.NonExistentQueue",
                "QueueDoesNotExist",
            )
            if queue is None:
                continue
            attributes = queue["Attributes"]
            urls[attributes["QueueArn"]] = url
            if policy := attributes.get("RedrivePolicy"):
                arns.add(json.loads(policy)["deadLetterTargetArn"])
    arns.update(_of_functions(settings.client("lambda")))
    arns.update(_of_rules(settings.client("events")))
    return {arn.rsplit(":", 1)[-1]: urls[arn] for arn in sorted(arns & urls.keys())}


def _of_functions(functions: Any) -> Iterator[str]:
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if target := function.get("DeadLetterConfig", {}).get("TargetArn"):
                yield target
            name = function["FunctionName"]
            configs = found(
                partial(functions.list_function_event_invoke_configs, FunctionName=name),
                "ResourceNotFoundException",
            )
            for config in (configs or {}).get("FunctionEventInvokeConfigs", []):
                target = config.get("DestinationConfig", {}).get("OnFailure", {})
                if "Destination" in target:
                    yield target["Destination"]


def _of_rules(events: Any) -> Iterator[str]:
    gone = "ResourceNotFoundException"
    for bus in events.list_event_buses()["EventBuses"]:
        name = bus["Name"]
        rules = found(partial(events.list_rules, EventBusName=name), gone)
        for rule in (rules or {}).get("Rules", []):
            targets = found(
                partial(events.list_targets_by_rule, Rule=rule["Name"], EventBusName=name), gone
            )
            for target in (targets or {}).get("Targets", []):
                if dead_letter := target.get("DeadLetterConfig", {}).get("Arn"):
                    yield dead_letter


@contextmanager
def _received(sqs: Any, url: str) -> Iterator[list[dict[str, Any]]]:
    """Messages of a queue, hidden from others meanwhile and given back afterwards."""
    messages: dict[str, dict[str, Any]] = {}
    while len(messages) < _PEEK_LIMIT:
        batch = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=_PEEK_SECONDS,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if not batch:
            break
        messages.update({message["MessageId"]: message for message in batch})
    try:
        yield list(messages.values())
    finally:
        handles = [message["ReceiptHandle"] for message in messages.values()]
        for start in range(0, len(handles), 10):
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(handles[start : start + 10])
                ],
            )


def _connected(settings: Settings) -> dict[str, str]:
    try:
        return dead_letter_queues(settings)
    except OSError as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error


def show() -> None:
    """Print every dead letter: where it lies, what failed, why, and the payload."""
    settings = Settings.from_environment()
    queues = _connected(settings)
    sqs = settings.client("sqs")
    total = 0
    for name, url in queues.items():
        with _received(sqs, url) as messages:
            for letter in map(describe, messages):
                total += 1
                # Two lines each: a table would break payloads in the middle.
                out.print(f"[bold]{name}[/]  {escape(letter.origin)}: {escape(letter.reason)}")
                out.print(f"    {_short(letter.payload)}", markup=False)
    if not total:
        out.print(f"all {len(queues)} dead-letter queues are empty")
        return
    letters = "dead letter" if total == 1 else "dead letters"
    out.print(f"{total} {letters}. Send them back with: make redrive QUEUE=<queue>")


def _short(text: str, limit: int = 400) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def redrive(queue: str) -> None:
    """Send every message of a dead-letter queue back, and delete it only once it was accepted.

    Raises:
        WrongUseError: not a dead-letter queue.
        DeployError: some messages could not be sent back; they stay where they are.
    """
    settings = Settings.from_environment()
    queues = _connected(settings)
    if queue not in queues:
        raise WrongUseError(
            f"QUEUE={queue}: not a dead-letter queue. There are: {', '.join(queues) or 'none'}."
        )
    sqs, url = settings.client("sqs"), queues[queue]
    moved, stuck = 0, []
    with _received(sqs, url) as messages:
        for letter in map(describe, messages):
            try:
                _send_back(settings, letter)
            except (ClientError, KeyError, OSError, ValueError, RuntimeError) as error:
                stuck.append(f"{letter.message['MessageId']}: {error}")
                continue
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.message["ReceiptHandle"])
            moved += 1
    out.print(f"{queue}: {moved} sent back, {len(stuck)} stay")
    if stuck:
        raise DeployError("could not be sent back: " + "; ".join(stuck))


def _send_back(settings: Settings, letter: DeadLetter) -> None:
    message = letter.message
    if source := message.get("Attributes", {}).get("DeadLetterQueueSourceArn"):
        _send_to_queue(settings, source, message)
    elif letter.origin.startswith("function "):
        record = json.loads(message["Body"])
        arn = record["requestContext"]["functionArn"]
        settings.client("lambda").invoke(
            FunctionName=arn.removesuffix(":$LATEST"),
            InvocationType="Event",
            Payload=letter.payload.encode(),
        )
    elif letter.origin.startswith("rule "):
        attributes = message["MessageAttributes"]
        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/events/deliver",
            json={
                "ruleArn": attributes["RULE_ARN"]["StringValue"],
                "targetArn": attributes["TARGET_ARN"]["StringValue"],
                "event": json.loads(letter.payload),
            },
            timeout=30,
        )
        if not answer.ok:
            raise RuntimeError(answer.text)
    else:
        raise RuntimeError("it does not say where it came from")


def _send_to_queue(settings: Settings, arn: str, message: dict[str, Any]) -> None:
    sqs = settings.client("sqs")
    url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[-1])["QueueUrl"]
    request: dict[str, Any] = {"QueueUrl": url, "MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        request["MessageAttributes"] = {
            name: {k: v for k, v in value.items() if not k.endswith("ListValues")}
            for name, value in attributes.items()
        }
    system = message.get("Attributes", {})
    for key in ("MessageGroupId", "MessageDeduplicationId"):
        if key in system:
            request[key] = system[key]
    sqs.send_message(**request)
