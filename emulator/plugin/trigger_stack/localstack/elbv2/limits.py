"""What Elastic Load Balancing refuses of rules and actions, and moto takes.

What: no patch; checks before moto gets a listener or a rule.
Why: moto makes rules that no load balancer of AWS has: redirects to themselves, rules without a
condition, or with a priority or weight out of its range.
Until: moto refuses them.
Test: ``tests/engine/test_load_balancer.py::test_rules_that_aws_does_not_take_are_refused``.

AWS topics: Elastic Load Balancing API Reference, "CreateRule", "RedirectActionConfig",
"FixedResponseActionConfig", "ForwardActionConfig" and "RuleCondition"; User Guide for Application
Load Balancers, "Quotas for your Application Load Balancers".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from trigger_stack.services.errors import ServiceError

_MOST_PRIORITY: Final = 50_000
_MOST_VALUES: Final = 5
_MOST_GROUPS: Final = 5
_MOST_WEIGHT: Final = 999
_MOST_STICKY_S: Final = 604_800
_MOST_BODY: Final = 1024
#: Of which a rule has one at most.
_ONCE: Final = ("host-header", "http-request-method", "path-pattern", "source-ip")
#: What each part of a redirect may be; a part that is not given stays as it is in the request.
_REDIRECT: Final = {
    "StatusCode": r"HTTP_30[12]",
    "Protocol": r"HTTPS?|#\{protocol\}",
    "Port": r"#\{port\}|[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}"
    r"|655[0-2][0-9]|6553[0-5]",
    "Host": r".{1,128}",
    "Path": r"/.{0,127}",
    "Query": r"[^?].{0,127}|",
}
#: With all of these a redirect leads to where the client is.
_UNCHANGED: Final = {
    "Protocol": "#{protocol}",
    "Port": "#{port}",
    "Host": "#{host}",
    "Path": "/#{path}",
}


def check_priority(priority: int) -> None:
    """The priority of a rule.

    Raises:
        ServiceError: It is out of its range.
    """
    if not 1 <= priority <= _MOST_PRIORITY:
        raise _invalid("priority", priority, f"have a value from 1 to {_MOST_PRIORITY}")


def check_conditions(conditions: list[dict[str, Any]]) -> None:
    """The conditions of a rule.

    Raises:
        ServiceError: There is none, one too many, or they have too many values.
    """
    if not conditions:
        raise ServiceError("ValidationError", "A condition must be specified")
    fields = [condition.get("Field") for condition in conditions]
    for field in _ONCE:
        if fields.count(field) > 1:
            raise ServiceError("ValidationError", f"A rule can only have one '{field}' condition")
    if sum(_values_of(condition) for condition in conditions) > _MOST_VALUES:
        raise ServiceError(
            "ValidationError", f"A rule can only have '{_MOST_VALUES}' condition values"
        )


def _values_of(condition: dict[str, Any]) -> int:
    """How many values a condition has; they may stand in it twice, in its old and new field."""
    inner = [one for one in condition.values() if isinstance(one, dict)]
    counts = [
        len(one.get("Values") or []) + len(one.get("RegexValues") or [])
        for one in (condition, *inner)
    ]
    return max(counts)


def check_actions(actions: Iterable[dict[str, Any]]) -> None:
    """The actions of a listener or a rule.

    Raises:
        ServiceError: One has a value out of its range, or redirects to itself.
    """
    for action in actions:
        if redirect := action.get("RedirectConfig"):
            _check_redirect(redirect)
        if fixed := action.get("FixedResponseConfig"):
            body = fixed.get("MessageBody") or ""
            if len(body) > _MOST_BODY:
                raise _invalid(
                    "messageBody", f"{body[:20]}…", f"have {_MOST_BODY} characters at most"
                )
        if forward := action.get("ForwardConfig"):
            _check_forward(forward)


def _check_redirect(config: dict[str, Any]) -> None:
    for name, pattern in _REDIRECT.items():
        value = config.get(name)
        if value is not None and not re.fullmatch(pattern, str(value), re.DOTALL):
            raise _invalid(f"redirectConfig.{name}", value, f"satisfy the pattern {pattern}")
    if all(config.get(name) in (None, same) for name, same in _UNCHANGED.items()):
        raise ServiceError(
            "InvalidLoadBalancerAction",
            "The redirect configuration is not valid because it creates a loop.",
        )


def _check_forward(config: dict[str, Any]) -> None:
    groups = config.get("TargetGroups") or []
    if len(groups) > _MOST_GROUPS:
        raise _invalid("targetGroups", len(groups), f"have {_MOST_GROUPS} members at most")
    for group in groups:
        weight = group.get("Weight")
        if weight is not None and not 0 <= int(weight) <= _MOST_WEIGHT:
            raise _invalid("weight", weight, f"have a value from 0 to {_MOST_WEIGHT}")
    seconds = (config.get("TargetGroupStickinessConfig") or {}).get("DurationSeconds")
    if seconds is not None and not 1 <= int(seconds) <= _MOST_STICKY_S:
        raise _invalid("durationSeconds", seconds, f"have a value from 1 to {_MOST_STICKY_S}")


def _invalid(name: str, value: object, must: str) -> ServiceError:
    return ServiceError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint:"
        f" Member must {must}",
    )
