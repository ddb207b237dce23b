"""That moto still takes batches that CloudWatch Logs refuses."""

from __future__ import annotations

import time

from moto.logs.models import LogsBackend

DAY = 86_400_000


def test_moto_still_takes_what_is_refused() -> None:
    """When this fails, moto checks batches itself."""
    now = int(time.time() * 1000)
    backend = LogsBackend("us-east-1", "000000000000")
    backend.create_log_group("g", {})
    backend.create_log_stream("g", "s")

    times = (now - 20 * DAY, now - 2 * DAY, now)
    _, rejected = backend.put_log_events(
        "g", "s", [{"timestamp": one, "message": ""} for one in times]
    )

    assert rejected == {"tooOldLogEventEndIndex": 0}
