"""Starts DynamoDB Local beside LocalStack's own boot, so that the first user does not wait."""

import logging
import threading

from localstack.runtime import hooks

from trigger_stack.dynamodb.server import DynamoDBLocalMissingError, get_server, install
from trigger_stack.preload import preloaded

LOG = logging.getLogger(__name__)


@hooks.on_infra_start(priority=10)
def start_dynamodb_local() -> None:
    """Use the bundled server; start it in the background when DynamoDB is to be preloaded."""
    install()
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
