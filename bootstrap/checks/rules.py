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
    BUCKET,
    BUS,
    FUNCTION,
    MAPPING,
    PIPE,
    QUEUE,
    RULE,
    SCHEDULE,
    STREAM,
    View,
    mappings_in,
    own_name,
    texts,
    within,
)
from bootstrap.definition.document import KeyPath
from bootstrap.template import Resource

_VARIABLE = re.compile(r"<([A-Za-z0-9_.-]+)>")
_RESERVED = "aws.events."
_SIMILAR = 0.85
_DESTINATION = "AWS::Events::ApiDestination"
#: "Amazon EventBridge quotas".
_MOST_TARGETS = 5
_INPUTS = ("Input", "InputPath", "InputTransformer")
#: How long EventBridge waits for one: "API destinations as targets".
_WAITS_S = 5


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


@rule(
    "TS302",
    Severity.ERROR,
    mend="Use a key and a value that an event has; own fields are below detail.",
)
def unknown_key(view: View) -> Iterator[Hit]:
    """The pattern can never match, so the rule never fires."""
    for resource, pattern in _patterns(view):
        for find in (patterns.unknown_keys, patterns.unequal_kinds, patterns.empty_ranges):
            for problem in find(pattern):
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
        given = view.text(resource.properties.get("EventBusName"))
        if given is None or "${" in given or given.startswith("arn:"):
            continue
        if given in ("default", *real):
            continue
        at = view.at(resource, "EventBusName")
        if str(view.written(at)).startswith("arn:"):
            continue  # another account's, or another service's
        if similar := _meant(view, given, real):
            yield Hit(f"“{given}” is not the bus {similar}.", at)
        elif given not in names:
            yield Hit(f"There is no bus “{given}” here.", at)


def _meant(view: View, given: str, real: list[str]) -> str | None:
    """The bus that a name may mean: with a slip, or with the name of another stage in it."""
    if similar := difflib.get_close_matches(given[:256], real, 1, _SIMILAR):
        return similar[0]
    parts = given.split("-")
    for name in real:
        pairs = list(zip(parts, name.split("-"), strict=False))
        different = [pair for pair in pairs if pair[0] != pair[1]]
        same_length = len(parts) == len(name.split("-"))
        if same_length and len(different) == 1 and view.template.stage in different[0]:
            return name
    return None


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


@rule("TS310", Severity.WARNING, mend="Take the name of the bus from !Ref, in the environment.")
def published_to_nowhere(view: View) -> Iterator[Hit]:
    """PutEvents accepts an event for a bus that is not there, and drops it."""
    names = {view.name(bus) or "": bus for bus in view.of(BUS)}
    for entry in published(view):
        given = entry.bus
        if given is None or entry.call is None or "${" in given or given in view.resources:
            continue
        if given not in ("default", *names) and (similar := _meant(view, given, list(names))):
            what = f"The code publishes to “{given}”, which is not the bus {similar}."
            yield Hit(what, entry.call.place)


@rule(
    "TS311",
    Severity.ERROR,
    mend="Set MessageGroupId of SqsParameters, and of the queue ContentBasedDeduplication.",
)
def fifo_without_group(view: View) -> Iterator[Hit]:
    """A FIFO queue takes what has a group, and an id that it makes from the content itself."""
    places: list[tuple[Any, KeyPath, Resource, Resource]] = [
        (one.body, ("Targets", one.index), one.rule, one.to)
        for one in view.targets
        if one.to is not None
    ]
    for schedule in view.of(SCHEDULE):
        body = schedule.properties["Target"]
        found = view.target(within(body, "Arn"))
        if found is not None:
            places.append((body, ("Target",), schedule, found))
    for body, keys, owner, queue in places:
        if queue.type != QUEUE or queue.properties.get("FifoQueue") not in (True, "true"):
            continue
        if not within(body, "SqsParameters", "MessageGroupId"):
            what = f"The target {queue.logical_id} is a FIFO queue and gets no MessageGroupId."
            yield Hit(what, view.at(owner, *keys, "Arn"))
        elif queue.properties.get("ContentBasedDeduplication") not in (True, "true"):
            what = f"The target {queue.logical_id} has no ContentBasedDeduplication."
            yield Hit(what, view.at(owner, *keys, "Arn"))


@rule("TS312", Severity.WARNING, mend="Give the rule a target, or remove it.")
def rule_without_targets(view: View) -> Iterator[Hit]:
    """A rule without targets matches events, and nothing gets them."""
    for resource in view.of(RULE):
        if not resource.properties.get("Targets"):
            yield Hit(f"The rule {resource.logical_id} has no targets.", view.at(resource))


