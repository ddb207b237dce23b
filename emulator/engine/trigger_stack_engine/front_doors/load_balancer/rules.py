"""Rules of a listener: which of them a request meets, and what it asks for.

AWS topics: User Guide for Application Load Balancers, "Condition types for listener rules" and
"Action types for listener rules".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.event_parts import host_name
from trigger_stack_engine.front_doors.core.message import HttpRequest

DEFAULT_PRIORITY: Final = 1_000_000  # AWS's highest is 50 000
FORWARD: Final = "forward"
REDIRECT: Final = "redirect"
FIXED_RESPONSE: Final = "fixed-response"

type Match = Callable[[HttpRequest], bool]


def wildcard(pattern: str, *, case_sensitive: bool, escapes: bool = False) -> re.Pattern[str]:
    r"""The expression of a comparison string.

    Args:
        pattern: ``*`` stands for any text, ``?`` for any one character.
        case_sensitive: Whether case counts.
        escapes: Whether ``\*`` and ``\?`` stand for the characters themselves.
    """
    token = r"\\[*?\\]|." if escapes else "."
    parts = []
    for part in re.findall(token, pattern, re.DOTALL):
        if part == "*":
            parts.append(".*")
        elif part == "?":
            parts.append(".")
        else:
            parts.append(re.escape(part[-1]))
    return re.compile("".join(parts), re.DOTALL if case_sensitive else re.DOTALL | re.IGNORECASE)


def raw_parameters(raw_query: str) -> list[tuple[str, str]]:
    """Name and value of each query parameter, as they were sent: nothing is decoded."""
    pairs = (part.partition("=") for part in raw_query.split("&") if part)
    return [(name, value) for name, _, value in pairs]


@dataclass(frozen=True, slots=True)
class Action:
    """What is done with a request.

    Attributes:
        kind: ``forward``, ``redirect``, ``fixed-response``, or another, which is not served.
        forward_to: ARN and weight of each target group.
        configuration: Of a redirect or a fixed response.
        sticky_s: Seconds for which a client stays with a target group; ``None``: it does not.
    """

    kind: str
    forward_to: tuple[tuple[str, int], ...]
    configuration: dict[str, Any]
    sticky_s: int | None = None

    @classmethod
    def from_document(cls, actions: list[dict[str, Any]]) -> Action:
        """The action that ends a list of ``Action`` shapes; it is the last by its ``Order``."""
        last = max(actions, key=lambda action: int(action.get("Order") or 0))
        forward = last.get("ForwardConfig") or {}
        groups = forward.get("TargetGroups") or []
        stickiness = forward.get("TargetGroupStickinessConfig") or {}
        is_sticky = str(stickiness.get("Enabled")).lower() == "true"
        forward_to = [(group["TargetGroupArn"], _weight(group)) for group in groups]
        if not forward_to and last.get("TargetGroupArn"):
            forward_to = [(last["TargetGroupArn"], 1)]
        configuration = last.get("RedirectConfig") or last.get("FixedResponseConfig") or {}
        return cls(
            kind=last["Type"],
            forward_to=tuple(forward_to),
            configuration=configuration,
            sticky_s=int(stickiness.get("DurationSeconds") or 3600) if is_sticky else None,
        )


def _weight(group: dict[str, Any]) -> int:
    weight = group.get("Weight")
    return 1 if weight is None else int(weight)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        priority: The lowest number is tried first.
        action: What is done.
        matches: All of them must hold.
        hosts: Comparison strings of its host conditions.
    """

    priority: int
    action: Action
    matches: tuple[Match, ...] = ()
    hosts: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Rule:
        """From ``{priority, conditions: [RuleCondition], actions: [Action]}``."""
        conditions = document["conditions"]
        hosts = [
            value
            for condition in conditions
            if condition["Field"] == "host-header"
            for value in _values(condition, "HostHeaderConfig")
        ]
        return cls(
            priority=int(document["priority"]),
            action=Action.from_document(document["actions"]),
            matches=tuple(condition_match(condition) for condition in conditions),
            hosts=tuple(hosts),
        )

    @classmethod
    def default(cls, actions: list[dict[str, Any]]) -> Rule:
        """The rule for what no other takes."""
        return cls(DEFAULT_PRIORITY, Action.from_document(actions))

    def holds(self, request: HttpRequest) -> bool:
        """Whether every condition holds."""
        return all(match(request) for match in self.matches)

    def names_host(self, host: str) -> bool:
        """Whether a host condition names this host's domain: its last two labels, literally."""
        return any(
            not set("*?") & set("".join(pattern.split(".")[-2:]))
            and wildcard(pattern, case_sensitive=False).fullmatch(host)
            for pattern in self.hosts
            if "." in pattern
        )


