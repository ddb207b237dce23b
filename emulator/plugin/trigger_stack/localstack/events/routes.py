"""Routes below ``/_trigger_stack/events`` for what has no AWS operation.

``POST …/rules/<rule>/fire`` runs a scheduled rule now, through LocalStack's own job for it.
``POST …/deliver`` delivers an event to one target of a rule again (redrive of a dead letter).

What: routes at LocalStack's router; they read its store of rules and its target senders, which are
private members of the provider.
Why: EventBridge has no operation for either.
Until: LocalStack offers both; AWS does not.
Test: ``tests/unit/plugin/test_event_routes.py``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from localstack.constants import AWS_REGION_US_EAST_1, DEFAULT_AWS_ACCOUNT_ID
from localstack.http import Request, Response, route
from localstack.services.events.models import events_stores
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.strings import long_uid
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.localstack.events.target_sender import deliverer, send


def _provider() -> Any:
    """LocalStack's EventBridge provider; starts the service when it is not running yet."""
    service = SERVICE_PLUGINS.require("events")
    return service._provider


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


def scheduled_event(
    rule_arn: str, account: str, region: str, due: datetime | None = None
) -> dict[str, Any]:
    """The event of a schedule that was ``due``, or is fired now.

    AWS topic: Amazon EventBridge User Guide, "Creating a rule that runs on a schedule".
    """
    moment = due or datetime.now(UTC)
    return {
        "version": "0",
        "id": long_uid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


class EventRoutes:
    """Routes on the gateway."""

    @route("/_trigger_stack/events/rules/<rule>/fire", methods=["POST"])
    def fire(self, request: Request, rule: str) -> Response:
        """Answer ``{"eventId": …, "targets": [arn, …]}``, or 404, or 409 without targets."""
        account = request.args.get("account", DEFAULT_AWS_ACCOUNT_ID)
        region = request.args.get("region", AWS_REGION_US_EAST_1)
        provider = _provider()
        bus = events_stores[account][region].event_buses.get("default")
        found = bus.rules.get(rule) if bus else None
        if found is None or not found.schedule_expression:
            return _json(f"There is no rule {rule} with a schedule.", 404)
        targets = list(found.targets.values())
        if not targets:
            return _json(f"The rule {rule} has no target: nothing would receive its event.", 409)
        event = scheduled_event(found.arn, account, region)
        for target in targets:
            sender = provider._target_sender_store[f"{found.arn}-{target['Id']}"]
            sender.process_event(dict(event), trace_header=TraceHeader().ensure_root_exists())
        return _json({"eventId": event["id"], "targets": [target["Arn"] for target in targets]})

    @route("/_trigger_stack/events/deliver", methods=["POST"])
    def deliver(self, request: Request) -> Response:
        """Take ``{"ruleArn", "targetArn", "event"}``; 502 with the reason when it fails again."""
        try:
            body = json.loads(request.get_data())
            rule, target, event = body["ruleArn"], body["targetArn"], body["event"]
        except (ValueError, KeyError, TypeError):
            return _json("The body must be JSON with ruleArn, targetArn and event.", 400)
        sender = next(
            (
                candidate
                for candidate in _provider()._target_sender_store.values()
                if candidate.rule_arn == rule and candidate.arn == target
            ),
            None,
        )
        if sender is None:
            return _json(f"The rule {rule} no longer has the target {target}.", 404)
        try:
            send(deliverer.new(sender, event, TraceHeader().ensure_root_exists()))
        except Exception as error:  # the caller keeps the dead letter and reads why
            return _json(f"{type(error).__name__}: {error}", 502)
        return _json({"delivered": True})
