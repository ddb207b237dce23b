"""The command line: ``python -m bootstrap --help``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import requests
import typer
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from bootstrap import console, dotenv
from bootstrap.commands import dlq as dlq_command
from bootstrap.commands import functions as functions_command
from bootstrap.commands import schedule as schedule_command
from bootstrap.commands import shell as shell_command
from bootstrap.commands import status as status_command
from bootstrap.commands import test as test_command
from bootstrap.commands import up as up_command
from bootstrap.deploy import check as check_template
from bootstrap.errors import EXIT_FAILED, TriggerStackError
from bootstrap.runtime import choice, native
from bootstrap.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Creates and looks after the stack that serverless.yml describes.",
)

File = Annotated[Path, typer.Option("--file", "-f", help="The definition file.", show_default=True)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what changed.")]
DEFAULT_FILE = Path("serverless.yml")


@app.command()
def start(quiet: Quiet = False) -> None:
    """Start the emulator in the background, unless it runs."""
    choice.start(Settings.from_environment(), quiet=quiet)


@app.command()
def stop() -> None:
    """End the emulator and everything it started."""
    stopped = native.stop(Settings.from_environment())
    console.out.print("stopped" if stopped else "nothing runs")


@app.command()
def up(
    file: File = DEFAULT_FILE,
    quiet: Quiet = False,
    start: Annotated[bool, typer.Option("--start", help="Start the emulator first.")] = False,
) -> None:
    """Create everything in serverless.yml; what is there already stays."""
    deployment = up_command.run(file, quiet=quiet, start=start)
    if not quiet:
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


@app.command()
def logs(
    function: Annotated[str, typer.Option(help="Only this function.")] = "",
    request_id: Annotated[str, typer.Option(help="Only this invocation.")] = "",
    follow: Annotated[bool, typer.Option(help="Go on until interrupted.")] = True,
) -> None:
    """Show the functions' logs, and follow them."""
    arguments = [f"--function={function}"] if function else []
    arguments += [f"--request-id={request_id}"] if request_id else []
    arguments += [] if follow else ["--no-follow"]
    functions_command.run("logs", *arguments)


@app.command()
def watch() -> None:
    """Run functions from the working tree: a saved file counts at the next invocation."""
    functions_command.run("watch")


@app.command()
def debug(function: Annotated[str, typer.Argument(help="Name of the function.")]) -> None:
    """Start the next environment of a function under debugpy, and say how to attach."""
    functions_command.run("debug", function)


@app.command()
def shell() -> None:
    """A shell with awslocal and python, and the stack's address in its environment."""
    shell_command.run()


@app.command()
def test(
    paths: Annotated[list[str] | None, typer.Argument(help="What to run; all by default.")] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Run the tests against the running stack, or one that is started for them."""
    raise typer.Exit(test_command.run(file, paths or ["tests"]))


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong use or input."""
    try:
        # What is set in the shell wins over .env, and .env over what set-up found.
        dotenv.load(Path(".env"))
        dotenv.load(Path(".build/env"))
        app()
    except TriggerStackError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except (EndpointConnectionError, ConnectionClosedError, requests.ConnectionError):
        url = Settings.from_environment().endpoint_url
        console.fail(f"Nothing answers at {url}. Start the stack with: make up")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        console.fail("stopped")
        sys.exit(EXIT_FAILED)
