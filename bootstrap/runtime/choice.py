"""Which runtime this process belongs to.

``scripts/runtime-choice.sh`` chooses between docker and native, because a machine with Docker alone
has no Python to choose with. Here it only shows: Compose marks the containers that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from bootstrap.runtime import docker, native
from bootstrap.settings import Settings


def in_container() -> bool:
    """Whether Compose started this process beside the emulator's container."""
    return bool(os.environ.get("STACK_CONTAINER"))


def start(
    settings: Settings, *, quiet: bool = False, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """Start the emulator, or wait for the one that Compose started, until it answers.

    Args:
        meanwhile: what can be done while it boots.

    Raises:
        TriggerStackError: see :func:`native.start` and :func:`docker.start`.
    """
    run = docker.start if in_container() else native.start
    run(settings, quiet=quiet, meanwhile=meanwhile)
