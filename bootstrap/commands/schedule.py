"""``bootstrap fire-schedule``: a scheduled rule's event, now."""

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


def fire(rule: str) -> None:
    """Have the emulator run the rule's schedule once, at this moment.

    Raises:
        WrongUseError: there is no such scheduled rule.
        DeployError: the stack does not run.
    """
    settings = Settings.from_environment()
    try:
        rules = scheduled_rules(settings.client("events"))
        if rule not in rules:
            known = ", ".join(sorted(rules)) or "none"
            raise WrongUseError(f"RULE={rule}: no such scheduled rule. Scheduled rules: {known}.")
        answer = requests.post(
            f"{settings.endpoint_url}/_trigger_stack/events/rules/{rule}/fire", timeout=30
        )
    except (requests.ConnectionError, OSError) as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error
    if not answer.ok:
        raise DeployError(f"{rule}: {answer.text}")
    fired = answer.json()
    for target in fired["targets"]:
        out.print(f"{rule}: event {fired['eventId']} sent to {target}", markup=False)
