"""What a target of a rule gets: its ``Input``, ``InputPath`` or ``InputTransformer``.

AWS topic: EventBridge User Guide, "Amazon EventBridge input transformation", with "Common issues
with transforming input". Where it leaves a question open, the answers that LocalStack recorded on
AWS decide (``tests/aws/services/events/test_events_inputs.snapshot.json`` in its repository):

* In a template of JSON a placeholder without quotes becomes the JSON of its value; one within
  quotes a part of the text. An object or array within quotes is not delivered, since EventBridge
  does not escape its quotes.
* A template in quotes gives a text. Objects and arrays lose their quotes there. Several such lines
  stay lines, each in quotes.
* A path that leads to nothing gives an empty text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from trigger_stack.delivery.core.json_paths import MISSING, PathError, find, text_of
from trigger_stack.delivery.core.placeholders import fill, is_json
from trigger_stack.delivery.rules.delivery import EventNotDeliverableError

_PLACEHOLDER = re.compile(r"<([^<>]+)>")


class Lines(str):
    """Several lines of text, each in quotes: no JSON, so a target gets them as they are."""

    __slots__ = ()


def value_at(path: str, event: Any) -> Any:
    """What a path leads to in an event; ``MISSING`` when it is not there.

    Raises:
        EventNotDeliverableError: It is no path.
    """
    try:
        return find(path, event)
    except PathError as error:
        raise EventNotDeliverableError(str(error)) from error


def fixed(text: str) -> Any:
    """The value of ``Input``.

    Raises:
        EventNotDeliverableError: It is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EventNotDeliverableError(f"the target's Input is no JSON: {error}") from error


def predefined(event: Mapping[str, Any], rule_arn: str, rule_name: str) -> dict[str, Any]:
    """The variables that need no path; ``aws.events.event`` names the type as AWS does there."""
    without_detail = {key: value for key, value in event.items() if key != "detail"}
    if "detail-type" in without_detail:
        without_detail["detailType"] = without_detail.pop("detail-type")
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": event.get("time", ""),
        "aws.events.event": without_detail,
        "aws.events.event.json": dict(event),
    }


def render(
    template: str, paths: Mapping[str, str], event: Mapping[str, Any], rule_arn: str, rule_name: str
) -> Any:
    """A template filled in for one event.

    Args:
        template: ``InputTemplate``.
        paths: ``InputPathsMap``.
        event: The event as the rule matched it.
        rule_arn: ARN of the rule.
        rule_name: Name of the rule.

    Returns:
        What the target gets, as a value of JSON; or ``Lines``.

    Raises:
        EventNotDeliverableError: The template gives no JSON for this event.
    """
    known = predefined(event, rule_arn, rule_name)

    def value_of(name: str) -> Any:
        if name in known:
            return known[name]
        found = value_at(paths[name], event) if name in paths else MISSING
        return "" if found is MISSING else found

    def in_json(name: str, quoted: bool) -> str:
        value = value_of(name)
        if not quoted:
            return json.dumps(value)
        text = text_of(value)
        if '"' in text and not isinstance(value, str):
            raise EventNotDeliverableError(
                f"<{name}> is an object or array within the quotes of a JSON input template, which "
                f"EventBridge does not deliver: remove the quotes around <{name}>"
            )
        return json.dumps(text)[1:-1]

    def in_quotes(name: str, quoted: bool) -> str:
        del quoted  # a placeholder between the lines makes them unreadable, whatever it is
        return json.dumps(_plain(value_of(name)))[1:-1]

    template = template.strip()
    if template.startswith('"'):
        return _lines(fill(template, _PLACEHOLDER, in_quotes))
    if template.startswith(("{", "[")) or is_json(template, _PLACEHOLDER):
        return _loaded(fill(template, _PLACEHOLDER, in_json))
    # EventBridge wants text in quotes; without them it can mean nothing else.
    return fill(template, _PLACEHOLDER, lambda name, _: _plain(value_of(name)))


def _plain(value: Any) -> str:
    """A value as a part of a text: "EventBridge removes any internal quotes" of what is no text."""
    return value if isinstance(value, str) else _without_quotes(value)


def _without_quotes(value: Any) -> str:
    if isinstance(value, str):
        return value.replace('"', "")
    if isinstance(value, dict):
        pairs = [f"{_without_quotes(key)}:{_without_quotes(one)}" for key, one in value.items()]
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_without_quotes, value))}]"
    return json.dumps(value)


def _loaded(filled: str) -> Any:
    try:
        # A template may have a line break within quotes.
        return json.loads(filled, strict=False)
    except (ValueError, RecursionError) as error:
        raise EventNotDeliverableError(
            f"the input template gives no JSON for this event ({error}): {filled}"
        ) from error


def _lines(filled: str) -> str:
    """The one text that a template in quotes gives, or its lines."""
    decoder = json.JSONDecoder(strict=False)
    found: list[str] = []
    at = 0
    while at < len(filled):
        try:
            value, at = decoder.raw_decode(filled, at)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, str):
            raise EventNotDeliverableError(
                "the input template begins with quotes and gives no text for this event: each line "
                f"must be in quotes, and quotes within it escaped: {filled}"
            )
        found.append(value)
        at += len(filled[at:]) - len(filled[at:].lstrip())
    if len(found) == 1:
        return found[0]
    return Lines("\n".join(json.dumps(one, ensure_ascii=False) for one in found))
