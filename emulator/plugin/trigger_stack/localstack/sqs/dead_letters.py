"""A message that was received too often is in the dead-letter queue, or stays in its own.

What: ``receive`` of LocalStack's two queues moves dead letters itself; ``max_receive_count`` is
None while the dead-letter queue cannot take any; ``SqsMessage`` keeps the time of the first send in
a standard queue. ``check`` says why attributes are refused.
Why: LocalStack takes messages out of the queue first and looks for the dead-letter queue then: when
that is gone, or of the other type, the receive ends with an error and the messages have vanished. A
move task drops dead letters of its own source. LocalStack takes every redrive policy, with a queue
that does not exist, that is of the other type or that forbids it, and a
time-out that is no number, with which no message can be received. A dead letter is as old as its
move, so that it outlives the retention period of AWS.
Until: LocalStack moves a message at once or not at all, and refuses what SQS refuses.
Test: ``tests/delivery/test_dead_letter_queues.py``,
``tests/unit/plugin/test_dead_letter_moves.py``.

AWS topic: Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS": the expiration of
a message of a standard queue is based on its original enqueue timestamp.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from localstack.services.sqs.exceptions import InvalidAttributeValue, InvalidParameterValueException
from localstack.services.sqs.models import (
    FifoQueue,
    SqsMessage,
    SqsQueue,
    StandardQueue,
    sqs_stores,
)
from localstack.services.sqs.provider import _STORE_LOCK

from trigger_stack.services.queue_limits import why_no_attributes
from trigger_stack.services.redrive_policies import takes_letters, why_refused

LOG = logging.getLogger(__name__)
_MARK = "_trigger_stack_dead_letters"
_POLICY = "RedrivePolicy"

#: Says that what a thread puts into a queue is moved, and not sent.
type Moving = Callable[[], AbstractContextManager[None]]


class _Moved(threading.local):
    """What a thread moves.

    Attributes:
        created: When the message was sent, in seconds since 1970.
    """

    created: float | None = None


_moved = _Moved()


def check(attributes: Mapping[str, str] | None, arn: str, *, is_fifo: bool) -> None:
    """Check the attributes that a queue is to have.

    Raises:
        InvalidAttributeValue: SQS refuses one.
        InvalidParameterValueException: SQS refuses the redrive policy.
    """
    if problem := why_no_attributes(attributes or {}):
        raise InvalidAttributeValue(problem)
    if problem := why_refused((attributes or {}).get(_POLICY) or "", arn, is_fifo, _attributes):
        raise InvalidParameterValueException(problem)


def install(moving: Moving) -> None:
    """Patch LocalStack's queues. Idempotent.

    Args:
        moving: Is entered while a dead letter is put into its queue.
    """
    base: Any = SqsQueue
    if hasattr(base, _MARK):
        return
    setattr(base, _MARK, True)
    base.max_receive_count = property(_max_receive_count)
    for queue_class in (StandardQueue, FifoQueue):
        _move_on_receive(queue_class, moving)
    _keep_time(SqsMessage)


def _find(arn: str) -> Any:
    _, _, service, region, account, name = [*arn.split(":"), *[""] * 6][:6]
    return sqs_stores[account][region].queues.get(name) if service == "sqs" else None


def _attributes(arn: str) -> Mapping[str, str] | None:
    queue = _find(arn)
    return queue.attributes if queue else None


def _max_receive_count(queue: Any) -> int | None:
    """How often a message is given out; None when there is no place for it afterwards."""
    policy = queue.redrive_policy or {}
    target = str(policy.get("deadLetterTargetArn"))
    if not takes_letters(target, isinstance(queue, FifoQueue), _attributes):
        return None
    return int(policy["maxReceiveCount"])


def _move_on_receive(queue_class: Any, moving: Moving) -> None:
    receive = queue_class.receive

    @functools.wraps(receive)
    def receive_and_move(queue: Any, *args: Any, **kwargs: Any) -> Any:
        result = receive(queue, *args, **kwargs)
        letters, result.dead_letter_messages = result.dead_letter_messages, []
        for letter in letters:
            if not letter.deleted:  # by an earlier receiver, meanwhile
                _move(queue, letter, moving)
        return result

    queue_class.receive = receive_and_move


def _move(queue: Any, letter: Any, moving: Moving) -> None:
    """Put a message into the dead-letter queue; it stays in its own when that fails."""
    try:
        with _STORE_LOCK, moving(), _sent_at(queue, letter):  # a queue is deleted under this lock
            target = _find(queue.redrive_policy["deadLetterTargetArn"])
            letter.message["Attributes"]["DeadLetterQueueSourceArn"] = queue.arn
            target.put(
                message=letter.message,
                message_deduplication_id=letter.message_deduplication_id,
                message_group_id=letter.message_group_id,
            )
    except Exception as error:  # whatever it was, the message must not be lost
        LOG.warning("%s keeps message %s: %r", queue.arn, letter.message_id, error)
        letter.message["Attributes"].pop("DeadLetterQueueSourceArn", None)
        queue._put_message(letter)
        return
    if isinstance(queue, FifoQueue):
        queue.update_message_group_visibility(queue.get_message_group(letter.message_group_id))


@contextmanager
def _sent_at(queue: Any, letter: Any) -> Iterator[None]:
    _moved.created = None if isinstance(queue, FifoQueue) else letter.created
    try:
        yield
    finally:
        _moved.created = None


def _keep_time(message_class: Any) -> None:
    initialise = message_class.__init__

    @functools.wraps(initialise)
    def keep_time(message: Any, priority: float, *args: Any, **kwargs: Any) -> None:
        created = _moved.created
        initialise(message, priority if created is None else created, *args, **kwargs)
        if created is not None:
            message.created = created

    message_class.__init__ = keep_time
