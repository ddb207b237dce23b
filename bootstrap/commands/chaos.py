"""``bootstrap chaos``: faults on purpose."""

from __future__ import annotations

from collections.abc import Mapping

import requests

from bootstrap.console import out
from bootstrap.errors import DeployError, WrongUseError
from bootstrap.settings import Settings


def run(wanted: Mapping[str, float | int | str], *, off: bool) -> None:
    """Show the faults that happen, after changing them when something is wanted.

    Args:
        wanted: Settings, as ``PUT /_trigger_stack/chaos`` takes them; what is missing is 0.
        off: No faults any longer.

    Raises:
        WrongUseError: A setting cannot be used.
        DeployError: The stack does not run.
    """
    settings = Settings.from_environment()
    url = f"{settings.endpoint_url}/_trigger_stack/chaos"
    if off and wanted:
        raise WrongUseError("OFF=1 ends all faults: give it alone.")
    if set(wanted) == {"function"}:
        raise WrongUseError("FUNCTION: also say which faults: DUPLICATES, ERRORS, KILLS or DELAY.")
    try:
        if off or wanted:
            answer = requests.put(url, json=dict(wanted), timeout=30)
        else:
            answer = requests.get(url, timeout=30)
    except requests.ConnectionError as error:
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}. Start the stack with: make up."
        ) from error
    if answer.status_code == 400:
        raise WrongUseError(answer.json()["message"])
    answer.raise_for_status()
    faults = answer.json()
    where = f" of functions with {faults['function']!r} in their ARN" if faults["function"] else ""
    shown = [
        (faults["duplicates"], f"{faults['duplicates']:.0%} of events come twice"),
        (faults["errors"], f"{faults['errors']:.0%} of invocations fail without running"),
        (faults["kills"], f"{faults['kills']:.0%} of environments are killed"),
        (faults["delay_ms"], f"{faults['delay_ms']} ms before each invocation"),
    ]
    lines = [text for share, text in shown if share]
    out.print("\n".join(f"{line}{where}" for line in lines) or "no faults on purpose", markup=False)
