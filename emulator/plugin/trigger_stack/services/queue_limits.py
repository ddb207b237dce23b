"""What Amazon SQS refuses of a queue's attributes and of a message.

AWS topics: Amazon SQS API Reference, "SetQueueAttributes" and "SendMessage"; Developer Guide,
"Amazon SQS message metadata".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

#: The least and the greatest value of attributes that are numbers.
_RANGES: Final = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
_MOST_DELAY_S: Final = 900
_MOST_ATTRIBUTES: Final = 10
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: How many queues a redrive allow policy may name.
_MOST_SOURCES: Final = 10
_PERMISSIONS: Final = ("allowAll", "byQueue", "denyAll")


def why_no_attributes(attributes: Mapping[str, str]) -> str | None:
    """Why attributes of a queue are refused (``InvalidAttributeValue``), or None."""
    for name, value in attributes.items():
        if name in _RANGES and not _is_within(str(value), *_RANGES[name]):
            return f"Invalid value for the parameter {name}."
    for name, is_valid in (("Policy", _is_object), ("RedriveAllowPolicy", _allows)):
        if attributes.get(name) and not is_valid(attributes[name]):
            return f"Invalid value for the parameter {name}."
    return None


def why_no_message(delay_s: int | None, attributes: Mapping[str, Any] | None) -> str | None:
    """Why a message is refused (``InvalidParameterValue``), or None.

    Args:
        delay_s: ``DelaySeconds``.
        attributes: ``MessageAttributes``.
    """
    if delay_s is not None and not 0 <= int(delay_s) <= _MOST_DELAY_S:
        return (
            f"Value {delay_s} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be"
            f" >= 0 and <= {_MOST_DELAY_S}."
        )
    given = attributes or {}
    if len(given) > _MOST_ATTRIBUTES:
        return (
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum"
            f" [{_MOST_ATTRIBUTES}]."
        )
    for name, value in given.items():
        kind, text = str(value.get("DataType")), str(value.get("StringValue"))
        if kind.partition(".")[0] == "Number" and not _NUMBER.fullmatch(text):
            return f"Can't cast the value of message (user) attribute '{name}' to a number."
    return None


def _is_within(text: str, least: int, greatest: int) -> bool:
    return re.fullmatch(r"\d{1,9}", text, re.ASCII) is not None and least <= int(text) <= greatest


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _allows(text: str) -> bool:
    """Whether it is a redrive allow policy."""
    if not _is_object(text):
        return False
    given = json.loads(text)
    if not given:  # CloudFormation takes one away with this
        return True
    sources = given.get("sourceQueueArns")
    if given.get("redrivePermission") != "byQueue":
        return given.get("redrivePermission") in _PERMISSIONS and not sources
    return isinstance(sources, list) and 1 <= len(sources) <= _MOST_SOURCES
