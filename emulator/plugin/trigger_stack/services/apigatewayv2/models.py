"""State of the HTTP APIs and what a deployment serves.

Resources are kept in the member names of the service model (``ApiId``, ``RouteKey``), so that an
operation answers with what is stored. moto's ``apigatewayv2`` store was not used: it knows no
deployments (every change would be live at once), takes the same route key twice, answers with
``null`` members, and checks next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from trigger_stack_engine.front_doors.http_api.api import Api as ServedApi
from trigger_stack_engine.front_doors.http_api.api import Resource, Snapshot


@dataclass
class Deployment:
    """One ``Deployment`` resource with the snapshot it froze."""

    attributes: Resource
    snapshot: Snapshot


@dataclass
class Api(ServedApi):
    """One HTTP API with everything that belongs to it, in order of creation."""

    routes: dict[str, Resource] = field(default_factory=dict)
    integrations: dict[str, Resource] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    authorizers: dict[str, Resource] = field(default_factory=dict)

    def freeze(self) -> Snapshot:
        """A snapshot of the API as it is now."""
        return Snapshot(
            list(self.routes.values()),
            self.integrations,
            self.attributes.get("CorsConfiguration"),
            self.authorizers,
        )


class Apis:
    """Every HTTP API: an id is a host name, hence unique over accounts and regions.

    Args:
        kept: Gives the mapping from id to API that the emulator keeps; it may be another mapping
            after the state was loaded or reset.

    Attributes:
        lock: Held while resources change; requests read snapshots and need no lock.
    """

    def __init__(self, kept: Callable[[], dict[str, Api]]) -> None:
        self._kept = kept
        self.lock = threading.RLock()

    @property
    def by_id(self) -> dict[str, Api]:
        """Every API by its id."""
        return self._kept()

    def find(self, api_id: str) -> Api | None:
        """The API with an id, in whatever account and region it is."""
        return self.by_id.get(api_id.lower())

    def oldest_first(self) -> list[Api]:
        """The APIs of all accounts and regions, the oldest first."""
        return sorted(self.by_id.values(), key=lambda api: api.attributes["CreatedDate"])


def now() -> datetime:
    """Creation time of a resource."""
    return datetime.now(UTC)
