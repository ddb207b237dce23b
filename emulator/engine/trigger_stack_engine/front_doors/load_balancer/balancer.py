"""A listener of a load balancer, and its target groups, as the engine knows them.

AWS topics: Elastic Load Balancing API Reference, "Listener", "Action", "TargetGroup",
"LoadBalancerAttribute" and "ListenerAttribute".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_stack_engine.front_doors.load_balancer.rules import Rule

LAMBDA: Final = "lambda"
#: How ``x-forwarded-for`` of a request is handed on: load balancer attribute
#: ``routing.http.xff_header_processing.mode``.
APPEND: Final = "append"


@dataclass(frozen=True, slots=True)
class Target:
    """A function that is registered with a target group.

    Attributes:
        arn: As it was registered, with version or alias when there is one.
        function_arn: Without.
        qualifier: Version or alias; ``None``: ``$LATEST``.
    """

    arn: str
    function_arn: str
    qualifier: str | None

    @classmethod
    def from_arn(cls, arn: str) -> Target:
        """From ``arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]``."""
        parts = arn.split(":")
        return cls(arn, ":".join(parts[:7]), parts[7] if len(parts) > 7 else None)


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Health checks of a target group (``CreateTargetGroup``).

    Attributes:
        enabled: Whether there are any; AWS's default for functions is that there are none.
        path: Path, and query string, of the event.
        interval_s: Seconds from one check to the next.
        timeout_s: Seconds after which no response is a failure.
        healthy_threshold: Successes in a row after which an unhealthy target is healthy.
        unhealthy_threshold: Failures in a row after which a target is unhealthy.
        codes: Status codes that are a success: ``200``, ``200,202`` or ``200-299``.
    """

    enabled: bool = False
    path: str = "/"
    interval_s: float = 35
    timeout_s: float = 30
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    codes: str = "200"

    def accepts(self, status: int) -> bool:
        """Whether a status code is a success."""
        for part in self.codes.split(","):
            match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
            if match and int(match[1]) <= status <= int(match[2] or match[1]):
                return True
        return False


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group.

    Attributes:
        arn: Its ARN.
        target_type: ``lambda``; others are not served.
        multi_value_headers: Attribute ``lambda.multi_value_headers.enabled``.
        targets: Functions; AWS lets one be registered.
        health: Health checks.
    """

    arn: str
    target_type: str
    multi_value_headers: bool
    targets: tuple[Target, ...]
    health: HealthSettings

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> TargetGroup:
        """From ``{arn, target_type, multi_value_headers, targets: [ARN], health}``."""
        is_lambda = document["target_type"] == LAMBDA
        return cls(
            arn=document["arn"],
            target_type=document["target_type"],
            multi_value_headers=document["multi_value_headers"],
            targets=tuple(Target.from_arn(arn) for arn in document["targets"] if is_lambda),
            health=HealthSettings(**document["health"]),
        )

    @property
    def account(self) -> str:
        """The account of the target group."""
        return self.arn.split(":")[4]


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """What a load balancer does with the headers of a request.

    Attributes:
        forwarded_for: ``append``, ``preserve`` or ``remove`` addresses of ``X-Forwarded-For``.
        with_port: Whether the client's port stands behind its address there.
        drops_invalid: Whether names with anything but letters, digits and ``-`` are left out.
    """

    forwarded_for: str = APPEND
    with_port: bool = False
    drops_invalid: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener.

    Attributes:
        arn: Its ARN.
        balancer: Name of its load balancer.
        port: The port of this machine that it is served on.
        protocol: ``HTTP`` or ``HTTPS``: what clients are taken to have used.
        rules: In the order in which they are tried; the default rule is the last.
        headers: What is done with the headers of requests.
        added_headers: Names and values of headers that responses have without being asked to.
        names_server: Whether responses say by ``Server`` what sent them.
    """

    arn: str
    balancer: str
    port: int
    protocol: str
    rules: tuple[Rule, ...] = field(default=())
    headers: RequestHeaders = RequestHeaders()
    added_headers: tuple[tuple[str, str], ...] = ()
    names_server: bool = True

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Listener:
        """From a document.

        Args:
            document: ``{arn, balancer, port, protocol, rules, default_actions, request_headers,
                added_headers, names_server}``.
        """
        rules = [Rule.from_document(rule) for rule in document["rules"]]
        rules.sort(key=lambda rule: rule.priority)
        rules.append(Rule.default(document["default_actions"]))
        return cls(
            arn=document["arn"],
            balancer=document["balancer"],
            port=document["port"],
            protocol=document["protocol"],
            rules=tuple(rules),
            headers=RequestHeaders(**document["request_headers"]),
            added_headers=tuple((name, value) for name, value in document["added_headers"]),
            names_server=document["names_server"],
        )

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, of ``x-forwarded-proto`` and ``#{protocol}``."""
        return self.protocol.lower()

    def names_host(self, host: str) -> bool:
        """Whether a condition of a rule is about this host, and about one domain only."""
        return any(rule.names_host(host) for rule in self.rules)

    def target_groups(self) -> set[str]:
        """ARNs of the target groups that requests are forwarded to."""
        return {arn for rule in self.rules for arn, _ in rule.action.forward_to}
