"""``bootstrap fire-schedule``: what a scheduled rule or a schedule would send, now."""

from __future__ import annotations

from typing import Any

import requests

from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.settings import Settings


def scheduled_rules(events: Any) -> dict[str, str]:
    """Schedule expression of every scheduled rule on the default bus, by rule name."""
    pages = events.get_paginator("list_rules").paginate()
    return {
        rule["Name"]: rule["ScheduleExpression"]
        for page in pages
        for rule in page["Rules"]
        if rule.get("ScheduleExpression")
    }


def schedules(scheduler: Any) -> list[tuple[str, str]]:
    """Group and name of every schedule of EventBridge Scheduler."""
    pages = scheduler.get_paginator("list_schedules").paginate()
    return sorted((one["GroupName"], one["Name"]) for page in pages for one in page["Schedules"])


def fire(name: str) -> None:
    """Have the emulator fire a rule or a schedule once, at this moment.

    Args:
        name: of a rule, or of a schedule: ``name``, or ``group/name``.

    Raises:
        WrongUseError: there is none of that name, or there are several.
        DeployError: the stack does not run.
    """
    settings = Settings.from_environment()
    try:
        route = _route(settings, name)
        answer = requests.post(f"{settings.endpoint_url}/_trigger_stack/{route}/fire", timeout=30)
    except (requests.ConnectionError, OSError) as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error
    if not answer.ok:
        raise DeployError(f"{name}: {answer.text}")
    fired = answer.json()
    for target in fired["targets"]:
        out.print(f"{name}: event {fired['eventId']} sent to {target}", markup=False)


def _route(settings: Settings, name: str) -> str:
    """Where the emulator fires what has a name."""
    rules = scheduled_rules(settings.client("events"))
    if name in rules:
        return f"events/rules/{name}"
    known = schedules(settings.client("scheduler"))
    found = [one for one in known if name in (one[1], "/".join(one))]
    if len(found) == 1:
        return "scheduler/schedules/" + "/".join(found[0])
    if found:
        names = ", ".join("/".join(one) for one in found)
        raise WrongUseError(f"RULE={name}: several groups have such a schedule: {names}.")
    rule_names = ", ".join(sorted(rules)) or "none"
    some = [*("/".join(one) for one in known[:_SHOWN]), *(["…"] if len(known) > _SHOWN else [])]
    raise WrongUseError(
        f"RULE={name}: no such scheduled rule or schedule. Scheduled rules: {rule_names}."
        f" Schedules: {', '.join(some) or 'none'}."
    )


#: An application may have many schedules.
_SHOWN = 20
