"""The load balancers in moto's store, described for the engine.

What: moto's objects of the service ``elbv2`` are read, and two of their fields kept right: the
address of a load balancer, and which load balancers use a target group.
Why: the engine serves them; moto makes up a name that nobody resolves, and never forgets a use.
Until: as long as moto is the control plane of load balancers.
Test: ``tests/engine/test_load_balancer.py::test_the_address_leads_to_the_listener``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

from moto.elbv2.models import (
    ELBv2Backend,
    FakeListener,
    FakeLoadBalancer,
    FakeTargetGroup,
    elbv2_backends,
)

from trigger_stack.services.elbv2.ports import Ports
from trigger_stack.services.elbv2.settings import Settings
from trigger_stack_engine.front_doors.load_balancer.balancer import APPEND, LAMBDA

MULTI_VALUE = "lambda.multi_value_headers.enabled"
_FORWARDED_FOR = "routing.http.xff_header_processing.mode"
_CLIENT_PORT = "routing.http.xff_client_port.enabled"
_DROPS_INVALID = "routing.http.drop_invalid_header_fields.enabled"
_NAMES_SERVER = "routing.http.response.server.enabled"
#: ``routing.http.response.x_frame_options.header_value`` adds ``X-Frame-Options``.
_ADDED = re.compile(r"routing\.http\.response\.([a-z_]+)\.header_value")
APPLICATION = "application"


class Document:
    """Describes every load balancer.

    Args:
        settings: Where listeners are served.
        ports: The ports that they have.

    Attributes:
        lock: Held from looking at what there is until the ports are changed accordingly.
    """

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self._settings = settings
        self._ports = ports
        self.lock = threading.RLock()

    def describe(self) -> dict[str, Any]:
        """The document of ``LoadBalancers.replace`` in the engine."""
        with self.lock:
            self.refresh()
            return {
                "host": self._settings.listen,
                "listeners": [
                    _listener(balancer, listener, port)
                    for balancer, listener in _listeners()
                    if (port := self._ports.of_listener(listener.arn)) is not None
                ],
                "target_groups": [
                    _target_group(group)
                    for backend in backends()
                    for group in list(backend.target_groups.values())
                ],
            }

    def addresses(self) -> list[dict[str, Any]]:
        """Where each listener is served: for people."""
        return [
            {
                "loadBalancer": balancer.name,
                "listenerArn": listener.arn,
                "port": listener.port,
                "address": f"http://localhost:{self._ports.of_listener(listener.arn)}",
            }
            for balancer, listener in _listeners()
        ]

    def refresh(self) -> None:
        """Give the ports of what is gone back, and keep moto's fields right."""
        with self.lock:
            balancers = [
                balancer
                for backend in backends()
                for balancer in list(backend.load_balancers.values())
            ]
            listeners = {arn for balancer in balancers for arn in list(balancer.listeners)}
            self._ports.keep(listeners, {balancer.arn for balancer in balancers})
            for balancer in balancers:
                if balancer.type == APPLICATION:
                    port = self._ports.of_balancer(balancer.arn)
                    balancer.dns_name = f"localhost:{port}" if port else "localhost"
            for backend in backends():
                _refresh_uses(backend)


def backends() -> list[ELBv2Backend]:
    """Moto's store of each account and region."""
    return [backend for one in list(elbv2_backends.values()) for backend in list(one.values())]


def _listeners() -> Iterator[tuple[FakeLoadBalancer, FakeListener]]:
    for backend in backends():
        for balancer in list(backend.load_balancers.values()):
            if balancer.type == APPLICATION:
                for listener in list(balancer.listeners.values()):
                    yield balancer, listener


def _refresh_uses(backend: ELBv2Backend) -> None:
    uses: dict[str, list[str]] = {}
    for balancer in list(backend.load_balancers.values()):
        for listener in list(balancer.listeners.values()):
            for rule in list(listener.rules.values()):
                for action in rule.actions:
                    for arn in backend._get_target_group_arns_from(action.data):
                        if balancer.arn not in uses.setdefault(arn, []):
                            uses[arn].append(balancer.arn)
    for group in list(backend.target_groups.values()):
        group.load_balancer_arns = uses.get(group.arn, [])


def _listener(balancer: FakeLoadBalancer, listener: FakeListener, port: int) -> dict[str, Any]:
    return {
        "arn": listener.arn,
        "balancer": balancer.name,
        "port": port,
        "protocol": listener.protocol,
        "rules": [
            {
                "priority": int(rule.priority),
                "conditions": rule.conditions,
                "actions": [action.data for action in rule.actions],
            }
            for rule in list(listener._non_default_rules.values())
        ],
        "default_actions": [action.data for action in listener.default_actions],
        "request_headers": {
            "forwarded_for": balancer.attrs.get(_FORWARDED_FOR, APPEND),
            "with_port": _is_on(balancer.attrs, _CLIENT_PORT),
            "drops_invalid": _is_on(balancer.attrs, _DROPS_INVALID),
        },
        "added_headers": list(_added_headers(listener.attributes)),
        "names_server": _is_on(listener.attributes, _NAMES_SERVER, default="true"),
    }


def _added_headers(attributes: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in attributes.items():
        match = _ADDED.fullmatch(name)
        if match is not None and value and value.isascii() and value.isprintable():
            yield match[1].replace("_", "-").title(), value


def _target_group(group: FakeTargetGroup) -> dict[str, Any]:
    return {
        "arn": group.arn,
        "target_type": group.target_type,
        "multi_value_headers": _is_on(group.attributes, MULTI_VALUE),
        "targets": list(group.targets),
        "health": {
            "enabled": group.target_type == LAMBDA and str(group.health_check_enabled) == "True",
            "path": group.health_check_path or "/",
            "interval_s": int(group.health_check_interval_seconds),
            "timeout_s": int(group.health_check_timeout_seconds),
            "healthy_threshold": int(group.healthy_threshold_count),
            "unhealthy_threshold": int(group.unhealthy_threshold_count),
            "codes": (getattr(group, "matcher", None) or {}).get("HttpCode") or "200",
        },
    }


def _is_on(attributes: dict[str, Any], name: str, *, default: str = "false") -> bool:
    return str(attributes.get(name) or default).lower() == "true"
