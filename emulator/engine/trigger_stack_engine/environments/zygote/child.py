"""Turns a forked process into an execution environment."""

# No pathlib: it costs every child memory and the parent start-up time.
# ruff: noqa: PTH123

from __future__ import annotations

import fcntl
import gc
import os
import resource
import signal
import sys
import time
from typing import Any

from trigger_stack_engine.environments.zygote.kernel import (
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    prctl,
)
from trigger_stack_engine.environments.zygote.parent import FIRST_FREE_FD, write_status
from trigger_stack_engine.environments.zygote.preload import run_late_code
from trigger_stack_engine.environments.zygote.runtime_client import RuntimeClient
from trigger_stack_engine.environments.zygote.sandbox import Sandbox

TELEMETRY_FD = 3
STATUS_FD = 1000  # beyond the numbers that are overwritten
API_FD = 999
LOG_FD = 900


def become(job: dict[str, Any], sandbox: Sandbox) -> None:
    """Turn the forked process into the execution environment that ``job`` describes."""
    log_fd, status_fd, api_fd = job["_fds"]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    # Out of the way first: with many environments the parent's own numbers are as high.
    status_fd, log_fd = _moved(status_fd), _moved(log_fd)
    api_fd = None if api_fd is None else _moved(api_fd)
    os.dup2(status_fd, STATUS_FD, inheritable=False)
    os.dup2(log_fd, LOG_FD)
    if api_fd is not None:
        os.dup2(api_fd, API_FD, inheritable=False)
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    for fd in (1, 2, TELEMETRY_FD):
        os.dup2(LOG_FD, fd)
    try:
        sandbox.confine(job)
        os.closerange(FIRST_FREE_FD, STATUS_FD if api_fd is None else API_FD)
        os.closerange(STATUS_FD + 1, 1 << 20)
        _limit(job)
        os.environ.clear()
        os.environ.update(job["env"])
        if job.get("argv") is None:
            os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(TELEMETRY_FD)
        else:
            os.close(TELEMETRY_FD)
        time.tzset()
        os.umask(0o022)
        os.chdir(job["cwd"])
        if job.get("argv") is not None:
            os.execve(job["argv"][0], job["argv"], dict(os.environ))  # noqa: S606  no shell wanted
    except OSError as error:
        write_status(STATUS_FD, {"error": f"{error}"})
        os._exit(127)
    os.close(STATUS_FD)


def _moved(fd: int) -> int:
    """The same file under a number that nothing else here uses."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STATUS_FD + 1)


def _limit(job: dict[str, Any]) -> None:
    for name, value in job["rlimits"].items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        wanted = value
        if name == "RLIMIT_DATA":
            wanted += _data_bytes()
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(number, (wanted, wanted))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    # After the change of user, which clears it.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _data_bytes() -> int:
    """Private writable memory that this process has mapped already."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _belongs(module: Any, root: str) -> bool:
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None) or ""
    if origin.startswith(root):
        return True
    locations = getattr(spec, "submodule_search_locations", None) or ()
    return any(str(place).startswith(root) for place in locations)


_EVICTED: list[Any] = []  # destroying modules would copy the pages that are shared with the parent


def _evict(roots: list[str], keep: set[str]) -> None:
    """Forget pre-imported modules below ``roots`` whose top-level name is not in ``keep``."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in keep:
            continue
        if name.startswith("trigger_stack_engine") or any(_belongs(module, root) for root in roots):
            _EVICTED.append(sys.modules.pop(name))


def run_python(job: dict[str, Any]) -> None:
    """Hand the process over to AWS's runtime client, with the search path of the real runtime."""
    python = job["python"]
    sys.path[:] = python["path"]
    sys.path_importer_cache.clear()
    if python["evict"]:
        _evict(python["evict"], set(python["keep"]))
    sys.argv = [python["argv0"]]
    # The inherited objects were made for other files.
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = open(fd, mode, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  stays
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    gc.enable()
    debug = python.get("debug")
    if debug:
        _start_debugger(debug)
    # Not needed, and with it goes the only thing that must be imported after the fork.
    sys.modules["runtime_client"] = None  # type: ignore[assignment]  # makes its import fail
    run_late_code()
    from awslambdaric import bootstrap  # type: ignore[import-not-found]  # in the runtime's folder
    from awslambdaric.lambda_runtime_client import (  # type: ignore[import-not-found]
        InvocationRequest,
        LambdaRuntimeClient,
    )

    client = RuntimeClient(API_FD, LambdaRuntimeClient.marshaller, InvocationRequest)
    bootstrap.run(os.environ["_HANDLER"], client)


def _start_debugger(debug: dict[str, Any]) -> None:
    sys.path.append(debug["path"])
    import debugpy  # type: ignore[import-not-found]  # only there when asked for

    debugpy.listen(("127.0.0.1", debug["port"]))
    sys.path.remove(debug["path"])
    if debug["wait"]:
        debugpy.wait_for_client()
