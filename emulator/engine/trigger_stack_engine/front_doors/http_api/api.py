"""The APIs that are served, with their stages and the snapshot of each deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_stack_engine.front_doors.core.cors import Cors
from trigger_stack_engine.front_doors.http_api.routing import RouteTable, parse_route_key

Resource = dict[str, Any]

LOCAL_PORT_TAG: Final = "trigger-stack:local-port"
"""Tag (value ``true``) of the API that the extra port serves."""


class Snapshot:
    """Routes, integrations and CORS of an API at one moment: what a deployment serves.

    Immutable after construction.
    """

    def __init__(
        self,
        routes: Sequence[Resource],
        integrations: Mapping[str, Resource],
        cors: Mapping[str, Any] | None,
        authorizers: Mapping[str, Resource] | None = None,
    ) -> None:
        self.table = RouteTable(parse_route_key(route["RouteKey"]) for route in routes)
        self.cors = Cors.from_configuration(cors)
        self._cors = dict(cors) if cors else None
        self._integrations: dict[str, Resource | None] = {}
        self._authorization: dict[str, Resource] = {}
        for route in routes:
            integration = integrations.get(
                (route.get("Target") or "").removeprefix("integrations/")
            )
            key = route["RouteKey"]
            self._integrations[key] = dict(integration) if integration is not None else None
            kind = route.get("AuthorizationType") or "NONE"
            if kind != "NONE":
                authorizer = (authorizers or {}).get(route.get("AuthorizerId") or "")
                self._authorization[key] = {
                    "type": kind,
                    "authorizer": dict(authorizer) if authorizer is not None else None,
                    "scopes": list(route.get("AuthorizationScopes") or []),
                }

    def integration(self, route_key: str) -> Resource | None:
        """The integration behind a route, ``None`` for a route without one."""
        return self._integrations.get(route_key)

    def authorization(self, route_key: str) -> Resource | None:
        """``{type, authorizer, scopes}`` of a route, ``None`` for one that is open."""
        return self._authorization.get(route_key)

    def document(self) -> Resource:
        """The snapshot as JSON; see :meth:`from_document`."""
        return {
            "integrations": self._integrations,
            "cors": self._cors,
            "authorization": self._authorization,
        }

    @classmethod
    def from_document(cls, document: Resource) -> Snapshot:
        """The snapshot that :meth:`document` was made of."""
        integrations = {
            str(number): integration
            for number, integration in enumerate(document["integrations"].values())
            if integration is not None
        }
        routes = [
            {"RouteKey": key, "Target": f"integrations/{number}"}
            for number, key in enumerate(document["integrations"])
        ]
        snapshot = cls(routes, integrations, document["cors"])
        snapshot._authorization = document["authorization"]
        return snapshot


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
    """One HTTP API as it is served."""

    account_id: str
    region: str
    attributes: Resource
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def api_id(self) -> str:
        """Id of the API, the first label of its host name."""
        return str(self.attributes["ApiId"])

    @property
    def tags(self) -> dict[str, str]:
        """The API's tags."""
        tags: dict[str, str] = self.attributes.setdefault("Tags", {})
        return tags

    def allows_origin(self, origin: str) -> bool:
        """Whether the CORS configuration of any stage allows an origin."""
        return any(
            stage.snapshot is not None
            and stage.snapshot.cors is not None
            and stage.snapshot.cors.allowed_origin(origin) is not None
            for stage in self.stages.values()
        )

    def document(self) -> Resource:
        """The API as JSON; see :meth:`from_document`."""
        attributes = {
            name: self.attributes[name]
            for name in ("ApiId", "Tags", "DisableExecuteApiEndpoint")
            if name in self.attributes
        }
        stages = [
            {
                "attributes": {
                    "StageName": name,
                    "StageVariables": stage.variables,
                },
                "snapshot": stage.snapshot.document() if stage.snapshot else None,
            }
            for name, stage in self.stages.items()
        ]
        return {
            "account_id": self.account_id,
            "region": self.region,
            "attributes": attributes,
            "stages": stages,
        }

    @classmethod
    def from_document(cls, document: Resource) -> Api:
        """The API that :meth:`document` was made of."""
        stages = {
            stage["attributes"]["StageName"]: Stage(
                stage["attributes"],
                Snapshot.from_document(stage["snapshot"]) if stage["snapshot"] else None,
            )
            for stage in document["stages"]
        }
        return cls(document["account_id"], document["region"], document["attributes"], stages)


def select_api(apis: Sequence[Api], api_id: str | None) -> Api | None:
    """The API of the extra port: the one with ``api_id``, else the tagged one, else the oldest.

    Args:
        apis: All APIs, the oldest first.
        api_id: The id that the settings name, if any.
    """
    if api_id is not None:
        return next((api for api in apis if api.api_id == api_id.lower()), None)
    tagged = (api for api in apis if api.tags.get(LOCAL_PORT_TAG) == "true")
    return next(tagged, apis[0] if apis else None)
