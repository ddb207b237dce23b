"""Rules with a schedule fire when they are due; one clock for them and EventBridge Scheduler.

What: ``JobScheduler.add_job`` does nothing any longer; ``RuleService._get_schedule_cron`` checks
the whole expression; a handler in ``run_custom_response_handlers``, LocalStack's own list, keeps
our scheduler in step with the rules; a route shows and moves its clock.
Why: LocalStack looks every 59.9 s which rules are due within a minute: it fires at any second, can
fire twice or not at all, counts ``rate`` by the calendar, adds a job with each ``PutTargets``, and
goes on firing a rule that was disabled.
Until: LocalStack fires a rule once, at its time.
Test: ``tests/unit/plugin/test_schedule_patches.py``.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.handlers import run_custom_response_handlers
from localstack.http import Request, Response, route
from localstack.services.edge import ROUTER
from localstack.services.events.models import ValidationException, events_stores
from localstack.services.events.rule import RuleService
from localstack.services.events.scheduler import JobScheduler
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.delivery.schedules.expression import ExpressionError, parse
from trigger_stack.delivery.schedules.scheduler import Scheduler
from trigger_stack.localstack.events.routes import scheduled_event
from trigger_stack.localstack.lambda_engine.outcomes import record

LOG = logging.getLogger(__name__)

_CHANGES = frozenset(
    {"PutRule", "DeleteRule", "EnableRule", "DisableRule", "PutTargets", "RemoveTargets"}
)


@functools.cache
def scheduler() -> Scheduler:
    """The emulator's one scheduler."""
    return Scheduler(_fire)


def _rules() -> dict[str, Any]:
    """Every rule with a schedule, by ARN."""
    found = {}
    for _, _, store in events_stores.iter_stores():
        for bus in store.event_buses.values():
            for rule in bus.rules.values():
                if rule.schedule_expression:
                    found[str(rule.arn)] = rule
    return found


def synchronise() -> None:
    """Enable and disable schedules as the rules are now."""
    rules = _rules()
    wanted = {
        arn: rule.schedule_expression
        for arn, rule in rules.items()
        if rule.state != "DISABLED" and rule.targets
    }
    for arn in scheduler().due_times():
        if _service(arn) == "events" and arn not in wanted:
            scheduler().remove(arn)
    for arn, expression in wanted.items():
        scheduler().put(arn, expression)


def _service(arn: str) -> str:
    return arn.split(":")[2]


def _fire(arn: str, due: datetime) -> None:
    """Fire what is due: a rule, or a schedule of EventBridge Scheduler."""
    FIRES[_service(arn)](arn, due)


def _fire_rule(arn: str, due: datetime) -> None:
    """Send the event of a schedule to the targets of its rule."""
    rule = _rules().get(arn)
    if rule is None:
        return
    senders = SERVICE_PLUGINS.require("events")._provider._target_sender_store
    _, _, _, region, account, _ = arn.split(":", 5)
    event = scheduled_event(arn, account, region, due)
    for target in list(rule.targets.values()):
        sender = senders.get(f"{arn}-{target['Id']}")
        if sender is None:
            body = json.dumps(event, default=str).encode()
            place = "LocalStack has no sender for this target"
            record(Outcome("event of a rule", arn, target["Arn"], "lost", place, 0, body))
            continue
        sender.process_event(dict(event), trace_header=TraceHeader().ensure_root_exists())


#: Fires what has an ARN of a service and was due.
FIRES: dict[str, Callable[[str, datetime], None]] = {"events": _fire_rule}


def _after_operation(chain: Any, context: Any, response: Any) -> None:
    """Response handler: a change of a rule counts when its caller has an answer."""
    del chain, response
    if context.service is None or context.service.service_name != "events":
        return
    if context.operation is not None and context.operation.name in _CHANGES:
        synchronise()


class ClockRoutes:
    """``/_trigger_stack/clock``: ``GET`` shows the time, ``POST {"at": …}`` moves it."""

    @route("/_trigger_stack/clock", methods=["GET", "POST"])
    def clock(self, request: Request, **_: Any) -> Response:
        """``{"now": time, "moved_s": seconds, "schedules": {ARN: next time}}``."""
        if request.method == "POST":
            try:
                scheduler().move_to(_moment(json.loads(request.data)["at"]))
                _tell_the_engine()
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                return _answer(400, {"message": f"at: write an ISO 8601 time or “real”: {error}"})
        clock = scheduler().clock
        return _answer(
            200,
            {
                "now": clock.now().isoformat(timespec="milliseconds"),
                "moved_s": clock.offset.total_seconds(),
                "schedules": {
                    arn: due.astimezone(UTC).isoformat()
                    for arn, due in scheduler().due_times().items()
                },
            },
        )


def _tell_the_engine() -> None:
    """What CloudFront keeps gets old, tokens expire and quotas end by the same clock."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    def ahead_s() -> float:
        return scheduler().clock.offset.total_seconds()

    control_plane().push("clock", ahead_s)


def _moment(at: str) -> datetime | None:
    """A time with a zone; ``None`` for the machine's.

    Raises:
        ValueError: It is neither.
    """
    if at == "real":
        return None
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError("the time has no zone")
    return moment


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


def install() -> None:
    """Patch LocalStack's EventBridge."""

    def get_schedule_cron(self: RuleService, schedule_expression: str) -> str:
        try:
            parse(schedule_expression)
        except ExpressionError as error:
            LOG.info("%s: %s", schedule_expression, error)
            raise ValidationException("Parameter ScheduleExpression is not valid.") from None
        return schedule_expression

    def add_job(self: JobScheduler, job_func: Any, schedule: Any, enabled: bool = True) -> str:
        return "the schedule is kept elsewhere"

    RuleService._get_schedule_cron = get_schedule_cron  # type: ignore[method-assign]  # the patch
    JobScheduler.add_job = add_job  # type: ignore[method-assign]  # the patch
    run_custom_response_handlers.append(_after_operation)
    ROUTER.add(ClockRoutes())
