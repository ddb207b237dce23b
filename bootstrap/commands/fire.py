"""``bootstrap fire-log`` and ``fire-pipe``: an event by hand, where it would come from."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.console import out
from bootstrap.definition.model import parse_service
from bootstrap.errors import WrongUseError
from bootstrap.services.base import found
from bootstrap.settings import Settings

_STREAM = "fire-log"
#: An application may have many log groups.
_SHOWN = 20


def trigger(file: Path, number: int | None) -> None:
    """Print every trigger with a number and its command, or one command alone.

    Args:
        file: the definition.
        number: of a trigger in the list.

    Raises:
        WrongUseError: there is no such number, or no command can fire the trigger.
    """
    template = load_template(file)
    service = parse_service(template.document)
    known = triggers(service, Settings.from_environment(template.region))
    if number is None:
        for index, (name, words, command) in enumerate(known, 1):
            out.print(f"{index:>3}  {name} ({words})\n     {command}", markup=False)
        out.print("\nFire one: make fire N=<number>", markup=False)
        return
    if not 1 <= number <= len(known):
        raise WrongUseError(
            f"N={number}: there are triggers 1 to {len(known)}. make fire lists them."
        )
    name, words, command = known[number - 1]
    if command.startswith("(") or "…" in command or "<" in command:
        raise WrongUseError(f"{name} ({words}) cannot be fired by one command: {command}")
    out.print(command, markup=False, soft_wrap=True, highlight=False)


def log_line(group: str, message: str) -> None:
    """Write one line into a log group, and print which of its filters it matches.

    Args:
        group: name of the log group.
        message: the line.

    Raises:
        WrongUseError: there is no such log group.
    """
    logs = Settings.from_environment().client("logs")
    answer = found(
        lambda: logs.describe_subscription_filters(logGroupName=group),
        *("ResourceNotFoundException", "InvalidParameterException"),
    )
    if answer is None:
        pages = logs.get_paginator("describe_log_groups").paginate()
        names = sorted(one["logGroupName"] for page in pages for one in page["logGroups"])
        known = ", ".join([*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])]) or "none"
        raise WrongUseError(f"GROUP={group}: no such log group. There are: {known}.")
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=_STREAM)
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs.put_log_events(logGroupName=group, logStreamName=_STREAM, logEvents=[event])
    filters = answer["subscriptionFilters"]
    for one in filters:
        tested = logs.test_metric_filter(
            filterPattern=one["filterPattern"], logEventMessages=[message]
        )
        verb = "matches" if tested["matches"] else "does not match"
        out.print(f"{group}: {verb} {one['filterName']} → {one['destinationArn']}", markup=False)
    if not filters:
        out.print(f"{group}: written; nobody subscribes to it", markup=False)


def pipe(name: str, body: str) -> None:
    """Put one event into the source of a pipe.

    Args:
        name: of the pipe.
        body: the body of a message, or the data of a record.

    Raises:
        WrongUseError: there is no such pipe, or its source takes no events.
    """
    settings = Settings.from_environment()
    pipes = settings.client("pipes")
    described = found(
        lambda: pipes.describe_pipe(Name=name), "NotFoundException", "ValidationException"
    )
    if described is None:
        pages = pipes.get_paginator("list_pipes").paginate()
        names = [one["Name"] for page in pages for one in page["Pipes"]]
        raise WrongUseError(
            f"PIPE={name}: no such pipe. There are: {', '.join(names[:_SHOWN]) or 'none'}."
        )
    source = described["Source"]
    if ":sqs:" in source:
        event = _send(settings.client("sqs"), source.rpartition(":")[2], body)
    elif ":kinesis:" in source:
        answer = settings.client("kinesis").put_record(
            StreamARN=source, Data=body.encode(), PartitionKey="fire-pipe"
        )
        event = f"record {answer['SequenceNumber']}"
    else:
        raise WrongUseError(f"PIPE={name}: its source is the table of {source}: change an item.")
    state = "" if described["CurrentState"] == "RUNNING" else f" ({described['CurrentState']})"
    out.print(f"{name}{state}: {event} put into {source}", markup=False)


def _send(sqs: Any, queue: str, body: str) -> str:
    more = {}
    if queue.endswith(".fifo"):
        more = {"MessageGroupId": "fire-pipe", "MessageDeduplicationId": str(uuid.uuid4())}
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return f"message {sqs.send_message(QueueUrl=url, MessageBody=body, **more)['MessageId']}"
