"""A queue and the function that its messages go to."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually

#: Prints each message with the number of its attempt; the test's code decides what happens then.
PRINT = """
import json, os, time

def show(record):
    attempt = record["attributes"]["ApproximateReceiveCount"]
    print(json.dumps({"seen": record["body"], "attempt": int(attempt), "at": time.time_ns()}))
"""


@dataclass
class Mapped:
    """The observable state of a mapping."""

    stack: Stack
    function: str
    uuid: str
    url: str
    dead_letter_url: str

    @property
    def sqs(self) -> Any:
        return self.stack.client("sqs")

    def send(self, *bodies: str, group: str | None = None) -> None:
        """Send messages, in their order."""
        more = {"MessageGroupId": group} if group else {}
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **more)

    def seen_all(self, count: int) -> list[tuple[str, int]]:
        """What ``seen`` gives when the log has ``count`` messages: it may come after the end."""

        def complete() -> list[tuple[str, int]]:
            found = self.seen()
            assert len(found) >= count, found
            return found

        return eventually(complete)

    def seen(self) -> list[tuple[str, int]]:
        """Bodies and attempts in the order in which the function saw them."""
        found = []
        with contextlib.suppress(ClientError):  # the log group comes with the first event
            for event in self.stack.log_events(self.function):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    line = json.loads(event["message"])
                    found.append((line["at"], line["seen"], line["attempt"]))
        return [(body, attempt) for _, body, attempt in sorted(found)]

    def counts(self) -> dict[str, int]:
        """Messages in the queue, visible or not, and dead letters."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        total = {}
        for place, url in (("queue", self.url), ("dlq", self.dead_letter_url)):
            attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
            total[place] = sum(int(value) for value in attributes["Attributes"].values())
        return total

    def wait_for(self, *, queue: int = 0, dlq: int = 0, seconds: float = 30) -> None:
        """Wait until so many messages rest in each place."""

        def rest() -> bool:
            assert (found := self.counts()) == {"queue": queue, "dlq": dlq}, found
            return True

        eventually(rest, seconds=seconds)

    def dead_letters(self) -> list[str]:
        """Bodies of the dead letters; takes them away."""
        received = self.sqs.receive_message(
            QueueUrl=self.dead_letter_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        return sorted(one["Body"] for one in received.get("Messages", []))

    def state(self) -> str:
        mapping = self.stack.client("lambda").get_event_source_mapping(UUID=self.uuid)
        return str(mapping["State"])

    def state_or_gone(self) -> str:
        try:
            return self.state()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceNotFoundException"
            return "gone"

    def wait_for_state(self, wanted: str) -> None:
        def reached() -> bool:
            assert (state := self.state()) == wanted, state
            return True

        eventually(reached)

    def enable(self, enabled: bool) -> None:
        """Enable or disable the mapping, and wait until it is."""
        functions = self.stack.client("lambda")
        functions.update_event_source_mapping(UUID=self.uuid, Enabled=enabled)
        self.wait_for_state("Enabled" if enabled else "Disabled")

    def delete(self) -> None:
        with contextlib.suppress(ClientError):
            self.stack.client("lambda").delete_event_source_mapping(UUID=self.uuid)
