"""``bootstrap clock``: the time by which schedules fire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from bootstrap.console import out
from bootstrap.errors import WrongUseError
from bootstrap.settings import Settings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REQUEST_S = 600  # everything due in between fires first


def run(at: str) -> None:
    """Show the clock, or move it first; what is due in between fires in order.

    Args:
        at: ISO 8601 with a zone, a step such as ``+1h``, ``real``, or nothing to look only.

    Raises:
        WrongUseError: It is no such time, or a time in the past.
    """
    url = f"{Settings.from_environment().endpoint_url}/_trigger_stack/clock"
    answer = requests.get(url, timeout=30)
    answer.raise_for_status()
    if at:
        moved = requests.post(url, json={"at": _target(at, answer.json())}, timeout=_REQUEST_S)
        if moved.status_code == 400:
            raise WrongUseError(f"AT={at}: {moved.json()['message']}")
        moved.raise_for_status()
        answer = moved
    shown = answer.json()
    moved_s = timedelta(seconds=shown["moved_s"])
    out.print(f"{shown['now']}{f' (moved by {moved_s})' if moved_s else ''}")
    for arn, due in sorted(shown["schedules"].items(), key=lambda item: item[1]):
        out.print(f"  {due}  {name_of(arn)}", markup=False)


def name_of(arn: str) -> str:
    """The name of a rule, or group and name of a schedule."""
    _, is_schedule, schedule = arn.partition(":schedule/")
    return schedule if is_schedule else arn.rpartition("/")[2]


def _target(at: str, clock: dict[str, Any]) -> str:
    """The time to move to, as the stack takes it."""
    if match := re.fullmatch(r"\+(\d{1,7})([smhd])", at):
        now = datetime.fromisoformat(clock["now"])
        return (now + timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat()
    if at == "real":
        return at
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise WrongUseError(
            f"AT={at}: write a time (2026-01-31T12:00Z), a step (+90s, +10m, +2h, +1d) or real."
        ) from None
    return (moment if moment.tzinfo else moment.astimezone()).astimezone(UTC).isoformat()
