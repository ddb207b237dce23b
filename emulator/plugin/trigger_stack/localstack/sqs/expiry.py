"""What expires, or is deleted after it expired, disturbs no receive that is under way.

What: ``remove_expired_messages`` of LocalStack's two queues, ``_on_remove_message`` of a standard
one.
Why: LocalStack changes the heap of visible messages without the lock under which a receive takes
one from it, when messages expire and when one is deleted by a receipt that has expired: a message
that is taken in that moment can be lost. A FIFO group whose messages have all expired stays in the
queue of groups; with its next message it is there twice, and two receivers get messages of one
group at a time.
Until: LocalStack takes that lock, and drops groups that are empty.
Test: ``tests/unit/plugin/test_queue_expiry.py``.

AWS topic: Amazon SQS Developer Guide, "FIFO queue delivery logic".
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.services.sqs.models import FifoQueue, StandardQueue


def install() -> None:
    """Patch LocalStack's queues. Idempotent."""
    standard: Any = StandardQueue
    fifo: Any = FifoQueue
    if hasattr(standard.remove_expired_messages, "__wrapped__"):
        return
    standard.remove_expired_messages = _locked(standard.remove_expired_messages)
    standard._on_remove_message = _locked(standard._on_remove_message)
    remove_expired = fifo.remove_expired_messages

    @functools.wraps(remove_expired)
    def remove_expired_and_drop(queue: Any) -> None:
        with queue.mutex:
            remove_expired(queue)
            _drop_empty_groups(queue.message_group_queue)

    fifo.remove_expired_messages = remove_expired_and_drop


def _locked(change: Any) -> Any:
    @functools.wraps(change)
    def change_locked(queue: Any, *args: Any) -> None:
        # In this order: whoever puts a message back holds the first when it asks for the second.
        with queue.mutex, queue.visible.mutex:
            change(queue, *args)

    return change_locked


def _drop_empty_groups(groups: Any) -> None:
    with groups.mutex:
        kept = [group for group in groups.queue if not group.empty()]
        if len(kept) < len(groups.queue):
            groups.queue.clear()
            groups.queue.extend(kept)
