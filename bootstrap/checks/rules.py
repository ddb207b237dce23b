"""Rules of EventBridge: patterns that are refused or match nothing, and events that go astray.

EventBridge, "Amazon EventBridge event patterns", "Input transformation", "PutEvents".
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from bootstrap.checks import patterns
from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.publishers import Published, published
from bootstrap.checks.view import (
    BUS,
    FUNCTION,
    MAPPING,
    PIPE,
    RULE,
    View,
    mappings_in,
    texts,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_RESERVED = "aws.events."
_SIMILAR = 0.85


def _patterns(view: View) -> Iterator[tuple[Resource, Any]]:
    for resource in view.of(RULE):
        if (pattern := resource.properties.get("EventPattern")) is not None:
            yield resource, pattern


@rule("TS301", Severity.ERROR, mend="Write every value in a list, with the operators there are.")
def refused_pattern(view: View) -> Iterator[Hit]:
    """EventBridge refuses the pattern."""
    for resource, pattern in _patterns(view):
        for problem in patterns.refused(pattern):
            yield Hit(problem.what, view.at(resource, "EventPattern", *problem.path))
    for reader in (*view.of(MAPPING), *view.of(PIPE)):
        keys = ("SourceParameters",) if reader.type == PIPE else ()
        filters = within(reader.properties, *keys, "FilterCriteria", "Filters")
        for index, body in enumerate(mappings_in(filters)):
            at = view.at(reader, *keys, "FilterCriteria", "Filters", index)
            if reader.path[:1] == ("functions",):
                at = (*reader.path, "filterPatterns", index)
            try:
                pattern = json.loads(str(body.get("Pattern")))
            except ValueError:
                yield Hit("The filter is no JSON.", at)
                continue
            for problem in patterns.refused(pattern):
                yield Hit(problem.what, (*at, *problem.path))


@rule("TS302", Severity.ERROR, mend="Use a key of the event, or move the condition below detail.")
def unknown_key(view: View) -> Iterator[Hit]:
    """The pattern can never match, so the rule never fires."""
    for resource, pattern in _patterns(view):
        for problem in patterns.unknown_keys(pattern):
            yield Hit(problem.what, view.at(resource, "EventPattern", *problem.path))


@rule("TS303", Severity.WARNING, mend="Ask for a field in the object that is always there.")
def exists_on_object(view: View) -> Iterator[Hit]:
    """`exists` looks at leaves only: on an object it never matches, and events pass by."""
    objects: set[KeyPath] = {("detail",)}
    for _, pattern in _patterns(view):
        objects |= patterns.objects(pattern)
    for resource, pattern in _patterns(view):
        for leaf in patterns.leaves(pattern):
            if leaf.field in objects and any(within(v, "exists") is True for v in leaf.values):
                name = ".".join(map(str, leaf.field))
                yield Hit(f"{name} is an object.", view.at(resource, "EventPattern", *leaf.path))


@rule("TS304", Severity.WARNING, mend="Write the value that the functions publish, or mend theirs.")
def nobody_publishes(view: View) -> Iterator[Hit]:
    """No function of the service publishes such an event to this bus, so the rule never fires."""
    publishers = list(published(view))
    if any(p.bus is None and p.source is None for p in publishers):
        return
    for resource, pattern in _patterns(view):
        bus = view.bus(resource.properties.get("EventBusName"))
        if bus not in view.resources or not isinstance(pattern, dict):
            continue
        here = [p for p in publishers if p.bus in (bus, None)]
        for key in ("source", "detail-type"):
            values = pattern.get(key)
            wanted = [v for v in values if isinstance(v, str)] if isinstance(values, list) else []
            if not here or not wanted or len(wanted) < len(values or ()):
                continue
            known = set().union(*(_possible(view, p, key) or {None} for p in here))
            if None in known:
                continue
            for index, value in enumerate(wanted):
                if value not in known:
                    at = view.at(resource, "EventPattern", key, index)
                    names = ", ".join(sorted(str(k) for k in known if k)[:5])
                    yield Hit(f"Nobody publishes the {key} “{value}”; known: {names}.", at)


def _possible(view: View, one: Published, key: str) -> set[str | None]:
    """The values that an entry may have; None among them when it may be any."""
    if key == "source":
        return {one.source}
    if one.certain or one.detail_type is None:
        return {one.detail_type}
    # A parameter: any text in the code of the service may be given for it.
    texts = {t for f in view.functions for m in view.sources.code(f).modules for t in m.texts}
    return {one.detail_type, *(t for t in texts if t.isidentifier() or " " not in t)}


@rule("TS305", Severity.WARNING, mend="Set eventBus to the bus that the functions publish to.")
def other_bus(view: View) -> Iterator[Hit]:
    """The events go to another bus, so the rule never fires."""
    publishers = list(published(view))
    if not view.of(BUS):
        return
    for resource, pattern in _patterns(view):
        values = within(pattern, "source")
        if view.bus(resource.properties.get("EventBusName")) != "default":
            continue
        for source in texts(values):
            own = [p for p in publishers if p.source == source]
            if own and all(p.bus != "default" for p in own):
                at = view.at(resource, "EventPattern", "source")
                yield Hit(
                    f"The rule is on the default bus, and “{source}” is published to another.", at
                )


@rule("TS306", Severity.WARNING, mend="Refer to the bus with !Ref instead of writing its name.")
def mistyped_bus(view: View) -> Iterator[Hit]:
    """A bus that nobody publishes to gets no events, so the rule never fires."""
    names = {view.name(bus) or "": bus for bus in view.of(BUS)}
    real = [name for name, bus in names.items() if bus.path[:1] == ("resources",)]
    for resource in view.of(RULE):
        given = resource.properties.get("EventBusName")
        if not isinstance(given, str) or given in ("default", *real) or given.startswith("arn:"):
            continue
        at = view.at(resource, "EventBusName")
        if str(view.written(at)).startswith("arn:"):
            continue  # another account's, or another service's
        similar = difflib.get_close_matches(given[:256], real, 1, _SIMILAR)
        if similar:
            yield Hit(f"“{given}” is not the bus {similar[0]}.", at)
        elif given not in names:
            yield Hit(f"There is no bus “{given}” here.", at)


@rule("TS307", Severity.ERROR, mend="Add the variable to inputPathsMap, or correct its name.")
def undefined_variable(view: View) -> Iterator[Hit]:
    """EventBridge refuses a template with a variable that no path fills."""
    for target in view.targets:
        transformer = target.body.get("InputTransformer")
        template, paths = within(transformer, "InputTemplate"), within(transformer, "InputPathsMap")
        if not isinstance(template, str):
            continue
        known = paths if isinstance(paths, dict) else {}
        for name in dict.fromkeys(_VARIABLE.findall(template)):
            if name not in known and not name.startswith(_RESERVED):
                keys = ("Targets", target.index, "InputTransformer", "InputTemplate")
                yield Hit(f"The variable <{name}> is not defined.", view.at(target.rule, *keys))


@rule(
    "TS308",
    Severity.WARNING,
    mend="Publish another detail-type, or leave the function's own events out of the pattern.",
)
def loop(view: View) -> Iterator[Hit]:
    """The function's own event fires it again, without end."""
    entries = list(published(view))
    for target in view.targets:
        pattern = target.rule.properties.get("EventPattern")
        if target.to is None or target.to.type != FUNCTION or not isinstance(pattern, dict):
            continue
        bus = view.bus(target.rule.properties.get("EventBusName"))
        for entry in entries:
            if entry.function is not target.to or entry.bus not in (bus, None):
                continue
            if entry.source is None or entry.detail_type is None:
                continue
            if (
                isinstance(pattern.get("source", []), list)
                and patterns.could_match(pattern.get("source", [entry.source]), entry.source)
                and patterns.could_match(
                    pattern.get("detail-type", [entry.detail_type]), entry.detail_type
                )
            ):
                yield Hit(
                    f"The rule fires {target.to.path[-1]}, which publishes “{entry.source}” "
                    f"“{entry.detail_type}”.",
                    view.at(target.rule, "EventPattern"),
                )
                break


@rule("TS309", Severity.WARNING, mend="Put the rule on the default bus.")
def aws_events(view: View) -> Iterator[Hit]:
    """AWS services send their events to the default bus only, so the rule never fires."""
    if any(target.to is not None and target.to.type == BUS for target in view.targets):
        return  # a rule passes events on
    for resource, pattern in _patterns(view):
        values = within(pattern, "source")
        if view.bus(resource.properties.get("EventBusName")) == "default":
            continue
        if not isinstance(values, list) or not values:
            continue
        if all(isinstance(value, str) and value.startswith("aws.") for value in values):
            at = view.at(resource, "EventPattern", "source")
            yield Hit("The rule waits on a bus of its own for events of AWS services.", at)
