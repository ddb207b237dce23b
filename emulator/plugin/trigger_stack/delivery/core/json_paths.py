"""JSON paths, as far as EventBridge's pipes and rules know them.

AWS topics: EventBridge User Guide, "Pipes input transformation" (syntax, "Implicit body data
parsing"), "Dynamic path parameters"; rules have the same syntax ("Amazon EventBridge input
transformation").
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

_STEP = re.compile(r"\.(?P<name>[A-Za-z0-9_\-/]+|\*)|\[(?:(?P<index>\d+|\*)|'(?P<quoted>[^']+)')\]")
#: Fields of a source that hold JSON: their name, and whether they are Base64.
ENCODED = {"aws:sqs": ("body", False), "aws:kinesis": ("data", True)}


class PathError(ValueError):
    """A path cannot be read, or a parameter's path leads to nothing."""


class Missing:
    """What a path leads to that is not there."""


MISSING = Missing()


def is_path(text: str) -> bool:
    """Whether a parameter is a path: the whole of it."""
    return text == "$" or text.startswith(("$.", "$["))


def steps(path: str) -> list[str | int]:
    """The steps of a path.

    Raises:
        PathError: It is none.
    """
    found: list[str | int] = []
    at = 1
    if not path.startswith("$"):
        raise PathError(f"{path} is no JSON path: it must begin with $")
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise PathError(f"{path} is no JSON path that EventBridge knows, from “{path[at:]}” on")
        index = match["index"]
        if index is not None:
            found.append(index if index == "*" else int(index))
        else:
            found.append(match["name"] or match["quoted"])
        at = match.end()
    return found


def decoded(event: Any) -> Any:
    """An event whose encoded field is JSON, where it is."""
    if not isinstance(event, dict):
        return event
    name, is_base64 = ENCODED.get(str(event.get("eventSource")), ("", False))
    value = event.get(name)
    if not isinstance(value, str):
        return event
    text = value
    if is_base64:
        try:
            text = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return event
    try:
        return {**event, name: json.loads(text)}
    except (ValueError, RecursionError):
        return {**event, name: text}


def find(path: str, event: Any) -> Any:
    """What a path leads to in an event; ``MISSING`` when it is not there.

    Args:
        path: For example ``$.body.items[0]``; ``*`` gives a list.
        event: As ``decoded`` gives it.

    Raises:
        PathError: It is no path.
    """
    return _follow(steps(path), event)


def _follow(rest: list[str | int], value: Any) -> Any:
    for number, step in enumerate(rest):
        if step == "*":
            items = list(value.values()) if isinstance(value, dict) else value
            if not isinstance(items, list):
                return MISSING
            below = [_follow(rest[number + 1 :], item) for item in items]
            return [one for one in below if one is not MISSING]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value


def text_of(value: Any) -> str:
    """A value as a parameter of a target."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def resolved(parameter: str, event: Any) -> str:
    """A parameter of a target: itself, or what it leads to.

    Raises:
        PathError: It leads to nothing in this event.
    """
    if not is_path(parameter):
        return parameter
    found = find(parameter, event)
    if found is MISSING or found is None:
        raise PathError(f"the event has nothing at {parameter}")
    return text_of(found)
