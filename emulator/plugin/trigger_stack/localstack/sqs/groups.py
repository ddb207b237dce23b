"""A message of a FIFO queue that is in flight blocks its group, and no other.

What: ``_put_message`` and ``requeue_inflight_messages`` of LocalStack's ``FifoQueue`` are replaced;
a move to a dead-letter queue or back from there is no duplicate: ``put`` forgets the earlier one.
Why: LocalStack gives out a group again when one of its messages becomes visible, though another is
still in flight. A message with a longer visibility time-out keeps those of every other group away
that were received after it. A redrive within five minutes, and a second move to the dead-letter
queue, lose the message: the queue had its deduplication id.
Until: LocalStack's groups are blocked by their own messages, and its moves do not deduplicate.
Test: ``tests/unit/plugin/test_queue_model.py``, ``tests/unit/plugin/test_queue_groups.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.services.sqs.models import FifoQueue


def _put_message(queue: Any, message: Any) -> None:
    """Put a message into its group, which is given out again when none of it is in flight.

    AWS topic: Amazon SQS Developer Guide, "FIFO queue delivery logic".
    """
    group = queue.get_message_group(message.message_group_id)
    with queue.mutex:
        was_empty = group.empty()
        group.push(message)
        if group in queue.inflight_groups:
            # A new message may come while a receive has not yet noted what it has taken.
            if message.receive_count < 1 or _has_in_flight(queue, group):
                return
            queue.inflight_groups.remove(group)
            queue.message_group_queue.put_nowait(group)
        elif was_empty:
            queue.message_group_queue.put_nowait(group)


def _has_in_flight(queue: Any, group: Any) -> bool:
    name = group.message_group_id
    return any(one.message_group_id == name for one in queue.inflight)


def _requeue_inflight_messages(queue: Any) -> None:
    """Put back what is visible again; within a group not before what was received before it."""
    if not queue.inflight:
        return
    with queue.mutex:
        blocked, ready = set(), []
        for message in queue.inflight:
            if not message.is_visible:
                blocked.add(message.message_group_id)
            elif message.message_group_id not in blocked:
                ready.append(message)
        for message in ready:
            del queue.inflight[message]
        for message in ready:
            queue._put_message(message)


def forget_duplicate(queue: Any, deduplication_id: str | None) -> None:
    """Let a message in that the queue had: it is moved, and not sent again."""
    if isinstance(queue, FifoQueue) and deduplication_id:
        queue.deduplication.pop(deduplication_id, None)


def install() -> None:
    """Replace the two. Idempotent."""
    patched: Any = FifoQueue
    patched._put_message = _put_message
    patched.requeue_inflight_messages = _requeue_inflight_messages
