"""The Java process of DynamoDB Local: what is installed, its command line, restarts.

Tables are kept in a file, so that a killed Java process takes no accepted write with it: it is
started again and reads them back.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOG = logging.getLogger(__name__)

#: The oldest Java that runs DynamoDB Local 1.25 (class file version 61).
MINIMUM_JAVA = 17
#: Keeps a server that cannot start from using a whole core.
#: Java ends in a fifth of a second.
_STOP_SECONDS = 3.0
_RESTART_PAUSE_SECONDS = 0.2
_LAUNCHER = Path(__file__).parent
#: Takes 1.2 seconds of the processor from the start, and 20 MB from the memory.
_QUICK_START = (
    # The archive is the locked one, by its hash: nobody else has to look through its bytecode.
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
    # Log4j reads a configuration in XML and 600 classes, for errors on standard error only.
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",
    "-Dlog4j2.disable.jmx=true",
)


class DynamoDBLocalMissingError(RuntimeError):
    """DynamoDB Local or Java is not installed; the message says how to install it."""


def installation() -> Path:
    """Folder with ``DynamoDBLocal.jar``: ``DYNAMODB_LOCAL_DIR``, or ``.build/dynamodb-local``.

    Raises:
        DynamoDBLocalMissingError: It is not there.
    """
    folder = Path(os.environ.get("DYNAMODB_LOCAL_DIR") or ".build/dynamodb-local").resolve()
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise DynamoDBLocalMissingError(
            f"DynamoDB Local is not in {folder}. Install it with: make setup"
        )
    return folder


def command_line(
    port: int, db_path: str | None, heap_size: str, java_options: Sequence[str] = ()
) -> list[str]:
    """The command that runs DynamoDB Local on the loopback interface.

    Args:
        port: TCP port to listen on.
        db_path: Folder for tables; ``None`` keeps them in memory.
        heap_size: Java's largest heap, for example ``256m``.
        java_options: Further options of the Java virtual machine.

    Raises:
        DynamoDBLocalMissingError: DynamoDB Local or Java is not installed.
    """
    folder = installation()
    java = shutil.which("java")
    if java is None:
        raise DynamoDBLocalMissingError(
            f"DynamoDB Local needs Java {MINIMUM_JAVA} or newer, and there is no “java” on "
            "PATH. Install it, for example: apt-get install default-jre-headless"
        )
    storage = ["-dbPath", db_path] if db_path else ["-inMemory"]
    return [
        java,
        *java_options,
        f"-Xmx{heap_size}",
        # One small heap and a server that mostly waits: these halve start and memory.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:CompileThresholdScaling=0.2",  # see warm_up.py
        "-XX:-UsePerfData",  # a file in /tmp otherwise, whatever TMPDIR says
        *_QUICK_START,
        f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",
        "-cp",
        os.pathsep.join([str(_LAUNCHER), str(folder / "DynamoDBLocal.jar")]),
        "LoopbackServer",
        "-port",
        str(port),
        *storage,
    ]


class DynamoDBLocal:
    """The process, started again whenever it ends until :meth:`stop`.

    Attributes:
        process: The current process, once there is one.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: str | None,
        begun: Callable[[Callable[[], bool]], object] = lambda _: None,
    ) -> None:
        """Take the command line, and the folder in which to run it.

        ``begun`` is called in a thread of its own when the process has begun, each time, with what
        says whether it runs.
        """
        self._command = command
        self._folder = folder
        self._begun = begun
        self._wanted = True
        self.process: subprocess.Popen[bytes] | None = None
        self.started = threading.Event()

    def run(self) -> None:
        """Run the process until :meth:`stop`; blocks."""
        while self._wanted:
            with tempfile.TemporaryFile() as errors:
                self.process = subprocess.Popen(
                    self._command,
                    # LoopbackServer ends when this pipe closes: with the emulator.
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd=self._folder,  # it writes a metadata file where it is started
                    # With -disableTelemetry it still asks AWS for an identity at its start.
                    env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
                )
                self.started.set()
                running = functools.partial(self._runs, self.process)
                threading.Thread(target=self._begun, args=(running,), daemon=True).start()
                code = self.process.wait()
                if self._wanted:
                    errors.seek(0)
                    LOG.error(
                        "DynamoDB Local ended with %s and is started again, tables kept. %s",
                        code,
                        errors.read()[-500:].decode(errors="replace").strip(),
                    )
                    time.sleep(_RESTART_PAUSE_SECONDS)

    def _runs(self, process: subprocess.Popen[bytes]) -> bool:
        return self._wanted and process.returncode is None

    def stop(self) -> None:
        """End the process for good; it has ended when this returns."""
        self._wanted = False
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
