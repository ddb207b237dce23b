"""What the tests of streams invoke in place of a function."""

from __future__ import annotations

import json

from trigger_stack.delivery.core.invocation import Reply
from trigger_stack.delivery.streams.lane import Batch, Failure
from trigger_stack.delivery.streams.records import Event, Record


class Target:
    """Notes what it was invoked with."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def invoke(self, payload: bytes) -> Reply:
        self.got += [one["data"] for one in json.loads(payload)["Records"]]
        return Reply(False, b"", "r", "$LATEST")

    def discard(self, failure: Failure, records: list[Record], shard: str) -> None: ...
    def expired(self, batch: Batch, records: list[Record], shard: str) -> None: ...
    def trimmed(self, shard: str, after: str, until: str) -> None: ...
    def waits(self, batch: Batch, shard: str, pause_s: float) -> None: ...
    def handled(self, batch: Batch, shard: str) -> None: ...
    def window(
        self, event: Event, attempts: int, state: str, place: str, due_at: float | None = None
    ) -> None: ...
