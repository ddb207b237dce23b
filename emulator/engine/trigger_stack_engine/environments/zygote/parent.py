"""Forks children on request, and reaps them."""

# No pathlib: it costs every child memory and the parent start-up time.
# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from trigger_stack_engine.environments.zygote.kernel import LINUX, PR_SET_CHILD_SUBREAPER, prctl
from trigger_stack_engine.environments.zygote.sandbox import Sandbox

FIRST_FREE_FD = 4


class Child:
    """The parent's record of one execution environment."""

    def __init__(self, pid: int, status_fd: int, log_inode: int, user: int | None) -> None:
        self.pid = pid
        self.status_fd = status_fd
        self.log_inode = log_inode
        self.user = user  # its own one, if it has one


def write_status(fd: int, message: dict[str, Any]) -> None:
    """Tell the emulator what became of a child."""
    # The reader may have ended already.
    with contextlib.suppress(OSError):
        os.write(fd, json.dumps(message).encode() + b"\n")


class Zygote:
    """Forks children on request and reaps them."""

    def __init__(
        self,
        control: socket.socket,
        sandbox: Sandbox,
        run_child: Callable[[dict[str, Any]], None],
    ) -> None:
        self.control = control
        self.run_child = run_child
        self.sandbox = sandbox
        self.children: dict[int, Child] = {}
        self.selector = selectors.DefaultSelector()
        self.wake_r, self.wake_w = os.pipe()
        os.set_blocking(self.wake_w, False)
        os.set_blocking(self.wake_r, False)

    def run(self) -> None:
        """Serve requests until the emulator ends; a child runs ``run_child`` and never returns."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_w, warn_on_full_buffer=False)
        self.selector.register(self.control, selectors.EVENT_READ)
        self.selector.register(self.wake_r, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.control:
                    if not self._serve():
                        self.end()
                        return
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

    def _serve(self) -> bool:
        """Serve one request; ``False`` when the emulator is gone or wants no more."""
        try:
            head, fds, _, _ = socket.recv_fds(self.control, 4, 4)
        except ConnectionError:
            return False
        if not head:
            return False
        try:
            while len(head) < 4:
                head += self._receive(4 - len(head))
            message = json.loads(self._receive(struct.unpack(">I", head)[0]))
        except ConnectionError:
            return False
        if "release" in message:
            self.sandbox.drop_tmp(message["release"])
            return True
        if "kill" in message:
            child = self.children.get(message["kill"])
            if child is not None:
                self._kill(child)
            return True
        self._spawn(message["spawn"], fds)
        return True

    def _receive(self, size: int) -> bytes:
        parts = []
        while size:
            part = self.control.recv(min(size, 1 << 20))
            if not part:
                raise ConnectionError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _spawn(self, job: dict[str, Any], fds: list[int]) -> None:
        log_fd, status_fd, *others = fds
        api_fd = others[0] if others else None
        log_inode = os.fstat(log_fd).st_ino
        try:
            self.sandbox.make_tmp(job)
            pid = os.fork()
        except OSError as error:
            problem = f"cannot start a process: {error.strerror}"
            write_status(status_fd, {"error": problem, "machine": True})
            write_status(status_fd, {"exit": 127 << 8, "peak_kb": 0})
            for fd in fds:
                os.close(fd)
            return
        if pid:
            for fd in (log_fd, *others):
                os.close(fd)
            self.children[pid] = Child(
                pid, status_fd, log_inode, job["uid"] if self.sandbox.users else None
            )
            write_status(status_fd, {"pid": pid})
            return
        self._close_parent_descriptors()
        job["_fds"] = (log_fd, status_fd, api_fd)
        self.run_child(job)  # an exception, SystemExit too, ends the process as usual
        os._exit(1)

    def _close_parent_descriptors(self) -> None:
        """In the child: close the descriptors that only the parent needs.

        The garbage collector would close them much later, when their numbers belong to other files.
        """
        signal.set_wakeup_fd(-1)
        self.selector.close()
        self.control.close()
        os.close(self.wake_r)
        os.close(self.wake_w)
        for child in self.children.values():
            os.close(child.status_fd)
        self.children.clear()

    # -- the end of children ----------------------------------------------------------------

    def _kill(self, child: Child) -> None:
        strays = self._descendants(child.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        for pid in [child.pid, *strays]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _bury(self) -> None:
        """Reap ended processes; when an environment has ended, kill its whole process group."""
        while True:
            try:
                pid = self._next_dead()
                if pid in self.children:
                    # As long as the dead leader is not reaped its group id cannot be taken again.
                    self._kill(self.children[pid])
                    self._kill_strays(self.children[pid])
                pid, status, usage = os.wait4(pid, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                if not hasattr(os, "waitid"):
                    self._kill(child)
                peak_kb = usage.ru_maxrss if LINUX else usage.ru_maxrss // 1024
                write_status(child.status_fd, {"exit": status, "peak_kb": peak_kb})
                os.close(child.status_fd)

    @staticmethod
    def _next_dead() -> int:
        """A process that has ended and is not reaped; -1 (any) where the system cannot say."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return -1
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return info.si_pid if info else -1

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
            if self._belongs_to(pid, child):
                for stray in [pid, *self._descendants(pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(stray, signal.SIGKILL)

    @staticmethod
    def _belongs_to(pid: int, child: Child) -> bool:
        """Whether an orphan was started by an environment: by its user, else by its output."""
        if child.user is not None:
            return _user_of(pid) == child.user
        for fd in range(FIRST_FREE_FD):
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{pid}/fd/{fd}").st_ino == child.log_inode:
                    return True
        return False


def _user_of(pid: int) -> int | None:
    """The real user id of a process. Its folder's owner may be root (prctl(2), PR_SET_DUMPABLE)."""
    try:
        with open(f"/proc/{pid}/status") as file:
            text = file.read()
    except OSError:
        return None
    _, _, rest = text.partition("\nUid:")
    return int(rest.split(None, 1)[0]) if rest else None
