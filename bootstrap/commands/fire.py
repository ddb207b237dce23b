"""``bootstrap fire-log`` and ``fire-pipe``: an event by hand, where it would come from."""

from __future__ import annotations

import email
import email.policy
import json
import shlex
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from bootstrap.commands import table
from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.console import out
from bootstrap.definition import naming
from bootstrap.definition.model import Service, parse_service
from bootstrap.definition.sample_event import item_of, sample_of
from bootstrap.definition.samples import ANY_BODY
from bootstrap.errors import WrongUseError
from bootstrap.services.base import found
from bootstrap.settings import Settings

_STREAM = "fire-log"
#: An application may have many log groups.
_SHOWN = 20
_MAIL = Path("samples/logo.eml")


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
    settings = Settings.from_environment(template.region)
    known = [*triggers(service, settings), *_of_resources(service), *_of_schedules(settings)]
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


def _of_resources(service: Service) -> Iterator[tuple[str, str, str]]:
    """The triggers that are resources of the file: the framework has no event type for them."""
    for logical_id, resource in service.resources.Resources.items():
        properties = resource.get("Properties") or {}
        name = properties.get("Name")
        if not isinstance(name, str):
            name = naming.generated(service.service, logical_id)
        match resource.get("Type"):
            case "AWS::Pipes::Pipe":
                own = service.samples.body(str(name))
                body = f" BODY={shlex.quote(own)}" if own else ""
                yield f"pipe {name}", "its source", f"make fire-pipe PIPE={name}{body}"
            case "AWS::Scheduler::Schedule":
                words = f"schedule {properties.get('ScheduleExpression')}"
                yield f"schedule {name}", words, f"make fire-schedule RULE={name}"
            case "AWS::SES::ReceiptRule":
                rule = properties.get("Rule") or {}
                recipients = [one for one in rule.get("Recipients") or [] if isinstance(one, str)]
                to = _address(recipients[0]) if recipients else ""
                to = f" TO={to}" if to and to != _sample_address() else ""
                words = f"mail to {', '.join(recipients) or 'every address'}"
                rule_name = rule.get("Name", logical_id)
                yield f"receipt rule {rule_name}", words, f"make mail-in FILE={_MAIL}{to}"


def _sample_address() -> str:
    """Whom the sample mail is to, without the label: ``logo+acme@…`` goes to ``logo@…``."""
    mail = email.message_from_bytes(_MAIL.read_bytes(), policy=email.policy.default)
    user, _, domain = str(mail["To"]).rpartition("@")
    return f"{user.partition('+')[0]}@{domain}"


def _address(recipient: str) -> str:
    """An address that a recipient condition is for: itself, or one of the domain."""
    domain = recipient if not recipient.startswith(".") else f"www{recipient}"
    return recipient if "@" in recipient else f"fire@{domain}"


def _of_schedules(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Schedules that functions of the running stack made: the first of each function."""
    shown = set()
    try:
        pages = settings.client("scheduler").get_paginator("list_schedules").paginate()
        for one in (schedule for page in pages for schedule in page["Schedules"]):
            name = one["Target"]["Arn"].split(":function:")[-1]
            if name not in shown and one["GroupName"] != "default":
                shown.add(name)
                rule = f"{one['GroupName']}/{one['Name']}"
                yield name, f"schedule {rule}", f"make fire-schedule RULE={rule}"
    except (EndpointConnectionError, ConnectionClosedError):
        return  # nothing runs: they come with it


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
        body: the body of a message, the data of a record, or attributes of an item of a table,
            in DynamoDB's JSON; ``{}`` is what the pipe's filter asks for.

    Raises:
        WrongUseError: there is no such pipe, or the table does not take the item.
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
    if body == ANY_BODY:
        body = _wanted(described)
    if ":sqs:" in source:
        event = _send(settings.client("sqs"), source.rpartition(":")[2], body)
    elif ":kinesis:" in source:
        answer = settings.client("kinesis").put_record(
            StreamARN=source, Data=body.encode(), PartitionKey="fire-pipe"
        )
        event = f"record {answer['SequenceNumber']}"
    else:
        event = _change(source, body)
    state = "" if described["CurrentState"] == "RUNNING" else f" ({described['CurrentState']})"
    out.print(f"{name}{state}: {event} put into {source}", markup=False)


def _wanted(pipe: dict[str, Any]) -> str:
    """What the first filter of a pipe asks for: of an item, a message or a record."""
    filters = pipe.get("SourceParameters", {}).get("FilterCriteria", {}).get("Filters", [])
    patterns = [json.loads(one["Pattern"]) for one in filters]
    if ":dynamodb:" in pipe["Source"]:
        return json.dumps(item_of(patterns))
    wanted = sample_of(patterns[0]) if patterns else {}
    body = wanted.get("body", wanted.get("data", {}))
    return body if isinstance(body, str) else json.dumps(body)


def _change(source: str, item: str) -> str:
    """Change an item of the table whose stream is a pipe's source."""
    name = source.split(":table/")[1].partition("/")[0]
    table.fire(name, item)
    return f"changes of an item of {name}"


def _send(sqs: Any, queue: str, body: str) -> str:
    more = {}
    if queue.endswith(".fifo"):
        more = {"MessageGroupId": "fire-pipe", "MessageDeduplicationId": str(uuid.uuid4())}
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return f"message {sqs.send_message(QueueUrl=url, MessageBody=body, **more)['MessageId']}"
