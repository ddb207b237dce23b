"""Replays of archived events: which events, and why the patch is needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.events.archive import ArchiveService

from trigger_stack.localstack.events.replays import as_time, choose


def event(number: int, time: datetime | str) -> dict[str, Any]:
    return {"id": str(number), "time": time}


def test_events_are_chosen_by_the_second_and_sorted() -> None:
    events = [
        event(1, "2026-01-01T10:00:31Z"),
        event(2, "2026-01-01T10:00:30Z"),
        event(3, "2026-01-01T10:00:29Z"),
        event(4, datetime(2026, 1, 1, 12, 0, 30, tzinfo=timezone(timedelta(hours=2)))),
        event(5, "2026-01-01T10:00:32Z"),
    ]
    start = datetime(2026, 1, 1, 10, 0, 30, 900_000, tzinfo=UTC)

    chosen = choose(events, start, datetime(2026, 1, 1, 10, 0, 31, tzinfo=UTC))

    assert [one["id"] for one in chosen] == ["2", "4", "1"]


def test_a_time_without_a_zone_is_utc() -> None:
    assert as_time(datetime(2026, 1, 1)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_localstack_still_cannot_replay() -> None:
    """Events that came by PutEvents have their time as a text."""
    arn = "arn:aws:events:us-east-1:000000000000:archive/a"
    archive = SimpleNamespace(
        events={"1": event(1, "2026-01-01T10:00:31Z")},
        account_id="000000000000", region="us-east-1", arn=arn, name="a",
        event_source_arn="arn:aws:events:us-east-1:000000000000:event-bus/b",
        event_pattern=None,
    )  # fmt: skip
    service = ArchiveService(archive)  # type: ignore[arg-type]  # what it reads of an archive
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    with pytest.raises(TypeError):
        service.get_events(moment, moment + timedelta(days=1))
