"""``bootstrap up``: create everything, then say what there is and how to try it."""

from __future__ import annotations

import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bootstrap import builds, preload
from bootstrap.checks import everything, examine, refuse
from bootstrap.checks.findings import Severity
from bootstrap.commands import outputs, status
from bootstrap.commands.load import load_template
from bootstrap.console import out
from bootstrap.errors import DefinitionErrors, DeployError
from bootstrap.lock import one_at_a_time
from bootstrap.runtime import choice
from bootstrap.services import needed
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from bootstrap.template import Physical, Resource, Template
from bootstrap.unchanged import Changes, Known

if TYPE_CHECKING:
    from bootstrap.deploy import Deployment
    from bootstrap.plan import Plan

type Created = dict[str, Physical]


def run(
    file: Path,
    *,
    quiet: bool = False,
    start: bool = False,
    prune: bool = False,
    try_it: bool = False,
) -> None:
    """Create everything that ``file`` describes, and print the summary.

    Args:
        quiet: print only what changed.
        start: start the emulator first, unless it runs.
        prune: delete what is no longer described though it may hold data.
        try_it: print what there is and how to fire each trigger.

    Raises:
        TriggerStackError: see :func:`bootstrap.deploy.deploy`.
    """
    try:
        template = load_template(file)
    except DefinitionErrors as error:
        raise everything(error) from None
    settings = Settings.from_environment(template.region)
    preload.ask_for(needed(template), settings)
    report = examine(template)
    refuse(report, template)
    if warnings := report.count(Severity.WARNING):
        many = "s" if warnings > 1 else ""
        out.print(f"{warnings} warning{many} about events that could vanish: make check")
    with one_at_a_time():
        try:
            created = _run(template, settings, quiet=quiet, start=start, prune=prune)
        except KeyboardInterrupt:
            raise DeployError(
                "stopped. What was made stays, and the next make up continues from there."
            ) from None
    if try_it:
        status.print_try_it(template, created)


def _run(
    template: Template, settings: Settings, *, quiet: bool, start: bool, prune: bool
) -> Created:
    if template.document.notes and not quiet:
        count = len(template.document.notes)
        out.print(f"{count} keys are read otherwise here: make check says which, and why")
    context = Context(settings, template.service, run=uuid.uuid4().hex)
    if start:
        choice.start(settings, quiet=quiet, meanwhile=partial(context.warm_up, needed(template)))
        preload.ask_for(needed(template), settings)
    builds.prepare_runtimes(template)
    builds.prepare(template)
    started = time.monotonic()
    changes = Changes(template, settings, context.run)
    if known := changes.recall():
        context.account = known.account
        outputs.write(outputs.values(template, known.created, settings, context.pseudo))
        if not quiet:
            _say_nothing_changed(template, len(known.created), started)
        return known.created
    deployment = _apply(template, context, quiet=quiet, prune=prune, empty=changes.none)
    note = _finish(template, context, deployment)
    _say(template, deployment, started, note, quiet=quiet)
    # What the next run is to say again, it must find out again.
    if not deployment.leftovers and not (note and _activate(template, context, deployment)):
        changes.remember(Known(context.account, deployment.created), context.packages)
    return deployment.created


def _apply(
    template: Template, context: Context, *, quiet: bool, prune: bool, empty: bool
) -> Deployment:
    """Create or change what differs, and show how far it is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from bootstrap.deploy import apply

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    ) as progress:
        task = progress.add_task("creating", total=len(template.resources))

        def report(resource: Resource, outcome: Outcome) -> None:
            progress.update(task, advance=1, description=resource.logical_id)
            loud = outcome in (Outcome.CHANGED, Outcome.REPLACED)
            if loud or (outcome is Outcome.CREATED and not out.is_terminal):
                progress.console.print(f"{outcome} {resource.logical_id} ({resource.type})")

        def announce(plan: Plan) -> None:
            if not plan.changes_nothing and not quiet:
                progress.console.print(f"plan: {plan.summary()}", markup=False)

        return apply(
            template, context, report, prune=prune, announce=announce, empty=empty, checked=True
        )


def _finish(template: Template, context: Context, deployment: Deployment) -> str | None:
    """What the whole needs beside its resources; returns what the user should know."""
    from bootstrap import local_port

    created = deployment.created
    local_port.give_to(template, created, context)
    outputs.write(outputs.values(template, created, context.settings, context.pseudo))
    return _activate(template, context, deployment)


def _activate(template: Template, context: Context, deployment: Deployment) -> str | None:
    """See :func:`bootstrap.services.ses.activate`."""
    from bootstrap.services.ses import RULE_SET, activate

    created = deployment.created
    rule_sets = [
        created[name].ref
        for name, resource in template.resources.items()
        if resource.type == RULE_SET and name in created
    ]
    return activate(context, rule_sets)


def _say(
    template: Template, deployment: Deployment, started: float, note: str | None, *, quiet: bool
) -> None:
    seconds = time.monotonic() - started
    if note:
        out.print(note, markup=False)
    for leftover in deployment.leftovers:
        out.print(str(leftover), markup=False)
    removed = sum(leftover.removed for leftover in deployment.leftovers)
    made, changed = deployment.count(Outcome.CREATED), deployment.count(Outcome.CHANGED)
    replaced = deployment.count(Outcome.REPLACED)
    if made or changed or removed or replaced:
        gone = f"{replaced} replaced, " if replaced else ""
        gone += f"{removed} removed, " if removed else ""
        out.print(
            f"[green]{template.service}[/]: {made} created, {changed} changed, {gone}"
            f"{deployment.count(Outcome.UNCHANGED)} unchanged in {seconds:.1f} s"
        )
    elif not quiet:
        _say_nothing_changed(template, deployment.count(Outcome.UNCHANGED), started)


def _say_nothing_changed(template: Template, count: int, started: float) -> None:
    seconds = time.monotonic() - started
    out.print(
        f"[green]{template.service}[/]: no changes, all {count} resources are as described"
        f" ({seconds:.1f} s)"
    )