def _values(condition: dict[str, Any], configuration: str) -> list[Any]:
    return list((condition.get(configuration) or {}).get("Values") or condition.get("Values") or [])


def _expressions(condition: dict[str, Any], configuration: str) -> list[re.Pattern[str]]:
    inner = condition.get(configuration) or {}
    texts = inner.get("RegexValues") or condition.get("RegexValues") or []
    return [re.compile(text) for text in texts]


def condition_match(condition: dict[str, Any]) -> Match:
    """What decides whether a condition (shape ``RuleCondition``) holds.

    Raises:
        KeyError: Its field is unknown.
        ValueError, re.error: A value cannot be read.
    """
    return _FIELDS[condition["Field"]](condition)


def _host(condition: dict[str, Any]) -> Match:
    patterns = [
        wildcard(value, case_sensitive=False) for value in _values(condition, "HostHeaderConfig")
    ]
    expressions = _expressions(condition, "HostHeaderConfig")
    return lambda request: _any(patterns, expressions, [host_name(request)])


def _path(condition: dict[str, Any]) -> Match:
    patterns = [
        wildcard(value, case_sensitive=True) for value in _values(condition, "PathPatternConfig")
    ]
    expressions = _expressions(condition, "PathPatternConfig")
    return lambda request: _any(patterns, expressions, [request.raw_path])


def _header(condition: dict[str, Any]) -> Match:
    wanted = condition["HttpHeaderConfig"]["HttpHeaderName"].lower()
    patterns = [
        wildcard(value, case_sensitive=False, escapes=True)
        for value in _values(condition, "HttpHeaderConfig")
    ]
    expressions = _expressions(condition, "HttpHeaderConfig")
    return lambda request: _any(
        patterns, expressions, [v for name, v in request.headers if name.lower() == wanted]
    )


def _method(condition: dict[str, Any]) -> Match:
    methods = frozenset(_values(condition, "HttpRequestMethodConfig"))
    return lambda request: request.method in methods


def _query(condition: dict[str, Any]) -> Match:
    pairs = [
        (
            wildcard(pair.get("Key") or "*", case_sensitive=False, escapes=True),
            wildcard(pair["Value"], case_sensitive=False, escapes=True),
        )
        for pair in _values(condition, "QueryStringConfig")
    ]
    return lambda request: any(
        key.fullmatch(name) and value.fullmatch(text)
        for name, text in raw_parameters(request.raw_query)
        for key, value in pairs
    )


def _source(condition: dict[str, Any]) -> Match:
    networks = [
        ipaddress.ip_network(value, strict=False) for value in _values(condition, "SourceIpConfig")
    ]
    return lambda request: any(
        ipaddress.ip_address(request.source_ip) in network for network in networks
    )


def _any(
    patterns: list[re.Pattern[str]], expressions: list[re.Pattern[str]], texts: list[str]
) -> bool:
    return any(pattern.fullmatch(text) for text in texts for pattern in patterns) or any(
        expression.search(text) for text in texts for expression in expressions
    )


_FIELDS: Final[dict[str, Callable[[dict[str, Any]], Match]]] = {
    "host-header": _host,
    "path-pattern": _path,
    "http-header": _header,
    "http-request-method": _method,
    "query-string": _query,
    "source-ip": _source,
}
