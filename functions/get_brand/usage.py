"""Usage records: one for each successful read, counted hour by hour by `hourly_metrics`."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from functions.shared.clock import hour_of, iso

KEPT_FOR = timedelta(days=30)


def usage_record(brand_id: str, request_id: str, now: datetime) -> dict[str, Any]:
    """One item of `brand_metrics`.

    The table's key is `brandId` + `recordId`; `hour` + `recordedAt` are the index `by-hour`'s;
    `expiresAt` (Unix seconds) is the time to live.
    """
    recorded_at = iso(now)
    return {
        "brandId": brand_id,
        # The time first: a brand's records sort by time. The UUID: no two reads share a record.
        "recordId": f"{recorded_at}#{uuid.uuid4().hex}",
        "hour": hour_of(now),
        "recordedAt": recorded_at,
        "requestId": request_id,
        "expiresAt": int((now + KEPT_FOR).timestamp()),
    }
