"""``bootstrap dlq`` and ``bootstrap redrive``: where failures land, and the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from rich.markup import escape

from bootstrap.console import out
from bootstrap.definition.events import failure_paths
from bootstrap.definition.events.failures import DeadLetter, FailurePath
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.services.base import found
from bootstrap.settings import Settings

_PEEK_SECONDS = 20
_PEEK_LIMIT = 1000
_POLL_S = 0.2


class _Unknown(FailurePath):
    """Any other message in a dead-letter queue: shown as it is."""

    def queues(self, settings: Settings, queues: Mapping[str, dict[str, Any]]) -> Iterator[str]:
        yield from ()

    def read(self, message: dict[str, Any]) -> DeadLetter:
        return DeadLetter("unknown", "the message does not say", message["Body"], message)

    def send_back(self, settings: Settings, letter: DeadLetter) -> None:
        raise RuntimeError("it does not say where it came from")


#: Every way for an event to end in a dead-letter queue; the first that knows a message has it.
_PATHS = [*failure_paths(), _Unknown()]


def describe(message: dict[str, Any]) -> DeadLetter:
    """Read what AWS writes into a dead letter, whichever way the message came."""
    return _read(message)[1]


def _read(message: dict[str, Any]) -> tuple[FailurePath, DeadLetter]:
    return next((path, letter) for path in _PATHS if (letter := path.read(message)))


def dead_letter_queues(settings: Settings) -> dict[str, str]:
    """URL of every queue that anything uses as its dead-letter queue or on-failure destination.

    What is deleted between being listed and being read is passed over.
    """
    sqs = settings.client("sqs")
    urls: dict[str, str] = {}
    queues: dict[str, dict[str, Any]] = {}
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            names = ["QueueArn", "RedrivePolicy"]
            queue = found(
                partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=names),
                "AWS.SimpleQueueService.NonExistentQueue",
                "QueueDoesNotExist",
            )
            if queue is not None:
                arn = queue["Attributes"]["QueueArn"]
                urls[arn], queues[arn] = url, queue["Attributes"]
    arns = {arn for path in _PATHS for arn in path.queues(settings, queues)}
    return {arn.rsplit(":", 1)[-1]: urls[arn] for arn in sorted(arns & urls.keys())}


@contextmanager
def _received(sqs: Any, url: str, *, wait_s: float = 0) -> Iterator[list[dict[str, Any]]]:
    """Messages of a queue, hidden from others meanwhile and given back afterwards.

    Args:
        wait_s: Seconds to wait for messages that somebody else hides, when there are no others.
    """
    messages = _receive_all(sqs, url)
    deadline = time.monotonic() + wait_s
    while not messages and time.monotonic() < deadline and _waiting(sqs, url):
        time.sleep(_POLL_S)
        messages = _receive_all(sqs, url)
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


def _receive_all(sqs: Any, url: str) -> dict[str, dict[str, Any]]:
    """Every message that can be received now, by its id."""
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
    return messages


def _waiting(sqs: Any, url: str) -> bool:
    """Whether there are messages, also such that another command hides for a moment."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return any(int(counts[name]) for name in names)


def _connected(settings: Settings) -> dict[str, str]:
    with _answering(settings):
        return dead_letter_queues(settings)


def _named(settings: Settings, sqs: Any, name: str) -> dict[str, str]:
    with _answering(settings):
        queue = found(
            partial(sqs.get_queue_url, QueueName=name),
            "AWS.SimpleQueueService.NonExistentQueue",
            "QueueDoesNotExist",
        )
    if queue is None:
        raise WrongUseError(f"QUEUE={name}: no such queue. make dlq shows all dead-letter queues.")
    return {name: queue["QueueUrl"]}


@contextmanager
def _answering(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error


def show(queue: str | None = None) -> None:
    """Print every dead letter: where it lies, what failed, why, and the payload.

    Args:
        queue: Name of the queue to look into; all dead-letter queues by default.

    Raises:
        WrongUseError: There is no queue of this name.
        DeployError: Nothing answers.
    """
    settings = Settings.from_environment()
    sqs = settings.client("sqs")
    queues = _named(settings, sqs, queue) if queue else _connected(settings)
    total = 0
    for name, url in queues.items():
        with _received(sqs, url) as messages:
            for letter in map(describe, messages):
                total += 1
                # Two lines each: a table would break payloads in the middle.
                out.print(f"[bold]{name}[/]  {escape(letter.origin)}: {escape(letter.reason)}")
                out.print(f"    {_short(letter.payload)}", markup=False)
    if not total:
        out.print(
            f"{queue} is empty" if queue else f"all {len(queues)} dead-letter queues are empty"
        )
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
    with _received(sqs, url, wait_s=_PEEK_SECONDS + _POLL_S) as messages:
        for path, letter in map(_read, messages):
            try:
                path.send_back(settings, letter)
            except (ClientError, KeyError, OSError, ValueError, RuntimeError) as error:
                stuck.append(f"{letter.message['MessageId']}: {error}")
                continue
            sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.message["ReceiptHandle"])
            moved += 1
    out.print(f"{queue}: {moved} sent back, {len(stuck)} stay")
    if stuck:
        raise DeployError("could not be sent back: " + "; ".join(stuck))
