"""The resources that all execution environments of an engine share."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from trigger_stack_engine.environments.capacity import Capacity, environment_limit
from trigger_stack_engine.environments.debug_requests import DebugRequests
from trigger_stack_engine.environments.hot_reload import HotReload
from trigger_stack_engine.environments.runtimes import Runtimes
from trigger_stack_engine.logs.sender import LogSender
from trigger_stack_engine.settings import Settings

if TYPE_CHECKING:
    from trigger_stack_engine.environments.execution import ExecutionEnvironment

_WATCH_MEMORY_EVERY_S = 0.05


class Machine:
    """The runtimes, the room for environments, and where their output goes."""

    def __init__(self, settings: Settings, logs: LogSender) -> None:
        self.settings = settings
        make_work_dir(settings.work_dir)
        self.runtimes = Runtimes(settings, sys.executable)
        self.logs = logs
        self.capacity = Capacity(environment_limit(settings))
        self.hot_reload = HotReload(settings.work_dir / "hot-reload")
        self.debugging = DebugRequests()
        self.busy: set[ExecutionEnvironment] = set()
        #: Why the last environment could not be started; ``None`` after one that could.
        self.start_problem: str | None = None

    async def watch_memory(self) -> None:
        """Look every 50 ms at the memory of the environments that are busy. Runs for ever."""
        while True:
            await asyncio.sleep(_WATCH_MEMORY_EVERY_S if self.busy else 2 * _WATCH_MEMORY_EVERY_S)
            for environment in list(self.busy):
                environment.check_memory()

    def close(self) -> None:
        """End every parent of processes, and remove the working folder."""
        self.runtimes.close()
        shutil.rmtree(self.settings.work_dir, ignore_errors=True)


def make_work_dir(folder: Path) -> None:
    """Make this engine's own folder and remove those of engines that were killed."""
    for old in folder.parent.glob("run-*"):
        if old != folder and not psutil.pid_exists(int(old.name.removeprefix("run-") or 0)):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
