"""Event source mappings that no record gets through (AWS Lambda, "Event filtering").

AWS Lambda Developer Guide: "Using event filtering with a DynamoDB event source", "… with a Kinesis
event source", "… with an Amazon SQS event source"; Amazon DynamoDB, "Change data capture".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.patterns import Problem, leaves, may_be_absent, unknown_keys
from bootstrap.checks.view import QUEUE, STREAM, TABLE, Mapping, View, mappings_in, own_name, within
from bootstrap.definition.document import KeyPath

_OF_ALL = ("$or", "eventSource", "eventSourceARN", "awsRegion")
_OF_MESSAGES = ("messageId", "receiptHandle", "body", "attributes", "messageAttributes")
_OF_KINESIS = ("kinesis", "data", "partitionKey", "sequenceNumber", "kinesisSchemaVersion")
_OF_STREAMS = ("eventID", "eventName", "eventVersion")
#: What a record that is filtered has at its top, by the type of the source.
_KEYS = {
    QUEUE: frozenset((*_OF_ALL, *_OF_MESSAGES, "md5OfBody", "md5OfMessageAttributes")),
    STREAM: frozenset(
        (
            *(*_OF_ALL, *_OF_STREAMS, *_OF_KINESIS),
            *("approximateArrivalTimestamp", "invokeIdentityArn"),
        )
    ),
    TABLE: frozenset((*_OF_ALL, *_OF_STREAMS, "dynamodb", "userIdentity")),
}
_RECORDS = {QUEUE: "message", STREAM: "record", TABLE: "record"}
_CHANGES = ("INSERT", "MODIFY", "REMOVE")
#: DynamoDB, "Data type descriptors".
_TYPES = frozenset(("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"))
#: The images of an item in a record, by the view type of the stream.
_IMAGES = {
    "KEYS_ONLY": (),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
}


@rule("TS761", Severity.ERROR, mend="Ask for what a record has; AWS Lambda, “Event filtering”.")
def filter_of_nothing(view: View) -> Iterator[Hit]:
    """The filter asks for what no record of the source has, so nothing reaches the function."""
    for mapping in view.mappings:
        for index, pattern, at in _filters(view, mapping):
            for problem in _impossible(view, mapping, pattern):
                where = (*at, *problem.path)
                yield Hit(f"Filter {index + 1}: {problem.what}", where)


def _filters(view: View, mapping: Mapping) -> Iterator[tuple[int, Any, KeyPath]]:
    """Each filter of a mapping: its number, the pattern, and where that is written."""
    resource = mapping.resource
    filters = mappings_in(within(resource.properties, "FilterCriteria", "Filters"))
    for index, body in enumerate(filters):
        at = view.at(resource, "FilterCriteria", "Filters", index)
        if resource.path[:1] == ("functions",):
            at = (*resource.path, "filterPatterns", index)
        try:
            yield index, json.loads(str(body.get("Pattern"))), at
        except ValueError:  # TS301 says it
            continue


def _impossible(view: View, mapping: Mapping, pattern: Any) -> Iterator[Problem]:
    known = _KEYS.get(mapping.service)
    if known is None or not isinstance(pattern, dict):
        return
    yield from unknown_keys(pattern, known, _RECORDS[mapping.service])
    if mapping.service == TABLE:
        yield from _changes(pattern)
        yield from _images(view, mapping, pattern)


def _changes(pattern: dict[str, Any]) -> Iterator[Problem]:
    names = pattern.get("eventName")
    plain = names if isinstance(names, list) and all(isinstance(one, str) for one in names) else []
    if plain and not {*plain} & {*_CHANGES}:
        yield Problem(f"eventName is one of {', '.join(_CHANGES)}.", ("eventName",))


def _images(view: View, mapping: Mapping, pattern: dict[str, Any]) -> Iterator[Problem]:
    """Images that the stream has not, and attributes without their type."""
    carried = _carried(mapping)
    for name in ("NewImage", "OldImage"):
        image = within(pattern, "dynamodb", name)
        if not isinstance(image, dict) or may_be_absent(image):
            continue
        path = ("dynamodb", name)
        if carried is not None and name not in carried:
            yield Problem(f"The stream carries no {name}.", path)
            continue
        for leaf in leaves(image):
            last = leaf.field[-1] if leaf.field else ""
            if last not in _TYPES and not may_be_absent(leaf.values):
                what = f"{'.'.join(map(str, leaf.field))} is without its type"
                yield Problem(f"{what}: {{ {last}: {{ S: […] }} }}.", (*path, *leaf.path))


def _carried(mapping: Mapping) -> tuple[str, ...] | None:
    """The images in the records of an own table's stream; None when that is not known."""
    if mapping.source is None or mapping.source.type != TABLE:
        return None
    kind = within(mapping.source.properties, "StreamSpecification", "StreamViewType")
    return _IMAGES.get(str(kind))


@rule("TS762", Severity.ERROR, mend="Give the table a StreamSpecification; use !GetAtt StreamArn.")
def no_stream(view: View) -> Iterator[Hit]:
    """Lambda refuses a mapping on a table itself, or on one that has no stream."""
    for mapping in view.mappings:
        table = mapping.source
        if table is None or table.type != TABLE:
            continue
        at = view.at(mapping.resource, "EventSourceArn")
        text = view.text(mapping.resource.properties["EventSourceArn"]) or ""
        if text in (f"${{{table.logical_id}}}", f"${{{table.logical_id}.Arn}}"):
            yield Hit(f"{text[2:-1]} is the table, not its stream.", at)
        elif "StreamSpecification" not in table.properties:
            yield Hit(f"{table.logical_id} has no stream.", at)


@rule("TS763", Severity.WARNING, mend="Set StreamViewType: NEW_AND_OLD_IMAGES.")
def image_that_is_not_there(view: View) -> Iterator[Hit]:
    """The code reads an image of the item that the stream does not carry."""
    for mapping in view.mappings:
        carried = _carried(mapping)
        if carried is None or mapping.function is None or mapping.source is None:
            continue
        code = view.sources.code(mapping.function)
        for name in ("NewImage", "OldImage"):
            if name not in carried and code.says(name):
                yield Hit(
                    f"{own_name(mapping.function)} reads {name}, and the stream of "
                    f"{mapping.source.logical_id} has none.",
                    view.at(mapping.resource, "EventSourceArn"),
                )


@rule("TS764", Severity.ERROR, mend="Name a source of the function's region, or deploy it there.")
def another_region(view: View) -> Iterator[Hit]:
    """Lambda reads queues and streams of the function's own region only."""
    for mapping in view.mappings if view.region else ():
        text = view.text(mapping.resource.properties["EventSourceArn"]) or ""
        parts = text.split(":")
        if "${" not in text and len(parts) > 5 and parts[3] not in ("", view.region):
            at = view.at(mapping.resource, "EventSourceArn")
            yield Hit(f"{text} is in {parts[3]}, not in {view.region}.", at)
