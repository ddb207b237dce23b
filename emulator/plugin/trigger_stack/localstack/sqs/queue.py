"""A queue of LocalStack, used in its own process.

What: ``SqsProvider.receive_message`` and ``delete_message_batch`` are called directly, with
LocalStack's own headers for batches of more than 10; the wait for a message is one on the condition
of LocalStack's own queue of visible messages.
Why: an HTTP request to ourselves for each batch takes longer than all the rest, and cannot wait for
a message without holding a thread of the gateway.
Until: LocalStack's internal clients call a provider without HTTP.
Test: ``tests/delivery/test_sqs.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.spec import load_service
from localstack.http import Request
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.services.sqs.constants import HEADER_LOCALSTACK_SQS_OVERRIDE_MESSAGE_COUNT
from localstack.services.sqs.models import FifoQueue

from trigger_stack.delivery.sqs.records import Message
from trigger_stack.localstack.sqs.journal import message_journal

_MOST_OF_A_REQUEST = 10_000


class InProcessQueue:
    """The queue with an ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        _, _, _, self._region, self._account, self._name = arn.split(":")

    def wait(self, wait_s: float, interrupted: Callable[[], bool]) -> None:
        """Wait for a message, at most ``wait_s`` seconds; ``interrupt`` ends the wait."""
        visible = self._visible()
        with visible.not_empty:
            visible.not_empty.wait_for(
                lambda: visible.queue or visible.is_shutdown or interrupted(), wait_s
            )

    def interrupt(self) -> None:
        """Have ``wait`` ask again whether it is interrupted."""
        visible = self._visible()
        with visible.not_empty:
            visible.not_empty.notify_all()

    def _visible(self) -> Any:
        """LocalStack's queue of visible messages, or of groups that have one.

        Raises:
            QueueDoesNotExist: There is no such queue any longer.
        """
        provider, context, url = self._request()
        queue = provider._resolve_queue(context, queue_url=url)
        return queue.message_group_queue if isinstance(queue, FifoQueue) else queue.visible

    def receive(self, count: int) -> list[Message]:
        """Take up to ``count`` messages that are visible."""
        provider, context, url = self._request()
        context.request.headers[HEADER_LOCALSTACK_SQS_OVERRIDE_MESSAGE_COUNT] = str(count)
        result = provider.receive_message(
            context,
            url,
            message_system_attribute_names=["All"],
            message_attribute_names=["All"],
            wait_time_seconds=0,
        )
        return result.get("Messages") or []

    def visibility_timeout_s(self) -> int:
        """The queue's ``VisibilityTimeout``."""
        provider, context, url = self._request()
        answer = provider.get_queue_attributes(context, url, ["VisibilityTimeout"])
        return int(answer["Attributes"]["VisibilityTimeout"])

    def failed(self, messages: list[Message], request_id: str) -> None:
        """An invocation has failed for messages, which stay in the queue. Never raises."""
        for one in messages:
            attempts = int(one["Attributes"]["ApproximateReceiveCount"])
            message_journal().add("failed", one["MessageId"], attempts, request_id)

    def handled(self, messages: list[Message], request_id: str) -> None:
        """An invocation has handled messages, which are deleted next. Never raises."""
        for one in messages:
            message_journal().add("handled", one["MessageId"], request_id)

    def delete(self, messages: list[Message], discarded_by: str = "") -> None:
        """Delete messages that were received.

        Args:
            messages: These.
            discarded_by: The setting that drops them; an empty text when they were handled.

        Raises:
            RuntimeError: Some could not be deleted.
        """
        provider, context, url = self._request()
        if discarded_by:
            for one in messages:
                attempts = int(one["Attributes"]["ApproximateReceiveCount"])
                message_journal().add(
                    "discarded", one["MessageId"], self._arn, attempts, discarded_by
                )
        context.request.headers[HEADER_LOCALSTACK_SQS_OVERRIDE_MESSAGE_COUNT] = str(
            _MOST_OF_A_REQUEST
        )
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        result = provider.delete_message_batch(context, url, entries)
        if failed := result.get("Failed"):
            raise RuntimeError(f"{len(failed)} messages could not be deleted: {failed[0]}")

    def _request(self) -> tuple[Any, RequestContext, str]:
        provider = SERVICE_PLUGINS.require("sqs")._provider
        context = RequestContext(Request())
        context.account_id, context.region = self._account, self._region
        context.service = load_service("sqs")
        return provider, context, f"http://localhost/{self._account}/{self._name}"
