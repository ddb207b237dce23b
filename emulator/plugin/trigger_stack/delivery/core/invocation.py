"""What a mapping gets from an invocation of its function."""

from __future__ import annotations

from dataclasses import dataclass


class ThrottledError(Exception):
    """The function has no concurrency left."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an invocation.

    Attributes:
        is_error: Whether the function failed.
        payload: Its result, as bytes of JSON.
        request_id: Id of the invocation.
        version: The version that ran, for example ``$LATEST``.
    """

    is_error: bool
    payload: bytes
    request_id: str = ""
    version: str | None = None
