"""The command line: ``python -m bootstrap --help``.

Each command imports what it needs: ``stop`` is not to wait for boto3 and pydantic.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bootstrap import console, dotenv, project
from bootstrap.errors import EXIT_FAILED, TriggerStackError, WrongUseError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Creates and looks after the stack that serverless.yml describes.",
)

File = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The definition file; else SERVERLESS, APP, this folder's."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Prune = Annotated[str, typer.Option(help="all: also what may hold data, when it is to go.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what changed.")]


@app.command()
def start(quiet: Quiet = False) -> None:
    """Start the emulator in the background, unless it runs."""
    from bootstrap.runtime import choice
    from bootstrap.settings import Settings

    choice.start(Settings.from_environment(), quiet=quiet)


@app.command()
def stop() -> None:
    """End the emulator and everything it started."""
    from bootstrap.runtime import native
    from bootstrap.settings import Settings

    stopped = native.stop(Settings.from_environment())
    console.out.print("stopped" if stopped else "nothing runs")


@app.command()
def up(
    file: File = None,
    quiet: Quiet = False,
    start: Annotated[bool, typer.Option("--start", help="Start the emulator first.")] = False,
    prune: Prune = "",
) -> None:
    """Create everything in serverless.yml, change what differs, remove what it has no longer."""
    from bootstrap.commands import up

    definition = project.definition(file)
    up.run(definition, quiet=quiet, start=start, prune=_prune(prune), try_it=not quiet)


def _prune(text: str) -> bool:
    if text not in ("", "all"):
        raise WrongUseError(f"PRUNE={text}: must be all, or nothing.")
    return bool(text)


@app.command()
def plan(file: File = None, *, as_json: AsJson = False, prune: Prune = "") -> None:
    """Show what up would create, change, replace and delete; changes nothing."""
    from bootstrap.commands import plan

    plan.run(project.definition(file), as_json=as_json, prune=_prune(prune))


@app.command()
def outputs(
    file: File = None,
    form: Annotated[str, typer.Option("--format", help="json or env.")] = "json",
) -> None:
    """Print the definition's Outputs and the stack's addresses, as they are now."""
    from bootstrap.commands import outputs

    if form not in ("json", "env"):
        raise typer.BadParameter("must be json or env", param_hint="--format")
    outputs.show(project.definition(file), form)


@app.command()
def check(
    file: File = None,
    form: Annotated[str, typer.Option("--format", help="text, json or sarif.")] = "text",
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings, too.")] = False,
) -> None:
    """Say what is wrong in serverless.yml, and where an event could vanish; creates nothing."""
    from bootstrap.commands import check

    if form not in list(check.Format):
        raise typer.BadParameter("must be text, json or sarif", param_hint="--format")
    raise typer.Exit(check.run(project.definition(file), check.Format(form), strict=strict))


@app.command()
def init(
    folder: Annotated[str, typer.Argument(help="Where to; APP by default.")] = "",
    triggers: Annotated[str, typer.Option(help="Kinds of triggers, with commas.")] = "",
) -> None:
    """Begin a project: one function for each kind of trigger; overwrites nothing."""
    from bootstrap.init import write

    folder = folder or os.environ.get("APP", "")
    for file in write.run(folder, triggers):
        console.out.print(f"wrote {file}", markup=False)
    console.out.print(f"Next: make up APP={folder}", markup=False)


@app.command("package-aws")
def package_aws(
    file: File = None,
    stage: Annotated[str, typer.Option(help="The stage; else the definition's own.")] = "",
) -> None:
    """Make what osls deploy would upload to AWS, without an account."""
    from bootstrap.commands import package_aws

    package_aws.run(project.definition(file), stage)


@app.command()
def status(file: File = None) -> None:
    """Show what runs, what each trigger fires, and what waits in the queues."""
    from bootstrap.commands import status

    status.run(project.definition(file))


@app.command()
def dlq(
    queue: Annotated[str | None, typer.Argument(help="Name of a queue; all by default.")] = None,
) -> None:
    """Show the messages in dead-letter queues, with the reason."""
    from bootstrap.commands import dlq

    dlq.show(queue)


@app.command()
def redrive(queue: Annotated[str, typer.Argument(help="Name of a dead-letter queue.")]) -> None:
    """Send everything in a dead-letter queue back to where it failed."""
    from bootstrap.commands import dlq

    dlq.redrive(queue)


@app.command("fire")
def fire(
    file: File = None,
    number: Annotated[int | None, typer.Option(help="Of a trigger in the list.")] = None,
) -> None:
    """List the triggers with a number each, or print the command that fires one."""
    from bootstrap.commands import fire as command

    command.trigger(project.definition(file), number)


@app.command("fire-schedule")
def fire_schedule(
    rule: Annotated[str, typer.Argument(help="A rule with a schedule, or [group/]schedule.")],
) -> None:
    """Send what a scheduled rule or a schedule would send, now, to its own targets."""
    from bootstrap.commands import schedule

    schedule.fire(rule)


@app.command("fire-log")
def fire_log(
    group: Annotated[str, typer.Argument(help="Name of a log group.")],
    message: Annotated[str, typer.Option(help="The line.")] = "ERROR by hand",
) -> None:
    """Write a line into a log group, and say which subscription filters it matches."""
    from bootstrap.commands import fire

    fire.log_line(group, message)


@app.command("fire-pipe")
def fire_pipe(
    pipe: Annotated[str, typer.Argument(help="Name of a pipe.")],
    body: Annotated[str, typer.Option(help="The message, record or item.")] = "{}",
) -> None:
    """Put a message or a record into the source of a pipe."""
    from bootstrap.commands import fire

    fire.pipe(pipe, body)


@app.command("fire-table")
def fire_table(
    table: Annotated[str, typer.Argument(help="Name of a table with a stream.")],
    item: Annotated[str, typer.Option(help="Attributes, in DynamoDB's JSON.")] = "{}",
) -> None:
    """Create, change and remove an item of a table: three records on its stream."""
    from bootstrap.commands import table as command

    command.fire(table, item)


@app.command("fire-user-pool")
def fire_user_pool(
    pool: Annotated[str, typer.Argument(help="Name or id of a user pool.")],
    trigger: Annotated[str, typer.Argument(help="A Lambda trigger: PreSignUp.")],
) -> None:
    """Sign up or in as a user made for this alone, so that the pool calls a trigger."""
    from bootstrap.commands import user_pool

    user_pool.fire(pool, trigger)


@app.command()
def clock(
    at: Annotated[str, typer.Argument(help="A time, a step (+1h), or real; nothing: look.")] = "",
) -> None:
    """Show the time by which schedules fire, or move it: what is due in between fires."""
    from bootstrap.commands import clock

    clock.run(at)


@app.command("mail-in")
def mail_in(
    file: Annotated[Path, typer.Argument(help="A mail (.eml); - reads standard input.")],
    to: Annotated[str, typer.Option(help="Recipients; those of the mail by default.")] = "",
    sender: Annotated[str, typer.Option(help="Sender; the mail's From by default.")] = "",
) -> None:
    """Send a mail to SES over its SMTP port, and say which rules did what with it."""
    from bootstrap.commands import mail

    raise typer.Exit(mail.send(file, to=to, sender=sender))


@app.command()
def chaos(
    duplicates: Annotated[float, typer.Option(help="Share of events that come twice.")] = 0,
    errors: Annotated[float, typer.Option(help="Share of invocations that fail unrun.")] = 0,
    kills: Annotated[float, typer.Option(help="Share of environments that are killed.")] = 0,
    delay_ms: Annotated[int, typer.Option(help="Delay of each invocation.")] = 0,
    function: Annotated[str, typer.Option(help="A part of the function's ARN.")] = "",
    *,
    off: Annotated[bool, typer.Option("--off", help="No faults any longer.")] = False,
) -> None:
    """Let faults happen on purpose from now on; without options: show which do."""
    from bootstrap.commands import chaos

    wanted: dict[str, float | int | str] = {
        "duplicates": duplicates,
        "errors": errors,
        "kills": kills,
        "delay_ms": delay_ms,
        "function": function,
    }
    chaos.run({name: value for name, value in wanted.items() if value}, off=off)


@app.command()
def events(
    function: Annotated[str, typer.Option(help="A part of the function's ARN.")] = "",
    source: Annotated[str, typer.Option(help="A part of where they come from.")] = "",
    state: Annotated[str, typer.Option(help="pending, done, dead-letter, lost …")] = "",
    since: Annotated[str, typer.Option(help="A duration (10m) or a time.")] = "",
    text: Annotated[str, typer.Option(help="Text in the payload.")] = "",
    limit: Annotated[str, typer.Option(help="Most events; 50 by default.")] = "",
    sql: Annotated[str, typer.Option(help="A query over events, steps and attempts.")] = "",
    as_json: AsJson = False,
) -> None:
    """List accepted events and where each is."""
    from bootstrap.commands import events

    filters = {
        "function": function,
        "source": source,
        "state": state,
        "since": since,
        "text": text,
        "limit": limit,
    }
    events.show(filters, sql=sql, as_json=as_json)


@app.command()
def trace(
    event: Annotated[str, typer.Argument(help="The invocation's request id, or a trace id.")],
    as_json: AsJson = False,
) -> None:
    """Show an event's whole way as a tree: cause, attempts, steps, effects."""
    from bootstrap.commands import events

    events.trace(event, as_json=as_json)


