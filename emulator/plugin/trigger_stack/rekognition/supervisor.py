"""Start, ask, time out, restart and stop the worker process."""

import atexit
import contextlib
import importlib.util
import logging
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from trigger_stack.rekognition.errors import RekognitionError
from trigger_stack.rekognition.protocol import ProtocolError, read_frame, write_frame

LOG = logging.getLogger(__name__)

MODEL_FILES = ("classifier.onnx", "text-detector.onnx", "text-recognizer.onnx")
PACKAGES = ("numpy", "onnxruntime", "PIL")
ANSWER_SECONDS = 30.0

# For glibc: one arena, and large blocks given back as soon as they are free. The process lives
# long and needs most of its memory for a few milliseconds a picture.
_ALLOCATOR = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1024**2),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 1024**2),
}


def model_dir() -> Path:
    """The folder of the models: ``REKOGNITION_MODEL_DIR``, by default ``.build/vision``."""
    return Path(os.environ.get("REKOGNITION_MODEL_DIR") or ".build/vision").absolute()


def _missing_parts(folder: Path) -> list[str]:
    missing = [f"package {name}" for name in PACKAGES if importlib.util.find_spec(name) is None]
    return missing + [str(folder / name) for name in MODEL_FILES if not (folder / name).is_file()]


class _WorkerEndedError(Exception):
    """The worker ended without an answer; it is not there any more."""


class _TooLateError(ProtocolError):
    """The worker took too long."""


def _internal_error(message: str) -> RekognitionError:
    return RekognitionError("InternalServerError", f"{message}; the next call starts another")


class Supervisor:
    """One worker process, started with the first request and asked one thing at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    @property
    def pid(self) -> int | None:
        """The process id of the running worker, or ``None``."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def ask(self, operation: str, request: dict[str, Any], picture: bytes) -> dict[str, Any]:
        """Return the worker's response.

        Raises:
            RekognitionError: the picture or the request is refused, the vision part is not
                installed, or the worker died or took too long; the next call starts another.
        """
        with self._lock:
            # One that is killed between two pictures is no fault of the second, which may find it
            # still ending. A new one that ends, ends because of this picture.
            with contextlib.suppress(_WorkerEndedError):
                if self._process is not None:
                    return self._answer(operation, request, picture)
            try:
                return self._answer(operation, request, picture)
            except _WorkerEndedError as error:
                raise _internal_error(
                    "The vision worker ended while it looked at this picture"
                ) from error

    def _answer(self, operation: str, request: dict[str, Any], picture: bytes) -> dict[str, Any]:
        process = self._running()
        try:
            return self._exchange(process, operation, request, picture)
        except (OSError, ProtocolError) as error:
            status = self._kill()
            LOG.warning("the vision worker ended (%s, status %s)", error, status)
            if isinstance(error, _TooLateError):
                raise _internal_error(f"The vision worker gave {error}") from error
            raise _WorkerEndedError from error

    def stop(self) -> None:
        """End the worker if one runs."""
        with self._lock:
            self._kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        self._kill()
        folder = model_dir()
        if missing := _missing_parts(folder):
            raise RekognitionError(
                "ResourceNotReadyException",
                "Rekognition's models are not installed on this emulator: run `make vision` and "
                f"restart it. Missing: {', '.join(missing)}",
            )
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "trigger_stack.rekognition.worker", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ALLOCATOR},
        )
        return self._process

    def _exchange(
        self,
        process: subprocess.Popen[bytes],
        operation: str,
        request: dict[str, Any],
        picture: bytes,
    ) -> dict[str, Any]:
        assert process.stdin and process.stdout  # both are pipes, see Popen
        deadline = time.monotonic() + ANSWER_SECONDS
        write_frame(process.stdin, {"operation": operation, "request": request}, picture)
        # poll, not select: the emulator may have more than 1024 files open.
        answer = select.poll()
        answer.register(process.stdout, select.POLLIN)
        if not answer.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise _TooLateError(f"no answer in {ANSWER_SECONDS:.0f} seconds")
        frame = read_frame(process.stdout)
        if frame is None:
            raise ProtocolError("the pipe was closed")
        header, _ = frame
        if error := header.get("error"):
            raise RekognitionError(error["code"], error["message"])
        response: dict[str, Any] = header["response"]
        return response

    def _kill(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
        return process.wait()
