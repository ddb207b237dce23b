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
#: The function that was asked for last begins meanwhile.
_FORK_AHEAD_AFTER_S = 0.005


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
    """Forks children on request and reaps them.

    To fork takes a third of the time until a small function runs, so one child is forked ahead,
    when nothing has been asked for a moment. It waits for its request, and has seen nothing of any
    function. When it is used up, or has ended, a child is forked as it is needed.
    """

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
        self._ahead: tuple[int, socket.socket] | None = None  # its process id and connection
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
            ready = self.selector.select(None if self._ahead else _FORK_AHEAD_AFTER_S)
            if not ready:
                self._fork_ahead()
            for key, _ in ready:
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
        if self._ahead is not None:
            self._ahead[1].close()  # it ends by itself
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
            data = _message(self.control, head)
        except ConnectionError:
            return False
        message = json.loads(data)
        if "release" in message:
            self.sandbox.drop_tmp(message["release"])
            return True
        if "kill" in message:
            child = self.children.get(message["kill"])
            if child is not None:
                self._kill(child)
            return True
        self._spawn(message["spawn"], data, fds)
        return True

    def _spawn(self, job: dict[str, Any], data: bytes, fds: list[int]) -> None:
        """Have a child become an environment.

        Args:
            job: The request.
            data: The message that it came in.
            fds: The descriptors that came with it.
        """
        log_fd, status_fd, *others = fds
        log_inode = os.fstat(log_fd).st_ino
        try:
            self.sandbox.make_tmp(job)
            pid = self._use_ahead(data, fds) or os.fork()
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
        self._become(job, fds)

    def _become(self, job: dict[str, Any], fds: list[int]) -> None:
        """In the child: run the function. Never returns."""
        log_fd, status_fd, *others = fds
        job["_fds"] = (log_fd, status_fd, others[0] if others else None)
        self.run_child(job)  # an exception, SystemExit too, ends the process as usual
        os._exit(1)

    def _fork_ahead(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:  # the next request says so
            ours.close()
            theirs.close()
            return
        if pid:
            theirs.close()
            self._ahead = pid, ours
            return
        ours.close()
        self._close_parent_descriptors()
        head, fds, _, _ = socket.recv_fds(theirs, 4, 4)
        if not head:
            os._exit(0)
        try:
            job = json.loads(_message(theirs, head))["spawn"]
        except ConnectionError:
            os._exit(0)
        theirs.close()
        self._become(job, fds)

    def _use_ahead(self, data: bytes, fds: list[int]) -> int | None:
        """Give a request to the child that was forked ahead; its process id, if there is one."""
        if self._ahead is None:
            return None
        (pid, connection), self._ahead = self._ahead, None
        with connection:
            try:
                socket.send_fds(connection, [struct.pack(">I", len(data))], fds)
                connection.sendall(data)
            except OSError:  # it has ended
                return None
        return pid

    def _close_parent_descriptors(self) -> None:
        """In the child: close the descriptors that only the parent needs.

        The garbage collector would close them much later, when their numbers belong to other files.
        """
        signal.set_wakeup_fd(-1)
        self.selector.close()
        self.control.close()
        if self._ahead is not None:
            self._ahead[1].close()
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
            if self._ahead is not None and self._ahead[0] == pid:
                self._ahead[1].close()
                self._ahead = None
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
            if pid in self.children or (self._ahead is not None and pid == self._ahead[0]):
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


def _message(connection: socket.socket, head: bytes) -> bytes:
    """The rest of a message, of whose length ``head`` has come. Raises ConnectionError."""
    while len(head) < 4:
        head += _receive(connection, 4 - len(head))
    return _receive(connection, struct.unpack(">I", head)[0])


def _receive(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _user_of(pid: int) -> int | None:
    """The real user id of a process. Its folder's owner may be root (prctl(2), PR_SET_DUMPABLE)."""
    try:
        with open(f"/proc/{pid}/status") as file:
            text = file.read()
    except OSError:
        return None
    _, _, rest = text.partition("\nUid:")
    return int(rest.split(None, 1)[0]) if rest else None
