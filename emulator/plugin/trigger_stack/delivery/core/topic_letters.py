"""Letters of the dead-letter queue of a subscription to a topic.

AWS topics: Amazon SNS Developer Guide, "Amazon SNS dead-letter queues"; AWS Lambda Developer Guide,
"Invoking Lambda functions with Amazon SNS notifications", example event.
"""

from __future__ import annotations

import json
from typing import Any

#: The most message attributes that a message of a queue may have.
MOST_ATTRIBUTES = 10
_REASON = ("RequestID", "ErrorCode", "ErrorMessage")
#: Names that a function's event writes differently from a notification.
_NAMES = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}

type Attributes = dict[str, dict[str, Any]]


def with_reason(given: Attributes, notification: str, error: str) -> Attributes:
    """The message attributes of a letter.

    Args:
        given: Those of the message, which raw delivery hands on.
        notification: Id of the notification in the journal.
        error: Why it could not be delivered.
    """
    values = (notification, "200", error[:1024] or "unknown")
    texts = dict(zip(_REASON, values, strict=True))
    reason = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
    both = {**given, **reason}
    return both if len(both) <= MOST_ATTRIBUTES else reason


def without_reason(attributes: Attributes) -> Attributes:
    """The message attributes that the message itself had."""
    return {name: value for name, value in attributes.items() if name not in _REASON}


def event_of(body: str, subscription_arn: str) -> bytes:
    """The event that a function gets for a notification (JSON).

    Its ``SignatureVersion`` is 1, whatever the topic's is, as AWS has it.
    """
    notification: dict[str, Any] = json.loads(body)
    sns: dict[str, Any] = {"Subject": None, "MessageAttributes": {}}
    sns |= {_NAMES.get(name, name): value for name, value in notification.items()}
    if "SignatureVersion" in sns:
        sns["SignatureVersion"] = "1"
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": sns,
    }
    return json.dumps({"Records": [record]}).encode()
