"""Other programs, and the sentences that set-up says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bootstrap.errors import TriggerStackError

type Argument = str | Path


class SetupError(TriggerStackError):
    """A step of the set-up failed."""


def say(sentence: str) -> None:
    """Tell the user what takes time, at once."""
    print(sentence, flush=True)


def run(*command: Argument) -> None:
    """Run a program; what it prints is the user's to see.

    Raises:
        SetupError: it failed.
    """
    code = subprocess.run(command, check=False).returncode
    if code:
        raise SetupError(f"{Path(command[0]).name} ended with {code} (see above).")


def run_quietly(what: str, *command: Argument, **environment: str) -> None:
    """Run a program whose output matters only when it fails.

    Args:
        what: what it makes, for the sentence.
        environment: what it gets beside this process's environment.

    Raises:
        SetupError: it failed; the message has its output.
    """
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise SetupError(f"{what} could not be made:\n{done.stdout.rstrip()}")


def answer(*command: Argument, environment: Mapping[str, str] | None = None) -> str:
    """The standard output of a program; its standard error goes to the user.

    Raises:
        SetupError: it failed.
    """
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SetupError("")
    return done.stdout
