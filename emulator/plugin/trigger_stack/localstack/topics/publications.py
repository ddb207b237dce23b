"""What SNS says of a message, and of attributes of a topic, that LocalStack takes or fails for.

What: checks that the provider makes before LocalStack's.
Why: see ``provider.py``.
Until: LocalStack refuses them.
Test: ``tests/unit/plugin/test_topic_publications.py``,
``tests/delivery/test_refused_publications.py``.

AWS topics: Amazon SNS API Reference, "Publish" (a subject has at most 100 characters, and no line
break nor control character; with ``MessageStructure`` ``json`` the message is a JSON object) and
"SetTopicAttributes"; Developer Guide, "Amazon SNS message attributes" (names are not empty).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

#: Of "SetTopicAttributes", beside those for the delivery status of each kind of endpoint.
_ATTRIBUTES: Final = frozenset(
    (
        *("ArchivePolicy", "ContentBasedDeduplication", "DataProtectionPolicy", "DeliveryPolicy"),
        *("DisplayName", "FifoThroughputScope", "FifoTopic", "KmsMasterKeyId", "Policy"),
        *("SignatureVersion", "TracingConfig"),
    )
)
_DELIVERY_STATUS: Final = re.compile(
    r"(Application|Firehose|HTTP|Lambda|SQS)"
    r"(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)"
)
_SUBJECT: Final = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


def is_attribute(name: str | None) -> bool:
    """Whether a topic has an attribute of this name that can be set."""
    return name in _ATTRIBUTES or bool(_DELIVERY_STATUS.fullmatch(name or ""))


def why_policy_refused(name: str | None, value: Any) -> str | None:
    """Why the policy of a topic is refused; None when it is not, or it is another attribute."""
    if name != "Policy" or not value:
        return None
    given = _parsed(value)
    return None if isinstance(given, dict) and given.get("Statement") else "Policy Error: null"


def why_message_refused(entry: Mapping[str, Any]) -> str | None:
    """Why a message is refused for its form; None when it is not, or LocalStack says it.

    Args:
        entry: Of ``PublishBatch``.
    """
    subject = entry.get("Subject")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        return "Subject"
    if "" in (entry.get("MessageAttributes") or {}):
        return "The message attribute name must not be empty."
    if entry.get("MessageStructure") == "json" and entry.get("Message"):
        given = _parsed(entry["Message"])
        if not isinstance(given, dict):
            return "Message Structure - JSON message body failed to parse"
    return None


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
