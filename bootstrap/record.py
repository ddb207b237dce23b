"""The record of the resources that the last run made. The next run compares the file with it.

The record is kept in the account itself, as the newest event of the log group
``/trigger-stack/<service>-<stage>``. There it has the life of what it speaks of: a file in the
state folder would be lost with every container of the bootstrap, and would outlive an emulator
that ended. Tags would not do: permissions, mappings, routes and notifications have none. Resources
that somebody made by hand, and those of another service or stage, are not in it and stay untouched.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bootstrap.errors import DeployError
from bootstrap.services.base import Key, found

_STREAM = "made"
_BEGUN = "begun"

#: A resource as :class:`bootstrap.template.Resource` has it, its references unresolved.
type Begun = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """One thing that a run made or found as described.

    Attributes:
        type: CloudFormation resource type.
        logical_id: its name in the template.
        key: what finds it again, see :attr:`bootstrap.services.base.ResourceType.keys`.
        ref: its value for ``Ref``.
        attributes: its values for ``Fn::GetAtt``.
    """

    type: str
    logical_id: str
    key: Key
    ref: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, str, str]:
        """Sorts by type, name and key: in reverse, what belongs to an API goes before the API."""
        return self.type, self.logical_id, json.dumps(self.key, sort_keys=True)

    def same_thing(self, other: Made) -> bool:
        """Whether both are about the same resource, whatever the template calls it."""
        return self.type == other.type and self.key == other.key


class Record:
    """The record of one service and stage.

    Args:
        logs: a boto3 client of CloudWatch Logs.
    """

    def __init__(self, logs: Any, service: str, stage: str) -> None:
        self._logs = logs
        self.group = f"/trigger-stack/{service}-{stage}"
        self._last: list[Made] | None = None
        self._streams: set[str] = set()
        self._moment = 0

    def read(self) -> list[Made]:
        """The record's entries, sorted; empty before the first run.

        Raises:
            DeployError: the log group has something else.
        """
        answer = found(
            lambda: self._logs.get_log_events(
                logGroupName=self.group, logStreamName=_STREAM, limit=1, startFromHead=False
            ),
            "ResourceNotFoundException",
        )
        events = answer["events"] if answer else []
        try:
            entries = json.loads(events[-1]["message"]) if events else []
            self._last = _sorted(
                Made(e["type"], e["id"], e["key"], e.get("ref", ""), e.get("attributes", {}))
                for e in entries
            )
        except (ValueError, TypeError, KeyError):
            raise DeployError(
                f"The log group {self.group} has no record of the last run. Delete it: "
                f"awslocal logs delete-log-group --log-group-name {self.group}"
            ) from None
        return self._last

    def write(self, made: Iterable[Made]) -> None:
        """Remember ``made`` in the place of what was remembered before.

        Args:
            made: in any order: resources that are created side by side come as they are ready.
        """
        entries = _sorted(made)
        if entries == self._last:
            return
        message = json.dumps(
            [
                {
                    "type": e.type,
                    "id": e.logical_id,
                    "key": e.key,
                    "ref": e.ref,
                    "attributes": e.attributes,
                }
                for e in entries
            ],
            separators=(",", ":"),
        )
        self._put(_STREAM, message)
        self._last = entries

    def begin(self, resources: list[Begun]) -> None:
        """Remember what is about to be created: a run that is killed leaves this behind."""
        text = json.dumps(resources, separators=(",", ":"))
        self._put(_BEGUN, base64.b64encode(zlib.compress(text.encode())).decode())

    def end(self) -> None:
        """The run that :meth:`begin` was called for is done, and the record is whole."""
        self._put(_BEGUN, "-")

    def begun(self) -> list[Begun]:
        """What a run was about to create that was killed before its end; mostly nothing."""
        answer = found(
            lambda: self._logs.get_log_events(
                logGroupName=self.group, logStreamName=_BEGUN, limit=1, startFromHead=False
            ),
            "ResourceNotFoundException",
        )
        events = answer["events"] if answer else []
        text = events[-1]["message"] if events else "-"
        try:
            return list(json.loads(zlib.decompress(base64.b64decode(text)))) if text != "-" else []
        except (ValueError, binascii.Error, zlib.error):
            return []

    def _put(self, stream: str, message: str) -> None:
        there = "ResourceAlreadyExistsException"
        if stream not in self._streams:
            found(lambda: self._logs.create_log_group(logGroupName=self.group), there)
            named = {"logGroupName": self.group, "logStreamName": stream}
            found(lambda: self._logs.create_log_stream(**named), there)
            self._streams.add(stream)
        # The newest event counts: no two of a stream may have the same millisecond.
        self._moment = max(time.time_ns() // 1_000_000, self._moment + 1)
        self._logs.put_log_events(
            logGroupName=self.group,
            logStreamName=stream,
            logEvents=[{"timestamp": self._moment, "message": message}],
        )


def _sorted(made: Iterable[Made]) -> list[Made]:
    return sorted(made, key=lambda one: one.order)
