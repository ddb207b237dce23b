"""Every message of every queue is in the journal.

What: ``put``, ``remove``, ``clear`` and ``remove_expired_messages`` of LocalStack's queues report
what they did; a subclass of ``SqsProvider`` answers a send when the journal has the messages, says
which go with a queue, and refuses what SQS refuses.
Why: LocalStack says nowhere where a message is, and drops an expired one without a word.
Until: as long as the journal exists.
Test: ``tests/delivery/test_message_journal.py``.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from localstack.services.sqs.exceptions import InvalidParameterValueException
from localstack.services.sqs.models import FifoQueue, SqsQueue, StandardQueue
from localstack.services.sqs.provider import MessageMoveTaskManager, SqsProvider

from trigger_stack.delivery.core.placement import NotPlacedError
from trigger_stack.delivery.sqs.journal import MessageJournal, Wait
from trigger_stack.localstack.placing import answer_when_placed
from trigger_stack.localstack.sqs import dead_letters, expiry, groups
from trigger_stack.localstack.sqs.groups import forget_duplicate
from trigger_stack.services.queue_limits import why_no_message
from trigger_stack.wsgi_server.before_response import Form


class _Doing(threading.local):
    """What a thread is doing inside a queue."""

    sending = False
    moving = False
    redriving = False
    expiring_in: SqsQueue | None = None


_doing = _Doing()


@functools.cache
def message_journal() -> MessageJournal:
    """The emulator's one journal of messages; ``JOURNAL_MESSAGES=0`` leaves messages out."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    def send(changes: bytes) -> Wait:
        return control_plane().begin({"op": "messages"}, changes)

    return MessageJournal(send, enabled=os.environ.get("JOURNAL_MESSAGES", "").strip() != "0")


