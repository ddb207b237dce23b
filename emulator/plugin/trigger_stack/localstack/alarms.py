"""An alarm's actions are all taken, functions are invoked as events, and an update keeps its state.

What: in LocalStack's CloudWatch provider: the clients that ``SetAlarmState`` takes an alarm's
actions with, ``put_metric_alarm``, ``put_composite_alarm``, ``_evaluate_composite_alarm``, and
``generate_metric_query`` of its alarms.
Why: LocalStack waits for a function that is an action, and takes no notice of its failure: nobody
tries again, and no on-failure destination gets the event. It asks no resource policy. It invokes
the function instead of the alias or version that the action names. A topic that is gone costs the
actions behind it. An alarm that is put a second time is in the state ``INSUFFICIENT_DATA``, so that
its actions are taken again, and it counts values of every unit. It accepts actions that it never
takes, with a line in its log, and settings with which an alarm never comes. A composite alarm whose
rule is more than ``ALARM("arn")`` with ``OR``, or names an alarm with ``OR`` in its name, stays as
it is for ever; so does one of composite alarms, and one that is made when its rule holds already.
Until: LocalStack invokes with ``InvocationType`` ``Event``, keeps the state and reads every rule.
Test: ``tests/delivery/test_alarms.py``, ``tests/delivery/test_alarm_rules.py``.

AWS topics: Amazon CloudWatch User Guide, "Invoke a Lambda function from an alarm" (asynchronously);
API Reference, "PutMetricAlarm", "PutCompositeAlarm": "its state is left unchanged" by an update.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from localstack.aws.connect import connect_to
from localstack.utils.aws.arns import cloudwatch_alarm_arn
from localstack.utils.time import timestamp_millis

from trigger_stack.delivery.core.alarm_rules import AlarmRule, AlarmRuleError, parse
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.lambda_engine.outcomes import record
from trigger_stack.localstack.resource_policies import resource_policies
from trigger_stack.services.constraints import violations

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


_ACTIONS: Final = ("OKActions", "AlarmActions", "InsufficientDataActions")
_ARN: Final = re.compile(r"arn:[^:]+:(?P<service>[^:]+):[^:]*:[^:]*:.+")
#: LocalStack words it as AWS does.
_WORDED: Final = frozenset(("Statistic",))


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


def why_actions_refused(request: dict[str, Any], *services: str) -> str | None:
    """Why the actions of an alarm are refused; None when they are not.

    Args:
        request: Of ``PutMetricAlarm`` or ``PutCompositeAlarm``.
        services: Those whose actions are taken.
    """
    for name in _ACTIONS:
        for arn in request.get(name) or []:
            found = _ARN.fullmatch(arn)
            if found is None:
                return f"Invalid arn syntax: {arn}"
            if found["service"] not in services:
                there = " and ".join(services)
                return (
                    f"{name}: actions of {found['service']} are not part of this stack. Actions"
                    f" of such alarms here: {there}."
                )
    return None


@contextmanager
def _keeping_state(provider: Any, context: Any, name: str) -> Iterator[None]:
    """An update leaves the state of an alarm as it is."""
    arn = _arn(context, name)
    alarms = provider.get_store(context.account_id, context.region).alarms
    before = dict(alarms[arn].alarm) if arn in alarms else {}
    yield
    alarms[arn].alarm.update({one: before[one] for one in _STATE if one in before})


def _arn(context: Any, name: str) -> str:
    arn: str = cloudwatch_alarm_arn(name, account_id=context.account_id, region_name=context.region)
    return arn


class CompositeAlarms:
    """The composite alarms of an account and region.

    Args:
        provider: LocalStack's.
        context: Of the request.
    """

    def __init__(self, provider: Any, context: Any) -> None:
        self._provider = provider
        self._context = context
        self._alarms = provider.get_store(context.account_id, context.region).alarms
        self._changing: set[str] = set()

    def _find(self, name_or_arn: str) -> Any:
        return self._alarms.get(name_or_arn) or self._alarms.get(_arn(self._context, name_or_arn))

    def _state_of(self, name_or_arn: str) -> str | None:
        found = self._find(name_or_arn)
        return str(found.alarm["StateValue"]) if found else None

    def evaluate(self, composite: Any, changed: Any = None) -> None:
        """Give a composite alarm the state that its rule says, and take the actions.

        Args:
            composite: LocalStack's.
            changed: The alarm whose change may be why; None: any of those of the rule.
        """
        rule, arn = _rule_of(composite), composite.alarm["AlarmArn"]
        causes = [found for name in rule.alarms if (found := self._find(name))] if rule else []
        if rule is None or len(causes) < len(rule.alarms) or not causes or arn in self._changing:
            return
        old = str(composite.alarm["StateValue"])
        new = "ALARM" if rule.holds(self._state_of) else "OK"
        if new == old:
            return
        self._tell(composite, changed if changed in causes else _cause(causes, new), new, old)
        self._changing.add(arn)
        for other in list(self._alarms.values()):
            above = _rule_of(other)
            if above and any(self._find(name) is composite for name in above.alarms):
                self.evaluate(other, composite)
        self._changing.discard(arn)

    def _tell(self, composite: Any, cause: Any, new: str, old: str) -> None:
        """As LocalStack does it for the rules that it reads."""
        arn, state = cause.alarm["AlarmArn"], cause.alarm["StateValue"]
        at = cause.alarm["StateTransitionedTimestamp"]
        shown = at.strftime("%A %d %B, %Y %H:%M:%S %Z")
        data = {"arn": arn, "state": {"value": state, "timestamp": timestamp_millis(at)}}
        self._provider._update_state(
            self._context,
            composite,
            new,
            f"{arn} transitioned to {state} at {shown}",
            {"triggeringAlarms": [data]},
        )
        if composite.alarm["ActionsEnabled"]:
            self._provider._run_composite_alarm_actions(self._context, composite, old, cause)


def _cause(causes: list[Any], new: str) -> Any:
    """Of several alarms the one that tells most about a new state."""
    alike = [one for one in causes if one.alarm["StateValue"] == new]
    return (alike or causes)[0]


def _rule_of(alarm: Any) -> AlarmRule | None:
    """The rule of a composite alarm; None of others, and when LocalStack took what is none."""
    try:
        return parse(alarm.alarm["AlarmRule"]) if alarm.alarm.get("AlarmRule") else None
    except AlarmRuleError:
        return None


def install() -> None:
    """Patch LocalStack. Idempotent."""
    from localstack.services.cloudwatch import alarm_scheduler, provider_v2

    owner: Any = provider_v2.CloudwatchProvider
    queries: Any = alarm_scheduler
    put, query = owner.put_metric_alarm, queries.generate_metric_query
    put_composite = owner.put_composite_alarm
    if hasattr(query, "__wrapped__"):
        return

    def check(context: Any, request: Any, *services: str) -> None:
        problem = violations(context.operation.input_shape, request, _WORDED)
        if problem := problem or why_actions_refused(request, *services):
            raise provider_v2.ValidationException(problem)

    @functools.wraps(put)
    def put_metric_alarm(self: Any, context: Any, request: Any) -> None:
        check(context, request, "lambda", "sns")
        with provider_v2._STORE_LOCK, _keeping_state(self, context, request["AlarmName"]):
            put(self, context, request)

    @functools.wraps(put_composite)
    def put_composite_alarm(self: Any, context: Any, request: Any) -> None:
        check(context, request, "sns")
        try:
            parse(request["AlarmRule"])
        except AlarmRuleError as error:
            raise provider_v2.ValidationException(f"AlarmRule is not valid: {error}") from None
        with provider_v2._STORE_LOCK:
            with _keeping_state(self, context, request["AlarmName"]):
                put_composite(self, context, request)
            alarms = self.get_store(context.account_id, context.region).alarms
            CompositeAlarms(self, context).evaluate(alarms[_arn(context, request["AlarmName"])])

    def evaluate(self: Any, context: Any, composite: Any, changed: Any) -> None:
        CompositeAlarms(self, context).evaluate(composite, changed)

    @functools.wraps(query)
    def of_its_unit(alarm: Any) -> Any:
        made: Any = query(alarm)
        if alarm.get("Unit"):
            made["MetricStat"]["Unit"] = alarm["Unit"]
        return made

    owner.put_metric_alarm = put_metric_alarm
    owner.put_composite_alarm = put_composite_alarm
    owner._evaluate_composite_alarm = evaluate
    owner._validate_alarm_rule_expression = lambda self, rule: []  # ``parse`` has said it
    queries.generate_metric_query = of_its_unit
    replaced: Any = provider_v2
    replaced.connect_to = _connect
    replaced.lambda_function_name = str  # the ARN, with its qualifier
