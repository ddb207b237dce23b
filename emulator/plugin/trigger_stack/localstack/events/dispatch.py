"""An event that a bus has accepted is with the targets of its rules, or its sender gets an error.

What: ``EventsProvider._process_entry`` and ``_process_rules_async`` are replaced or wrapped, and
``start_worker_thread`` in their module calls at once; ``matches_event`` is replaced
and ``validate_event`` wrapped.
Why: LocalStack answers ``PutEvents`` and looks for rules afterwards, in a thread: what ends the
process in that moment ends the event without a trace, and so does an error of one rule for the
rules after it. It fires rules that are disabled, and not those with a pattern and a schedule. Of an
event that no rule matches, or only rules without a target, nothing is left. Its matcher needs a
character for each ``*``, cannot escape one, takes fields of different elements of an array
together, takes ``true`` for 1 and a number for an address, and raises for values of some types. It
takes ``NaN`` for JSON.
Until: LocalStack matches before it answers, as EventBridge does, and heeds a rule's state.
Test: ``tests/delivery/test_bus.py``, ``tests/delivery/test_placed.py``,
``tests/unit/plugin/test_event_dispatch.py``.

AWS topic: Amazon EventBridge API reference, "PutRule": ``State``; a rule can have both
``EventPattern`` and ``ScheduleExpression``.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from localstack.services.events import provider as events
from localstack.services.events.utils import is_archive_arn
from localstack.utils.xray.trace_header import TraceHeader

from trigger_stack.delivery.core.event_pattern import matches
from trigger_stack.delivery.core.outcome import Outcome
from trigger_stack.localstack.events.target_sender import hand_over
from trigger_stack.localstack.lambda_engine.outcomes import ensure_recorded
from trigger_stack.localstack.placing import answer_when_placed

LOG = logging.getLogger(__name__)
#: So many rules are named where none matches.
_MOST_NAMES = 10


class _Entry(threading.local):
    """The entry of ``PutEvents`` that a thread handles."""

    is_dispatched = False


_entry = _Entry()


def dispatch(
    provider: Any,
    rules: list[Any],
    event: dict[str, Any],
    trace_header: Any,
    *,
    account: str,
    region: str,
) -> None:
    """Give an event to the targets of each rule that matches it.

    Args:
        provider: LocalStack's.
        rules: Of the event's bus, or those that a replay is for.
        event: As LocalStack formats it.
        trace_header: Of the request.
        account: Of the bus.
        region: Of the bus.
    """
    trace_header = _without_lineage(trace_header)
    is_given = False
    without_target = []
    for rule in rules:
        if not _matches(rule, event):
            continue
        targets = list(rule.targets.values())
        if not targets:
            without_target.append(rule)
        for target in targets:
            is_given = True
            try:
                _to_target(provider, rule, target, event, trace_header, account, region)
            except Exception as error:  # what follows must get the event all the same
                LOG.exception("rule %s", rule.arn)
                place = f"the target {target['Arn']} could not be told: {error!r}"
                _record(_outcome(str(rule.arn), "lost", place, event, trace_header))
    if not is_given:
        bus = f"arn:aws:events:{region}:{account}:event-bus/{event.get('event-bus-name')}"
        place = _no_target(without_target) if without_target else _no_match(rules)
        _record(_outcome(bus, "discarded", place, event, trace_header))


def _record(outcome: Outcome) -> None:
    """Record where an event is; its sender gets an error when the journal cannot have it."""
    answer_when_placed(partial(ensure_recorded, outcome), "InternalException")


def _without_lineage(trace_header: Any) -> Any:
    """Lambda does not detect loops through EventBridge (Lambda, "Recursive loop detection")."""
    if getattr(trace_header, "lineage", None) is None:
        return trace_header
    return TraceHeader(
        trace_header.root, trace_header.parent, trace_header.sampled, trace_header.data
    )


def _matches(rule: Any, event: dict[str, Any]) -> bool:
    """Whether a rule is for an event: it is enabled, and has a pattern that matches."""
    if rule.state == "DISABLED" or not rule.event_pattern:
        return False
    return matches(rule.event_pattern, event)


def _to_target(
    provider: Any,
    rule: Any,
    target: dict[str, Any],
    event: dict[str, Any],
    trace_header: Any,
    account: str,
    region: str,
) -> None:
    if is_archive_arn(target["Arn"]):
        provider._put_to_archive(region, account, archive_target_id=target["Id"], event=event)
        return
    sender = provider._target_sender_store.get(f"{rule.arn}-{target['Id']}")
    if sender is not None:
        hand_over(sender, event.copy(), trace_header)
        return
    state, place = "discarded", f"RemoveTargets: the rule has the target {target['Arn']} no more"
    if target["Id"] in rule.targets:
        state, place = "lost", f"LocalStack cannot deliver to the target {target['Arn']}"
    _record(_outcome(str(rule.arn), state, place, event, trace_header))


def _no_target(rules: list[Any]) -> str:
    return f"the rules that match have no target: {_named([one.name for one in rules])}"


def _no_match(rules: list[Any]) -> str:
    names = [one.name for one in rules if one.event_pattern and not _is_of_archive(one)]
    if not names:
        return "the bus has no rule with an event pattern"
    return f"EventPattern: no enabled rule matches (of {_named(names)})"


def _named(names: list[str]) -> str:
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + rest


def _is_of_archive(rule: Any) -> bool:
    return any(is_archive_arn(target["Arn"]) for target in list(rule.targets.values()))


def _outcome(
    source: str, state: str, place: str, event: dict[str, Any], trace_header: Any
) -> Outcome:
    content = {key: value for key, value in event.items() if key != "event-bus-name"}
    body = json.dumps(content, default=str).encode()
    trace = trace_header.to_header_str() if trace_header else None
    return Outcome("event of a bus", source, "", state, place, 0, body, trace)


def is_json(text: str) -> bool:
    """Whether a text that Python reads as JSON is JSON: it has no ``NaN`` and no ``Infinity``."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    if "NaN" not in text and "Infinity" not in text:
        return True
    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


