"""What CloudWatch Logs refuses of a batch, and which events of it are stored."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.delivery.logs.batches import (
    MOST_BYTES,
    sort_out,
    spans_too_long,
    why_malformed,
    why_refused,
)

NOW = 1_800_000_000_000
DAY = 86_400_000
HOUR = 3_600_000


def at(*times: int, message: str = "m") -> list[dict[str, Any]]:
    return [{"timestamp": time, "message": message} for time in times]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "'[]' at 'logEvents' failed"),
        (at(*[NOW] * 10_001), "length less than or equal to 10000"),
        (at(NOW, message=""), "'' at 'logEvents.1.member.message' failed"),
        (at(-1), "'-1' at 'logEvents.1.member.timestamp' failed"),
        ([{"message": "m"}], "null at 'logEvents.1.member.timestamp' failed"),
    ],
)
def test_a_batch_of_another_shape(events: list[dict[str, Any]], said: str) -> None:
    assert said in str(why_malformed(events))


def test_ten_thousand_events_are_a_batch() -> None:
    assert why_malformed(at(*[NOW] * 10_000)) is None


def test_a_batch_has_a_mebibyte_at_most() -> None:
    assert why_refused(at(NOW, message="é" * ((MOST_BYTES - 26) // 2))) is None
    assert why_refused(at(NOW, message="m" * (MOST_BYTES - 25))) == (
        "Upload too large: 1048577 bytes exceeds limit of 1048576"
    )


def test_events_come_in_their_order() -> None:
    assert why_refused(at(NOW, NOW, NOW + 1)) is None
    assert "chronological order" in str(why_refused(at(NOW, NOW - 1)))


def test_a_batch_spans_a_day_at_most() -> None:
    assert spans_too_long(at(NOW - DAY, NOW)) is None
    assert "cannot span more than 24 hours" in str(spans_too_long(at(NOW - DAY - 1, NOW)))


def test_what_is_too_old_or_too_new_is_left_out() -> None:
    events = at(NOW - 15 * DAY, NOW - 15 * DAY, NOW, NOW + 1, NOW + 2 * HOUR + 1)

    found = sort_out(events, NOW, None)

    assert found.valid == events[2:4]
    assert found.rejected == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4}


def test_what_its_group_no_longer_keeps_is_left_out() -> None:
    events = at(NOW - 2 * DAY, NOW)

    assert sort_out(events, NOW, 1).rejected == {"expiredLogEventEndIndex": 1}
    assert sort_out(events, NOW, 3).rejected == {}
