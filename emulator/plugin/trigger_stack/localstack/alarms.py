"""An alarm's actions are all taken, functions are invoked as events, and an update keeps its state.

What: in LocalStack's CloudWatch provider: the clients that ``SetAlarmState`` takes an alarm's
actions with, ``put_metric_alarm``, and ``generate_metric_query`` of its alarms.
Why: LocalStack waits for a function that is an action, and takes no notice of its failure: nobody
tries again, and no on-failure destination gets the event. It asks no resource policy. It invokes
the function instead of the alias or version that the action names. A topic that is gone costs the
actions behind it. An alarm that is put a second time is in the state ``INSUFFICIENT_DATA``, so that
its actions are taken again, and it counts values of every unit.
Until: LocalStack invokes with ``InvocationType`` ``Event``, and keeps the state.
Test: ``tests/delivery/test_alarms.py``.

AWS topics: Amazon CloudWatch User Guide, "Invoke a Lambda function from an alarm" (asynchronously);
API Reference, "PutMetricAlarm": "When you update an existing alarm, its state is left unchanged".
"""

from __future__ import annotations

import functools
import json
from typing import Any

from localstack.aws.connect import connect_to

from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.resource_policies import resource_policies

#: Who invokes the function of an action (User Guide, "Invoke a Lambda function from an alarm").
PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"

#: What of an alarm is no setting of its.
_STATE = (
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
)


class _Topics:
    """Publishes to the topic of an action."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def publish(self, **message: Any) -> None:
        """Publish, or have the journal say why not."""
        target = str(message.get("TopicArn"))
        _take(lambda: self._client.publish(**message), target, str(message.get("Message")))


class _Functions:
    """Invokes the function of an action."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def invoke(self, **call: Any) -> None:
        """Hand the event over: Lambda tries again, and has a place for failures."""
        payload = call.get("Payload") or ""
        text = payload if isinstance(payload, str) else bytes(payload).decode(errors="replace")
        target = str(call.get("FunctionName"))

        def invoke() -> None:
            if problem := resource_policies().why_not(PRINCIPAL, target, _alarm(text)):
                raise PermissionError(problem)
            self._client.invoke(InvocationType="Event", **call)

        _take(invoke, target, text)


class _Clients:
    """The clients of the services that actions belong to."""

    def __init__(self, clients: Any) -> None:
        self._clients = clients

    @property
    def sns(self) -> _Topics:
        """Of topics."""
        return _Topics(self._clients.sns)

    @property
    def lambda_(self) -> _Functions:
        """Of functions."""
        return _Functions(self._clients.lambda_)


def _take(action: Any, target: str, event: str) -> None:
    try:
        action()
    except Exception as error:  # one action's failure costs no other action
        why = f"the action of the alarm was not taken: {error}"
        record(Outcome("action of an alarm", _alarm(event), target, "lost", why, 1, event.encode()))


def _alarm(event: str) -> str:
    """The ARN of the alarm that an event is about."""
    try:
        content = json.loads(event)
        return str(content.get("AlarmArn") or content.get("alarmArn") or "")
    except (ValueError, AttributeError):
        return ""


def _connect(*arguments: Any, **named: Any) -> Any:
    return _Clients(connect_to(*arguments, **named))


def install() -> None:
    """Patch LocalStack. Idempotent."""
    from localstack.services.cloudwatch import alarm_scheduler, provider_v2

    owner: Any = provider_v2.CloudwatchProvider
    queries: Any = alarm_scheduler
    put, query = owner.put_metric_alarm, queries.generate_metric_query
    if hasattr(query, "__wrapped__"):
        return

    @functools.wraps(put)
    def put_metric_alarm(self: Any, context: Any, request: Any) -> None:
        with provider_v2._STORE_LOCK:
            alarms = self.get_store(context.account_id, context.region).alarms
            before = {arn: dict(one.alarm) for arn, one in alarms.items()}
            put(self, context, request)
            for arn, one in alarms.items():
                if one.alarm["AlarmName"] == request["AlarmName"] and arn in before:
                    state = {name: before[arn][name] for name in _STATE if name in before[arn]}
                    one.alarm.update(state)

    @functools.wraps(query)
    def of_its_unit(alarm: Any) -> Any:
        made: Any = query(alarm)
        if alarm.get("Unit"):
            made["MetricStat"]["Unit"] = alarm["Unit"]
        return made

    owner.put_metric_alarm = put_metric_alarm
    queries.generate_metric_query = of_its_unit
    replaced: Any = provider_v2
    replaced.connect_to = _connect
    replaced.lambda_function_name = str  # the ARN, with its qualifier
