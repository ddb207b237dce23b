"""The command line: ``python -m bootstrap --help``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bootstrap import console
from bootstrap.commands import dlq as dlq_command
from bootstrap.commands import schedule as schedule_command
from bootstrap.commands import status as status_command
from bootstrap.commands import up as up_command
from bootstrap.deploy import check as check_template
from bootstrap.errors import EXIT_FAILED, TriggerStackError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Creates and looks after the stack that serverless.yml describes.",
)

File = Annotated[Path, typer.Option("--file", "-f", help="The definition file.", show_default=True)]
DEFAULT_FILE = Path("serverless.yml")


@app.command()
def up(file: File = DEFAULT_FILE) -> None:
    """Create everything in serverless.yml; what is there already stays."""
    deployment = up_command.run(file)
    status_command.print_try_it(file, deployment.created)


@app.command()
def check(file: File = DEFAULT_FILE) -> None:
    """Check serverless.yml without creating anything."""
    template = up_command.load_template(file)
    resources = check_template(template)
    console.out.print(f"{file}: fine, {len(resources)} resources")


@app.command()
def status(file: File = DEFAULT_FILE) -> None:
    """Show what runs, what each trigger fires, and what waits in the queues."""
    status_command.run(file)


@app.command()
def dlq() -> None:
    """Show what lies in every dead-letter queue, with the reason."""
    dlq_command.show()


@app.command()
def redrive(queue: Annotated[str, typer.Argument(help="Name of a dead-letter queue.")]) -> None:
    """Send everything in a dead-letter queue back to where it failed."""
    dlq_command.redrive(queue)


@app.command("fire-schedule")
def fire_schedule(
    rule: Annotated[str, typer.Argument(help="Name of a rule with a schedule.")],
) -> None:
    """Send the event that a schedule would send, now, through the rule's own targets."""
    schedule_command.fire(rule)


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong use or input."""
    try:
        app()
    except TriggerStackError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.fail("stopped")
        sys.exit(EXIT_FAILED)
