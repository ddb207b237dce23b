"""The garbage collector rests while the emulator starts, and then leaves alone what was loaded.

What: Python's collector is off until the preloaded services are there; their objects are frozen,
and it looks less often than by default.
Why: LocalStack and moto load 900 000 objects that live as long as the process. The collector looked
through them again and again: a third of the time until the stack is live, and pauses of up to half
a second in which no request is answered.
Until: LocalStack freezes what it loads.
Test: ``tests/unit/plugin/test_garbage.py``.
"""

from __future__ import annotations

import gc
from typing import Final

#: New objects before a look, and looks before one at older objects: Python's own are 2000 and 10.
THRESHOLDS: Final = (10_000, 10, 10)


def rest() -> None:
    """Collect nothing: nearly all that is made while a process starts stays."""
    gc.disable()


def begin() -> None:
    """Collect what becomes garbage from now on."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
