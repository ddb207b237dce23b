"""Which functions start their next environment under a debugger."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DebugRequest:
    """How the next environment of a function is to be debugged."""

    port: int
    wait: bool


class DebugRequests:
    """Requests that no environment has taken yet, by function name."""

    def __init__(self) -> None:
        self.open: dict[str, DebugRequest] = {}

    def put(self, function: str, request: DebugRequest) -> None:
        """Ask for a debugger in the next environment of ``function``."""
        self.open[function] = request

    def take(self, function: str) -> DebugRequest | None:
        """The request for ``function``, if there is one; it is answered then."""
        return self.open.pop(function, None)
