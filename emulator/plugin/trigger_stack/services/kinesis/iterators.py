"""Shard iterators: where a reader is, as an opaque token.

AWS topic: Kinesis API reference, "GetShardIterator": a token is good for five minutes.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import asdict, dataclass

from trigger_stack.services.errors import ServiceError

VALID_S = 300


@dataclass(frozen=True, slots=True)
class Iterator:
    """A position in a shard.

    Attributes:
        stream: ARN of the stream.
        created: When this stream was made: one of the same name later is another.
        shard: Id of the shard.
        after: Sequence number of the last record that was read; "" before the first.
        issued: When the token was made, in seconds since 1970.
    """

    stream: str
    created: float
    shard: str
    after: str
    issued: float

    def token(self) -> str:
        """The text for the reader."""
        return base64.b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def from_token(cls, token: str) -> Iterator:
        """Read a token.

        Raises:
            ServiceError: It is none, or it is too old.
        """
        try:
            found = cls(**json.loads(base64.b64decode(token, validate=True)))
            age = time.time() - found.issued
        except (ValueError, TypeError) as error:
            raise ServiceError("InvalidArgumentException", "Invalid ShardIterator.") from error
        if age > VALID_S:
            raise ServiceError(
                "ExpiredIteratorException",
                f"Iterator expired. The iterator was created {age:.0f} seconds ago, "
                f"which is further in the past than the tolerated delay of {VALID_S * 1000} "
                "milliseconds.",
            )
        return found
