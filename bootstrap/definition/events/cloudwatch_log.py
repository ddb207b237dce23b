"""``cloudwatchLog``: log events of a log group, those that match a filter pattern.

Serverless guide, "CloudWatch Logs"; CloudWatch Logs User Guide, "Subscription filters with AWS
Lambda".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, override

from bootstrap.definition import naming
from bootstrap.definition.document import Document
from bootstrap.definition.events.base import EventType, Example, Trigger, invoke_permission
from bootstrap.definition.events.failures import ASYNCHRONOUS_INVOCATION
from bootstrap.definition.parsing import Model
from bootstrap.settings import Settings
from bootstrap.template import Resource

if TYPE_CHECKING:
    from bootstrap.definition.model import Service

#: Subscription filters of a log group (CloudWatch Logs quotas).
MOST_FILTERS = 2
_NAME = re.compile(r"[/#A-Za-z0-9-_.]+")
_LINE_END = re.compile(r"\r?\n")
_ESCAPED = re.compile(r"\\([\"\\'])")
_GROUP = "AWS::Logs::LogGroup"


class CloudwatchLogEvent(Model):
    """``cloudwatchLog`` under ``events``: a log group by its name, and a filter pattern."""

    logGroup: str
    filter: str | None = None

    @property
    def group(self) -> str:
        """Name of the log group."""
        return _LINE_END.sub("", self.logGroup)

    @property
    def pattern(self) -> str:
        """The filter pattern as the framework reads it.

        Line ends go. Quotes lose one backslash when the first of them has one.
        """
        text = _LINE_END.sub("", self.filter or "")
        backslash, quote = text.find("\\"), text.find('"')
        return _ESCAPED.sub(r"\1", text) if 0 <= backslash < quote else text


class CloudwatchLog(EventType[CloudwatchLogEvent]):
    """CloudWatch Logs invokes the function asynchronously with the log events that match."""

    key = "cloudwatchLog"
    model = CloudwatchLogEvent
    failures = (ASYNCHRONOUS_INVOCATION,)

    @override
    def long_form(self, body: Any) -> Any:
        """``cloudwatchLog: <name of a log group>``."""
        return {"logGroup": body} if isinstance(body, str) else body

    @override
    def check(
        self, trigger: Trigger[CloudwatchLogEvent], service: Service, document: Document
    ) -> None:
        group, name = trigger.event.group, f"functions.{trigger.key}"
        if not _NAME.fullmatch(group):
            document.fail(
                f"{name}: “{group}” is no name of a log group: it may have letters, digits, /, #,"
                " -, _ and dots.",
                *trigger.path,
            )

    @override
    def permissions(
        self, triggers: Sequence[Trigger[CloudwatchLogEvent]], service: Service
    ) -> Iterator[Resource]:
        """One for each function: for what its log groups' names begin with."""
        groups: dict[str, list[Trigger[CloudwatchLogEvent]]] = {}
        for trigger in triggers:
            groups.setdefault(trigger.key, []).append(trigger)
        region = {"Ref": "AWS::Region"}
        for mine in groups.values():
            names = _common(one.event.group for one in mine)
            arn = ["arn:", {"Ref": "AWS::Partition"}, ":logs:", region, ":"]
            account: list[Any] = [{"Ref": "AWS::AccountId"}, ":log-group:", names, ":*"]
            permission = invoke_permission(
                _permission_id(mine[0]),
                mine[0],
                "logs.amazonaws.com",
                {"Fn::Join": ["", [*arn, *account]]},
            )
            permission.properties["Principal"] = {
                "Fn::Join": ["", ["logs.", region, ".amazonaws.com"]]
            }
            yield permission

    @override
    def role_statements(
        self, triggers: Sequence[Trigger[CloudwatchLogEvent]]
    ) -> Iterator[dict[str, Any]]:
        """None: CloudWatch Logs invokes the function, by its permission."""
        yield from ()

    @override
    def resources(
        self,
        triggers: Sequence[Trigger[CloudwatchLogEvent]],
        service: Service,
        document: Document,
    ) -> Iterator[Resource]:
        of_function: Counter[str] = Counter()
        of_group: Counter[str] = Counter()
        for trigger in triggers:
            of_function[trigger.key] += 1
            of_group[trigger.event.group] += 1
            if of_group[trigger.event.group] > MOST_FILTERS:
                document.fail(
                    f"functions.{trigger.key}: only {MOST_FILTERS} subscription filters can be"
                    f" configured per log group, and “{trigger.event.group}” has more.",
                    *trigger.path,
                )
            number = of_function[trigger.key]
            yield Resource(
                f"{naming.normalized(trigger.key)}LogsSubscriptionFilterCloudWatchLog{number}",
                "AWS::Logs::SubscriptionFilter",
                {
                    "LogGroupName": trigger.event.group,
                    "FilterPattern": trigger.event.pattern,
                    "DestinationArn": trigger.function_arn,
                },
                trigger.path,
                (_permission_id(trigger), *_group_ids(trigger.event.group, service)),
            )

    @override
    def example(
        self, trigger: Trigger[CloudwatchLogEvent], service: Service, settings: Settings
    ) -> Example:
        event = trigger.event
        message = '{"level":"ERROR","message":"by hand"}' if event.pattern else "by hand"
        command = f"make fire-log GROUP={event.group} MESSAGE='{message}'"
        return Example(f"log group {event.group}", command)


def _permission_id(trigger: Trigger[CloudwatchLogEvent]) -> str:
    normalized = naming.normalized(trigger.key)
    return f"{normalized}LambdaPermissionLogsSubscriptionFilterCloudWatchLog"


def _common(names: Iterator[str]) -> str:
    """What all names begin with, as the framework shortens it."""
    first, *others = names
    common = first
    for name in others:
        length = next(
            (i for i, (a, b) in enumerate(zip(common, name, strict=False)) if a != b), None
        )
        if length is None and len(name) < len(common):
            length = len(name)
        common = common if length is None else common[:length]
    return f"{common}*" if others and not common.endswith("*") else common


def _group_ids(name: str, service: Service) -> Iterator[str]:
    """Logical ids of the log group, when the definition makes it: it must be there first."""
    for key in service.functions:
        if name == f"/aws/lambda/{service.function_name(key)}":
            yield naming.log_group_id(key)
    for logical_id, body in service.resources.Resources.items():
        if body.get("Type") == _GROUP:
            properties = body.get("Properties") or {}
            if isinstance(properties, dict) and properties.get("LogGroupName") == name:
                yield logical_id
