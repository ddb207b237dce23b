"""Output: colours on a terminal, plain lines elsewhere, none with NO_COLOR.

``out`` and ``err`` are made when they are first used: rich takes a while to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console


def __getattr__(name: str) -> Console:
    """``out`` or ``err``, made at its first use."""
    if name not in ("out", "err"):
        raise AttributeError(name)
    from rich.console import Console

    console = Console(stderr=name == "err", highlight=False, soft_wrap=True)
    globals()[name] = console
    return console


def fail(message: str) -> None:
    """Print why a command ends."""
    from bootstrap.console import err

    err.print("[bold red]error[/]", end=" ")
    err.print(message, markup=False)
