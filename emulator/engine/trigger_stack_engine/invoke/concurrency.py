"""How many events are handled at a time, and who is throttled.

AWS documentation topic "Understanding Lambda function scaling": an invocation takes a provisioned
environment if one is free, else it counts against the function's reserved concurrency, else
against what is unreserved in the account and region.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from trigger_stack_engine.invoke.function import FunctionSettings, FunctionVersion

ON_DEMAND = "on-demand"
PROVISIONED = "provisioned-concurrency"


class ThrottledError(Exception):
    """No concurrency is left; ``str()`` is the reason as Lambda names it."""


@dataclass(slots=True)
class Lease:
    """The right to handle one event. ``kind``: ``on-demand`` or ``provisioned-concurrency``."""

    kind: str
    scope: str


class Concurrency:
    """Counts the events that are being handled.

    Args:
        limit: Concurrent executions of an account and region.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running: dict[str, int] = {}  # by function ARN, or qualified ARN if provisioned
        self._unreserved: dict[str, int] = {}  # by account and region
        self._allotted: dict[str, int] = {}
        self._reserved: set[str] = set()

    def refresh(self, functions: Mapping[str, FunctionSettings]) -> None:
        """Take over changed settings; ``functions`` by ARN."""
        self._allotted.clear()
        self._unreserved.clear()
        self._reserved = {arn for arn, one in functions.items() if one.reserved is not None}
        for arn, settings in functions.items():
            account = account_of(arn)
            allotted, running = self._allotted.get(account, 0), self._running.get(arn, 0)
            if settings.reserved is not None:
                self._allotted[account] = allotted + settings.reserved
            else:
                self._allotted[account] = allotted + sum(settings.provisioned.values())
                self._unreserved[account] = self._unreserved.get(account, 0) + running

    def acquire(
        self, version: FunctionVersion, settings: FunctionSettings, *, provisioned_ready: bool
    ) -> Lease:
        """Count one event of ``version``.

        Args:
            version: What is invoked.
            settings: Its function's settings.
            provisioned_ready: Whether the provisioned environments of the version are ready.

        Raises:
            ThrottledError: There is no concurrency left.
        """
        account = account_of(settings.arn)
        if provisioned_ready:
            wanted = provisioned_for(settings, version.qualifier)
            provisioned = self._running.get(version.qualified_arn, 0)
            if provisioned < wanted:
                self._running[version.qualified_arn] = provisioned + 1
                return Lease(PROVISIONED, version.qualified_arn)
        running = self._running.get(settings.arn, 0)
        if settings.reserved is not None:
            if running >= settings.reserved - sum(settings.provisioned.values()):
                raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
            self._running[settings.arn] = running + 1
            return Lease(ON_DEMAND, settings.arn)
        unreserved = self._unreserved.get(account, 0)
        if self._allotted.get(account, 0) + unreserved >= self.limit:
            raise ThrottledError("ReservedFunctionConcurrentInvocationLimitExceeded")
        self._running[settings.arn] = running + 1
        self._unreserved[account] = unreserved + 1
        return Lease(ON_DEMAND, settings.arn)

    def release(self, lease: Lease) -> None:
        """The event has been handled."""
        running = self._running.get(lease.scope, 0) - 1
        if running > 0:
            self._running[lease.scope] = running
        else:
            self._running.pop(lease.scope, None)
        if lease.kind == ON_DEMAND and lease.scope not in self._reserved:
            account = account_of(lease.scope)
            self._unreserved[account] = self._unreserved.get(account, 0) - 1


@functools.lru_cache(maxsize=1024)
def account_of(arn: str) -> str:
    """``region:account`` of a function's ARN."""
    _, _, _, region, account, _ = arn.split(":", 5)
    return f"{region}:{account}"


def provisioned_for(settings: FunctionSettings, qualifier: str) -> int:
    """Provisioned concurrency of a version, configured on itself or on an alias of it."""
    if qualifier in settings.provisioned:
        return settings.provisioned[qualifier]
    for name, alias in settings.aliases.items():
        if alias.version == qualifier and name in settings.provisioned:
            return settings.provisioned[name]
    return 0
