"""What the control plane keeps of distributions and policies."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

type Config = dict[str, Any]

_CAPITALS = string.ascii_uppercase + string.digits
_SMALL = string.ascii_lowercase + string.digits


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def new_id() -> str:
    """An id such as ``E2QWRUHAPOMQZL``, also of a version (``ETag``)."""
    return f"E{_random(_CAPITALS, 13)}"


def new_domain() -> str:
    """A domain name such as ``d111111abcdef8.cloudfront.net``."""
    return f"d{_random(_SMALL, 13)}.cloudfront.net"


def now() -> datetime:
    """The time, without fractions of a second."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass
class Item:
    """A policy, access control or access identity.

    Attributes:
        managed: Whether it is AWS's.
    """

    identity: str
    config: Config
    etag: str = field(default_factory=new_id)
    modified: datetime = field(default_factory=now)
    managed: bool = False
    canonical_user: str = field(default_factory=lambda: secrets.token_hex(48))


@dataclass
class Invalidation:
    """One invalidation."""

    identity: str
    reference: str
    paths: list[str]
    created: datetime = field(default_factory=now)


@dataclass
class Distribution:
    """One distribution.

    Attributes:
        port: Of this machine.
        invalidations: By id, the oldest first.
    """

    identity: str
    account: str
    domain: str
    config: Config
    port: int
    etag: str = field(default_factory=new_id)
    modified: datetime = field(default_factory=now)
    invalidations: dict[str, Invalidation] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:cloudfront::{self.account}:distribution/{self.identity}"


@dataclass
class Account:
    """What an account has; each by id, the oldest first."""

    distributions: dict[str, Distribution] = field(default_factory=dict)
    items: dict[str, dict[str, Item]] = field(default_factory=dict)


class Accounts:
    """Every account.

    Args:
        keep: Returns where accounts are kept, by account id.

    Attributes:
        lock: Held while something is changed or described.
    """

    def __init__(self, keep: Callable[[], dict[str, Account]]) -> None:
        self._keep = keep
        self.lock = threading.RLock()

    def get(self, account_id: str) -> Account:
        """What an account has."""
        return self._keep().setdefault(account_id, Account())

    def all(self) -> list[Account]:
        """Every account."""
        return list(self._keep().values())

    def distributions(self) -> list[Distribution]:
        """Every distribution of every account, the oldest of each account first."""
        return [one for account in self.all() for one in account.distributions.values()]
