"""Codes that were sent, and sign-ins that are in progress.

AWS topics: Amazon Cognito Developer Guide, "Quotas in Amazon Cognito" (validity of codes and
sessions), "Signing up and confirming user accounts".
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack.services.cognito.errors import code_mismatch, expired_code, not_authorized
from trigger_stack.services.errors import ServiceError

CONFIRMATION_S: Final = 86_400.0
RESET_S: Final = 3600.0
_MOST_WRONG: Final = 5
_MOST_SESSIONS: Final = 10_000


@dataclass
class _Code:
    code: str
    attribute: str | None
    expires_at: float
    wrong: int = 0


class Codes:
    """The codes that users were sent; a new one takes the place of the one before.

    Args:
        now: The time by which they expire, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._codes: dict[tuple[str, str, str], _Code] = {}

    def issue(
        self, pool_id: str, user_id: str, purpose: str, attribute: str | None, lasts_s: float
    ) -> str:
        """A new code of six digits.

        Args:
            purpose: ``confirm``, ``reset`` or ``verify``.
            attribute: The attribute that is verified by the code.
            lasts_s: Seconds until it expires.
        """
        code = f"{secrets.randbelow(1_000_000):06d}"
        with self._lock:
            expires_at = self._now() + lasts_s
            self._codes[pool_id, user_id, purpose] = _Code(code, attribute, expires_at)
        return code

    def use(self, pool_id: str, user_id: str, purpose: str, given: str) -> str | None:
        """Use up a code; returns the attribute that it verifies.

        Raises:
            ServiceError: It is another one, has expired, or was wrong too often.
        """
        with self._lock:
            known = self._codes.get((pool_id, user_id, purpose))
            if known is None or self._now() >= known.expires_at:
                raise expired_code()
            if known.wrong >= _MOST_WRONG:
                raise ServiceError(
                    "LimitExceededException",
                    "Attempt limit exceeded, please try after some time.",
                )
            if not hmac.compare_digest(known.code.encode(), given.encode()):
                known.wrong += 1
                raise code_mismatch()
            del self._codes[pool_id, user_id, purpose]
            return known.attribute

    def forget_pool(self, pool_id: str) -> None:
        """A pool was deleted."""
        with self._lock:
            self._codes = {k: v for k, v in self._codes.items() if k[0] != pool_id}


class Sessions:
    """What the service remembers between two steps of a sign-in, by a text that nobody can guess.

    Args:
        now: The time by which they expire, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Any, float]] = {}

    def put(self, state: Any, lasts_s: float, key: str | None = None) -> str:
        """Keep a state, and return the text by which it is found again, once."""
        session = key or f"A{secrets.token_urlsafe(96)}"  # no option of a shell begins so
        with self._lock:
            now = self._now()
            if len(self._kept) >= _MOST_SESSIONS:
                self._kept = {k: v for k, v in self._kept.items() if v[1] > now}
            self._kept[session] = (state, now + lasts_s)
        return session

    def take(self, session: str | None) -> Any:
        """The state of a session, which is used up.

        Raises:
            ServiceError: There is none, or it has expired.
        """
        with self._lock:
            found = self._kept.pop(session or "", None)
        if found is None:
            raise not_authorized("Invalid session for the user.")
        state, ends = found
        if self._now() >= ends:
            raise not_authorized("Invalid session for the user, session is expired.")
        return state
