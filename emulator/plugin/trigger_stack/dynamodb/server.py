"""Runs the bundled DynamoDB Local in place of the one LocalStack would download.

What is patched: ``DynamodbServer.get``, the singleton that LocalStack's providers ask for. Why:
LocalStack's own server installs the jar, a Java runtime and a Java agent from the internet at the
first request, which fails off line, and listens on every interface. Until: LocalStack can be
pointed at a jar that is there. ``tests/unit/plugin/test_dynamodb_server.py`` fails when it can.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from localstack.services.dynamodb.server import DynamodbServer
from localstack.utils.run import FuncThread

LOG = logging.getLogger(__name__)

#: The oldest Java that runs DynamoDB Local 1.25 (class file version 61).
MINIMUM_JAVA = 17
#: Keeps a server that cannot start from using a whole core.
_RESTART_PAUSE_SECONDS = 0.2
_LAUNCHER = Path(__file__).parent


class DynamoDBLocalMissingError(RuntimeError):
    """DynamoDB Local or Java is not installed; the message says how to install it."""


def installation() -> Path:
    """Folder with ``DynamoDBLocal.jar``: ``DYNAMODB_LOCAL_DIR``, or ``.build/dynamodb-local``.

    Raises:
        DynamoDBLocalMissingError: it is not there.
    """
    folder = Path(os.environ.get("DYNAMODB_LOCAL_DIR") or ".build/dynamodb-local").resolve()
    if not (folder / "DynamoDBLocal.jar").is_file():
        raise DynamoDBLocalMissingError(
            f"DynamoDB Local is not in {folder}. Install it with: make setup"
        )
    return folder


class BundledDynamodbServer(DynamodbServer):
    """LocalStack's server thread around the bundled jar.

    Tables are kept in a file below LocalStack's data folder, so that a killed Java process takes
    no accepted write with it: it is started again and reads them back.
    """

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port, host="127.0.0.1")
        self._restart = True
        self.process: subprocess.Popen[bytes] | None = None

    def _create_shell_command(self) -> list[str]:
        folder = installation()
        java = shutil.which("java")
        if java is None:
            raise DynamoDBLocalMissingError(
                f"DynamoDB Local needs Java {MINIMUM_JAVA} or newer, and there is no “java” on "
                "PATH. Install it, for example: apt-get install default-jre-headless"
            )
        storage = ["-dbPath", self.db_path] if self.db_path else ["-inMemory"]
        return [
            java,
            *self._get_java_vm_options(),
            f"-Xmx{self.heap_size}",
            # One small heap and a server that mostly waits: these halve start and memory.
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",  # a file in /tmp otherwise, whatever TMPDIR says
            f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",
            "-cp",
            os.pathsep.join([str(_LAUNCHER), str(folder / "DynamoDBLocal.jar")]),
            "LoopbackServer",
            "-port",
            str(self.port),
            *storage,
        ]

    def do_start_thread(self) -> FuncThread:
        command = self._create_shell_command()
        self._restart = True
        started = threading.Event()

        def run(_: object = None) -> None:
            while self._restart:
                with tempfile.TemporaryFile() as errors:
                    self.process = subprocess.Popen(
                        command,
                        # The sign of life that LoopbackServer watches: open as long as we live.
                        stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL,
                        stderr=errors,
                        cwd=self.db_path,  # it writes a metadata file where it is started
                        # With -disableTelemetry it still asks AWS for an identity at its start.
                        env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
                    )
                    started.set()
                    code = self.process.wait()
                    if self._restart:
                        errors.seek(0)
                        LOG.error(
                            "DynamoDB Local ended with %s and is started again, tables kept. %s",
                            code,
                            errors.read()[-500:].decode(errors="replace").strip(),
                        )
                        time.sleep(_RESTART_PAUSE_SECONDS)

        thread = FuncThread(run, name="dynamodb-local")
        thread.start()
        started.wait(10)
        return thread

    def do_shutdown(self) -> None:
        self._restart = False
        if self.process is not None:
            self.process.terminate()


_instance: BundledDynamodbServer | None = None
_lock = threading.Lock()


def get_server() -> BundledDynamodbServer:
    """The one server of this emulator."""
    global _instance  # noqa: PLW0603  # a singleton, as LocalStack's own
    with _lock:
        if _instance is None:
            from localstack import config

            _instance = BundledDynamodbServer(config.DYNAMODB_LOCAL_PORT or None)
        return _instance


def install() -> None:
    """Have LocalStack's DynamoDB providers use the bundled server."""
    DynamodbServer.get = staticmethod(get_server)  # type: ignore[method-assign]  # the patch
