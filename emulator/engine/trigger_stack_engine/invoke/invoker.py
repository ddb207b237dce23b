"""Finds an environment for each event: existing one first, then a new one.

AWS documentation topics "Understanding Lambda function scaling" and "Configuring provisioned
concurrency for a function".
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from trigger_stack_engine.environments.execution import (
    ExecutionEnvironment,
    InitError,
    Invocation,
    Phase,
    Result,
)
from trigger_stack_engine.environments.launch import own_folders, package_folders
from trigger_stack_engine.environments.machine import Machine
from trigger_stack_engine.invoke import recursion
from trigger_stack_engine.invoke.concurrency import (
    ON_DEMAND,
    PROVISIONED,
    Concurrency,
    ThrottledError,
)
from trigger_stack_engine.invoke.faults import ERROR, NO_FAULT, FaultInjector
from trigger_stack_engine.invoke.function import FunctionSettings, FunctionVersion
from trigger_stack_engine.invoke.tracing import LINEAGE

LOG = logging.getLogger(__name__)
_SWEEP_EVERY_S = 5.0
_STARTS_AT_ONCE = 16  # more at a time only take turns on the processors


class NoSuchFunctionError(Exception):
    """There is no function, alias or version of that name; the text is its ARN."""


class NotReadyError(Exception):
    """The function cannot be invoked now: it is being made or has failed."""


class RecursiveInvocationError(NotReadyError):
    """The function causes itself, again and again."""


@dataclass
class Pool:
    """The environments of one version."""

    version: FunctionVersion
    idle: dict[str, list[ExecutionEnvironment]] = field(
        default_factory=lambda: {ON_DEMAND: [], PROVISIONED: []}
    )
    all: set[ExecutionEnvironment] = field(default_factory=set)
    provisioned_ready: bool = False
    retired: bool = False


class Invoker:
    """Knows every function and its environments.

    Args:
        machine: What the environments share.
        concurrency: Who is throttled.
        keep_alive_s: Seconds after which an idle environment is ended.
    """

    def __init__(self, machine: Machine, concurrency: Concurrency, keep_alive_s: float) -> None:
        self.machine = machine
        self.concurrency = concurrency
        self.keep_alive_s = keep_alive_s
        self.faults = FaultInjector()
        self.settings: dict[str, FunctionSettings] = {}  # by function ARN
        self._pools: dict[str, Pool] = {}  # by version id
        self._current: dict[str, Pool] = {}  # by qualified ARN
        self._starting = asyncio.Semaphore(_STARTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what the control plane tells -----------------------------------------------------------

    async def prepare(self, version: FunctionVersion) -> None:
        """Make a version ready to be invoked; from now on its ARN stands for it.

        Raises:
            RuntimeUnavailableError: This machine cannot run it.
        """
        runtimes = self.machine.runtimes

        def prepare() -> None:
            runtimes.check(version.runtime)
            folders = package_folders(version.runtime, *own_folders(version, runtimes))
            runtimes.warm_up(version.runtime, folders)

        await asyncio.to_thread(prepare)
        pool = Pool(version)
        self._pools[version.id] = pool
        self._current[version.qualified_arn] = pool
        if version.arn not in self.settings:
            self.set_settings(FunctionSettings(version.arn))

    async def retire(self, version_id: str) -> None:
        """End the environments of a version: the idle ones now, the others after their event."""
        pool = self._pools.pop(version_id, None)
        if pool is None:
            return
        pool.retired = True
        if self._current.get(pool.version.qualified_arn) is pool:
            del self._current[pool.version.qualified_arn]
        idle = [environment for kind in pool.idle.values() for environment in kind]
        for kind in pool.idle.values():
            kind.clear()
        await asyncio.gather(*(self._end(pool, environment) for environment in idle))

    def set_settings(self, settings: FunctionSettings) -> None:
        """Take over what holds for all versions of a function."""
        self.settings[settings.arn] = settings
        self.concurrency.refresh(self.settings)

    def forget_function(self, arn: str) -> None:
        """The function has been deleted."""
        self.settings.pop(arn, None)
        self.concurrency.refresh(self.settings)

    async def provision(self, version_id: str, wanted: int) -> tuple[int, str]:
        """Replace the provisioned environments of a version by ``wanted`` new ones.

        Returns:
            How many are ready, and the error of one that is not.
        """
        pool = self._pools[version_id]
        old = list(pool.idle[PROVISIONED])
        pool.idle[PROVISIONED].clear()
        pool.provisioned_ready = False
        for environment in list(pool.all):
            if environment.kind == PROVISIONED and environment not in old:
                environment.phase = Phase.RETIRING

        async def start() -> ExecutionEnvironment:
            return await self._start(pool, PROVISIONED)

        started = await asyncio.gather(*(start() for _ in range(wanted)), return_exceptions=True)
        await asyncio.gather(*(self._end(pool, environment) for environment in old))
        ready, error = 0, ""
        for outcome in started:
            if isinstance(outcome, BaseException):
                error = repr(outcome)
            else:
                ready += 1
                self._put_back(pool, outcome)
        pool.provisioned_ready = bool(wanted) and ready == wanted
        return ready, error

    # -- invoking -----------------------------------------------------------------------------

    def find(self, arn: str, qualifier: str | None) -> Pool:
        """The version that an invocation of a function goes to.

        Args:
            arn: Unqualified ARN.
            qualifier: Version, alias, or ``None`` for ``$LATEST``.

        Raises:
            NoSuchFunctionError: There is none.
        """
        settings = self.settings.get(arn)
        if settings is None:
            raise NoSuchFunctionError(arn)
        qualifier = qualifier or "$LATEST"
        alias = settings.aliases.get(qualifier)
        if alias is not None:
            qualifier = alias.version
            for other, share in alias.weights.items():
                if random.random() < share:  # noqa: S311  no secret
                    qualifier = other
                break
        pool = self._current.get(f"{arn}:{qualifier}")
        if pool is None:
            raise NoSuchFunctionError(f"{arn}:{qualifier}")
        return pool

    def pool_of(self, version_id: str, qualified_arn: str) -> Pool:
        """The pool of a version, or of what has taken its place since.

        Raises:
            NotReadyError: There is neither.
        """
        pool = self._pools.get(version_id) or self._current.get(qualified_arn)
        if pool is None:
            raise NotReadyError(qualified_arn)
        return pool

    async def invoke(self, pool: Pool, invocation: Invocation) -> Result:
        """Handle one event in an environment of ``pool``.

        Raises:
            ThrottledError: No concurrency is left, or no room on this machine.
            RecursiveInvocationError: The function was invoked too often in one chain.
        """
        version = pool.version
        settings = self.settings.get(version.arn) or FunctionSettings(version.arn)
        if invocation.trace_id is not None:
            _check_recursion(invocation.trace_id, settings)
            invocation.trace_id = recursion.counted(invocation.trace_id, version.arn)
        fault = self.faults.next(version.qualified_arn)
        lease = self.concurrency.acquire(
            version, settings, provisioned_ready=pool.provisioned_ready
        )
        try:
            if fault is not NO_FAULT:
                await asyncio.sleep(fault.delay_s)
                if fault.is_error:
                    return self._counted(version, Result(ERROR, True, "", version.qualifier))
            idle = pool.idle[lease.kind]
            if idle:
                environment = idle.pop()  # the one used last: the others may end
            else:
                try:
                    environment = await self._start(pool, lease.kind)
                except InitError as error:
                    return Result(error.payload, True, "", version.qualifier)
            if fault.kill_after_s is not None:
                asyncio.get_running_loop().call_later(fault.kill_after_s, environment.kill)
            try:
                capacity = self.machine.capacity
                if not capacity.use(environment) and not await capacity.acquire(environment):
                    raise ThrottledError("ConcurrentInvocationLimitExceeded")
                result = await environment.invoke(invocation)
            finally:
                self._put_back(pool, environment)
        finally:
            self.concurrency.release(lease)
        return self._counted(version, result)

    def _counted(self, version: FunctionVersion, result: Result) -> Result:
        invocations, errors = version.metrics
        self.machine.logs.count(invocations)
        if result.is_error:
            self.machine.logs.count(errors)
        return result

    async def _start(self, pool: Pool, kind: str) -> ExecutionEnvironment:
        environment = ExecutionEnvironment(secrets.token_hex(16), pool.version, kind, self.machine)
        if not await self.machine.capacity.acquire(environment):
            raise ThrottledError("ConcurrentInvocationLimitExceeded")
        pool.all.add(environment)
        try:
            async with self._starting:
                await environment.initialise()
        except BaseException:
            await self._end(pool, environment)
            raise
        return environment

    def _put_back(self, pool: Pool, environment: ExecutionEnvironment) -> None:
        if pool.retired or environment.phase in (Phase.RETIRING, Phase.ENDED):
            self._in_background(self._end(pool, environment))
            return
        environment.phase = Phase.IDLE
        environment.idle_since = time.monotonic()
        pool.idle[environment.kind].append(environment)

    async def _end(self, pool: Pool, environment: ExecutionEnvironment) -> None:
        pool.all.discard(environment)
        await environment.end()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- idle environments ------------------------------------------------------------------------

    async def sweep(self) -> None:
        """End what has idled for too long. Runs for ever."""
        while True:
            await asyncio.sleep(min(_SWEEP_EVERY_S, max(self.keep_alive_s / 4, 0.05)))
            limit = time.monotonic() - self.keep_alive_s
            for pool in list(self._pools.values()):
                idle = pool.idle[ON_DEMAND]
                old = [one for one in idle if one.idle_since < limit]
                if old:
                    pool.idle[ON_DEMAND] = [one for one in idle if one.idle_since >= limit]
                    await asyncio.gather(*(self._end(pool, one) for one in old))


def _check_recursion(trace_id: str, settings: FunctionSettings) -> None:
    if settings.recursive_loop != "Terminate" or LINEAGE not in trace_id:
        return
    if recursion.count_of(trace_id, settings.arn) >= recursion.MOST:
        raise RecursiveInvocationError(
            f"{settings.arn} was invoked {recursion.MOST} times in one chain of requests: its "
            "recursive loop was stopped"
        )
