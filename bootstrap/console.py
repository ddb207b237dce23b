"""Output: colours on a terminal, plain lines elsewhere, none with NO_COLOR."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """Print why a command ends."""
    err.print("[bold red]error[/]", end=" ")
    err.print(message, markup=False)
