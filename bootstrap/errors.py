"""Errors that reach the user as a sentence, each with the exit code it ends the run with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
        place = f"{file}:{line}" if line else file
        place += f":{column}" if line and column else ""
        super().__init__(f"{place}: {message}")

    @property
    def errors(self) -> list[DefinitionError]:
        """This one, or each of several."""
        return [self]


class DefinitionErrors(DefinitionError):  # noqa: N818  # several of them
    """Several things that the definition says wrong; its own place is the first one's.

    Args:
        errors: at least one, in any order; those that say the same at the same place count once.
        template: what could be compiled in spite of them, to look for more.
    """

    def __init__(self, errors: Iterable[DefinitionError], template: Any = None) -> None:
        single = [one for several in errors for one in several.errors]
        unique = {str(one): one for one in single}
        self._errors = sorted(unique.values(), key=lambda e: (e.file, e.line or 0, e.column or 0))
        self.template = template
        first = self._errors[0]
        super().__init__(
            first.message, file=first.file, line=first.line, column=first.column, path=first.path
        )

    @property
    def errors(self) -> list[DefinitionError]:
        """Each of them, in the order of the file."""
        return self._errors

    def __str__(self) -> str:
        return "\n".join(map(str, self._errors))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` Did you mean “x”?`` for the most similar of the known words; empty when none is."""
    from difflib import get_close_matches

    words = {one.lower(): one for one in known}
    similar = get_close_matches(str(word)[:100].lower(), words, 1, 0.7)
    return f" Did you mean “{words[similar[0]]}”?" if similar else ""


class WrongUseError(TriggerStackError):
    """A command was called with something it cannot take."""

    exit_code = EXIT_WRONG_INPUT


class DeployError(TriggerStackError):
    """AWS's API refused a resource, or the emulator went away while it was created."""
