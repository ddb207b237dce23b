"""An invocation of EventBridge Scheduler on its way to the target of its schedule.

AWS topics: EventBridge Scheduler User Guide, "Adding context attributes", "Configuring a schedule's
dead-letter queue", and the API's ``RetryPolicy``: 185 retries within a day by default.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, override

from botocore.exceptions import ClientError, ParamValidationError

from trigger_stack.delivery.rules.delivery import Delivery, error_code


@dataclass(frozen=True)
class Source:
    """A schedule as its invocation began: a change of it counts for the next one.

    Attributes:
        rule_arn: ARN of the schedule.
        target: ``Target`` of the API.
        scheduled: When it was due.
        execution_id: Of the invocation, the same for all its tries.
    """

    rule_arn: str
    target: dict[str, Any]
    scheduled: datetime
    execution_id: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def arn(self) -> str:
        """ARN of the target."""
        return str(self.target["Arn"])

    @property
    def rule_name(self) -> str:
        """Group and name of the schedule."""
        return self.rule_arn.partition(":schedule/")[2]

    @property
    def scheduled_time(self) -> str:
        """When it was due, as context attributes have it."""
        return self.scheduled.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def default_input(source: Source) -> str:
    """What a target without an input gets."""
    _, _, _, region, account, _ = source.rule_arn.split(":", 5)
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": source.scheduled_time,
            "region": region,
            "resources": [source.rule_arn],
            "detail": "{}",
        }
    )


@dataclass
class Tick(Delivery):
    """One invocation: ``event`` has the input."""

    kind: ClassVar[str] = "schedule tick"
    remedy: ClassVar[str] = "set DeadLetterConfig of the schedule's target"

    @property
    @override
    def name(self) -> str:
        return f"schedule {self.sender.rule_name}"

    @override
    def content(self) -> dict[str, Any]:
        """The input with its context attributes filled in, as this try has it."""
        text: str = self.event["input"]
        for name, value in {
            "schedule-arn": self.sender.rule_arn,
            "scheduled-time": self.sender.scheduled_time,
            "execution-id": self.sender.execution_id,
            "attempt-number": str(max(self.attempts, 1)),
        }.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return self.event | {"input": text}

    @property
    @override
    def body(self) -> str:
        return str(self.content()["input"])

    @override
    def cause(self, error: Exception) -> tuple[str, bool]:
        """The target's own error code."""
        code, may_help = error_code(error)
        if isinstance(error, ClientError):
            code = str(error.response.get("Error", {}).get("Code", "")) or code
        elif isinstance(error, ParamValidationError):
            code, may_help = "ValidationException", False
        return code, may_help

    @override
    def attributes(self) -> dict[str, str]:
        return {
            "SCHEDULE_ARN": self.sender.rule_arn,
            "TARGET_ARN": self.sender.arn,
            "SCHEDULED_TIME": self.sender.scheduled_time,
            "EXECUTION_ID": self.sender.execution_id,
            "IS_PAYLOAD_TRUNCATED": "false",
        }


def tick(source: Source, trace_header: Any, clock: Callable[[], float]) -> Tick:
    """The invocation of a schedule that is due.

    Args:
        source: The schedule.
        trace_header: For the trace of what comes of it.
        clock: Monotonic time in seconds.
    """
    given = source.target.get("Input")
    event = {"input": default_input(source) if given is None else given}
    return Tick(source, event, trace_header, clock())
