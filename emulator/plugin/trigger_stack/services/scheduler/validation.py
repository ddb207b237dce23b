"""What a schedule may ask for: refused when it is made, not when it is due.

AWS topics: EventBridge Scheduler API Reference, "CreateSchedule", "Target" and
"FlexibleTimeWindow"; User Guide, "Using templated targets".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from trigger_stack.delivery.schedules.expression import (
    At,
    ExpressionError,
    TimezoneError,
    parse_in_zone,
)
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.scheduler.universal import (
    PREFIX,
    UnknownOperationError,
    operation,
)

_NAME = re.compile(r"[0-9a-zA-Z-_.]{1,64}")
_ROLE = re.compile(r"arn:aws(-[a-z]+)?:iam::\d{12}:role/[a-zA-Z0-9+=,.@\-_/]+")
_QUEUE = re.compile(r"arn:aws(-[a-z]+)?:sqs:[a-z0-9\-]+:\d{12}:[a-zA-Z0-9\-_]+")
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}):(.+)")
_EARLIEST_START = timedelta(minutes=5)
#: Parameters that a target of a service needs, and nobody else may have.
_PARAMETERS = {"events": "EventBridgeParameters", "kinesis": "KinesisParameters"}
_TARGETS = ("events", "kinesis", "lambda", "sns", "sqs")


def refusal(message: str) -> ServiceError:
    """The error for a request that cannot be."""
    return ServiceError("ValidationException", message)


def _violation(value: Any, member: str, constraint: str) -> ServiceError:
    shown = "null" if value is None else f"'{value}'"
    return refusal(
        f"1 validation error detected: Value {shown} at '{member}' failed to satisfy constraint:"
        f" Member must {constraint}"
    )


def check_name(value: Any, member: str = "name") -> None:
    """Check the name of a schedule or a group.

    Raises:
        ServiceError: It is none.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        pattern = "satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$"
        raise _violation(value, member, pattern)


def check_schedule(
    request: Mapping[str, Any], now: datetime, runs_here: Callable[[str], str | None]
) -> None:
    """Check ``CreateSchedule`` or ``UpdateSchedule``.

    Args:
        request: The request.
        now: The time by which schedules fire.
        runs_here: Why requests to a service cannot be answered; None when they can.

    Raises:
        ServiceError: AWS would refuse it, or its target is not part of this stack.
    """
    check_name(request.get("Name"))
    if group := request.get("GroupName"):
        check_name(group, "groupName")
    _one_of(request.get("State", "ENABLED"), "state", ("ENABLED", "DISABLED"))
    after = request.get("ActionAfterCompletion", "NONE")
    _one_of(after, "actionAfterCompletion", ("NONE", "DELETE"))
    _check_window(request.get("FlexibleTimeWindow"))
    _check_times(request, now)
    _check_target(request.get("Target"), runs_here)


def _one_of(value: Any, member: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise _violation(value, member, f"satisfy enum value set: [{', '.join(values)}]")


def _number(value: Any, member: str, low: int, high: int) -> None:
    if value is None:
        return
    if value < low:
        raise _violation(value, member, f"have value greater than or equal to {low}")
    if value > high:
        raise _violation(value, member, f"have value less than or equal to {high}")


def _check_window(window: Any) -> None:
    if window is None:
        raise _violation(None, "flexibleTimeWindow", "not be null")
    mode, minutes = window.get("Mode"), window.get("MaximumWindowInMinutes")
    if mode is None:
        raise _violation(None, "flexibleTimeWindow.mode", "not be null")
    _one_of(mode, "flexibleTimeWindow.mode", ("OFF", "FLEXIBLE"))
    _number(minutes, "flexibleTimeWindow.maximumWindowInMinutes", 1, 1440)
    if mode == "FLEXIBLE" and minutes is None:
        raise refusal("MaximumWindowInMinutes must be set when the mode is FLEXIBLE.")
    if mode == "OFF" and minutes is not None:
        raise refusal("MaximumWindowInMinutes must not be set when the mode is OFF.")


def _check_times(request: Mapping[str, Any], now: datetime) -> None:
    expression = request.get("ScheduleExpression")
    if expression is None:
        raise _violation(None, "scheduleExpression", "not be null")
    zone = request.get("ScheduleExpressionTimezone") or "UTC"
    try:
        schedule = parse_in_zone(expression, zone)
    except ExpressionError:
        raise refusal(f"Invalid Schedule Expression {expression}.") from None
    except TimezoneError:
        raise refusal(f"Invalid Schedule Expression Timezone {zone}.") from None
    if isinstance(schedule, At):
        return  # it has neither start nor end
    start, end = request.get("StartDate"), request.get("EndDate")
    if start and start < now - _EARLIEST_START:
        raise refusal("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end and end <= now:
        raise refusal("The EndDate you specify cannot be in the past.")
    if start and end and end <= start:
        raise refusal("The StartDate you specify must come before the EndDate.")


def _check_target(target: Any, runs_here: Callable[[str], str | None]) -> None:
    if target is None:
        raise _violation(None, "target", "not be null")
    arn, role, given = target.get("Arn"), target.get("RoleArn"), target.get("Input")
    if arn is None:
        raise _violation(None, "target.arn", "not be null")
    if role is None:
        raise _violation(None, "target.roleArn", "not be null")
    if not _ROLE.fullmatch(role):
        raise _violation(role, "target.roleArn", f"satisfy regular expression: {_ROLE.pattern}")
    policy = target.get("RetryPolicy") or {}
    member = "target.retryPolicy."
    _number(policy.get("MaximumRetryAttempts"), f"{member}maximumRetryAttempts", 0, 185)
    age = policy.get("MaximumEventAgeInSeconds")
    _number(age, f"{member}maximumEventAgeInSeconds", 60, 86_400)
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue is not None and not _QUEUE.fullmatch(queue):  # a FIFO queue, too
        raise _violation(queue, "target.deadLetterConfig.arn", f"satisfy: {_QUEUE.pattern}")
    if arn.startswith("arn:aws:scheduler:"):
        _check_universal(arn, given, runs_here)
    else:
        _check_templated(arn, target)


def _check_universal(arn: str, given: str | None, runs_here: Callable[[str], str | None]) -> None:
    try:
        service, _ = operation(arn)
    except UnknownOperationError as error:
        raise refusal(str(error)) from None
    if problem := runs_here(service):
        raise refusal(problem)
    if given is not None and not isinstance(_json(given), dict):
        raise refusal("The Input of a universal target must be a JSON object.")


def _check_templated(arn: str, target: Mapping[str, Any]) -> None:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise refusal("Provided Arn is not in correct format.")
    service, resource = match[1], match[4]
    if service not in _TARGETS:
        raise refusal(
            f"Targets of {service} are not part of this stack. Templated targets here:"
            f" {', '.join(_TARGETS)}; any other service that runs here: {PREFIX}service:apiAction."
        )
    for owner, name in _PARAMETERS.items():
        if (service == owner) != (target.get(name) is not None):
            wanted = "must be" if service == owner else "must not be"
            raise refusal(f"{name} {wanted} specified for the target {arn}.")
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if service == "sqs" and resource.endswith(".fifo") != (group is not None):
        raise refusal("MessageGroupId must be specified for a FIFO queue, and for no other target.")
    if service != "sqs" and group is not None:
        raise refusal(f"SqsParameters must not be specified for the target {arn}.")
    given = target.get("Input")
    if service in ("events", "lambda") and given is not None and _json(given) is _NO_JSON:
        raise refusal("The Input of this target must be JSON.")


_NO_JSON = object()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NO_JSON
