"""``bootstrap up``: create everything, then say what there is and how to try it."""

from __future__ import annotations

import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from bootstrap import builds, local_port
from bootstrap.checks import everything, examine, refuse
from bootstrap.checks.findings import Severity
from bootstrap.commands import outputs
from bootstrap.commands.load import load_template
from bootstrap.console import out
from bootstrap.deploy import Deployment, apply
from bootstrap.errors import DefinitionErrors, DeployError
from bootstrap.lock import one_at_a_time
from bootstrap.plan import Plan
from bootstrap.runtime import choice
from bootstrap.services.base import Context, Outcome
from bootstrap.services.ses import RULE_SET, activate
from bootstrap.settings import Settings
from bootstrap.template import Resource, Template


def run(file: Path, *, quiet: bool = False, start: bool = False, prune: bool = False) -> Deployment:
    """Create everything that ``file`` describes, and print the summary.

    Args:
        quiet: print only what changed.
        start: start the emulator first, unless it runs.
        prune: delete what is no longer described though it may hold data.

    Raises:
        TriggerStackError: see :func:`bootstrap.deploy.deploy`.
    """
    try:
        template = load_template(file)
    except DefinitionErrors as error:
        raise everything(error) from None
    report = examine(template)
    refuse(report, template)
    if warnings := report.count(Severity.WARNING):
        many = "s" if warnings > 1 else ""
        out.print(f"{warnings} warning{many} about events that could vanish: make check")
    with one_at_a_time():
        try:
            return _run(template, quiet=quiet, start=start, prune=prune)
        except KeyboardInterrupt:
            raise DeployError(
                "stopped. What was made stays, and the next make up continues from there."
            ) from None


def _run(template: Template, *, quiet: bool, start: bool, prune: bool) -> Deployment:
    if template.document.notes and not quiet:
        count = len(template.document.notes)
        out.print(f"{count} keys are read otherwise here: make check says which, and why")
    settings = Settings.from_environment(template.region)
    context = Context(settings, template.service)
    if start:
        choice.start(settings, quiet=quiet, meanwhile=context.warm_up)
    builds.prepare_runtimes(template)
    builds.prepare(template)
    started = time.monotonic()
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

        deployment = apply(template, context, report, prune=prune, announce=announce)
    local_port.give_to(template, deployment.created, context)
    outputs.write(outputs.values(template, deployment.created, settings, context.pseudo))
    rule_sets = [
        deployment.created[name].ref
        for name, resource in template.resources.items()
        if resource.type == RULE_SET and name in deployment.created
    ]
    note = activate(context, rule_sets)
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
        out.print(
            f"[green]{template.service}[/]: no changes, all "
            f"{deployment.count(Outcome.UNCHANGED)} resources are as described ({seconds:.1f} s)"
        )
    return deployment
