"""State of the HTTP APIs and what a deployment serves.

Resources are kept in the member names of the service model (``ApiId``, ``RouteKey``), so that an
operation answers with what is stored. moto's ``apigatewayv2`` store was not used: it knows no
deployments (every change would be live at once), takes the same route key twice, answers with
``null`` members, and checks next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from localstack.services.stores import (
    AccountRegionBundle,
    BaseStore,
    CrossAccountAttribute,
)

from trigger_stack.apigatewayv2.cors import Cors
from trigger_stack.apigatewayv2.routing import RouteTable, parse_route_key

Resource = dict[str, Any]


class Snapshot:
    """Routes, integrations and CORS of an API at one moment: what a deployment serves.

    Immutable after construction, so requests read it without a lock.
    """

    def __init__(
        self,
        routes: list[Resource],
        integrations: Mapping[str, Resource],
        cors: Mapping[str, Any] | None,
    ) -> None:
        self.table = RouteTable(parse_route_key(route["RouteKey"]) for route in routes)
        self.cors = Cors.from_configuration(cors)
        self._integrations: dict[str, Resource] = {}
        for route in routes:
            integration = integrations.get(
                (route.get("Target") or "").removeprefix("integrations/")
            )
            if integration is not None:
                self._integrations[route["RouteKey"]] = dict(integration)

    def integration(self, route_key: str) -> Resource | None:
        """The integration behind a route, ``None`` for a route without one."""
        return self._integrations.get(route_key)


@dataclass
class Deployment:
    """One ``Deployment`` resource with the snapshot it froze."""

    attributes: Resource
    snapshot: Snapshot


@dataclass
class Stage:
    """One ``Stage`` resource and the deployment it serves (``None``: nothing deployed yet)."""

    attributes: Resource
    snapshot: Snapshot | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The stage variables."""
        return self.attributes.get("StageVariables") or {}


@dataclass
class Api:
    """One HTTP API with everything that belongs to it, in order of creation."""

    account_id: str
    region: str
    attributes: Resource
    routes: dict[str, Resource] = field(default_factory=dict)
    integrations: dict[str, Resource] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    deployments: dict[str, Deployment] = field(default_factory=dict)

    @property
    def api_id(self) -> str:
        """Id of the API, the first label of its host name."""
        return str(self.attributes["ApiId"])

    @property
    def tags(self) -> dict[str, str]:
        """The API's tags."""
        tags: dict[str, str] = self.attributes.setdefault("Tags", {})
        return tags

    def freeze(self) -> Snapshot:
        """A snapshot of the API as it is now."""
        return Snapshot(
            list(self.routes.values()),
            self.integrations,
            self.attributes.get("CorsConfiguration"),
        )


class ApiGatewayV2Store(BaseStore):
    """HTTP APIs by id, of all accounts and regions: an id is a host name, hence unique."""

    apis: dict[str, Api] = cast(dict[str, Api], CrossAccountAttribute(default=dict))


apigatewayv2_stores: AccountRegionBundle[ApiGatewayV2Store] = AccountRegionBundle(
    "apigatewayv2", ApiGatewayV2Store
)

store_lock = threading.RLock()
"""Held while resources change; requests read snapshots and need no lock."""


def apis() -> dict[str, Api]:
    """Every API by its id."""
    # The attribute is shared by all accounts and regions, so any of them will do.
    return apigatewayv2_stores["000000000000"]["us-east-1"].apis


def find_api(api_id: str) -> Api | None:
    """The API with an id, in whatever account and region it is."""
    return apis().get(api_id.lower())


def list_apis() -> list[Api]:
    """The APIs of all accounts and regions, the oldest first."""
    return sorted(apis().values(), key=lambda api: api.attributes["CreatedDate"])


def now() -> datetime:
    """Creation time of a resource."""
    return datetime.now(UTC)