@app.command()
def lost() -> None:
    """List the events that are lost; exit code 1 when there is one."""
    from bootstrap.commands import events

    raise typer.Exit(events.lost())


@app.command()
def logs(
    function: Annotated[str, typer.Option(help="Only this function.")] = "",
    request_id: Annotated[str, typer.Option(help="Only this invocation.")] = "",
    follow: Annotated[bool, typer.Option(help="Go on until interrupted.")] = True,
) -> None:
    """Show the functions' logs, and follow them."""
    from bootstrap.commands import functions

    arguments = [f"--function={function}"] if function else []
    arguments += [f"--request-id={request_id}"] if request_id else []
    arguments += [] if follow else ["--no-follow"]
    functions.run("logs", *arguments)


@app.command()
def watch() -> None:
    """Run functions from the working tree: a saved file counts at the next invocation."""
    from bootstrap.commands import functions

    functions.watch(project.definition())


@app.command()
def debug(function: Annotated[str, typer.Argument(help="Name of the function.")]) -> None:
    """Start the next environment of a function under debugpy, and say how to attach."""
    from bootstrap.commands import functions

    functions.run("debug", function)


@app.command()
def shell() -> None:
    """A shell with awslocal and python, and the stack's address in its environment."""
    from bootstrap.commands import shell

    shell.run()


