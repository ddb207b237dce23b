"""Which keys the prefix and suffix of a notification let through.

AWS topic: Amazon S3 User Guide, "Configuring event notifications using object key name filtering":
a space is to be given as ``+``, and other special characters URL-encoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_plus


def passes(key: str, rules: Iterable[Mapping[str, str]]) -> bool:
    """Whether a key has the prefix and the suffix.

    A value counts as it is, and decoded: AWS documents the second, and whoever writes ``a b`` or
    ``é/`` means the first.

    Args:
        key: The object's key, not encoded.
        rules: ``FilterRules``, each with ``Name`` (in any case) and ``Value``.
    """
    for rule in rules:
        value = rule.get("Value") or ""
        values = (value, unquote_plus(value))
        match rule.get("Name", "").lower():
            case "prefix" if not key.startswith(values):
                return False
            case "suffix" if not key.endswith(values):
                return False
    return True
