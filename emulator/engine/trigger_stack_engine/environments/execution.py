"""The life of one execution environment: init, invocations, end, and what its log says of them.

AWS documentation topic "Understanding the Lambda execution environment lifecycle".
"""

from __future__ import annotations

import asyncio
import collections
import enum
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trigger_stack_engine.environments.environment import (
    Environment,
    ProcessEndedError,
    TimedOutError,
    UnreadEventError,
)
from trigger_stack_engine.environments.launch import Launch
from trigger_stack_engine.environments.response_stream import ResponseStream
from trigger_stack_engine.environments.runtime_api import Answer, Event
from trigger_stack_engine.environments.spawner import NothingToStartError, Spawner, SpawnError
from trigger_stack_engine.invoke.concurrency import PROVISIONED
from trigger_stack_engine.invoke.function import FunctionVersion
from trigger_stack_engine.logs.output import LogEvent, now_ms
from trigger_stack_engine.logs.report import PlatformLog, Report, timestamp
from trigger_stack_engine.logs.sender import Stream

if TYPE_CHECKING:
    from trigger_stack_engine.environments.debug_requests import DebugRequest
    from trigger_stack_engine.environments.machine import Machine

LOG = logging.getLogger(__name__)
_DEBUG_TIMEOUT_S = 3600  # an hour in front of a breakpoint
_PROVISIONED_INIT_S = 130
_PROCESS_ERRORS = ("Runtime.ExitError", "Runtime.InvalidEntrypoint", "Runtime.OutOfMemory")


class Phase(enum.Enum):
    """Where an execution environment is in its life."""

    NEW = "not initialised"
    IDLE = "waits for an event"
    BUSY = "initialises or handles an event"
    RETIRING = "handles its last event"
    ENDED = "ended"


@dataclass(slots=True)
class Invocation:
    """One event for a function.

    Attributes:
        request_id: Stays the same when an asynchronous event is retried.
        payload: The event as JSON.
        invoked_arn: The ARN as the caller gave it.
        trace_id: Value of ``X-Amzn-Trace-Id``.
        client_context: JSON text of the client context.
        stream: Gets the response while it comes, if the function streams it.
        recorded: What the journal keeps in place of the payload, if that has a secret in it.
    """

    request_id: str
    payload: bytes
    invoked_arn: str
    trace_id: str | None = None
    client_context: str | None = None
    stream: ResponseStream | None = None
    recorded: bytes | None = None


@dataclass(slots=True)
class Result:
    """The result of an invocation; ``logs`` is the end of its log."""

    payload: bytes
    is_error: bool
    logs: str
    version: str


class InitError(Exception):
    """The init phase of a provisioned environment failed; ``payload`` is the error as JSON."""

    def __init__(self, payload: bytes) -> None:
        super().__init__("init failed")
        self.payload = payload


@dataclass(slots=True)
class _Outcome:
    """How one invocation went, before it is worded."""

    answer: Answer
    status: str = "success"
    error_type: str | None = None
    lines: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()


def _error_payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


