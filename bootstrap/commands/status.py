"""``bootstrap status``: what runs, what fires what, what waits.

What only this command needs is imported where it is used: ``up`` prints how to try a trigger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from bootstrap.commands.load import load_template
from bootstrap.console import out
from bootstrap.definition.events import EVENT_TYPES
from bootstrap.definition.events.base import EventType
from bootstrap.definition.model import Service, parse_service
from bootstrap.errors import DeployError
from bootstrap.services.base import found
from bootstrap.settings import Settings
from bootstrap.template import Physical, Template


def triggers(service: Service, settings: Settings) -> list[tuple[str, str, str]]:
    """Function, trigger in words, and a command that fires it, for each trigger."""
    return [
        (trigger.function, *trigger.type.example(trigger, service, settings))
        for trigger in service.triggers
    ]


#: A function with more triggers of one kind has one of them among the commands to try.
_MOST_OF_A_KIND = 4


def to_try(service: Service, settings: Settings) -> list[tuple[str, str, str]]:
    """As :func:`triggers`, with one for many of a kind that fire the same function."""
    kinds = [(one.function, one.type.key) for one in service.triggers]
    counts = Counter(kinds)
    shown: set[tuple[str, str]] = set()
    chosen = []
    for kind, (name, trigger, command) in zip(kinds, triggers(service, settings), strict=True):
        others = counts[kind] - 1 if counts[kind] > _MOST_OF_A_KIND else 0
        if others and kind in shown:
            continue
        shown.add(kind)
        more = f", and {others} more: make status" if others else ""
        chosen.append((name, f"{trigger}{more}", command))
    return chosen


#: What there is, by resource type: how it is called, and the property that names one.
_SHOWN = {
    "AWS::Lambda::Function": ("functions", "FunctionName"),
    "AWS::DynamoDB::Table": ("tables", "TableName"),
    "AWS::S3::Bucket": ("buckets", "BucketName"),
    "AWS::SQS::Queue": ("queues", "QueueName"),
    "AWS::Events::EventBus": ("buses", "Name"),
    "AWS::Events::Rule": ("rules", "Name"),
    "AWS::Scheduler::Schedule": ("schedules", "Name"),
    "AWS::Cognito::UserPool": ("pools", "UserPoolName"),
    "AWS::Pipes::Pipe": ("pipes", "Name"),
}


def print_try_it(template: Template, created: dict[str, Physical]) -> None:
    """Print what exists, the URLs, and one command for each trigger."""
    settings = Settings.from_environment(template.region)
    service = parse_service(template.document)
    for kind, (word, name_property) in _SHOWN.items():
        names = [
            str(resource.properties.get(name_property, resource.logical_id))
            for resource in template.resources.values()
            if resource.type == kind and resource.logical_id in created
        ]
        if names:
            out.print(f"{word:<10}{', '.join(names)}", markup=False)
    out.print(f"AWS API   {settings.endpoint_url}")
    used = {trigger.type.key: trigger.type for trigger in service.triggers}
    _print_endpoints(used.values(), settings)
    out.print("\nTry a trigger:")
    for name, trigger, command in to_try(service, settings):
        out.print(f"  [bold]{name}[/] ({trigger})")
        out.print(f"    {command}", markup=False)
    _print_mail_rules(template, created)
    out.print("Mails sent: curl " + settings.endpoint_url + "/_aws/ses", markup=False)


def _print_mail_rules(template: Template, created: dict[str, Physical]) -> None:
    """How to fire each receipt rule: there is no event type for them."""
    for name, resource in template.resources.items():
        if resource.type == "AWS::SES::ReceiptRule" and name in created:
            rule = resource.properties["Rule"]
            recipients = ", ".join(map(str, rule.get("Recipients") or ["every address"]))
            out.print(f"  [bold]receipt rule {created[name].ref}[/] (mail to {recipients})")
            out.print("    make mail-in FILE=<a mail, for example samples/logo.eml>", markup=False)


def run(file: Path) -> None:
    """Print the state of the stack.

    Raises:
        DeployError: nothing answers.
    """
    import requests

    template = load_template(file)
    settings = Settings.from_environment(template.region)
    try:
        health = requests.get(f"{settings.endpoint_url}/_localstack/health", timeout=5)
        health.raise_for_status()
    except requests.RequestException as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error
    out.print(f"AWS API   {settings.endpoint_url}  (LocalStack {health.json().get('version')})")
    _print_endpoints(EVENT_TYPES.values(), settings)
    _print_mail(settings)
    _print_functions(template, settings)
    _print_schedules(settings)
    _print_pipes(settings)
    _print_queues(settings)


def _print_mail(settings: Settings) -> None:
    """Where SES receives mails, and by which rule set."""
    answer = settings.client("ses").describe_active_receipt_rule_set()
    name = (answer.get("Metadata") or {}).get("Name")
    rule_set = f"receipt rule set {name}" if name else "no receipt rule set is active"
    out.print(f"Mail in   localhost:{settings.smtp_port}  ({rule_set})", highlight=False)


def _print_endpoints(event_types: Iterable[EventType[Any]], settings: Settings) -> None:
    for event_type in event_types:
        for endpoint in event_type.endpoints(settings):
            out.print(f"{endpoint.name + ' ':<10}{endpoint.url}", highlight=False)


def _print_functions(template: Template, settings: Settings) -> None:
    from rich.table import Table

    service = parse_service(template.document)
    client = settings.client("lambda")
    states = {
        function["FunctionName"]: function
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    }
    table = Table("function", "runtime", "state", "fired by", box=None, pad_edge=False)
    fired_by = [(name, trigger) for name, trigger, _ in triggers(service, settings)]
    made = _fired_by_schedules(settings)
    for name, rules in _fired_by_mail(settings).items():
        made.setdefault(name, []).extend(rules)
    for name, pipes in _fired_by_pipes(settings).items():
        made.setdefault(name, []).extend(pipes)
    names = [service.function_name(key) for key in service.functions]
    untriggered = [name for name in names if name not in dict(fired_by)]
    fired_by += [(name, ", ".join(made.get(name, ["nothing yet"]))) for name in untriggered]
    for name, trigger in fired_by:
        state = states.get(name)
        table.add_row(
            name,
            state["Runtime"] if state else "",
            (client.get_function_configuration(FunctionName=name)["State"])
            if state
            else "missing: make up",
            trigger,
        )
    out.print()
    out.print(table)


def _fired_by_schedules(settings: Settings) -> dict[str, list[str]]:
    """For each function, how many schedules of EventBridge Scheduler fire it, by their group."""
    pages = settings.client("scheduler").get_paginator("list_schedules").paginate()
    counts = Counter(
        (one["Target"]["Arn"].split(":function:")[-1].split(":")[0], one["GroupName"])
        for page in pages
        for one in page["Schedules"]
        if ":function:" in one["Target"]["Arn"]
    )
    found: dict[str, list[str]] = {}
    for (name, group), count in sorted(counts.items()):
        found.setdefault(name, []).append(f"{count} of the schedules {group}")
    return found


def _fired_by_mail(settings: Settings) -> dict[str, list[str]]:
    """For each function, the receipt rules of the active rule set that invoke it."""
    found: dict[str, list[str]] = {}
    for rule in settings.client("ses").describe_active_receipt_rule_set().get("Rules", []):
        on = "" if rule.get("Enabled") else ", not enabled"
        recipients = ", ".join(rule.get("Recipients") or ["every address"])
        for action in rule.get("Actions", []):
            if arn := action.get("LambdaAction", {}).get("FunctionArn"):
                name = arn.split(":function:")[-1].split(":")[0]
                text = f"mail to {recipients} (receipt rule {rule['Name']}{on})"
                found.setdefault(name, []).append(text)
    return found


def _pipes(settings: Settings) -> list[dict[str, Any]]:
    pages = settings.client("pipes").get_paginator("list_pipes").paginate()
    return [pipe for page in pages for pipe in page["Pipes"]]


def _fired_by_pipes(settings: Settings) -> dict[str, list[str]]:
    """For each function, the pipes that it is the target or the enrichment of."""
    found: dict[str, list[str]] = {}
    for pipe in _pipes(settings):
        for arn in (pipe["Target"], pipe.get("Enrichment", "")):
            if ":function:" in arn:
                name = arn.split(":function:")[-1].split(":")[0]
                found.setdefault(name, []).append(f"pipe {pipe['Name']}")
    return found


def _print_pipes(settings: Settings) -> None:
    from rich.table import Table

    pipes = _pipes(settings)
    if not pipes:
        return
    table = Table("pipe", "from", "to", "state", box=None, pad_edge=False)
    for pipe in pipes:
        state = pipe["CurrentState"]
        reason = f": {pipe.get('StateReason', '')}" if state.endswith("FAILED") else ""
        places = [":".join(pipe[key].split(":")[2::3]) for key in ("Source", "Target")]
        table.add_row(pipe["Name"], *places, f"{state}{reason}")
    out.print()
    out.print(table)


def _print_schedules(settings: Settings) -> None:
    """What fires by the clock next, the first to fire first."""
    import requests
    from rich.table import Table

    from bootstrap.commands.clock import name_of

    clock = requests.get(f"{settings.endpoint_url}/_trigger_stack/clock", timeout=30).json()
    due = sorted(clock["schedules"].items(), key=lambda item: item[1])
    if not due:
        return
    table = Table("next by the clock", "due", box=None, pad_edge=False)
    for arn, moment in due[:_SCHEDULES]:
        table.add_row(name_of(arn), moment)
    if len(due) > _SCHEDULES:
        table.add_row(f"… {len(due) - _SCHEDULES} more: make clock", "")
    out.print()
    out.print(table)


#: An application may have a schedule for each of its things.
_SCHEDULES = 20


def _print_queues(settings: Settings) -> None:
    from rich.table import Table

    sqs = settings.client("sqs")
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    table = Table("queue", "waiting", "in flight", box=None, pad_edge=False)
    for page in sqs.get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            counts = found(
                partial(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(names)),
                "AWS.SimpleQueueService.NonExistentQueue",
                "QueueDoesNotExist",
            )
            if counts is None:  # deleted since it was listed
                continue
            table.add_row(url.rsplit("/", 1)[-1], *(counts["Attributes"][n] for n in names))
    out.print()
    out.print(table)
