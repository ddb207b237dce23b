"""``CreateInvalidation``, as AWS answers it.

AWS topic: CloudFront API Reference, "CreateInvalidation". A second call with the same caller
reference and paths returns the first invalidation, with other paths it is refused. The status of a
finished invalidation is ``Completed``, which is what ``aws cloudfront wait
invalidation-completed`` awaits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from trigger_stack.services.errors import ServiceError

COMPLETED = "Completed"


class Invalidation(Protocol):
    """One invalidation, as moto keeps it."""

    invalidation_id: str
    caller_ref: str
    create_time: datetime
    paths: Any
    status: str


def repeated(known: Invalidation, distribution: str, paths: list[str]) -> dict[str, Any]:
    """The answer to a caller reference that was used before.

    Raises:
        ServiceError: ``InvalidArgument``: it was used with other paths.
    """
    if sorted(kept_paths(known.paths)) != sorted(paths):
        raise ServiceError(
            "InvalidArgument",
            "Your request contains a caller reference that was used for a previous "
            "invalidation request with different paths.",
        )
    return {
        "Location": "https://cloudfront.amazonaws.com/2020-05-31/distribution/"
        f"{distribution}/invalidation/{known.invalidation_id}",
        "Invalidation": {
            "Id": known.invalidation_id,
            "Status": known.status,
            "CreateTime": known.create_time,
            "InvalidationBatch": {
                "CallerReference": known.caller_ref,
                "Paths": {"Quantity": len(paths), "Items": kept_paths(known.paths)},
            },
        },
    }


def kept_paths(kept: Any) -> list[str]:
    """The paths as moto keeps them: ``{"Items": {"Path": …}}`` or a plain list."""
    items = kept.get("Items", []) if isinstance(kept, dict) else kept
    if isinstance(items, dict):
        items = items.get("Path", [])
    return [items] if isinstance(items, str) else list(items)
