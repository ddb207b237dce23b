"""The tests of the engine share one emulator; its log must stay free of tracebacks."""

from __future__ import annotations

from tests.support.emulator import no_traceback

__all__ = ["no_traceback"]
