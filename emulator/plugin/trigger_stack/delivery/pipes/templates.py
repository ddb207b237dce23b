"""Input templates of a pipe's enrichment and target.

AWS topic: EventBridge User Guide, "Amazon EventBridge Pipes input transformation". In a template of
JSON a placeholder inside quotes becomes a part of the text, any other JSON; in free text each
becomes text. A path that leads to nothing becomes an empty text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trigger_stack.delivery.core import placeholders
from trigger_stack.delivery.core.json_paths import MISSING, PathError, decoded, find, steps, text_of
from trigger_stack.delivery.pipes.settings import PipeSettings

_PLACEHOLDER = re.compile(r"<(\$[^<>]*|aws\.pipes\.[A-Za-z.\-]+)>")
VARIABLES = (
    "aws.pipes.pipe-arn",
    "aws.pipes.pipe-name",
    "aws.pipes.source-arn",
    "aws.pipes.enrichment-arn",
    "aws.pipes.target-arn",
    "aws.pipes.event.ingestion-time",
    "aws.pipes.event",
    "aws.pipes.event.json",
)


def problem(template: str) -> str | None:
    """Why a template can never be filled in; None when it can."""
    for name in _PLACEHOLDER.findall(template):
        if name.startswith("$"):
            try:
                steps(name)
            except PathError as error:
                return str(error)
        elif name not in VARIABLES:
            return f"<{name}> is no variable of a pipe; variables: {', '.join(VARIABLES)}"
    return None


def variables(settings: PipeSettings) -> dict[str, str]:
    """The variables that are the same for each event."""
    return {
        "aws.pipes.pipe-arn": settings.arn,
        "aws.pipes.pipe-name": settings.name,
        "aws.pipes.source-arn": settings.source,
        "aws.pipes.enrichment-arn": settings.enrichment,
        "aws.pipes.target-arn": settings.target,
    }


def render(
    template: str,
    event: Any,
    known: Mapping[str, str],
    now: datetime | None = None,
    *,
    parse: bool = True,
) -> str:
    """A template filled in for one event.

    Args:
        template: ``InputTemplate``.
        event: The event as it comes to the template.
        known: The variables that are the same for each event.
        now: When it came.
        parse: Whether the encoded field of a source is JSON; not behind an enrichment.
    """
    parsed = decoded(event) if parse else event
    moment = (now or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values: dict[str, Any] = {
        **known,
        "aws.pipes.event.ingestion-time": moment,
        "aws.pipes.event": event,
        "aws.pipes.event.json": parsed,
    }
    free_text = not placeholders.is_json(template, _PLACEHOLDER)

    def write(name: str, quoted: bool) -> str:
        value = find(name, parsed) if name.startswith("$") else values.get(name, "")
        value = "" if value is MISSING else value
        return text_of(value) if free_text else _written(value, quoted=quoted)

    return placeholders.fill(template, _PLACEHOLDER, write)


def _written(value: Any, *, quoted: bool) -> str:
    if not quoted:
        return json.dumps(value, separators=(",", ":"))
    return json.dumps(text_of(value))[1:-1]


def as_value(text: str) -> Any:
    """A filled-in template as JSON, or as the text that it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
