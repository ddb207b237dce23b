"""``StartReplay`` delivers the events of an archive, and an archive's new pattern counts.

What: ``EventsProvider.start_replay``; ``ArchiveService.update`` puts the archive's rule again.
Why: LocalStack compares times with texts and fails, but has stored the replay: a client that tries
again reads that it exists. It would send the events to every rule, whatever ``FilterArns``
names, compare minutes only, and answer after the last event. ``UpdateArchive`` with a pattern
changes what is described, and not what is archived.
Until: LocalStack's ``StartReplay`` works with events that came by ``PutEvents``.
Test: ``tests/unit/plugin/test_replays.py::test_localstack_still_cannot_replay``.

AWS topic: Amazon EventBridge User Guide, "Replaying archived events": each event has
``replay-name``, goes to the bus of its archive, to all rules or those of ``FilterArns``, and is not
archived again.
"""

from __future__ import annotations

import functools
import logging
import threading
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api.events import (
    ReplayState,
    ResourceAlreadyExistsException,
    StartReplayResponse,
)
from localstack.services.events.archive import ArchiveService
from localstack.services.events.models import ValidationException
from localstack.services.events.provider import EventsProvider
from localstack.services.events.utils import extract_event_bus_name, format_event, re_format_event

LOG = logging.getLogger(__name__)


def as_time(value: datetime | str) -> datetime:
    """A time of an event or of a request, in UTC, without fractions of a second."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)


def choose(events: list[dict[str, Any]], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The events that happened from ``start`` to ``end``, the oldest first."""
    within = [one for one in events if as_time(start) <= as_time(one["time"]) <= as_time(end)]
    return sorted(within, key=lambda event: as_time(event["time"]))


def _update_with_rule(original: Any) -> Any:
    @functools.wraps(original)
    def update(self: Any, description: Any, event_pattern: Any, retention_days: Any) -> None:
        original(self, description, event_pattern, retention_days)
        if event_pattern is not None:
            self._create_archive_rule()

    return update


def install() -> None:
    """Replace LocalStack's ``start_replay`` and ``update``. Idempotent."""
    original = EventsProvider.start_replay
    if getattr(original, "_trigger_stack", False):
        return
    archive: Any = ArchiveService
    archive.update = _update_with_rule(archive.update)

    @functools.wraps(original)
    def start_replay(
        provider: Any,
        context: Any,
        replay_name: str,
        event_source_arn: str,
        event_start_time: datetime,
        event_end_time: datetime,
        destination: dict[str, Any],
        description: str | None = None,
        **_: Any,
    ) -> StartReplayResponse:
        store = provider.get_store(context.region, context.account_id)
        if replay_name in store.replays:
            raise ResourceAlreadyExistsException(f"Replay {replay_name} already exists.")
        provider._validate_replay_time(event_start_time, event_end_time)
        archive = provider._archive_service_store.get(event_source_arn)
        if archive is None:
            name = event_source_arn.rsplit("/", maxsplit=1)[-1]
            raise ValidationException(
                f"Parameter EventSourceArn is not valid. Reason: Archive {name} does not exist."
            )
        provider._validate_replay_destination(destination, event_source_arn)
        replay = provider.create_replay_service(
            replay_name,
            *(context.region, context.account_id, event_source_arn, destination),
            *(event_start_time, event_end_time, description),
        )
        store.replays[replay_name] = replay.replay
        events = choose(list(archive.archive.events.values()), event_start_time, event_end_time)
        threading.Thread(
            target=_deliver,
            args=(provider, context, replay, events),
            name=f"replay-{replay_name}",
            daemon=True,
        ).start()
        return StartReplayResponse(
            ReplayArn=replay.arn, State=ReplayState.STARTING, ReplayStartTime=datetime.now(UTC)
        )

    start_replay._trigger_stack = True  # type: ignore[attr-defined]  # a mark
    EventsProvider.start_replay = start_replay  # type: ignore[method-assign, assignment]  # the patch


def _deliver(provider: Any, context: Any, replay: Any, events: list[dict[str, Any]]) -> None:
    account, region = context.account_id, context.region
    bus_name = extract_event_bus_name(replay.destination["Arn"])
    wanted = set(replay.destination.get("FilterArns") or [])
    replay.start(None)
    try:
        for event in events:
            if replay.state != ReplayState.RUNNING:  # CancelReplay
                replay.set_state(ReplayState.CANCELLED)
                return
            bus = provider.get_event_bus(bus_name, provider.get_store(region, account))
            rules = [one for one in list(bus.rules.values()) if not wanted or one.arn in wanted]
            time = as_time(event["time"])
            entry = re_format_event(event, bus_name)  # type: ignore[arg-type]  # a formatted event
            entry |= {"Time": time, "ReplayName": replay.name}  # type: ignore[typeddict-item]  # LocalStack's own key
            provider._process_rules_async(
                {
                    "rules": rules,
                    "region": region,
                    "account_id": account,
                    "event_formatted": format_event(entry, region, account, bus_name),
                    "trace_header": context.trace_context["aws_trace_header"],
                }
            )
            replay.replay.event_last_replayed_time = time
        replay.finish()
    except Exception as error:
        LOG.exception("replay %s", replay.name)
        replay.replay.state_reason = str(error)
        replay.set_state(ReplayState.FAILED)
