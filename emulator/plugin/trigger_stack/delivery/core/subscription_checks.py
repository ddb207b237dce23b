"""What SNS says of the endpoint and of the attributes of a subscription.

AWS topics: Amazon SNS API Reference, "Subscribe" and "SetSubscriptionAttributes"; Developer Guide,
"Message delivery for FIFO topics", "Amazon SNS dead-letter queues", "Creating an HTTP/S delivery
policy" and "Amazon SNS raw message delivery". The sentences are those that SNS was seen to answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_ENDPOINTS: Final = {
    "sqs": (re.compile(r"arn:[^:]+:sqs:[^:]*:[^:]*:[^:]+"), "SQS endpoint ARN"),
    "lambda": (
        re.compile(r"arn:[^:]+:lambda:[^:]+:\d{12}:function:[^:]+(:[^:]+)?"),
        "Lambda endpoint ARN",
    ),
    "firehose": (re.compile(r"arn:[^:]+:firehose:.+"), "Firehose endpoint ARN"),
    "application": (
        re.compile(r"arn:[^:]+:sns:[^:]*:[^:]*:endpoint/.+"),
        "Application endpoint arn invalid",
    ),
    "email": (re.compile(r"[^@ ]+@[^@ ]+"), "Email address"),
    "email-json": (re.compile(r"[^@ ]+@[^@ ]+"), "Email address"),
}
_RAW: Final = frozenset(("sqs", "http", "https", "firehose"))
_ARN: Final = re.compile(r"arn:[^:]+:[^:]+:[^:]*:[^:]*:.+")
_PARSE: Final = "failed to parse JSON."
#: The least and the most of the numbers of a retry policy; None: no limit.
_NUMBERS: Final[Mapping[str, tuple[int, int | None]]] = {
    "minDelayTarget": (1, None),
    "maxDelayTarget": (0, 3600),
    "numRetries": (0, 100),
    "numNoDelayRetries": (0, None),
    "numMinDelayRetries": (0, None),
    "numMaxDelayRetries": (0, None),
}
_PHASES: Final = ("numMinDelayRetries", "numNoDelayRetries", "numMaxDelayRetries")
_CURVES: Final = ("arithmetic", "exponential", "geometric", "linear")


def why_endpoint_refused(
    topic_arn: str, protocol: str, endpoint: str, attributes: Mapping[str, str]
) -> str | None:
    """Why a subscription is refused for its endpoint; None when it is not.

    Args:
        topic_arn: ARN of the topic.
        protocol: One of SNS's.
        endpoint: Of the request.
        attributes: Of the request.
    """
    if topic_arn.endswith(".fifo") and protocol != "sqs":
        return f"Invalid protocol type: {protocol}"
    form, why = _ENDPOINTS.get(protocol, (None, ""))
    if form and not form.fullmatch(endpoint):
        return why
    if protocol == "firehose" and not attributes.get("SubscriptionRoleArn"):
        return "Delivery protocol firehose can only be subscribed with subscription role arn"
    return None


def why_attribute_refused(topic_arn: str, protocol: str, name: str, value: Any) -> str | None:
    """Why an attribute of a subscription is refused; None when it is not, or LocalStack says it.

    Args:
        topic_arn: ARN of the topic.
        protocol: Of the subscription.
        name: Of the attribute.
        value: Of the attribute.
    """
    if name == "RawMessageDelivery":
        if str(value).lower() == "true" and protocol not in _RAW:
            return f"Delivery protocol [{protocol}] does not support raw message delivery."
        return None
    if name == "FilterPolicy" and value:
        given = _parsed(value)
        if given is not None and not isinstance(given, dict):
            return "FilterPolicy: Filter is not an object"
    problem = None
    if name == "RedrivePolicy":
        problem = _of_redrive_policy(value, topic_arn)
    elif name == "DeliveryPolicy" and value:
        problem = why_delivery_policy_refused(value, "healthyRetryPolicy")
    return f"{name}: {problem}" if problem else None


def _of_redrive_policy(value: Any, topic_arn: str) -> str | None:
    given = _parsed(value)
    if not isinstance(given, dict):
        return _PARSE
    arn = given.get("deadLetterTargetArn")
    if arn is None:
        return "Missing deadLetterTargetArn attribute"
    if not isinstance(arn, str) or not _ARN.fullmatch(arn):
        return "deadLetterTargetArn is an invalid arn"
    _, _, service, region, *_ = arn.split(":")
    if service != "sqs":
        return "deadLetterTargetArn must be a SQS queue"
    if region != topic_arn.split(":")[3]:
        return "deadLetterTargetArn must be in the same region as the subscription"
    return None


def why_topic_attribute_refused(name: str, value: Any) -> str | None:
    """Why an attribute of a topic is refused; None when it is not, or LocalStack says it."""
    problem = None
    if name == "DeliveryPolicy" and value:
        problem = why_delivery_policy_refused(value, "http", "defaultHealthyRetryPolicy")
    elif name == "Policy" and value and not isinstance(_parsed(value), dict):
        problem = _PARSE
    return f"{name}: {problem}" if problem else None


def why_delivery_policy_refused(value: Any, *path: str) -> str | None:
    """Why a delivery policy is refused; None when it is not.

    Args:
        value: The attribute of a topic or subscription (JSON).
        path: Where its retry policy is.
    """
    given = _parsed(value)
    if not isinstance(given, dict):
        return _PARSE
    for key in path:
        given = given.get(key)
        if not isinstance(given, dict):
            return None
    return _of_retry_policy(given, ".".join(path))


def _of_retry_policy(given: Mapping[str, Any], place: str) -> str | None:
    numbers = {name: given[name] for name in _NUMBERS if _is_number(given.get(name))}
    for name, value in numbers.items():
        least, most = _NUMBERS[name]
        if value < least:
            return f"{place}.{name} must be greater than or equal to {least}"
        if most is not None and value > most:
            return f"{place}.{name} must be less than or equal to {most}"
    shortest, longest = numbers.get("minDelayTarget"), numbers.get("maxDelayTarget")
    if shortest is not None and longest is not None and longest < shortest:
        return f"{place}.maxDelayTarget must be greater than or equal to minDelayTarget"
    total = sum(numbers.get(name, 0) for name in _PHASES)
    if "numRetries" in numbers and numbers["numRetries"] < total:
        return (
            f"{place}.numRetries must be greater than or equal to total of numMinDelayRetries,"
            " numNoDelayRetries and numMaxDelayRetries"
        )
    curve = given.get("backoffFunction")
    if curve is not None and curve not in _CURVES:
        return f"{place}.backoffFunction: the value [{curve}] is not a valid backoff function"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parsed(text: Any) -> Any:
    """What a text says as JSON; an empty text when it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return ""
