"""Runs the bundled DynamoDB Local in place of the one LocalStack would download.

What: ``DynamodbServer.get`` is replaced, the singleton that LocalStack's providers ask for; two
hooks start and end the server with LocalStack.
Why: LocalStack's own server installs the jar, a Java runtime and a Java agent from the internet at
the first request, which fails off line, and listens on every interface.
Until: LocalStack can be pointed at a jar that is there.
Test: ``tests/unit/plugin/test_dynamodb_server.py::test_localstack_still_downloads_what_it_starts``.
"""

from __future__ import annotations

import functools
import logging
import threading

from localstack.runtime import hooks
from localstack.services.dynamodb.server import DynamodbServer
from localstack.utils.run import FuncThread

from trigger_stack.localstack.dynamodb import kinesis_destinations, time_to_live
from trigger_stack.localstack.dynamodb.forwarder import Forwarder
from trigger_stack.localstack.preload import preloaded
from trigger_stack.services.dynamodb_local.process import (
    DynamoDBLocal,
    DynamoDBLocalMissingError,
    command_line,
)
from trigger_stack.services.dynamodb_local.warm_up import warm_up

LOG = logging.getLogger(__name__)
_START_SECONDS = 10


class BundledDynamodbServer(DynamodbServer):
    """LocalStack's server thread around the bundled jar."""

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port, host="127.0.0.1")
        self.proxy: Forwarder = Forwarder(self.host, self.port)
        self.java: DynamoDBLocal | None = None

    def _create_shell_command(self) -> list[str]:
        return command_line(self.port, self.db_path, self.heap_size, self._get_java_vm_options())

    def do_start_thread(self) -> FuncThread:
        """Start the process, and a thread that starts it again when it ends."""
        begun = functools.partial(warm_up, self.host, self.port)
        java = DynamoDBLocal(self._create_shell_command(), self.db_path, begun)
        self.java = java
        thread = FuncThread(lambda _=None: java.run(), name="dynamodb-local")
        thread.start()
        java.started.wait(_START_SECONDS)
        return thread

    def do_shutdown(self) -> None:
        """End the process."""
        if self.java is not None:
            self.java.stop()


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


@hooks.on_infra_start(priority=10)
def start_dynamodb_local() -> None:
    """Use the bundled server; start it in the background when DynamoDB is to be preloaded."""
    install()
    time_to_live.install()
    kinesis_destinations.install()
    if "dynamodb" not in preloaded():
        return

    def start() -> None:
        try:
            get_server().start_dynamodb()
        except DynamoDBLocalMissingError as error:
            LOG.error("%s", error)  # noqa: TRY400  # a sentence for the user, not a traceback

    threading.Thread(target=start, name="dynamodb-local-start", daemon=True).start()


@hooks.on_infra_shutdown()
def stop_dynamodb_local() -> None:
    """End the Java process before LocalStack ends."""
    get_server().do_shutdown()
