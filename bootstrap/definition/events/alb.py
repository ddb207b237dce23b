"""``alb``: a rule of a load balancer's listener (Serverless guide, "Application Load Balancer")."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, override

from pydantic import Field

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import (
    Endpoint,
    EventType,
    Example,
    Trigger,
    awslocal,
)
from bootstrap.definition.parsing import Model, Reference
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

#: Elastic Load Balancing, "Condition types for listener rules": the comparison sees case.
_METHOD = re.compile(r"[A-Z_-]{1,40}")
_PRINCIPAL = "elasticloadbalancing.amazonaws.com"
_LISTENER_ARN = re.compile(
    r"arn:[^:]+:elasticloadbalancing:[^:]+:\d{12}:listener/app/[^/]+/(\w+)/.+"
)


class AlbHeader(Model):
    """``alb.conditions.header``."""

    name: str
    values: str | list[str]


class AlbConditions(Model):
    """``alb.conditions``: all of them must hold."""

    host: str | list[str] = []
    header: AlbHeader | list[AlbHeader] = []
    ip: str | list[str] = []
    method: str | list[str] = []
    path: str | list[str] = []
    query: dict[str, str] = {}

    def properties(self) -> list[dict[str, Any]]:
        """``Conditions`` of ``AWS::ElasticLoadBalancingV2::ListenerRule``."""
        result: list[dict[str, Any]] = []
        if paths := _as_list(self.path):
            result.append({"Field": "path-pattern", "Values": paths})
        for field, config, values in (
            ("host-header", "HostHeaderConfig", _as_list(self.host)),
            ("http-request-method", "HttpRequestMethodConfig", _as_list(self.method)),
        ):
            if values:
                result.append({"Field": field, config: {"Values": values}})
        for header in self.header if isinstance(self.header, list) else [self.header]:
            configuration = {"HttpHeaderName": header.name, "Values": _as_list(header.values)}
            result.append({"Field": "http-header", "HttpHeaderConfig": configuration})
        if self.query:
            pairs = [{"Key": key, "Value": value} for key, value in self.query.items()]
            result.append({"Field": "query-string", "QueryStringConfig": {"Values": pairs}})
        if addresses := _as_list(self.ip):
            result.append({"Field": "source-ip", "SourceIpConfig": {"Values": addresses}})
        return result


class AlbMatcher(Model):
    """``alb.healthCheck.matcher``."""

    httpCode: str = "200"


class AlbHealthCheck(Model):
    """``alb.healthCheck``; times are in seconds."""

    path: str = "/"
    intervalSeconds: int = Field(default=35, ge=5, le=300)
    timeoutSeconds: int = Field(default=30, ge=2, le=120)
    healthyThresholdCount: int = Field(default=5, ge=2, le=10)
    unhealthyThresholdCount: int = Field(default=5, ge=2, le=10)
    matcher: AlbMatcher = AlbMatcher.model_construct()


class AlbSettings(Model):
    """``provider.alb``."""

    targetGroupPrefix: str = Field(default="", max_length=16)


class AlbEvent(Model):
    """``alb`` under ``events``: a rule of a listener."""

    listenerArn: Reference
    priority: int = Field(ge=1, le=50_000)
    conditions: AlbConditions
    multiValueHeaders: bool = False
    healthCheck: bool | AlbHealthCheck = False
    targetGroupName: str | None = Field(default=None, max_length=32)

    @property
    def listener(self) -> str:
        """What the framework calls the listener; empty when it cannot."""
        if isinstance(self.listenerArn, dict):
            return str(self.listenerArn.get("Ref", ""))
        match = _LISTENER_ARN.fullmatch(self.listenerArn)
        return match[1] if match else ""


class Alb(EventType[AlbEvent]):
    """A load balancer invokes the function for a request and waits for its answer."""

    key = "alb"
    model = AlbEvent
    provider_settings: ClassVar = {"alb": (AlbSettings, AlbSettings.model_construct())}
    failures = ()  # whoever sent the request gets the error

    def long_form(self, body: Any) -> Any:
        """There is no short form."""
        return body

    @override
    def check(self, trigger: Trigger[AlbEvent], service: Service, document: Document) -> None:
        event, path = trigger.event, trigger.path
        if not event.listener:
            document.fail(
                f"functions.{trigger.key}: listenerArn must be the ARN of a listener, or !Ref of"
                " one of this file.",
                *(*path, "listenerArn"),
            )
        if not event.conditions.properties():
            document.fail(
                f"functions.{trigger.key}: a rule needs a condition, for example path: /orders/*.",
                *(*path, "conditions"),
            )
        for method in _as_list(event.conditions.method):
            if not _METHOD.fullmatch(method):
                document.fail(
                    f"functions.{trigger.key}: no request has the method “{method}”: methods are"
                    " in capital letters.",
                    *(*path, "conditions", "method"),
                )
        others = [
            other
            for other in service.triggers
            if other.type is self
            and other is not trigger
            and (other.event.listener, other.event.priority) == (event.listener, event.priority)
        ]
        if others and service.triggers.index(others[0]) < service.triggers.index(trigger):
            document.fail(
                f"functions.{trigger.key}: the listener {event.listener} has a rule of priority"
                f" {event.priority} already, of functions.{others[0].key}. Take another number.",
                *(*path, "priority"),
            )

    @override
    def permissions(
        self, triggers: Sequence[Trigger[AlbEvent]], service: Service
    ) -> Iterator[Resource]:
        for trigger in {trigger.key: trigger for trigger in triggers}.values():
            properties = {
                "FunctionName": trigger.function_arn,
                "Action": "lambda:InvokeFunction",
                "Principal": _PRINCIPAL,
            }
            name, kind = naming.normalized(trigger.key), "AWS::Lambda::Permission"
            # Registering a function asks for a permission before there is a target group.
            before = f"{name}LambdaPermissionRegisterTarget"
            yield Resource(before, kind, properties, trigger.path)
            own = {**properties, "SourceArn": {"Ref": _target_group_id(trigger)}}
            yield Resource(f"{name}LambdaPermissionAlb", kind, own, trigger.path)

    def role_statements(self, triggers: Sequence[Trigger[AlbEvent]]) -> Iterator[dict[str, Any]]:
        """None: the load balancer calls the function."""
        yield from ()

    @override
    def resources(
        self, triggers: Sequence[Trigger[AlbEvent]], service: Service, document: Document
    ) -> Iterator[Resource]:
        # Rules of one function and listener share a target group; the last one says how it is.
        groups = {_target_group_id(trigger): trigger for trigger in triggers}
        for trigger in groups.values():
            yield _target_group(trigger, service)
        for trigger in triggers:
            event = trigger.event
            forward = {"Type": "forward", "TargetGroupArn": {"Ref": _target_group_id(trigger)}}
            properties = {
                "Actions": [forward],
                "Conditions": event.conditions.properties(),
                "ListenerArn": event.listenerArn,
                "Priority": event.priority,
            }
            name = f"{naming.normalized(trigger.key)}AlbListenerRule{event.priority}"
            kind = "AWS::ElasticLoadBalancingV2::ListenerRule"
            yield Resource(name, kind, properties, trigger.path)

    @override
    def example(self, trigger: Trigger[AlbEvent], service: Service, settings: Settings) -> Example:
        conditions = trigger.event.conditions
        paths, methods = _as_list(conditions.path), _as_list(conditions.method)
        path = (paths or ["/"])[0]
        shown = service.samples.filled(path)
        balancer = _balancer(trigger.event, service)
        names = f" --names {balancer}" if balancer else ""
        query = "--query 'LoadBalancers[0].DNSName' --output text"
        address = f"$({awslocal(settings)} elbv2 describe-load-balancers{names} {query})"
        options = ""
        if methods and methods[0] != "GET":
            options = f" -X {methods[0]}"
        if hosts := _as_list(conditions.host):
            options += f" -H 'Host: {hosts[0].replace('*', 'www')}'"
        if methods and methods[0] in ("POST", "PUT", "PATCH"):
            options += f" -d {shlex.quote(service.samples.request_body(path))}"
        rule = [*([",".join(methods)] if methods else []), *paths]
        return Example(
            " ".join(["load balancer", *([balancer] if balancer else []), *rule]),
            f'curl -i{options} "http://{address}{shown}"',
        )

    @override
    def endpoints(self, settings: Settings) -> list[Endpoint]:
        """Every listener of the running stack; none when it does not answer."""
        from bootstrap.gateway import listed  # a check imports no HTTP

        found = listed(settings, "/_trigger_stack/load-balancers")
        return [Endpoint("ALB", f"{one['address']}  ({one['loadBalancer']})") for one in found]


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _target_group_id(trigger: Trigger[AlbEvent]) -> str:
    multi = "MultiValue" if trigger.event.multiValueHeaders else ""
    name = naming.normalized(trigger.key)
    return f"{name}Alb{multi}TargetGroup{trigger.event.listener}"


def _target_group(trigger: Trigger[AlbEvent], service: Service) -> Resource:
    event, stage = trigger.event, service.provider.stage
    name = f"{service.service}-{trigger.key}-{event.listener}"
    multi = "multi-value-" if event.multiValueHeaders else ""
    digest = hashlib.md5(f"{name}-{multi}{stage}".encode(), usedforsecurity=False).hexdigest()
    prefix = service.provider.setting("alb").targetGroupPrefix
    properties: dict[str, Any] = {
        "TargetType": "lambda",
        "Targets": [{"Id": trigger.function_arn}],
        "Name": event.targetGroupName or f"{prefix}{digest}"[:32],
        "Tags": [{"Key": "Name", "Value": f"{name}-{stage}"}],
        "TargetGroupAttributes": [
            {"Key": "lambda.multi_value_headers.enabled", "Value": event.multiValueHeaders}
        ],
        "HealthCheckEnabled": bool(event.healthCheck),
    }
    if event.healthCheck:
        check = AlbHealthCheck() if event.healthCheck is True else event.healthCheck
        properties |= {
            "HealthCheckPath": check.path,
            "HealthCheckIntervalSeconds": check.intervalSeconds,
            "HealthCheckTimeoutSeconds": check.timeoutSeconds,
            "HealthyThresholdCount": check.healthyThresholdCount,
            "UnhealthyThresholdCount": check.unhealthyThresholdCount,
            "Matcher": {"HttpCode": check.matcher.httpCode},
        }
    before = f"{naming.normalized(trigger.key)}LambdaPermissionRegisterTarget"
    kind = "AWS::ElasticLoadBalancingV2::TargetGroup"
    return Resource(_target_group_id(trigger), kind, properties, trigger.path, (before,))


def _balancer(event: AlbEvent, service: Service) -> str | None:
    """The name of the load balancer of this file that a rule belongs to, if it is known."""
    resources = service.resources.Resources
    listener = resources.get(event.listener, {}).get("Properties") or {}
    reference = listener.get("LoadBalancerArn")
    logical_id = reference.get("Ref") if isinstance(reference, dict) else None
    properties = resources.get(str(logical_id), {}).get("Properties") or {}
    name = properties.get("Name")
    return name if isinstance(name, str) else None
