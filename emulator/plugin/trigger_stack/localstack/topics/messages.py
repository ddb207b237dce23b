"""What LocalStack has of a message that is published.

What: no patch.
Why: its publishers and its dispatcher are replaced in modules of their own.
Until: as long as those are.
Test: ``tests/unit/plugin/test_topic_patches.py``.
"""

from __future__ import annotations

import importlib
import json
from typing import Any


def publisher() -> Any:
    """LocalStack's module, loaded when the first topic is used."""
    return importlib.import_module("localstack.services.sns.publisher")


def trace_of(context: Any) -> str | None:
    """``X-Amzn-Trace-Id`` of the request that published."""
    found = context.request_headers.get("X-Amzn-Trace-Id") if context.request_headers else None
    return str(found) if found else None


def text_of(message: Any) -> str:
    """The body; of a message with a text for each protocol all of them."""
    body = message.message
    return body if isinstance(body, str) else json.dumps(body)
