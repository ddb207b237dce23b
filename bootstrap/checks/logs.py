"""Subscription filters: events without end, and filters that are refused.

CloudWatch Logs User Guide, "Log recursion prevention", "CloudWatch Logs quotas", "Filter pattern
syntax".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bootstrap.checks.findings import Hit, Severity, rule
from bootstrap.checks.view import FUNCTION, LOG_FILTER, LOG_GROUP, View, own_name
from bootstrap.template import Resource

_MOST_FILTERS = 2
_OF_FUNCTIONS = "/aws/lambda/"


def _group(view: View, one: Resource) -> str | None:
    """The name of the log group of a filter."""
    value = one.properties["LogGroupName"]
    own = view.target(value)
    if own is not None and own.type == LOG_GROUP:
        return view.name(own) or own.logical_id
    return view.text(value)


def _writer(view: View, group: str | None) -> Resource | None:
    """The function whose lines a log group has."""
    if group is None or not group.startswith(_OF_FUNCTIONS):
        return None
    return view.called(FUNCTION, group.removeprefix(_OF_FUNCTIONS))


@rule(
    "TS731",
    Severity.WARNING,
    mend="Leave the log groups of functions that get log events out, or use another destination.",
)
def recursion(view: View) -> Iterator[Hit]:
    """The function's own lines fire it again, without end."""
    readers: dict[str, set[str]] = defaultdict(set)
    filters = []
    for one in view.of(LOG_FILTER):
        writer = _writer(view, _group(view, one))
        reader = view.function(one.properties["DestinationArn"])
        if writer is not None and reader is not None:
            readers[writer.logical_id].add(reader.logical_id)
            filters.append((one, writer, reader))
    for one, writer, reader in filters:
        if writer.logical_id in _reached(readers, reader.logical_id):
            what = f"{own_name(reader)} gets the log of {own_name(writer)}"
            whose = "its own" if writer is reader else "which gets its in turn"
            yield Hit(f"{what}, {whose}.", view.at(one, "LogGroupName"))


def _reached(readers: dict[str, set[str]], start: str) -> set[str]:
    """Whoever is fired, at once or later, by what a function writes; and itself."""
    found, todo = {start}, [start]
    while todo:
        for following in readers.get(todo.pop(), ()):
            if following not in found:
                found.add(following)
                todo.append(following)
    return found


@rule("TS732", Severity.ERROR, mend="Have one function or stream get the events, and share them.")
def too_many_filters(view: View) -> Iterator[Hit]:
    """CloudWatch Logs refuses a third subscription filter of a log group."""
    counts: dict[str, int] = defaultdict(int)
    for one in view.of(LOG_FILTER):
        group = _group(view, one)
        if group is None:
            continue
        counts[group] += 1
        if counts[group] > _MOST_FILTERS:
            yield Hit(f"{group} has {counts[group]} filters.", view.at(one, "LogGroupName"))


@rule("TS733", Severity.ERROR, mend="Write terms, { $.field = value } or [field, field = value].")
def refused_pattern(view: View) -> Iterator[Hit]:
    """CloudWatch Logs refuses the filter pattern."""
    filters = [one for one in view.of(LOG_FILTER) if one.properties["FilterPattern"]]
    if not filters:
        return
    # The emulator's own reading of them: what is refused here is what it would refuse.
    from trigger_stack.delivery.logs.filter_pattern import PatternError, compiled

    for one in filters:
        pattern = one.properties["FilterPattern"]
        try:
            compiled(pattern if isinstance(pattern, str) else "")
        except PatternError as error:
            yield Hit(f"“{pattern}”: {error}.", view.at(one, "FilterPattern"))
