"""A response that a caller reads while the function writes it."""

from __future__ import annotations

import asyncio


class ResponseStream:
    """What a function has streamed so far.

    Attributes:
        content_type: Of the response as the runtime sends it; known with the first part.
        parts: The parts in their order, then ``None``.
        begun: Whether there was a part.
    """

    def __init__(self) -> None:
        self.content_type = ""
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.begun = False

    def write(self, content_type: str, part: bytes) -> None:
        """The runtime has sent a part."""
        self.content_type = content_type
        self.begun = True
        self.parts.put_nowait(part)

    def end(self) -> None:
        """No more parts come."""
        self.parts.put_nowait(None)
