"""How many environments this machine carries, and who makes room when there are more.

AWS throttles by concurrent invokes; what idles there costs the account nothing. So at the limit the
environment that has idled longest gives its process up, and only when all are busy the invoke is
throttled.
"""

from __future__ import annotations

import resource
from typing import Protocol

import psutil

from trigger_stack_engine.settings import Settings

_MB_PER_ENVIRONMENT = 24  # private memory of an idle environment with its imports, and some more
_SHARE_OF_MEMORY = 0.75
_DESCRIPTORS_PER_ENVIRONMENT = 6
_DESCRIPTORS_FOR_EMULATOR = 300
_AT_MOST = 1000  # AWS's own default concurrency


def environment_limit(settings: Settings) -> int:
    """The number of environments with a process that may exist at a time."""
    if settings.max_environments:
        return settings.max_environments
    memory_mb = settings.memory_mb or int(
        psutil.virtual_memory().available / (1024 * 1024) * _SHARE_OF_MEMORY
    )
    by_memory = memory_mb // _MB_PER_ENVIRONMENT
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    by_descriptors = (soft - _DESCRIPTORS_FOR_EMULATOR) // _DESCRIPTORS_PER_ENVIRONMENT
    return max(1, min(by_memory, by_descriptors, _AT_MOST))


class Holder(Protocol):
    """Something that has a process and can give it up."""

    async def park(self) -> bool:
        """Give the process up if idle; says whether it did."""


class Capacity:
    """Counts the environments that have a process."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holders: dict[Holder, None] = {}  # in the order of their last use

    def use(self, holder: Holder) -> bool:
        """Mark ``holder`` as used; ``False`` when it has to be registered."""
        if holder not in self._holders:
            return False
        del self._holders[holder]
        self._holders[holder] = None
        return True

    async def acquire(self, holder: Holder) -> bool:
        """Register ``holder``, or mark it as used; ``False`` when all others are busy."""
        if self.use(holder):
            return True
        if len(self._holders) < self.limit:
            self._holders[holder] = None
            return True
        for other in list(self._holders):
            if await other.park():
                self._holders.pop(other, None)
                self._holders[holder] = None
                return True
        return False

    def release(self, holder: Holder) -> None:
        """The holder has no process any more."""
        self._holders.pop(holder, None)
