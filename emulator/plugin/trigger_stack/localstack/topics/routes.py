"""A route below ``/_trigger_stack/topics`` for what has no AWS operation.

``POST …/deliver`` delivers a letter of a subscription's dead-letter queue to the subscription's
endpoint again (redrive): no other subscription of the topic gets it.

What: a route at LocalStack's router; it reads LocalStack's store of subscriptions.
Why: SNS has no operation for it, and publishing again reaches every subscription.
Until: AWS has one.
Test: ``tests/delivery/test_topics.py::test_a_letter_goes_back_to_its_own_subscription``.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

from localstack.http import Request, Response, route
from localstack.utils.aws.arns import (
    extract_account_id_from_arn,
    extract_region_from_arn,
    sqs_queue_url_for_arn,
)

from trigger_stack.delivery.core.topic_letters import event_of, without_reason
from trigger_stack.localstack.lambda_engine.event_manager import accept
from trigger_stack.localstack.lambda_engine.versions import can_be_invoked
from trigger_stack.localstack.topics.http import send_again
from trigger_stack.localstack.topics.publishers import queues


class TopicRoutes:
    """Routes on the gateway."""

    @route("/_trigger_stack/topics/deliver", methods=["POST"])
    def deliver(self, request: Request) -> Response:
        """Take a message as SQS returns it; 404 without its subscription, 502 when it fails."""
        try:
            letter = json.loads(request.get_data())
            body, attributes = letter["Body"], letter["MessageAttributes"]
            notification = attributes["RequestID"]["StringValue"]
        except (ValueError, KeyError, TypeError):
            return _json("The body must be a letter, as ReceiveMessage returns it.", 400)
        subscription = _by_envelope(body) or _by_journal(notification)
        if subscription is None:
            return _json("The subscription that it was for is not there any more.", 404)
        try:
            _send(subscription, letter)
        except Exception as error:  # the caller keeps the dead letter and reads why
            return _json(f"{type(error).__name__}: {error}", 502)
        return _json({"delivered": subscription["Endpoint"]})


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


def _subscriptions(topic_arn: str) -> list[dict[str, Any]]:
    from localstack.services.sns.models import sns_stores

    account, region = extract_account_id_from_arn(topic_arn), extract_region_from_arn(topic_arn)
    if not account or not region:
        return []
    found = sns_stores[account][region].subscriptions.values()
    return [dict(one) for one in found if one["TopicArn"] == topic_arn]


def _by_envelope(body: str) -> dict[str, Any] | None:
    """The subscription that a notification names, unless its message was delivered raw."""
    try:
        envelope = json.loads(body)
        topic, url = str(envelope["TopicArn"]), str(envelope["UnsubscribeURL"])
        (arn,) = parse_qs(urlsplit(url).query)["SubscriptionArn"]
    except (ValueError, KeyError, TypeError):
        return None
    return next((one for one in _subscriptions(topic) if one["SubscriptionArn"] == arn), None)


def _by_journal(notification: str) -> dict[str, Any] | None:
    """The subscription of a notification that the journal has: a raw message names none."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    sql = "SELECT source, function FROM events WHERE id = ? AND kind = 'notification of a topic'"
    header = {"op": "journal", "sql": sql, "values": [notification], "most": 1}
    _, rows = control_plane().call(header)
    for row in json.loads(rows):
        for one in _subscriptions(row["source"]):
            if one["Endpoint"] == row["function"]:
                return one
    return None


def _send(subscription: dict[str, Any], letter: dict[str, Any]) -> None:
    """Deliver a letter to the endpoint of a subscription, once.

    Raises:
        Exception: What the endpoint answers.
    """
    endpoint, topic = subscription["Endpoint"], subscription["TopicArn"]
    if subscription["Protocol"] == "lambda":
        if not can_be_invoked(endpoint):
            raise ValueError(f"there is no function {endpoint}")
        event = event_of(letter["Body"], subscription["SubscriptionArn"])
        accept(endpoint, event, request_id=str(uuid.uuid4()), source=topic, trace_id=None)
        return
    if subscription["Protocol"] in ("http", "https"):
        send_again(subscription, letter["Body"])
        return
    if subscription["Protocol"] != "sqs":
        raise ValueError(f"{subscription['Protocol']} cannot be delivered to again")
    more = {}
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if name in letter.get("Attributes", {}) and endpoint.endswith(".fifo"):
            more[name] = letter["Attributes"][name]
    queues(endpoint, topic).send_message(
        QueueUrl=sqs_queue_url_for_arn(endpoint),
        MessageBody=letter["Body"],
        MessageAttributes={
            name: _attribute(value)
            for name, value in without_reason(letter["MessageAttributes"]).items()
        },
        **more,
    )


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    """A message attribute as ``SendMessage`` takes it; JSON has bytes as Base64."""
    if "BinaryValue" in value:
        return value | {"BinaryValue": base64.b64decode(value["BinaryValue"])}
    return value