@contextmanager
def _handling(entry: dict[str, Any], processed: list[Any], context: Any) -> Iterator[None]:
    """Record an entry that was accepted and came to no rule, because there is no such bus."""
    _entry.is_dispatched = False
    count = len(processed)
    yield
    is_accepted = len(processed) > count and "EventId" in processed[-1]
    if not is_accepted or _entry.is_dispatched:
        return
    trace = context.trace_context["aws_trace_header"]
    bus = str(entry.get("EventBusName") or "default")
    if not bus.startswith("arn:"):
        bus = f"arn:aws:events:{context.region}:{context.account_id}:event-bus/{bus}"
    place = "the bus does not exist, or has no rule"
    _record(_outcome(bus, "discarded", place, dict(entry), trace))


def install() -> None:
    """Patch LocalStack's EventBridge. Idempotent."""
    owner: Any = events.EventsProvider
    process_entry, validate_event = owner._process_entry, events.validate_event
    if hasattr(process_entry, "__wrapped__"):
        return

    @functools.wraps(process_entry)
    def process_recorded(
        provider: Any, entry: Any, processed: list[Any], failed: Any, context: Any
    ) -> None:
        with _handling(entry, processed, context):
            process_entry(provider, entry, processed, failed, context)

    def process_rules(provider: Any, params: dict[str, Any]) -> None:
        _entry.is_dispatched = True
        dispatch(
            provider,
            params["rules"],
            params["event_formatted"],
            params["trace_header"],
            account=params["account_id"],
            region=params["region"],
        )

    @functools.wraps(validate_event)
    def validate_strictly(entry: Any) -> Any:
        problem = validate_event(entry)
        if problem is None and not is_json(entry["Detail"]):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        return problem

    def call_at_once(method: Any, params: Any, **_: Any) -> None:
        method(params)

    events.matches_event = matches  # type: ignore[assignment]  # ``TestEventPattern``
    events.validate_event = validate_strictly  # type: ignore[assignment]  # the patch
    owner._process_entry = process_recorded
    owner._process_rules_async = process_rules
    events.start_worker_thread = call_at_once  # type: ignore[assignment]  # the patch
