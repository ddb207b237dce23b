"""A record wakes the event source mappings of its stream.

What: the event that ends the loop of LocalStack's ``EsmWorker`` is replaced for streams by one that
also ends its pause; ``EventForwarder.forward_to_ddb_stream`` and a handler in
``run_custom_response_handlers``, LocalStack's own list, set it.
Why: LocalStack asks a stream once a second, and less often when it was empty. A change of a table
that cannot be written to its stream is a line that the default log level hides.
Until: LocalStack's pollers wait for records.
Test: ``tests/unit/plugin/test_stream_patches.py``.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from localstack.aws.handlers import run_custom_response_handlers
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmWorker
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory

LOG = logging.getLogger(__name__)
_ATTEMPTS = 5
_PAUSE_S = 0.5
_PUTS = frozenset({"PutRecord", "PutRecords"})
_lock = threading.Lock()
_pauses: weakref.WeakKeyDictionary[EsmWorker, Pause] = weakref.WeakKeyDictionary()


class Pause(threading.Event):
    """Is set when the loop is to end; ``wake`` ends the present wait, or the next one."""

    def __init__(self, source_arn: str) -> None:
        super().__init__()
        self.source_arn = source_arn
        self._woken = False
        self._changed = threading.Condition()

    def wake(self) -> None:
        """Have the loop go on."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def set(self) -> None:
        """End the loop."""
        super().set()
        self.wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the loop is to end or to go on; whether it is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._woken or self.is_set(), timeout)
            self._woken = False
        return self.is_set()


def wake(belongs: Callable[[str], bool]) -> None:
    """Have the mappings of a stream ask for records now.

    Args:
        belongs: Whether the ARN of a source is the stream's.
    """
    with _lock:
        pauses = list(_pauses.values())
    for pause in pauses:
        if belongs(pause.source_arn):
            pause.wake()


def attend(worker: EsmWorker) -> None:
    """Let records of its stream wake a worker."""
    pause = Pause(worker.esm_config["EventSourceArn"] or "")
    worker._shutdown_event = pause
    with _lock:
        _pauses[worker] = pause


def _after_put(chain: Any, context: Any, response: Any) -> None:
    """Response handler: a record of a Kinesis stream was put."""
    del chain
    if context.service is None or context.service.service_name != "kinesis":
        return
    if context.operation is None or context.operation.name not in _PUTS:
        return
    if response.status_code < 300:
        request = context.service_request or {}
        name = request.get("StreamName") or str(request.get("StreamARN")).rpartition("/")[2]
        ending = f":{context.region}:{context.account_id}:stream/{name}"
        wake(lambda arn: arn.endswith(ending))


def install() -> None:
    """Patch LocalStack's workers. Idempotent."""
    original = EsmWorkerFactory.get_esm_worker
    if getattr(original, "_trigger_stack_streams", False):
        return

    def get_esm_worker(self: EsmWorkerFactory) -> EsmWorker:
        worker = original(self)
        source = worker.esm_config.get("EventSourceArn") or ""
        if ":kinesis:" in source or ":dynamodb:" in source:
            attend(worker)
        return worker

    get_esm_worker._trigger_stack_streams = True  # type: ignore[attr-defined]  # a mark
    EsmWorkerFactory.get_esm_worker = get_esm_worker  # type: ignore[method-assign]  # the patch
    run_custom_response_handlers.append(_after_put)
    _install_for_tables()


def _install_for_tables() -> None:
    from localstack.services.dynamodb.provider import EventForwarder

    forward = EventForwarder.forward_to_ddb_stream

    def forward_to_ddb_stream(account_id: str, region_name: str, records_map: Any) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                forward(account_id, region_name, records_map)
                break
            except Exception as error:
                if attempt == _ATTEMPTS:
                    LOG.error("EVENT LOST, stream of a table: %s. %s", error, records_map)  # noqa: TRY400  a line to act on
                    return
                time.sleep(_PAUSE_S)
        for table in records_map:
            part = f":{region_name}:{account_id}:table/{table}/stream/"
            wake(lambda arn, part=part: part in arn)  # type: ignore[misc]  # bound at once

    EventForwarder.forward_to_ddb_stream = staticmethod(forward_to_ddb_stream)  # type: ignore[method-assign]  # the patch
