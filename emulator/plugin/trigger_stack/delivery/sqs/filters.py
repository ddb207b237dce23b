"""Which messages a mapping's filters let through.

AWS topic: AWS Lambda Developer Guide, "Using event filtering with an Amazon SQS event source". A
filter on ``body`` says by its form what it is for: an object matches bodies of JSON, a list matches
bodies of plain text; a body of the other form does not match.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from trigger_stack.delivery.sqs.records import Record

type Matches = Callable[[dict[str, Any], dict[str, Any]], bool]


class Filters:
    """The filters of one mapping; without any, every message passes.

    Args:
        patterns: Event patterns as JSON.
        matches: Whether an event pattern (first) matches an event (second).
    """

    def __init__(self, patterns: Iterable[str], matches: Matches) -> None:
        self._patterns: list[dict[str, Any]] = [json.loads(pattern) for pattern in patterns]
        self._matches = matches

    def pass_through(self, record: Record) -> bool:
        """Whether one of the filters matches."""
        if not self._patterns:
            return True
        try:
            body = json.loads(record["body"])
        except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody reads
            body = None
        is_json = isinstance(body, dict)
        for pattern in self._patterns:
            wants = pattern.get("body")
            if isinstance(wants, dict) != is_json and wants is not None:
                continue
            event = {**record, "body": body if is_json else record["body"]}
            if self._matches(pattern, event):
                return True
        return False
