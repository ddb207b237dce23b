"""Tools deploy to the emulator that a worker's tests share; its log stays free of tracebacks."""

from __future__ import annotations

from tests.support.emulator import no_traceback

__all__ = ["no_traceback"]