@app.command()
def test(
    paths: Annotated[list[str] | None, typer.Argument(help="What to run; all by default.")] = None,
    file: File = None,
) -> None:
    """Run the tests against the running stack, or one that is started for them."""
    from bootstrap.commands import test

    raise typer.Exit(test.run(file or project.OWN, paths or ["tests"]))


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong use or input."""
    try:
        # The shell's values win over .env, and .env over the values that set-up found.
        dotenv.load(Path(".env"))
        dotenv.load(Path(".build/env"))
        app()
    except TriggerStackError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except SystemExit:
        raise  # how every command ends: no reason to import what the next line does
    except _unreachable():
        from bootstrap.settings import Settings

        url = Settings.from_environment().endpoint_url
        console.fail(f"Nothing answers at {url}. Start the stack with: make up")
        sys.exit(EXIT_FAILED)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        console.fail(f"{error.filename or 'a file'} cannot be written: {error.strerror}.")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        console.fail("stopped")
        sys.exit(EXIT_FAILED)


#: No permission, a read-only file system, a full disk.
_NO_ROOM = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


def _unreachable() -> tuple[type[Exception], ...]:
    """The exceptions of a stack that does not answer at its address."""
    import requests
    from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

    return EndpointConnectionError, ConnectionClosedError, requests.ConnectionError
