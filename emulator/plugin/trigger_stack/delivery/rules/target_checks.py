"""What EventBridge says of the targets that ``PutTargets`` gets.

AWS topics: Amazon EventBridge API Reference, "PutTargets" and "Target"; User Guide, "Using
dead-letter queues to process undelivered events" and "Input transformation". The sentences are
those that ``PutTargets`` was seen to answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Services whose targets are used with a role; others have policies of their own.
_WITH_ROLE: Final = frozenset(("events", "firehose", "kinesis", "states"))
#: Services of this stack that a rule can send events to, and some that another set-up may have.
SERVICES: Final = (
    *("apigateway", "events", "execute-api", "firehose", "kinesis", "lambda", "logs"),
    *("sns", "sqs", "states"),
)
_INPUTS: Final = ("Input", "InputPath", "InputTransformer")
_ARN: Final = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:\d*:.+", re.DOTALL)
_QUOTED_NAME: Final = re.compile(r"\[\s*['\"]")
_MOST_TARGETS: Final = 5


def why_refused(target: Mapping[str, Any], region: str, absent: Iterable[str] = ()) -> str | None:
    """Why a target is refused; None when it is not.

    Args:
        target: Of the request; it has an id and an ARN.
        region: Of the rule.
        absent: Services that this stack does not have.
    """
    name, arn = str(target["Id"]), str(target["Arn"])
    if not _ARN.fullmatch(arn):
        return f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
    return (
        _of_its_service(name, arn, target, absent)
        or _of_its_dead_letters((target.get("DeadLetterConfig") or {}).get("Arn"), region)
        or _of_its_input(name, target)
    )


def exceeds(known: Iterable[str], added: Iterable[str]) -> bool:
    """Whether a rule would have more targets than it may (EventBridge, "Quotas").

    Args:
        known: Ids of its targets.
        added: Ids of those that are put.
    """
    known = set(known)
    return len(known.union(added)) > max(_MOST_TARGETS, len(known))


def _of_its_service(
    name: str, arn: str, target: Mapping[str, Any], absent: Iterable[str]
) -> str | None:
    service = arn.split(":")[2]
    if service not in SERVICES or service in absent:
        there = ", ".join(one for one in SERVICES if one not in absent)
        return f"Targets of {service} are not part of this stack. Targets here: {there}."
    # An archive is the target of a rule that EventBridge makes itself.
    if service in _WITH_ROLE and not target.get("RoleArn") and ":archive/" not in arn:
        return f"RoleArn is required for target {arn}."
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if service == "sqs" and arn.endswith(".fifo") and not group:
        return f"Parameter(s) SqsParameters must be specified for target: {name}."
    return None


def _of_its_dead_letters(arn: str | None, region: str) -> str | None:
    if not arn:
        return None
    if not _ARN.fullmatch(arn):
        return f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
    _, _, service, its_region, *_ = arn.split(":")
    if service != "sqs":
        return f"{service} is not supported as a dead letter resource."
    if arn.endswith(".fifo"):
        return "SQS FIFO is not supported by Dead Letter Queues."
    if its_region != region:
        return f"The dead letter queue {arn} must be in the Region of the rule, {region}."
    return None


def _of_its_input(name: str, target: Mapping[str, Any]) -> str | None:
    if sum(target.get(one) is not None for one in _INPUTS) > 1:
        return (
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}."
        )
    text = target.get("Input")
    if text and not _is_json(text):
        return f"JSON syntax error in input for target {name}."
    transformer = target.get("InputTransformer") or {}
    paths = [target.get("InputPath"), *(transformer.get("InputPathsMap") or {}).values()]
    if any(path and not _is_path(path) for path in paths):
        return f"InputPath for target {name} is invalid."
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_path(text: str) -> bool:
    return text.startswith("$") and not _QUOTED_NAME.search(text)
