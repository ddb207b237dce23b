"""Which items of a batch failed, from what the function returned: messages or records.

AWS topic: AWS Lambda Developer Guide, "Implementing partial batch responses": an empty or ``null``
response, and an empty or ``null`` list, are a success; an unknown, empty or ``null``
``itemIdentifier``, a list entry without one, and anything but a JSON object fail the whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Collection


def failed_items(response: bytes, batch: Collection[str]) -> set[str]:
    """The ids of the items that have to come again.

    Args:
        response: What the function returned, as bytes of JSON.
        batch: The ids of all items of the batch.
    """
    everything = set(batch)
    try:
        answer = json.loads(response) if response.strip() else None
    except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody reads
        return everything
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict):
        return everything
    failures = answer.get("batchItemFailures")
    if failures is None:
        return set()
    if not isinstance(failures, list):
        return everything
    failed = set()
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        failed.add(identifier)
    return failed
