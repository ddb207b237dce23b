"""Routes below ``/_trigger_stack/scheduler`` for what has no AWS operation.

``POST …/schedules/<group>/<name>/fire`` invokes the target of a schedule now, paused or not.
``POST …/deliver`` invokes it again with the input of a dead letter (redrive).

What: routes at LocalStack's router.
Why: EventBridge Scheduler has no operation for either.
Until: AWS has one.
Test: ``tests/delivery/test_scheduler_targets.py``.
"""

from __future__ import annotations

import json
import time
from typing import Any

from localstack.constants import AWS_REGION_US_EAST_1, DEFAULT_AWS_ACCOUNT_ID
from localstack.http import Request, Response, route
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.schedules.delivery import Source, Tick
from trigger_stack.localstack.schedules import scheduler


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


def _source(arn: str) -> Source | None:
    from trigger_stack.localstack.scheduler.provider import source_of

    SERVICE_PLUGINS.require("scheduler")
    return source_of(arn, scheduler().clock.now())


class SchedulerRoutes:
    """Routes on the gateway."""

    @route("/_trigger_stack/scheduler/schedules/<group>/<name>/fire", methods=["POST"])
    def fire(self, request: Request, group: str, name: str) -> Response:
        """Answer ``{"eventId": execution id, "targets": [ARN]}``, or 404."""
        from trigger_stack.localstack.scheduler.targets import deliver

        account = request.args.get("account", DEFAULT_AWS_ACCOUNT_ID)
        region = request.args.get("region", AWS_REGION_US_EAST_1)
        source = _source(f"arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}")
        if source is None:
            return _json(f"There is no schedule {name} in the group {group}.", 404)
        deliver(source, TraceHeader().ensure_root_exists())
        return _json({"eventId": source.execution_id, "targets": [source.arn]})

    @route("/_trigger_stack/scheduler/deliver", methods=["POST"])
    def deliver(self, request: Request) -> Response:
        """Take ``{"scheduleArn", "targetArn", "input"}``; 502 with why when it fails again.

        A schedule that was deleted since, as one-time schedules are, needs no entry: its target's
        ARN is enough, unless the target has parameters.
        """
        from trigger_stack.localstack.scheduler.targets import send

        try:
            body = json.loads(request.get_data())
            arn, target, given = body["scheduleArn"], body["targetArn"], str(body["input"])
            source = _source(arn)
        except (ValueError, KeyError, TypeError):
            return _json("The body must be JSON with scheduleArn, targetArn and input.", 400)
        if source is None or source.arn != target:
            source = Source(arn, {"Arn": target}, scheduler().clock.now())
        again = Tick(source, {"input": given}, TraceHeader().ensure_root_exists(), time.monotonic())
        try:
            send(again)
        except Exception as error:  # the caller keeps the dead letter and reads why
            return _json(f"{type(error).__name__}: {error}", 502)
        return _json({"delivered": True})
