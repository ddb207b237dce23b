"""The emulator's end of a zygote: starts it, asks it for children, ends it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)
_HELLO_TIMEOUT_S = 20.0
ZYGOTE = Path(__file__).parent / "zygote" / "__main__.py"


class SpawnError(Exception):
    """No process could be started; the text says why."""


class NothingToStartError(SpawnError):
    """The function is the reason, not the machine: it has nothing that could be started."""


class Spawner:
    """One zygote process: ``interpreter`` forks children, or only executes other programs.

    Args:
        interpreter: Absolute path of the interpreter that the zygote runs in.
        paths: Folders that the pre-imported modules come from.
        modules: Modules to import before the first fork.
        sandbox: ``wanted``: whether to isolate at all; ``needed``: folders that functions must be
            able to read; ``hide``: the emulator's own folders.
    """

    def __init__(
        self,
        interpreter: str,
        paths: list[Path],
        modules: list[str],
        sandbox: dict[str, Any],
    ) -> None:
        self.interpreter = interpreter
        self.paths = paths
        self.modules = modules
        self.sandbox = sandbox
        self._facts: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False

    def ensure_started(self) -> None:
        """Start the zygote unless it runs; it imports while the caller goes on."""
        with self._lock:
            self._ensure_started()

    def _ensure_started(self) -> socket.socket:
        if self._closed:
            raise SpawnError("the emulator is shutting down")
        if self._process is not None and self._process.poll() is None and self._control:
            return self._control
        self._discard()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [
            self.interpreter,
            "-X",
            "utf8",
            "-I",
            "-S",
            "-B",
            str(ZYGOTE),
            "--control",
            str(theirs.fileno()),
            "--sandbox",
            json.dumps(self.sandbox),
        ]
        for path in self.paths:
            command += ["--path", str(path)]
        for module in self.modules:
            command += ["--preload", module]
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise SpawnError(f"cannot start {self.interpreter}: {error.strerror}") from error
        finally:
            theirs.close()
        self._control = ours
        self._facts = None
        return ours

    def isolation(self) -> dict[str, Any]:
        """The isolation in force: ``mounts``, ``users``, ``opt`` (booleans), ``why``.

        Raises:
            SpawnError: The zygote does not come up.
        """
        with self._lock:
            control = self._ensure_started()
            if self._facts is None:
                control.settimeout(_HELLO_TIMEOUT_S)
                try:
                    line = b""
                    while not line.endswith(b"\n"):
                        part = control.recv(4096)
                        if not part:
                            raise SpawnError(f"{self.interpreter} ended at once")
                        line += part
                    self._facts = json.loads(line)
                except OSError as error:
                    raise SpawnError(f"{self.interpreter} does not answer") from error
                finally:
                    control.settimeout(None)
            return dict(self._facts or {})

    def release(self, environment_id: str) -> None:
        """Forget the ``/tmp`` of an environment."""
        self._send({"release": environment_id})

    def _discard(self) -> None:
        if self._control:
            self._control.close()
            self._control = None
        if self._process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0)
            self._process = None

    def spawn(self, job: dict[str, Any], *fds: int) -> None:
        """Ask for a child.

        ``fds``: where its output goes, where what becomes of it is reported, and for a forked one
        its end of the Runtime API's connection.

        Raises:
            SpawnError: The zygote does not run and cannot be started.
        """
        data = json.dumps({"spawn": job}).encode()
        head = struct.pack(">I", len(data))
        with self._lock:
            for attempt in (1, 2):
                control = self._ensure_started()
                try:
                    socket.send_fds(control, [head], list(fds))
                    control.sendall(data)
                except OSError as error:
                    self._discard()
                    if attempt == 2:
                        raise SpawnError(f"the parent of functions is gone: {error}") from error
                    continue
                return

    def kill(self, pid: int) -> None:
        """End a child with all its processes. Returns at once; its status pipe tells when."""
        self._send({"kill": pid})

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode()
        with self._lock:
            if self._control is None:
                return
            # When the zygote is gone its children died with it.
            with contextlib.suppress(OSError):
                self._control.sendall(struct.pack(">I", len(data)) + data)

    def close(self) -> None:
        """End the zygote and every child it has."""
        with self._lock:
            self._closed = True
            process = self._process
            if self._control:
                self._control.close()
                self._control = None
        if process is None:
            return
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=1)

    @property
    def is_ready(self) -> bool:
        """Whether the zygote runs and has said what isolation is in force."""
        return self._facts is not None and self.pid is not None

    @property
    def pid(self) -> int | None:
        """Process id of the zygote, when it runs."""
        process = self._process
        return process.pid if process and process.poll() is None else None
