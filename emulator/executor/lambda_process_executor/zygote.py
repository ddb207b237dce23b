"""The pre-imported parent from which Python execution environments are forked.

It runs in the function's interpreter, not in the emulator's, so it uses the standard library only
and imports nothing from this package. It never holds credentials or user code: both reach a child
after the fork, in the spawn request.

The emulator talks to it over a Unix stream socket (file descriptor ``--control``). A message is a
4-byte big-endian length, carrying descriptors for a spawn request, and a JSON object:

``{"spawn": {...}}`` with two descriptors, the log pipe and the status pipe, or ``{"kill": pid}``.

What becomes of a child is written to its own status pipe, one JSON object a line:
``{"pid": 1}``, ``{"error": "…"}`` (the child could not be set up), ``{"exit": wait status,
"peak_kb": 1}``. End of file without ``exit`` means that this process is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import json
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from typing import Any

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
TELEMETRY_FD = 3
FIRST_FREE_FD = 4


class SetupError(Exception):
    """A child could not be set up as asked; the text is shown to the user."""


class Child:
    """What the parent remembers of one execution environment."""

    def __init__(self, pid: int, status_fd: int, log_inode: int) -> None:
        self.pid = pid
        self.status_fd = status_fd
        self.log_inode = log_inode


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if LINUX:
        _libc().prctl(option, value, 0, 0, 0)


def _write_status(fd: int, message: dict[str, Any]) -> None:
    # The reader may be gone already: nobody is left to tell.
    with contextlib.suppress(OSError):
        os.write(fd, json.dumps(message).encode() + b"\n")


class Zygote:
    """Forks children on request and buries them."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: dict[int, Child] = {}
        self.selector = selectors.DefaultSelector()
        self.wake_r, self.wake_w = os.pipe()
        os.set_blocking(self.wake_w, False)
        os.set_blocking(self.wake_r, False)

    def run(self) -> dict[str, Any] | None:
        """Serve requests; returns a job in the child, ``None`` in the parent when it is to end."""
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_w, warn_on_full_buffer=False)
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(self.wake_r, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.control:
                    job = self._serve()
                    if job == "end":
                        self.end()
                        return None
                    if isinstance(job, dict):
                        return job
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake_r, 4096)
            self._bury()

    def end(self) -> None:
        """The emulator is gone or wants no more: nothing may survive it."""
        for child in list(self.children.values()):
            self._kill(child)
        deadline = time.monotonic() + 2
        while self.children and time.monotonic() < deadline:
            self._bury()
            time.sleep(0.002)

    # -- requests ---------------------------------------------------------------------------

    def _serve(self) -> dict[str, Any] | str | None:
        try:
            head, fds, _, _ = socket.recv_fds(self.control, 4, 4)
        except ConnectionError:
            return "end"
        if not head:
            return "end"
        try:
            while len(head) < 4:
                head += self._receive(4 - len(head))
            message = json.loads(self._receive(struct.unpack(">I", head)[0]))
        except ConnectionError:
            return "end"
        if "kill" in message:
            child = self.children.get(message["kill"])
            if child is not None:
                self._kill(child)
            return None
        return self._spawn(message["spawn"], fds)

    def _receive(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.control.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _spawn(self, job: dict[str, Any], fds: list[int]) -> dict[str, Any] | None:
        log_fd, status_fd = fds
        log_inode = os.fstat(log_fd).st_ino
        try:
            pid = os.fork()
        except OSError as error:
            _write_status(status_fd, {"error": f"cannot start a process: {error.strerror}"})
            os.close(log_fd)
            os.close(status_fd)
            return None
        if pid:
            os.close(log_fd)
            self.children[pid] = Child(pid, status_fd, log_inode)
            _write_status(status_fd, {"pid": pid})
            return None
        job["_fds"] = (log_fd, status_fd)
        return job

    # -- the end of children ----------------------------------------------------------------

    def _kill(self, child: Child) -> None:
        strays = self._descendants(child.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        for pid in [child.pid, *strays]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        """Reap what has died; a dead environment takes its whole process group along."""
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if info is None:
                return
            child = self.children.get(info.si_pid)
            if child is not None:
                # As long as the dead leader is not reaped its group id cannot be taken again.
                self._kill(child)
                self._kill_strays(child)
            _, status, usage = os.wait4(info.si_pid, 0)
            if child is not None:
                del self.children[child.pid]
                peak_kb = usage.ru_maxrss if LINUX else usage.ru_maxrss // 1024
                _write_status(child.status_fd, {"exit": status, "peak_kb": peak_kb})
                os.close(child.status_fd)

    @staticmethod
    def _children_of(pid: int) -> list[int]:
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                return [int(child) for child in file.read().split()]
        except OSError:
            return []

    def _descendants(self, pid: int) -> list[int]:
        found: list[int] = []
        todo = [pid] if LINUX else []
        while todo:
            children = self._children_of(todo.pop())
            found += children
            todo += children
        return found

    def _kill_strays(self, child: Child) -> None:
        """Kill daemons of an environment: orphans land here because this is the subreaper."""
        if not LINUX:
            return
        for pid in self._children_of(os.getpid()):
            if pid in self.children:
                continue
            for fd in range(FIRST_FREE_FD):
                with contextlib.suppress(OSError):
                    if os.stat(f"/proc/{pid}/fd/{fd}").st_ino == child.log_inode:
                        for stray in [pid, *self._descendants(pid)]:
                            with contextlib.suppress(ProcessLookupError):
                                os.kill(stray, signal.SIGKILL)
                        break


# -- the child ------------------------------------------------------------------------------


def _become(job: dict[str, Any]) -> None:
    """Turn the forked process into the execution environment that ``job`` describes."""
    log_fd, status_fd = job["_fds"]
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    # Far away from the numbers that dup2 is going to overwrite.
    os.dup2(status_fd, 1000 if status_fd != 1000 else status_fd, inheritable=False)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(log_fd, 900)
    os.dup2(null, 0)
    for fd in (1, 2, TELEMETRY_FD):
        os.dup2(900, fd)
    os.closerange(FIRST_FREE_FD, 1000)
    os.closerange(1001, 1 << 20)
    try:
        _isolate(job)
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
            os.execve(job["argv"][0], job["argv"], dict(os.environ))
    except (OSError, SetupError) as error:
        _write_status(1000, {"error": f"{error}"})
        os._exit(127)
    os.close(1000)


def _isolate(job: dict[str, Any]) -> None:
    for name, value in job.get("rlimits", {}).items():
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(number, (value, value))
    if job.get("uid"):
        os.setgroups([])
        os.setresgid(job["gid"], job["gid"], job["gid"])
        os.setresuid(job["uid"], job["uid"], job["uid"])
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    # After the change of user, which clears it.
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _belongs(module: Any, root: str) -> bool:
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or getattr(module, "__file__", None) or ""
    if origin.startswith(root):
        return True
    locations = getattr(spec, "submodule_search_locations", None) or ()
    return any(str(place).startswith(root) for place in locations)


def _evict(roots: list[str], keep: set[str]) -> None:
    """Forget pre-imported modules below ``roots`` whose top-level name is not in ``keep``."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in keep:
            continue
        if any(_belongs(module, root) for root in roots):
            del sys.modules[name]


def _run_python(job: dict[str, Any]) -> None:
    """Hand the process over to AWS's runtime client, with the search path of the real runtime."""
    python = job["python"]
    sys.path[:] = python["path"]
    sys.path_importer_cache.clear()
    _evict(python["evict"], set(python["keep"]))
    sys.argv = [python["argv0"]]
    # The inherited objects were made for other files.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8")
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="backslashreplace")
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace")
    gc.enable()
    debug = python.get("debug")
    if debug:
        _start_debugger(debug)
    from awslambdaric import bootstrap  # type: ignore[import-not-found]  # in the runtime's folder
    from awslambdaric.lambda_runtime_client import (  # type: ignore[import-not-found]
        LambdaRuntimeClient,
    )

    api = os.environ["AWS_LAMBDA_RUNTIME_API"]
    bootstrap.run(os.environ["_HANDLER"], LambdaRuntimeClient(api))


def _start_debugger(debug: dict[str, Any]) -> None:
    sys.path.append(debug["path"])
    import debugpy  # type: ignore[import-not-found]  # only there when asked for

    debugpy.listen(("127.0.0.1", debug["port"]))
    sys.path.remove(debug["path"])
    if debug["wait"]:
        debugpy.wait_for_client()


def _preload(modules: list[str], paths: list[str]) -> None:
    """Import what most functions import, and warm botocore's caches of parsed service models."""
    sys.path[:0] = paths
    for name in modules:
        # A module that is not there only means a slower first import in the children.
        with contextlib.suppress(ImportError):
            __import__(name)
    if "botocore" in sys.modules:
        _warm_botocore()
    if LINUX:
        with contextlib.suppress(OSError):
            ctypes.CDLL("libstdc++.so.6", mode=os.RTLD_GLOBAL)
    for path in paths:
        sys.path.remove(path)


WARM_SERVICES = (
    "dynamodb",
    "s3",
    "sqs",
    "sns",
    "events",
    "ses",
    "sesv2",
    "lambda",
    "rekognition",
    "cloudfront",
    "kinesis",
    "ssm",
    "sts",
    "logs",
)


def _warm_botocore() -> None:
    """Share the JSON models between all children: botocore's loader caches per instance.

    A session is made per process, each with its own loader, so the loaded data are put where every
    later instance finds them: in front of the loader's file reading.
    """
    import botocore.loaders  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]

    reader = botocore.loaders.JSONFileLoader
    read = reader.load_file
    cache: dict[str, Any] = {}

    def load_file(self: Any, file_path: str) -> Any:
        data = cache.get(file_path)
        return read(self, file_path) if data is None else data

    def load_and_keep(self: Any, file_path: str) -> Any:
        data = cache.get(file_path)
        if data is None:
            data = cache[file_path] = read(self, file_path)
        return data

    reader.load_file = load_and_keep
    session = botocore.session.Session()
    for service in WARM_SERVICES:
        with contextlib.suppress(Exception):  # a service that this version does not know
            session.create_client(
                service,
                region_name="us-east-1",
                aws_access_key_id="none",
                aws_secret_access_key="none",
            )
    reader.load_file = load_file


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--path", action="append", default=[])
    options = parser.parse_args()
    control = socket.socket(fileno=options.control)
    control.set_inheritable(False)
    gc.disable()
    _preload(options.preload, options.path)
    gc.collect()
    gc.freeze()
    job = Zygote(control).run()
    if job is None:
        os._exit(0)
    _become(job)
    _run_python(job)


if __name__ == "__main__":
    main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
