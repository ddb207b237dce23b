"""JSON: fast, and as lenient as the standard library.

``orjson`` refuses what Python's own module takes: ``NaN``, lone surrogates, whole numbers beyond 64
bits. Functions return such things, so these few go the slow way.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def dump_json(value: Any) -> bytes:
    """``value`` as compact JSON in UTF-8."""
    try:
        return orjson.dumps(value)
    except TypeError:
        text = json.dumps(value, separators=(",", ":"))
        return text.encode()


def load_json(data: bytes) -> Any:
    """The value of JSON text. Raises ValueError, RecursionError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)
