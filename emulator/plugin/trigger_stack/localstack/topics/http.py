"""Messages of SNS topics reach their HTTP endpoints, or are tried again.

What: what ``publishers.py`` calls for a notification to an HTTP endpoint.
Why: LocalStack tries once, whatever the delivery policy says; when that fails and the subscription
has no dead-letter queue, a line at level INFO is all that is left of the message. It waits for an
answer without end.
Until: LocalStack tries again by the delivery policy.
Test: ``tests/delivery/test_topic_http.py``.

AWS topic: Amazon SNS Developer Guide, "Amazon SNS message delivery retries": an answer 429 or from
500 is tried again, other errors of the client are not; "HTTP headers".
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import requests

from trigger_stack.delivery.core.deliverer import EndpointRefusesError
from trigger_stack.delivery.core.delivery_policy import ANSWER_WITHIN_S

_REDIRECTION, _TOO_MANY, _SERVER_ERROR = 300, 429, 500


class EndpointFailedError(Exception):
    """The endpoint could not take a message; it may later."""


def sender(publisher: Any, context: Any, subscriber: Any, body: str) -> Callable[[], None]:
    """What makes one try; it raises EndpointFailedError, EndpointRefusesError or an OSError.

    Args:
        publisher: LocalStack's ``HttpTopicPublisher``.
        context: LocalStack's context of the message.
        subscriber: The subscription.
        body: What is sent.
    """
    headers = _headers(context.message.message_id, subscriber)
    if content_type := publisher._get_content_type(subscriber, context.topic_attributes):
        headers["Content-Type"] = content_type
    return partial(_post, subscriber["Endpoint"], headers, body)


def send_again(subscriber: dict[str, Any], body: str) -> None:
    """Post the body of a dead letter to the endpoint of its subscription, once.

    Raises:
        Exception: As ``sender``.
    """
    try:
        message_id = str(json.loads(body)["MessageId"])
    except (ValueError, KeyError, TypeError):  # it was delivered raw
        message_id = str(uuid.uuid4())
    _post(subscriber["Endpoint"], _headers(message_id, subscriber), body)


def _post(url: str, headers: dict[str, str], body: str) -> None:
    answer = requests.post(
        url,
        headers=headers,
        data=body.encode(),
        timeout=ANSWER_WITHIN_S,
        allow_redirects=False,
        verify=False,  # noqa: S501  endpoints of a development machine sign for themselves
    )
    said = f"the endpoint answered {answer.status_code}"
    if answer.status_code == _TOO_MANY or answer.status_code >= _SERVER_ERROR:
        raise EndpointFailedError(said)
    if answer.status_code >= _REDIRECTION:
        raise EndpointRefusesError(said)


def _headers(message_id: str, subscriber: dict[str, Any]) -> dict[str, str]:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "Accept-Encoding": "gzip,deflate",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": subscriber["TopicArn"],
        "x-amz-sns-subscription-arn": subscriber["SubscriptionArn"],
    }
    if str(subscriber.get("RawMessageDelivery", "")).lower() == "true":
        headers["x-amz-sns-rawdelivery"] = "true"
    return headers
