"""Where failures land: the ways into a dead-letter queue, and back."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bootstrap.services.base import found
from bootstrap.settings import Settings


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


def text_attributes(message: dict[str, Any]) -> dict[str, str]:
    """The message attributes of an SQS message, as text by name."""
    given = message.get("MessageAttributes", {})
    return {name: value.get("StringValue", "") for name, value in given.items()}


class FailurePath(ABC):
    """One way for an event to end in a dead-letter queue, and to come back from there."""

    @abstractmethod
    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        """ARN of every queue that failures of this kind land in, however it was made.

        Args:
            queues: attributes of every queue there is, by ARN.
        """

    @abstractmethod
    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        """The failure that a letter of this kind describes; None for a letter of another kind."""

    @abstractmethod
    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        """Give the event once more to what it failed at.

        Raises:
            Exception: what came back, when it was not accepted: ``ClientError``, ``KeyError``,
                ``OSError``, ``RuntimeError`` or ``ValueError``.
        """


class _AsynchronousInvocation(FailurePath):
    """An asynchronous invocation that failed as often as it was to be tried.

    AWS Lambda, "Adding a destination" (the invocation record) and "Dead-letter queues" (the event
    itself, with the reason as attributes).
    """

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        functions = settings.client("lambda")
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

    def read(self, message: dict[str, Any]) -> DeadLetter | None:
        body, text = message["Body"], text_attributes(message)
        if "ErrorMessage" in text:
            return DeadLetter("function", text["ErrorMessage"], body, message)
        record = _json(body)
        context = record.get("requestContext") if isinstance(record, dict) else None
        if not isinstance(context, dict) or "requestPayload" not in record:
            return None
        answer = record.get("responsePayload") or {}
        error = answer.get("errorMessage") if isinstance(answer, dict) else None
        kind = answer.get("errorType") if isinstance(answer, dict) else None
        tries = context.get("approximateInvokeCount", "?")
        reason = f"{context.get('condition')} after {tries} tries: {kind or ''} {error or ''}"
        name = str(context.get("functionArn", "")).split(":function:")[-1].split(":")[0]
        return DeadLetter(
            f"function {name}", reason.strip(), json.dumps(record["requestPayload"]), message
        )

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        if letter.origin == "function":
            raise RuntimeError("it does not say where it came from")
        record = json.loads(letter.message["Body"])
        settings.client("lambda").invoke(
            FunctionName=record["requestContext"]["functionArn"].removesuffix(":$LATEST"),
            InvocationType="Event",
            Payload=letter.payload.encode(),
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


#: The failure path of every event type that invokes functions asynchronously.
ASYNCHRONOUS_INVOCATION = _AsynchronousInvocation()
