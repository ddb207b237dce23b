"""Sign-in by a code that is sent by mail: what is asked, and whether an answer is right."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_ses import SESClient

CHALLENGE = "CUSTOM_CHALLENGE"
ATTEMPTS = 3
VALID_FOR = timedelta(minutes=5)
DIGITS = 6

Step = Literal["ask", "let in", "refuse"]


class Challenge(Protocol):
    """One challenge of this sign-in that was answered."""

    @property
    def challenge_name(self) -> str:
        """Which challenge."""

    @property
    def challenge_result(self) -> bool:
        """Whether the answer was right."""


@dataclass(frozen=True)
class Code:
    """A code, and when it expires."""

    digits: str
    expires_at: datetime

    def text(self) -> str:
        """The code as text that Cognito keeps from one trigger to the next; no client sees it."""
        return f"{self.digits} {self.expires_at.isoformat()}"

    @classmethod
    def of(cls, text: str) -> Code:
        """The code of such a text.

        Raises:
            ValueError: It is none.
        """
        digits, _, moment = text.partition(" ")
        return cls(digits, datetime.fromisoformat(moment).astimezone(UTC))

    def accepts(self, answer: str, now: datetime) -> bool:
        """Whether an answer is right and in time; takes as long for a wrong one."""
        right = hmac.compare_digest(self.digits.encode(), answer.strip().encode())
        return right and now < self.expires_at


def new_code(now: datetime) -> Code:
    """A code that nobody can guess."""
    return Code(f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}", now + VALID_FOR)


def next_step(answered: Sequence[Challenge], *, exists: bool) -> Step:
    """What comes after the challenges that were answered: three wrong answers end the sign-in.

    Args:
        exists: Whether there is such a user. One that does not exist is asked like any other, so
            that nobody learns who is an administrator, and is never let in.
    """
    if any(one.challenge_name != CHALLENGE for one in answered):
        return "refuse"
    if answered and answered[-1].challenge_result:
        return "let in" if exists else "refuse"
    return "refuse" if len(answered) >= ATTEMPTS else "ask"


def send(ses: SESClient, sender: str, address: str, code: Code) -> None:
    """Mail a code."""
    minutes = int(VALID_FOR.total_seconds() // 60)
    text = (
        f"Your code to sign in is {code.digits}. It is valid for {minutes} minutes.\n\n"
        "If you do not want to sign in, ignore this mail.\n"
    )
    ses.send_email(
        Source=sender,
        Destination={"ToAddresses": [address]},
        Message={
            "Subject": {"Data": "Your code to sign in", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
        },
    )
