"""Errors that reach the user as a sentence, each with the exit code it ends the run with."""

from __future__ import annotations

EXIT_FAILED = 1
EXIT_WRONG_INPUT = 2


class TriggerStackError(Exception):
    """Something the user can act on. ``str(error)`` is the sentence to print."""

    exit_code = EXIT_FAILED


class DefinitionError(TriggerStackError):
    """The definition file says something that cannot be done.

    Args:
        message: what is wrong and what to write instead.
        file: name of the definition file.
        line: 1-based line, or None when the whole file is meant.
        column: 1-based column, as far as it is known.
        path: path of the key from the root of the file, as far as it is known.
    """

    exit_code = EXIT_WRONG_INPUT

    def __init__(
        self,
        message: str,
        *,
        file: str,
        line: int | None = None,
        column: int | None = None,
        path: tuple[str | int, ...] = (),
    ) -> None:
        self.message = message
        self.column = column
        self.path = path
        self.file = file
        self.line = line
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")


class WrongUseError(TriggerStackError):
    """A command was called with something it cannot take."""

    exit_code = EXIT_WRONG_INPUT


class DeployError(TriggerStackError):
    """AWS's API refused a resource, or the emulator went away while it was created."""