class JournaledProvider(SqsProvider):
    """LocalStack's provider; what it has accepted is in the journal before the answer."""

    def send_message(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Accept one message."""
        with _committing(context):
            return super().send_message(context, *args, **kwargs)

    def send_message_batch(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Accept up to ten messages."""
        with _committing(context):
            return super().send_message_batch(context, *args, **kwargs)

    def _put_message(
        self,
        queue: Any,
        context: Any,
        message_body: Any,
        delay_seconds: Any = None,
        message_attributes: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Put one message, of a batch or alone, into a queue."""
        if problem := why_no_message(delay_seconds, message_attributes):
            raise InvalidParameterValueException(problem)
        return super()._put_message(
            queue, context, message_body, delay_seconds, message_attributes, *args, **kwargs
        )

    def create_queue(
        self, context: Any, queue_name: str, attributes: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Create a queue, with a redrive policy that SQS takes."""
        arn = f"arn:aws:sqs:{context.region}:{context.account_id}:{queue_name}"
        dead_letters.check(attributes, arn, is_fifo=queue_name.endswith(".fifo"))
        return super().create_queue(context, queue_name, attributes, *args, **kwargs)

    def set_queue_attributes(
        self, context: Any, queue_url: str, attributes: Any, **kwargs: Any
    ) -> None:
        """Set attributes of a queue, all of them or none."""
        queue = self._resolve_queue(context, queue_url=queue_url)
        dead_letters.check(attributes, queue.arn, is_fifo=isinstance(queue, FifoQueue))
        super().set_queue_attributes(context, queue_url, attributes, **kwargs)

    def delete_queue(self, context: Any, queue_url: str, **kwargs: Any) -> None:
        """Delete a queue with its messages."""
        arn = self._resolve_queue(context, queue_url=queue_url).arn
        super().delete_queue(context, queue_url, **kwargs)
        message_journal().add("emptied", arn, "DeleteQueue")


@contextmanager
def _committing(context: Any) -> Iterator[None]:
    """What is put into queues is in the journal before the answer, also after an error.

    When it cannot be written, the sender gets an error and sends again; the message may come twice.
    """
    _doing.sending = True
    try:
        yield
    finally:
        _doing.sending = False
        is_committed = message_journal().begin_to_commit()
        form = Form.QUERY if context.protocol == "query" else Form.JSON
        answer_when_placed(partial(_ensure, is_committed), "InternalError", form)


def _ensure(is_committed: Callable[[], bool]) -> None:
    if not is_committed():
        raise NotPlacedError("the message could not be recorded: there is no engine")


@contextmanager
def _moving() -> Iterator[None]:
    """What is put into a queue is a dead letter."""
    _doing.moving = True
    try:
        yield
    finally:
        _doing.moving = False


def install() -> None:
    """Have queues report. Idempotent."""
    if getattr(SqsQueue.remove, "_trigger_stack", False):
        return
    groups.install()
    expiry.install()
    dead_letters.install(_moving)
    _note_redrives()
    _report_put(StandardQueue)
    _report_put(FifoQueue)
    _report_removed(SqsQueue)
    _report_cleared(SqsQueue)
    _report_expired(SqsQueue, (StandardQueue, FifoQueue))


def _note_redrives() -> None:
    run = MessageMoveTaskManager._run

    @functools.wraps(run)
    def noting_run(manager: Any, task: Any) -> None:
        _doing.redriving = True
        try:
            run(manager, task)
        finally:
            _doing.redriving = False

    MessageMoveTaskManager._run = noting_run  # type: ignore[method-assign, assignment]  # the patch


def _report_put(queue_class: Any) -> None:
    put = queue_class.put

    @functools.wraps(put)
    def reporting_put(queue: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        journal, given = message_journal(), message["MessageId"]
        with queue.mutex:  # a removal is reported after this
            if _doing.redriving:
                _begin_anew(message)
            if _doing.moving or _doing.redriving:
                forget_duplicate(queue, kwargs.get("message_deduplication_id"))
            queued = put(queue, message, *args, **kwargs)
            if queued.message["MessageId"] != given:
                journal.add("repeated", queued.message["MessageId"], queue.arn)
            elif _doing.moving:
                journal.add("moved", given, queue.arn, _receives(message))
            else:
                due_at = queued.priority + queued.delay_seconds if queued.is_delayed else None
                trace = message["Attributes"].get("AWSTraceHeader")
                what = (given, queue.arn, due_at, trace, message["Body"])
                journal.add("accepted", *what, is_waited_for=_doing.sending)
        return queued

    queue_class.put = reporting_put


def _begin_anew(message: Any) -> None:
    """What a move task brings back counts as a new message, but for its id.

    AWS topic: Amazon SQS Developer Guide, "Configure a dead-letter queue redrive".
    """
    attributes = message["Attributes"]
    attributes["ApproximateReceiveCount"] = "0"
    attributes["SentTimestamp"] = str(int(time.time() * 1000))
    attributes.pop("ApproximateFirstReceiveTimestamp", None)


def _receives(message: Any) -> int:
    return int(message["Attributes"].get("ApproximateReceiveCount") or 0)


def _report_removed(queue_class: Any) -> None:
    remove = queue_class.remove

    @functools.wraps(remove)
    def reporting_remove(queue: Any, receipt_handle: str) -> None:
        with queue.mutex:
            removed = queue.receipts.get(receipt_handle)
            remove(queue, receipt_handle)
            if removed is not None and removed.deleted:
                message_journal().add(
                    "deleted", removed.message_id, queue.arn, removed.receive_count
                )

    reporting_remove._trigger_stack = True  # type: ignore[attr-defined]  # a mark
    queue_class.remove = reporting_remove


def _report_cleared(queue_class: Any) -> None:
    clear = queue_class.clear

    @functools.wraps(clear)
    def reporting_clear(queue: Any) -> None:
        with queue.mutex:
            clear(queue)
            message_journal().add("emptied", queue.arn, "PurgeQueue")

    queue_class.clear = reporting_clear


def _report_expired(base: Any, queue_classes: tuple[Any, ...]) -> None:
    from_heap = base.remove_expired_messages_from_heap

    def reporting_from_heap(heap: list[Any], retention_s: int) -> list[Any]:
        expired: list[Any] = from_heap(heap, retention_s)
        queue = _doing.expiring_in
        for message in expired:
            if queue is not None and not message.deleted:
                message_journal().add(
                    "discarded",
                    *(message.message_id, queue.arn, message.receive_count),
                    f"MessageRetentionPeriod of {queue.arn}",
                )
        return expired

    base.remove_expired_messages_from_heap = staticmethod(reporting_from_heap)
    for queue_class in queue_classes:
        _name_expiring(queue_class)


def _name_expiring(queue_class: Any) -> None:
    remove_expired = queue_class.remove_expired_messages

    @functools.wraps(remove_expired)
    def naming_remove_expired(queue: Any) -> None:
        with _expiring_in(queue):
            remove_expired(queue)

    queue_class.remove_expired_messages = naming_remove_expired


@contextmanager
def _expiring_in(queue: SqsQueue) -> Iterator[None]:
    _doing.expiring_in = queue
    try:
        yield
    finally:
        _doing.expiring_in = None
