"""``bootstrap plan``: what ``up`` would do."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bootstrap import builds
from bootstrap.commands.load import load_template
from bootstrap.console import err, out
from bootstrap.deploy import plan
from bootstrap.errors import DeployError
from bootstrap.gateway import healthy
from bootstrap.plan import Action, Plan
from bootstrap.services.base import Context
from bootstrap.settings import Settings

_STYLES = {
    Action.CREATE: "green",
    Action.CHANGE: "yellow",
    Action.REPLACE: "bold red",
    Action.DELETE: "red",
    Action.KEEP: "dim",
}

#: Of a table in a file or a pipe.
_WIDTH = 200


def run(file: Path, *, as_json: bool, prune: bool) -> None:
    """Print the plan.

    Args:
        prune: as for ``up``.

    Raises:
        TriggerStackError: see :func:`bootstrap.deploy.plan`.
    """
    template = load_template(file)
    settings = Settings.from_environment(template.region)
    if not healthy(settings):
        raise DeployError(
            f"Nothing answers at {settings.endpoint_url}, so everything would be created. Start "
            "the stack with: make up"
        )
    builds.prepare(template, quiet=as_json)
    with err.status("reading what there is"):
        planned = plan(template, Context(settings, template.service), prune=prune)
    if as_json:
        sys.stdout.write(f"{planned.as_json(template)}\n")
        return
    if not planned.changes_nothing or planned.leftovers:
        out.print(_table(planned, file))
    word = "no changes" if planned.changes_nothing else "plan"
    out.print(f"[green]{template.service}[/]: {word}: {planned.summary()}")
    if any(step.lost for step in planned.everything):
        out.print("[bold red]Data would be lost[/]: see the column “lost”.")


def _table(planned: Plan, file: Path) -> Table:
    table = Table("", "resource", "what differs", "lost", box=None, pad_edge=False)
    for step in planned.everything:
        if step.action is Action.NONE:
            continue
        place = f"{file.name}:{step.line}" if step.line else "no longer described"
        kind = step.type.removeprefix("AWS::")
        name = f" {step.name}" if step.name not in ("", step.logical_id) else ""
        details = [*step.details, *([step.refused] if step.refused else [])]
        style = _STYLES[step.action]
        table.add_row(
            Text(step.action.value, style),
            Text.assemble((step.logical_id, "bold"), f" ({kind}){name}  ", (place, "dim")),
            Text("\n".join(details)),
            Text(step.lost, "bold red"),
        )
    return table