class ExecutionEnvironment:
    """Runs one event at a time of one function version.

    Args:
        id: 32 hexadecimal digits.
        version: What it runs.
        kind: ``on-demand`` or ``provisioned-concurrency``.
        machine: What all environments share.
    """

    def __init__(self, id: str, version: FunctionVersion, kind: str, machine: Machine) -> None:
        self.id = id
        self.version = version
        self.kind = kind
        self.machine = machine
        self.phase = Phase.NEW
        self.idle_since = 0.0
        self._log = PlatformLog(as_json=version.log_as_json)
        self._tail: collections.deque[str] = collections.deque(maxlen=200)
        self._init_ms: float | None = None
        self._code: Path | None = None
        self._code_is_package = True  # and no snapshot of the working tree
        self._debug: DebugRequest | None = None
        self._may_restart = True
        self._lock = asyncio.Lock()  # one event at a time; held also while its process is ended
        stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version.qualifier}]{id}"
        self._stream = Stream(version.account, version.region, version.log_group, stream)
        self._variables = {
            **version.variables,
            "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
            "AWS_LAMBDA_LOG_GROUP_NAME": version.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        }
        self._launch = Launch(version, id, machine.runtimes)
        self._process = Environment(
            self._make_job,
            self._emit,
            memory_limit_kb=version.memory_mb * 1024,
            inherits_connection=self._launch.forked,
        )

    @property
    def alive(self) -> bool:
        """Whether it has a process."""
        return self._process.alive

    # -- life ---------------------------------------------------------------------------------

    async def initialise(self) -> None:
        """Start the process and run its init phase.

        It may take 10 s; with provisioned concurrency 130 s or the function's time-out, whichever
        is longer. On demand a failed init is no failure here: the next invocation reports it, and
        the one after that tries again, as on AWS.

        Raises:
            InitError: The init of a provisioned environment failed.
        """
        async with self._lock:
            await self._first_initialisation()

    async def _first_initialisation(self) -> None:
        self.phase = Phase.BUSY
        limit: float = self.machine.settings.init_timeout_s
        self._debug = self.machine.debugging.take(self.version.name)
        if self._debug:
            limit = _DEBUG_TIMEOUT_S
            self._process.memory_limit_kb = 0
        provisioned = self.kind == PROVISIONED
        if provisioned:
            limit = max(limit, _PROVISIONED_INIT_S, self.version.timeout_s)
        self._tail.clear()
        failure = await self._initialise(limit, "init")
        if failure and provisioned:
            raise InitError(failure.answer.payload)

    async def end(self) -> None:
        """End the process and release its resources. Idempotent."""
        if self.phase is Phase.ENDED:
            return
        self.phase = Phase.ENDED
        async with self._lock:
            await self._process.close()
        self.machine.logs.forget(self._stream)
        self.machine.capacity.release(self)
        await asyncio.to_thread(self._launch.clean_up)

    def kill(self) -> None:
        """Kill the process, as a crash would end it."""
        self._process.kill()

    async def park(self) -> bool:
        """Give memory back: end the process if idle; an invocation restarts it."""
        if self.phase is not Phase.IDLE or not self.alive or self._lock.locked():
            return False
        async with self._lock:
            await self._process.close()
        return True

    def check_memory(self) -> None:
        """Kill the process when it takes more than the function's memory."""
        self._process.check_memory()

    # -- invoking -----------------------------------------------------------------------------

    async def invoke(self, invocation: Invocation) -> Result:
        """Run one event and return its result and the end of its log.

        Never raises for what a function does: that is part of the result.
        """
        await self._lock.acquire()  # ``async with`` would call two coroutines more
        try:
            return await self._invoke(invocation)
        finally:
            self._lock.release()

    async def _invoke(self, invocation: Invocation) -> Result:
        request_id = invocation.request_id
        version = self.version
        process = self._process
        self.phase = Phase.BUSY
        self._tail.clear()
        if self._may_need_renewal():
            await self._renew()
        self._may_restart = True
        is_alive = process.alive
        if not is_alive:
            self._init_ms = None
        self._emit(self._log.start(request_id, version.qualifier))
        started = time.perf_counter()
        timeout = _DEBUG_TIMEOUT_S if self._debug else version.timeout_s
        outcome = None
        if not is_alive:
            outcome = await self._reinitialise(request_id, timeout)
        event = Event(
            request_id=request_id,
            payload=invocation.payload,
            invoked_arn=invocation.invoked_arn,
            deadline_ms=now_ms() + timeout * 1000,
            trace_id=invocation.trace_id,
            client_context=invocation.client_context,
            stream=invocation.stream,
        )
        if outcome is None:
            try:
                outcome = await self._run(event, timeout)
            except UnreadEventError:
                # It ended between two events, as after an answer that was too large: no event is
                # lost on that account.
                self._init_ms = None
                outcome = await self._reinitialise(request_id, timeout) or await self._run(
                    event, timeout
                )
        duration = (time.perf_counter() - started) * 1000
        if outcome.status == "timeout":
            duration = timeout * 1000.0
        for line in outcome.lines:
            self._emit(self._log.text(line))
        report = Report(
            request_id=request_id,
            duration_ms=duration,
            memory_size_mb=version.memory_mb,
            memory_used_mb=min(-(-process.used_memory_kb() // 1024), version.memory_mb),
            init_ms=self._init_ms,
            status=outcome.status,
            error_type=outcome.error_type,
        )
        self._init_ms = None
        ended = self._log.end(report)
        self._tail.extend([log_event.message for log_event in ended])
        self.machine.logs.put_all(self._stream, ended)
        for line in outcome.last_lines:
            self._emit(self._log.text(line))
        return Result(
            outcome.answer.payload, outcome.answer.is_error, "".join(self._tail), version.qualifier
        )

    async def _run(self, event: Event, timeout: int) -> _Outcome:
        self.machine.busy.add(self)
        try:
            answer = await self._process.invoke(event, timeout)
        except TimedOutError:
            return self._timed_out(event.request_id, timeout)
        except UnreadEventError:
            if not self._may_restart:
                return self._ended(event.request_id)
            self._may_restart = False
            raise
        except ProcessEndedError:
            return self._ended(event.request_id)
        finally:
            self.machine.busy.discard(self)
        if answer.error_type == "Function.ResponseSizeTooLarge":
            return _Outcome(answer, "error", answer.error_type)
        return _Outcome(answer)

    def _timed_out(self, request_id: str, timeout: int) -> _Outcome:
        message = f"{timestamp(now_ms())} {request_id} Task timed out after {timeout:.2f} seconds"
        return _Outcome(
            Answer(_error_payload("Sandbox.Timedout", message), True),
            status="timeout",
            lines=(message,),
        )

    def _ended(self, request_id: str) -> _Outcome:
        ended = self._process.exit
        message = f"RequestId: {request_id} Error: {ended}"
        out_of_memory = ended is not None and ended.out_of_memory
        return _Outcome(
            Answer(_error_payload("Runtime.ExitError", message), True),
            status="error",
            error_type="Runtime.OutOfMemory" if out_of_memory else "Runtime.ExitError",
            last_lines=(message, "Runtime.ExitError"),
        )

    # -- the init phase -----------------------------------------------------------------------

    async def _initialise(self, limit_s: float, phase: str) -> _Outcome | None:
        """Start a process; returns how it failed, or ``None`` when it waits for an event."""
        process = self._process
        status, error_type, answer = "error", "Runtime.ExitError", None
        if phase == "init":
            self._emit(self._log.init_start(self.version.runtime, self.version.region))
        self.machine.busy.add(self)
        try:
            await process.start(limit_s)
            if process.setup_error or process.exit or process.api.init_error:
                answer = process.api.init_error
                if answer is not None:
                    error_type = answer.error_type or "Runtime.Unknown"
                elif process.setup_error:
                    error_type = "Runtime.InvalidEntrypoint"
                elif process.exit and process.exit.out_of_memory:
                    error_type = "Runtime.OutOfMemory"
            else:
                self._init_ms = (time.monotonic() - process.init_started) * 1000
                self.machine.start_problem = None
                return None
            self.machine.start_problem = process.setup_error if process.machine_failed else None
        except TimedOutError:
            status, error_type = "timeout", "Sandbox.Timedout"
        except SpawnError as error:
            process.setup_error = str(error)
            error_type = "Runtime.InvalidEntrypoint"
            if not isinstance(error, NothingToStartError):
                self.machine.start_problem = str(error)
        finally:
            self.machine.busy.discard(self)
        duration = (time.monotonic() - process.init_started) * 1000
        if answer is None:
            message = process.setup_error or str(process.exit or "")
            answer = Answer(_error_payload(error_type, f"Error: {message}"), True, error_type)
        await process.close()
        self._emit(
            self._log.init_report(
                duration, phase, status, None if status == "timeout" else error_type
            )
        )
        return _Outcome(answer, status, error_type)

    async def _reinitialise(self, request_id: str, timeout: int) -> _Outcome | None:
        """The environment has no process: init is part of this invocation and of its time-out."""
        failure = await self._initialise(timeout, "invoke")
        self._init_ms = None
        if failure is None:
            return None
        if failure.status == "timeout":
            return self._timed_out(request_id, timeout)
        if failure.error_type in _PROCESS_ERRORS:
            payload = json.loads(failure.answer.payload)
            message = f"RequestId: {request_id} {payload['errorMessage']}"
            return _Outcome(
                Answer(_error_payload(str(failure.error_type), message), True),
                "error",
                failure.error_type,
                last_lines=(message, str(failure.error_type)),
            )
        return failure

    async def _make_job(self, api: str) -> tuple[Spawner, dict[str, Any]]:
        variables = {**self._variables, "AWS_LAMBDA_RUNTIME_API": api}
        package = Path(self.version.code)
        hot_reload = self.machine.hot_reload
        if hot_reload.root is None and self._launch.is_ready():
            self._code, self._code_is_package = package, True
            return self._launch.job(variables, package, self._debug)

        def make() -> tuple[Spawner, dict[str, Any]]:
            self._code = hot_reload.code_for(package)
            self._code_is_package = self._code == package
            return self._launch.job(variables, self._code, self._debug)

        return await asyncio.to_thread(make)

    def _may_need_renewal(self) -> bool:
        return bool(
            self.machine.debugging.open or self.machine.hot_reload.root or not self._code_is_package
        )

    async def _renew(self) -> None:
        """End a warm process whose code has changed, or when a debugger is asked for."""
        debug = self.machine.debugging.take(self.version.name)
        if debug:
            self._debug = debug
            self._process.memory_limit_kb = 0
        elif self.alive:
            package = Path(self.version.code)
            code = await asyncio.to_thread(self.machine.hot_reload.code_for, package)
            if code == self._code:
                return
        await self._process.close()

    def _emit(self, event: LogEvent) -> None:
        self._tail.append(event.message)
        self.machine.logs.put(self._stream, event)
