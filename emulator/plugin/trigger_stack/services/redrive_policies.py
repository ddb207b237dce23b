"""What Amazon SQS says of a queue's redrive policy.

AWS topics: Amazon SQS API Reference, "SetQueueAttributes" (``RedrivePolicy``,
``RedriveAllowPolicy``); Developer Guide, "Using dead-letter queues in Amazon SQS".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

type Attributes = Mapping[str, str]


def why_refused(
    policy: str, source_arn: str, is_fifo: bool, find: Callable[[str], Attributes | None]
) -> str | None:
    """Why a redrive policy is refused, or None.

    Args:
        policy: ``RedrivePolicy``. An empty text takes the policy away.
        source_arn: ARN of the queue that it is for.
        is_fifo: Whether that is a FIFO queue.
        find: The attributes of the queue with an ARN; None when there is none.
    """
    if policy and (why := _why(policy, source_arn, is_fifo, find)):
        return f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {why}"
    return None


def takes_letters(target_arn: str, is_fifo: bool, find: Callable[[str], Attributes | None]) -> bool:
    """Whether a queue can take what another one gives up: it is there, and of the same type."""
    attributes = find(target_arn)
    return attributes is not None and target_arn.endswith(".fifo") == is_fifo


def _why(
    policy: str, source_arn: str, is_fifo: bool, find: Callable[[str], Attributes | None]
) -> str | None:
    try:
        given = json.loads(policy)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return "Redrive policy is not a valid JSON map."
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if given.get(name) in (None, ""):
            return f"Redrive policy does not contain mandatory attribute: {name}."
    count = given["maxReceiveCount"]
    if not _is_count(count):
        return (
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both"
            " inclusive."
        )
    target = str(given["deadLetterTargetArn"])
    attributes = find(target)
    if attributes is None or target.split(":")[:5] != source_arn.split(":")[:5]:
        return "Dead letter target does not exist."
    if target.endswith(".fifo") != is_fifo:
        return "Dead-letter queue must be same type of queue as the source.."  # two, as on AWS
    if not _lets_in(attributes.get("RedriveAllowPolicy") or "", source_arn):
        return f"The RedriveAllowPolicy of {target} does not allow {source_arn}."
    return None


def _is_count(value: Any) -> bool:
    try:
        return 1 <= int(value) <= 1000
    except (TypeError, ValueError):
        return False


def _lets_in(allow_policy: str, source_arn: str) -> bool:
    """Whether a dead-letter queue may be used by a queue."""
    try:
        given = json.loads(allow_policy or "{}")
    except ValueError:
        return True  # LocalStack took it
    match given.get("redrivePermission"):
        case "denyAll":
            return False
        case "byQueue":
            return source_arn in (given.get("sourceQueueArns") or [])
    return True
