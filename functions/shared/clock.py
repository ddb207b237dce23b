"""Times as the brand platform writes them: timezone-aware UTC, ISO 8601."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present time, timezone-aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """`moment` in UTC with microseconds, so that the texts sort as the times do.

    >>> iso(datetime(2026, 11, 23, 5, 0, tzinfo=UTC))
    '2026-11-23T05:00:00.000000Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hour_of(moment: datetime) -> str:
    """The UTC hour of `moment`, the partition key of the index `by-hour`.

    >>> hour_of(datetime(2026, 11, 23, 5, 59, tzinfo=UTC))
    '2026-11-23T05Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%HZ")
