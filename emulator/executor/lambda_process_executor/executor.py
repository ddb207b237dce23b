"""The runtime executor that LocalStack's Lambda service drives."""

from __future__ import annotations

import atexit
import collections
import json
import logging
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from localstack import config
from localstack.aws.api.lambda_ import TooManyRequestsException
from localstack.aws.connect import connect_to
from localstack.runtime.shutdown import ON_AFTER_SERVICE_SHUTDOWN_HANDLERS
from localstack.services.edge import ROUTER
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from lambda_process_executor.capacity import Capacity, environment_limit
from lambda_process_executor.cloudwatch import LogWriter, Stream
from lambda_process_executor.control import Control, DebugRequest, DebugRequests
from lambda_process_executor.environment import (
    EndedBeforehandError,
    Environment,
    ProcessEndedError,
    StoppedError,
    TimedOutError,
)
from lambda_process_executor.hot_reload import HotReload
from lambda_process_executor.idle import IdleWatcher
from lambda_process_executor.launch import (
    Launch,
    function_environment,
    own_folders,
    package_folders,
)
from lambda_process_executor.output import LogEvent, now_ms
from lambda_process_executor.report import PlatformLog, Report, timestamp
from lambda_process_executor.runtime_api import Answer, Event
from lambda_process_executor.runtimes import Runtimes
from lambda_process_executor.settings import Settings
from lambda_process_executor.spawner import SpawnError

LOG = logging.getLogger(__name__)
_DEBUG_TIMEOUT_S = 3600  # nobody thinks in three seconds
_PROVISIONED_INIT_S = 130  # AWS: "Understanding the Lambda execution environment lifecycle"
#: No start takes longer: the wait for a parent that is still importing, and the longest init.
LONGEST_START_S = 60 + _DEBUG_TIMEOUT_S
_PROCESS_ERRORS = ("Runtime.ExitError", "Runtime.InvalidEntrypoint", "Runtime.OutOfMemory")


class Machinery:
    """What all environments of one emulator share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        make_work_dir(settings.work_dir)
        self.runtimes = Runtimes(settings, sys.executable)
        self.idle = IdleWatcher()
        self.logs = LogWriter(
            lambda account, region: connect_to(aws_access_key_id=account, region_name=region).logs,
            settings.log_linger_ms,
        )
        self.capacity = Capacity(environment_limit(settings))
        self.hot_reload = HotReload(settings.work_dir / "hot-reload")
        self.debugging = DebugRequests()
        ROUTER.add(Control(self.hot_reload, self.debugging))
        ON_AFTER_SERVICE_SHUTDOWN_HANDLERS.register(self.close)
        atexit.register(self.close)  # for a shutdown that is cut short
        self._closed = False

    def close(self) -> None:
        """End every environment and store the logs that are still queued. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.runtimes.close()
        self.idle.close()
        self.logs.close(timeout_s=5)
        shutil.rmtree(self.settings.work_dir, ignore_errors=True)


def make_work_dir(folder: Path) -> None:
    """Make this emulator's own folder and remove those of emulators that were killed."""
    for old in folder.parent.glob("run-*"):
        if old != folder and not psutil.pid_exists(int(old.name.removeprefix("run-") or 0)):
            shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)


_machinery: Machinery | None = None
_machinery_lock = threading.Lock()


def machinery() -> Machinery:
    """The emulator's one :class:`Machinery`, made at first use."""
    global _machinery  # noqa: PLW0603  one per process, like the emulator itself
    with _machinery_lock:
        if _machinery is None:
            default = Path(config.dirs.tmp) / "lambda-process"
            _machinery = Machinery(Settings.from_environment(str(default)))
        return _machinery


@dataclass(frozen=True)
class _Outcome:
    """How one invoke went, before it is worded."""

    answer: Answer
    status: str = "success"
    error_type: str | None = None
    lines: tuple[str, ...] = ()
    last_lines: tuple[str, ...] = ()