#: The events that a bucket sends only when it is told to; those of CloudTrail come in any case.
_OF_BUCKETS = "Object "


@rule(
    "TS313", Severity.WARNING, mend="Give the bucket EventBridgeConfiguration: EventBridgeEnabled."
)
def silent_bucket(view: View) -> Iterator[Hit]:
    """A bucket sends nothing to EventBridge unless it is told to, so the rule never fires."""
    buckets = view.of(BUCKET)
    for resource, pattern in _patterns(view):
        if "aws.s3" not in texts(within(pattern, "source")) or not buckets:
            continue
        kinds = texts(within(pattern, "detail-type"))
        if not any(kind.startswith(_OF_BUCKETS) for kind in kinds):
            continue
        at = view.at(resource, "EventPattern", "source")
        names = within(pattern, "detail", "bucket", "name")
        if names is None:
            if not any(_sends(one) for one in buckets):
                yield Hit("No bucket of this file sends events to EventBridge.", at)
            continue
        for name in names if isinstance(names, list) else []:
            bucket = view.target(name) or view.called(BUCKET, view.text(name) or "")
            if bucket is not None and bucket.type == BUCKET and not _sends(bucket):
                yield Hit(f"The bucket {view.name(bucket)} sends no events to EventBridge.", at)


def _sends(bucket: Resource) -> bool:
    given = within(bucket.properties, "NotificationConfiguration", "EventBridgeConfiguration")
    return given is not None and within(given, "EventBridgeEnabled") not in (False, "false")


@rule(
    "TS314",
    Severity.ERROR,
    mend="Give the target RoleArn: a role that events.amazonaws.com assumes.",
)
def target_without_role(view: View) -> Iterator[Hit]:
    """EventBridge sends to a bus, stream or API destination in a role, and takes none without."""
    for target in view.targets:
        kind = target.to.type if target.to is not None else ""
        if kind in (BUS, STREAM, _DESTINATION) and "RoleArn" not in target.body:
            what = f"A target of type {kind} needs a RoleArn."
            yield Hit(what, view.at(target.rule, "Targets", target.index, "Arn"))


@rule("TS315", Severity.WARNING, mend="Set a timeout of 5 seconds or less.")
def longer_than_eventbridge_waits(view: View) -> Iterator[Hit]:
    """EventBridge waits 5 seconds for an API destination and sends again while it is at work."""
    for destination in view.of(_DESTINATION):
        function = view.behind_url(destination.properties["InvocationEndpoint"])
        if function is not None and view.timeout(function) > _WAITS_S:
            what = f"{own_name(function)} may take {view.timeout(function)} s."
            yield Hit(what, view.at(destination, "InvocationEndpoint"))


@rule("TS316", Severity.ERROR, mend="Write one of the three: Input as JSON, or a path from $ on.")
def refused_input(view: View) -> Iterator[Hit]:
    """EventBridge refuses a target's input that is no JSON or no path, or is given twice."""
    for target in view.targets:
        given = [name for name in _INPUTS if name in target.body]
        if not given:
            continue
        at = view.at(target.rule, "Targets", target.index, given[-1])
        if len(given) > 1:
            yield Hit(f"{given[0]} and {given[-1]} cannot be together.", at)
        elif "Input" in given and _is_no_json(target.body["Input"]):
            yield Hit("Input is no JSON.", at)
        else:
            paths = target.body.get("InputPath"), *_variables(target.body)
            wrong = [one for one in paths if isinstance(one, str) and not one.startswith("$")]
            if wrong:
                yield Hit(f"The path “{wrong[0]}” does not begin with $.", at)


@rule("TS317", Severity.ERROR, mend="Give a second rule with the same pattern the other targets.")
def too_many_targets(view: View) -> Iterator[Hit]:
    """A rule has at most five targets: EventBridge refuses more."""
    for target in view.targets:
        if target.index == _MOST_TARGETS:
            count = sum(one.rule is target.rule for one in view.targets)
            what = f"{own_name(target.rule)} has {count} targets."
            yield Hit(what, view.at(target.rule, "Targets", target.index))


def _is_no_json(value: object) -> bool:
    """Whether a text is known, and is no JSON."""
    if not isinstance(value, str) or "${" in value:
        return False
    try:
        json.loads(value)
    except ValueError:
        return True
    return False


def _variables(body: dict[str, Any]) -> list[Any]:
    """The paths of an input transformer."""
    paths = within(body, "InputTransformer", "InputPathsMap")
    return list(paths.values()) if isinstance(paths, dict) else []
