"""Health checks of target groups: invocations at an interval, and what they say of a target.

AWS topics: User Guide for Application Load Balancers, "Health checks for your target groups" and
"Enable health checks" of functions. Requests do not depend on them: a target group has one
function, and one that has only unhealthy targets gets its requests all the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from trigger_stack_engine.front_doors.load_balancer.balancer import Target, TargetGroup

LOG = logging.getLogger(__name__)

HEALTHY: Final = "healthy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a target.

    Attributes:
        state: ``initial``, ``healthy``, ``unhealthy``, ``unused`` or ``unavailable``.
        reason: Code such as ``Target.Timeout``; empty for a healthy one.
        description: A sentence.
    """

    state: str
    reason: str = ""
    description: str = ""


INITIAL: Final = Verdict(
    "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
)
DISABLED: Final = Verdict(
    "unavailable", "Target.HealthCheckDisabled", "Health checks are disabled for this target"
)
NOT_IN_USE: Final = Verdict(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
NOT_REGISTERED: Final = Verdict(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
TIMED_OUT: Final = Verdict("unhealthy", "Target.Timeout", "Request timed out")
FAILED: Final = Verdict("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def mismatch(status: int) -> Verdict:
    """A check got another status code than it wants."""
    text = f"Health checks failed with these codes: [{status}]"
    return Verdict("unhealthy", "Target.ResponseCodeMismatch", text)


#: Makes one check: ``None`` is a success, anything else says what failed.
type Check = Callable[[TargetGroup, Target], Awaitable[Verdict | None]]


class TargetHealth:
    """The health of one target."""

    def __init__(self) -> None:
        self.verdict = INITIAL
        self._successes = 0
        self._failures = 0

    def count(self, failure: Verdict | None, group: TargetGroup) -> None:
        """Take account of a check; ``failure`` is ``None`` when it succeeded."""
        if failure is None:
            self._successes, self._failures = self._successes + 1, 0
            wanted = 1 if self.verdict is INITIAL else group.health.healthy_threshold
            if self._successes >= wanted:
                self.verdict = Verdict(HEALTHY)
            return
        self._successes, self._failures = 0, self._failures + 1
        if self._failures >= group.health.unhealthy_threshold:
            self.verdict = failure


class HealthChecks:
    """Checks the targets of target groups that are in use.

    Args:
        check: Makes one check.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._groups: dict[str, TargetGroup] = {}
        self._used: frozenset[str] = frozenset()
        self._health: dict[tuple[str, str], TargetHealth] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._late: set[asyncio.Task[Verdict | None]] = set()

    def replace(self, groups: Iterable[TargetGroup], used: Iterable[str]) -> None:
        """Check these target groups and no others.

        Args:
            groups: All that there are.
            used: ARNs of those that a rule forwards to.
        """
        self._groups = {group.arn: group for group in groups}
        self._used = frozenset(used)
        wanted = {
            (group.arn, target.arn)
            for group in self._groups.values()
            if group.health.enabled and group.arn in self._used
            for target in group.targets
        }
        for key in self._tasks.keys() - wanted:
            self._tasks.pop(key).cancel()
            del self._health[key]
        for key in wanted - self._tasks.keys():
            self._health[key] = TargetHealth()
            self._tasks[key] = asyncio.create_task(self._watch(*key))

    def close(self) -> None:
        """Make no more checks."""
        self.replace((), ())

    def verdict(self, group_arn: str, target_arn: str) -> Verdict:
        """What ``DescribeTargetHealth`` says of a target."""
        group = self._groups.get(group_arn)
        if group is None or all(target.arn != target_arn for target in group.targets):
            return NOT_REGISTERED
        if not group.health.enabled:
            return DISABLED
        health = self._health.get((group_arn, target_arn))
        return NOT_IN_USE if health is None else health.verdict

    async def _watch(self, group_arn: str, target_arn: str) -> None:
        """Check one target at the interval of its group. Runs until it is cancelled."""
        health = self._health[group_arn, target_arn]
        target = Target.from_arn(target_arn)
        while True:
            began = time.monotonic()
            group = self._groups[group_arn]
            health.count(await self._check_in_time(group, target), group)
            rest = self._groups[group_arn].health.interval_s - (time.monotonic() - began)
            await asyncio.sleep(max(rest, 0.1))

    async def _check_in_time(self, group: TargetGroup, target: Target) -> Verdict | None:
        """The outcome of one check; the function goes on when it takes too long, as on AWS."""
        task = asyncio.ensure_future(self._check(group, target))
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait({task}, timeout=group.health.timeout_s)
        if not done:
            return TIMED_OUT
        if error := task.exception():
            LOG.error("a health check of %s could not be made: %r", target.arn, error)
            return FAILED
        return task.result()