def _error_payload(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


class ProcessRuntimeExecutor(RuntimeExecutor):
    """Runs one execution environment of a function version as a child process."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id=id, function_version=function_version)
        self.machinery = machinery()
        self.settings = self.machinery.settings
        self.client_context: str | None = None
        self._log = PlatformLog(
            as_json=function_version.config.logging_config.get("LogFormat") == "JSON"
        )
        self._tail: collections.deque[str] = collections.deque(maxlen=200)
        self._init_ms: float | None = None
        self._init_lines: list[LogEvent] = []
        self._invoking = False  # or about to: the process may not be taken away
        self._busy = False  # an event is being handled
        self._may_restart = False
        self._code: Path | None = None
        self._debug: DebugRequest | None = None
        self._environment: Environment | None = None
        self._launch: Launch | None = None
        self._stream: Stream | None = None

    # -- what LocalStack calls ----------------------------------------------------------------

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process and run its init phase, at most 10 s; with provisioned concurrency
        130 s or the function's time-out, whichever is longer.

        On demand, a failed init is no failure of the start: the next invoke reports it, and the
        one after that tries again, as on AWS.

        Raises
        ------
        TooManyRequestsException
            No memory for another environment.
        StatusErrorException
            The init of a provisioned environment failed.
        """
        config_ = self.function_version.config
        launch = self._launch = Launch(self.function_version, self.id, self.machinery.runtimes)
        variables = function_environment(env_vars, self.function_version)
        self._stream = Stream(
            self.function_version.id.account,
            self.function_version.id.region,
            variables["AWS_LAMBDA_LOG_GROUP_NAME"],
            variables["AWS_LAMBDA_LOG_STREAM_NAME"],
        )
        self._environment = Environment(
            lambda api: launch.job(
                {**variables, "AWS_LAMBDA_RUNTIME_API": api},
                self._choose_code(),
                self._debug,
            ),
            self._emit,
            memory_limit_kb=config_.memory_size * 1024,
        )
        self._take_room()
        environment = self._environment
        provisioned = variables.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency"
        # On demand, an invoke follows at once: nobody may take the process away before.
        self._invoking = not provisioned
        limit: float = self.settings.init_timeout_s
        self._debug = self.machinery.debugging.take(self.function_version.id.function_name)
        if self._debug:
            limit = _DEBUG_TIMEOUT_S
            environment.memory_limit_kb = 0
        if provisioned:
            limit = max(limit, _PROVISIONED_INIT_S, config_.timeout)
        with environment.lock:
            failure = self._initialise(limit, "init")
        if provisioned or environment.stopping:
            self._settle(environment)
        if failure and provisioned:
            raise StatusErrorException("init failed", payload=failure.answer.payload)

    def stop(self) -> None:
        """End the environment; an invoke that is under way is finished first, as on AWS."""
        environment = self._environment
        if environment is None:
            return
        self.machinery.idle.remove(environment)
        environment.stopping = True
        if not self._busy:
            environment.kill()
        self._settle(environment)

    def get_address(self) -> str:
        """Functions run on this machine."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """The emulator as functions reach it: no DNS involved."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Not used: environments talk to their own Runtime API server."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    def get_logs(self) -> str:
        """The last lines of the environment's output."""
        return "".join(self._tail)

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack code and layers, and refuse what cannot run here.

        Raises
        ------
        RuntimeUnavailableError
            The function's state becomes ``Failed`` with this reason.
        """
        shared = machinery()
        version = function_version.config
        shared.runtimes.check(version.runtime)
        if version.code:
            version.code.prepare_for_execution()
        runtime = str(version.runtime)
        folders = package_folders(runtime, *own_folders(version, shared.runtimes))
        shared.runtimes.warm_up(runtime, folders)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing to do: environments are stopped one by one, layers are shared."""

    @classmethod
    def validate_environment(cls) -> bool:
        """Say in one line what can run and how isolated it is."""
        shared = machinery()
        LOG.info(
            "Lambda process executor: runtimes %s; up to %d environments; isolation: %s",
            ", ".join(shared.runtimes.python_names()) or "none for Python",
            shared.capacity.limit,
            describe_isolation(shared.runtimes.plain.isolation()),
        )
        return True

    # -- invoking -----------------------------------------------------------------------------

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Run one event and return its result and the end of its log.

        Never raises for what a function does: that is part of the result.
        """
        environment = self._environment
        assert environment is not None
        self.machinery.idle.remove(environment)
        self._invoking = self._busy = True
        try:
            self._take_room()
            with environment.lock:
                return self._invoke(environment, payload)
        finally:
            self._invoking = self._busy = False
            self._settle(environment)

    def _invoke(self, environment: Environment, payload: dict[str, str]) -> InvocationResult:
        request_id = payload["invoke-id"]
        version = self.function_version
        self._tail.clear()
        self._renew(environment)
        self._may_restart = not environment.stopping
        if not environment.alive:
            self._init_ms = None
        outcome = None
        self._emit(self._log.start(request_id, version.id.qualifier))
        started = time.perf_counter()
        timeout = _DEBUG_TIMEOUT_S if self._debug else version.config.timeout
        if not environment.alive:
            outcome = self._reinitialise(request_id, timeout)
        event = Event(
            request_id=request_id,
            payload=payload["payload"].encode(),
            invoked_arn=payload["invoked-function-arn"],
            deadline_ms=now_ms() + timeout * 1000,
            trace_id=payload.get("trace-id"),
            client_context=self.client_context,
        )
        if outcome is None:
            try:
                outcome = self._run(environment, event, timeout)
            except EndedBeforehandError:
                # It ended between two events, as after an answer that was too large: no event is
                # lost on that account.
                self._init_ms = None
                outcome = self._reinitialise(request_id, timeout) or self._run(
                    environment, event, timeout
                )
        duration = (time.perf_counter() - started) * 1000
        if outcome.status == "timeout":
            duration = timeout * 1000.0
        for line in outcome.lines:
            self._emit(self._log.text(line))
        report = Report(
            request_id=request_id,
            duration_ms=duration,
            memory_size_mb=version.config.memory_size,
            memory_used_mb=min(
                -(-environment.used_memory_kb() // 1024), version.config.memory_size
            ),
            init_ms=self._init_ms,
            status=outcome.status,
            error_type=outcome.error_type,
        )
        self._init_ms = None
        for event_ in self._log.end(report):
            self._emit(event_)
        for line in outcome.last_lines:
            self._emit(self._log.text(line))
        return InvocationResult(
            request_id=request_id,
            payload=outcome.answer.payload,
            is_error=outcome.answer.is_error,
            logs="".join(self._tail),
        )

    def _run(self, environment: Environment, event: Event, timeout: int) -> _Outcome:
        try:
            answer = environment.invoke(event, timeout)
        except TimedOutError:
            return self._timed_out(event.request_id, timeout)
        except EndedBeforehandError:
            if not self._may_restart:
                return self._ended(event.request_id)
            self._may_restart = False
            raise
        except (ProcessEndedError, StoppedError):
            return self._ended(event.request_id)
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
        assert self._environment is not None
        ended = self._environment.exit
        message = f"RequestId: {request_id} Error: {ended}"
        out_of_memory = ended is not None and ended.out_of_memory
        return _Outcome(
            Answer(_error_payload("Runtime.ExitError", message), True),
            status="error",
            error_type="Runtime.OutOfMemory" if out_of_memory else "Runtime.ExitError",
            last_lines=(message, "Runtime.ExitError"),
        )

    # -- the init phase -----------------------------------------------------------------------

    def _initialise(self, limit_s: float, phase: str) -> _Outcome | None:
        """Start a process; returns how it failed, or ``None`` when it waits for an event."""
        environment = self._environment
        assert environment is not None
        status, error_type, answer = "error", "Runtime.ExitError", None
        try:
            environment.start(limit_s)
            if environment.setup_error or environment.exit or environment.api.init_error:
                answer = environment.api.init_error
                if answer is not None:
                    error_type = answer.error_type or "Runtime.Unknown"
                elif environment.setup_error:
                    error_type = "Runtime.InvalidEntrypoint"
                elif environment.exit and environment.exit.out_of_memory:
                    error_type = "Runtime.OutOfMemory"
            else:
                self._init_ms = (time.monotonic() - environment.init_started) * 1000
                return None
        except TimedOutError:
            status, error_type = "timeout", "Sandbox.Timedout"
        except SpawnError as error:
            environment.setup_error = str(error)
            error_type = "Runtime.InvalidEntrypoint"
        duration = (time.monotonic() - environment.init_started) * 1000
        if answer is None:
            message = environment.setup_error or str(environment.exit or "")
            answer = Answer(_error_payload(error_type, f"Error: {message}"), True, error_type)
        environment.close()
        self._emit(
            self._log.init_report(
                duration, phase, status, None if status == "timeout" else error_type
            )
        )
        return _Outcome(answer, status, error_type)

    def _reinitialise(self, request_id: str, timeout: int) -> _Outcome | None:
        """The environment has no process: init is part of this invoke and of its time-out."""
        failure = self._initialise(timeout, "invoke")
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

    def _choose_code(self) -> Path:
        code = self.function_version.config.code
        assert code is not None
        self._code = self.machinery.hot_reload.code_for(Path(code.get_unzipped_code_location()))
        return self._code

    def _renew(self, environment: Environment) -> None:
        """End a warm process that is not to be used again: its code has changed, or a debugger is
        asked for."""
        debug = self.machinery.debugging.take(self.function_version.id.function_name)
        if debug:
            self._debug = debug
            environment.memory_limit_kb = 0
        elif environment.alive:
            code = self.function_version.config.code
            assert code is not None
            package = Path(code.get_unzipped_code_location())
            if self.machinery.hot_reload.code_for(package) == self._code:
                return
        environment.close()

    def _take_room(self) -> None:
        if not self.machinery.capacity.acquire(self):
            raise TooManyRequestsException(
                "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User"
            )

    # -- helpers ------------------------------------------------------------------------------

    def _settle(self, environment: Environment) -> None:
        """Hand an idle environment to the watcher, and close one that was stopped.

        Called after every release of the environment's lock and after ``stopping`` is set: of two
        threads at least one sees both.
        """
        if not environment.stopping:
            if environment.alive:
                self.machinery.idle.add(environment)
            return
        if environment.lock.acquire(blocking=False):
            try:
                environment.close()
            finally:
                environment.lock.release()
            self.machinery.capacity.release(self)
            if self._launch:
                self._launch.clean_up()

    def _emit(self, event: LogEvent) -> None:
        self._tail.append(event.message)
        if self._stream is not None:
            self.machinery.logs.put(self._stream, event)

    def park(self) -> bool:
        """Give memory back: end the process if the environment is idle; an invoke restarts it."""
        environment = self._environment
        if environment is None or self._invoking or not environment.alive:
            return False
        if not environment.lock.acquire(blocking=False):
            return False
        try:
            self.machinery.idle.remove(environment)
            environment.close()
        finally:
            environment.lock.release()
        return True


def describe_isolation(facts: dict[str, Any]) -> str:
    """One clause for the log: what separates functions from the machine."""
    memory = "sampled every 50 ms" if sys.platform == "linux" else "by what is mapped"
    parts = [f"process group and file limits; memory limit {memory}"]
    if facts["mounts"]:
        parts.append("own view of the file system (/var/task, /opt, /tmp)")
    else:
        parts.append(f"shared file system: {facts['why']}")
    parts.append("own user" if facts["users"] else "the emulator's user")
    return "; ".join(parts)


def install_patches() -> None:
    """Apply the changes of LocalStack that this executor needs; see ``localstack_patches``."""
    from lambda_process_executor import localstack_patches

    localstack_patches.apply()
