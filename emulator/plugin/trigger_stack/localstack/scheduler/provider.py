"""Amazon EventBridge Scheduler with schedules that fire.

What: a provider at LocalStack's extension point ``localstack.aws.provider``, which hands every
operation to moto, checks requests before that, and tells our clock after it.
Why: LocalStack stores schedules and never fires them, and checks little of a request. moto answers
500 for a group that is not there, puts an empty group in the place of one that is, and forgets
``ActionAfterCompletion`` at an update. Neither knows ``ClientToken`` or looks at the role.
Until: LocalStack fires schedules.
Test: ``tests/unit/plugin/test_scheduler_patches.py``.
"""

from __future__ import annotations

import copy
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.api.core import ServiceRequestHandler
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.schedules.delivery import Source
from trigger_stack.delivery.schedules.scheduler import Terms
from trigger_stack.localstack import schedules
from trigger_stack.localstack.aws_service import as_aws_error
from trigger_stack.localstack.changes import changes
from trigger_stack.localstack.execution_roles import execution_roles
from trigger_stack.localstack.scheduler.targets import PRINCIPAL, deliver
from trigger_stack.localstack.unsupported_services import refusal
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.scheduler.client_tokens import ClientTokens
from trigger_stack.services.scheduler.validation import check_name, check_schedule

#: Guards the store and what the clock knows of it: a schedule that is updated while it fires for
#: the last time is not deleted.
_LOCK = threading.RLock()


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    model = load_service("scheduler")
    table: DispatchTable = dict.fromkeys(model.operation_names, _call_moto)
    tokens = ClientTokens()
    own = {
        "CreateSchedule": _create_schedule,
        "UpdateSchedule": _update_schedule,
        "DeleteSchedule": _delete_schedule,
        "CreateScheduleGroup": _create_group,
        "DeleteScheduleGroup": _delete_group,
    }
    table |= {name: _once(tokens, name, handler) for name, handler in own.items()}
    schedules.FIRES["scheduler"] = _fire
    return Service("scheduler", skeleton=Skeleton(model, table))


def find(arn: str) -> Any | None:
    """Moto's schedule of an ARN."""
    _, _, _, region, account, resource = arn.split(":", 5)
    _, group, name = resource.split("/")
    found = _groups(account, region).get(group)
    return found.schedules.get(name) if found else None


def source_of(arn: str, scheduled: datetime) -> Source | None:
    """What a schedule sends and where to, as it is now."""
    with _LOCK:
        schedule = find(arn)
        return schedule and Source(arn, copy.deepcopy(schedule.target), scheduled)


def _groups(account: str, region: str) -> dict[str, Any]:
    from moto.scheduler.models import scheduler_backends

    groups: dict[str, Any] = scheduler_backends[account][region].schedule_groups
    return groups


def _call_moto(context: RequestContext, request: Any) -> Any:
    return call_moto(context)


def _once(tokens: ClientTokens, name: str, handler: ServiceRequestHandler) -> ServiceRequestHandler:
    """An operation that a request with the same ``ClientToken`` does once."""

    def handle(context: RequestContext, request: Any) -> Any:
        place = (context.account_id, context.region, name)
        try:
            with _LOCK:
                return tokens.once(place, request, lambda: handler(context, request))
        except ServiceError as error:
            raise as_aws_error(error) from error

    return handle


def _check(context: RequestContext, request: Any) -> None:
    try:
        check_schedule(request, schedules.scheduler().clock.now(), refusal)
    except ServiceError as error:
        raise as_aws_error(error) from error
    # The group is what a trust policy may name (User Guide, "Confused deputy prevention").
    group = request.get("GroupName") or "default"
    place = f"{context.region}:{context.account_id}"
    arn = f"arn:{context.partition}:scheduler:{place}:schedule-group/{group}"
    role = request["Target"]["RoleArn"]
    if problem := execution_roles().why_not_assumed(role, PRINCIPAL, arn):
        message = "The execution role you provide must allow AWS EventBridge Scheduler to assume"
        raise CommonServiceException("ValidationException", f"{message} the role. {problem}")


def _create_schedule(context: RequestContext, request: Any) -> Any:
    _check(context, request)
    with _LOCK:
        _group(context, request.get("GroupName") or "default")
        answer = call_moto(context)
        _tell_clock(find(answer["ScheduleArn"]))
    return answer


def _update_schedule(context: RequestContext, request: Any) -> Any:
    _check(context, request)
    with _LOCK:
        answer = call_moto(context)
        schedule: Any = find(answer["ScheduleArn"])
        schedule.state = request.get("State") or "ENABLED"
        schedule.action_after_completion = request.get("ActionAfterCompletion")
        _tell_clock(schedule)
    return answer


def _delete_schedule(context: RequestContext, request: Any) -> Any:
    group, name = request.get("GroupName") or "default", request["Name"]
    with _LOCK:
        answer = call_moto(context)
        place = f"{context.region}:{context.account_id}"
        arn = f"arn:{context.partition}:scheduler:{place}:schedule/{group}/{name}"
        schedules.scheduler().remove(arn)
    return answer


def _group(context: RequestContext, name: str) -> Any:
    """A schedule group.

    Raises:
        CommonServiceException: There is none of that name.
    """
    group = _groups(context.account_id, context.region).get(name)
    if group is None:
        message = f"Schedule group {name} does not exist."
        raise CommonServiceException(
            "ResourceNotFoundException", message, status_code=404, sender_fault=True
        )
    return group


def _create_group(context: RequestContext, request: Any) -> Any:
    name = request["Name"]
    try:
        check_name(name)
    except ServiceError as error:
        raise as_aws_error(error) from error
    with _LOCK:
        if name in _groups(context.account_id, context.region):
            message = f"Schedule group {name} already exists."
            raise CommonServiceException(
                "ConflictException", message, status_code=409, sender_fault=True
            )
        return call_moto(context)


def _delete_group(context: RequestContext, request: Any) -> Any:
    name = request["Name"]
    if name == "default":
        raise CommonServiceException(
            "ValidationException", "The default schedule group cannot be deleted."
        )
    with _LOCK:
        group = _group(context, name)
        answer = call_moto(context)
        for schedule in group.schedules.values():
            schedules.scheduler().remove(schedule.arn)
    return answer


def _tell_clock(schedule: Any) -> None:
    """Enable or disable a schedule as it is now."""
    if schedule.state == "DISABLED":
        schedules.scheduler().remove(schedule.arn)
        return
    window = schedule.flexible_time_window.get("MaximumWindowInMinutes") or 0
    terms = Terms(
        schedule.schedule_expression_timezone,
        *(_moment(schedule.start_date), _moment(schedule.end_date)),
        timedelta(minutes=window),
    )
    schedules.scheduler().put(schedule.arn, schedule.schedule_expression, terms)


def _moment(seconds: float | str | None) -> datetime | None:
    """A time as moto keeps it."""
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)


def _fire(arn: str, due: datetime) -> None:
    """Invoke the target of a schedule that is due; delete it if it was for the last time."""
    source = source_of(arn, due)
    if source is None:
        return
    deliver(source, TraceHeader().ensure_root_exists())
    with _LOCK:
        schedule = find(arn)
        if (
            schedule
            and schedule.action_after_completion == "DELETE"
            and schedule.state == "ENABLED"
            and not schedules.scheduler().waits(arn)
        ):
            _, _, _, region, account, _ = arn.split(":", 5)
            del _groups(account, region)[schedule.group_name].schedules[schedule.name]
            changes().count()
