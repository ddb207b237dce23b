"""Notifications of buckets are accepted for their functions, or tried again.

What: ``LambdaNotifier.notify`` is replaced, and the key in ``BaseNotifier._get_event_payload``.
Why: LocalStack invokes the function through an HTTP request to itself, and when that fails writes
a line into its log: the event is lost. It writes ``%20`` for a space in a key where AWS writes
``+``.
Until: LocalStack tries again, and encodes keys as AWS.
Test: ``tests/delivery/test_s3_notifications.py``.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, unquote

from localstack.services.s3.notifications import BaseNotifier, LambdaNotifier
from localstack.utils.aws.arns import s3_bucket_arn

from trigger_stack.delivery.core.retry_queue import RetryQueue, retry_delay
from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.lambda_engine.event_manager import accept
from trigger_stack_engine.wire import RemoteError

LOG = logging.getLogger(__name__)


@dataclass
class Notification:
    """One event on its way from a bucket to a function."""

    function_arn: str
    payload: bytes
    source_arn: str
    trace_id: str | None
    request_id: str
    attempts: int = 0


def _attempt(notification: Notification) -> None:
    notification.attempts += 1
    try:
        accept(
            notification.function_arn,
            notification.payload,
            request_id=notification.request_id,
            source=notification.source_arn,
            trace_id=notification.trace_id,
        )
    except (EngineUnavailableError, RemoteError) as error:
        delay = retry_delay(notification.attempts, 1.0)
        LOG.warning(
            "the notification of %s for %s was not accepted, try %d in %.0f s: %s",
            notification.source_arn,
            notification.function_arn,
            notification.attempts + 1,
            delay,
            error,
        )
        _waiting.add(notification, delay)


_waiting = RetryQueue[Notification](_attempt)


def install() -> None:
    """Patch LocalStack's notifier."""

    def notify(self: LambdaNotifier, ctx: Any, config: Any) -> None:
        payload = self._get_event_payload(ctx, config.get("Id"))
        _attempt(
            Notification(
                config["LambdaFunctionArn"],
                json.dumps(payload).encode(),
                s3_bucket_arn(ctx.bucket_name, region=ctx.region),
                ctx.xray,
                str(uuid.uuid4()),
            )
        )

    original = BaseNotifier._get_event_payload

    def event_payload(ctx: Any, config_id: Any) -> Any:
        payload: Any = original(ctx, config_id)
        for record in payload["Records"]:
            record["s3"]["object"]["key"] = quote_plus(unquote(ctx.key_name), safe="/")
        return payload

    BaseNotifier._get_event_payload = staticmethod(event_payload)  # type: ignore[method-assign]  # the patch
    LambdaNotifier.notify = notify  # type: ignore[method-assign]  # the patch
