"""The APIs that are served, with their stages and the snapshot of each deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from trigger_stack_engine.front_doors.core.access_logs import AccessLog
from trigger_stack_engine.front_doors.core.cors import Cors
from trigger_stack_engine.front_doors.core.routing import RouteTable, parse_route_key
from trigger_stack_engine.front_doors.core.throttles import Limits
from trigger_stack_engine.front_doors.http_api.parameter_mapping import ParameterMapping

Resource = dict[str, Any]

LOCAL_PORT_TAG: Final = "trigger-stack:local-port"
"""Tag (value ``true``) of the API that the extra port serves."""

_STAGE_SETTINGS: Final = ("AccessLogSettings", "DefaultRouteSettings", "RouteSettings")
_ACCOUNT_RATE: Final = 10_000.0
_ACCOUNT_BURST: Final = 5_000
"""API Gateway's quota for an account: what counts when only the other limit is set."""


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
        self._mappings: dict[str, ParameterMapping] = {}
        for route in routes:
            integration = integrations.get(
                (route.get("Target") or "").removeprefix("integrations/")
            )
            key = route["RouteKey"]
            self._integrations[key] = dict(integration) if integration is not None else None
            mapping = ParameterMapping.of(integration) if integration is not None else None
            if mapping is not None:
                self._mappings[key] = mapping
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

    def mapping(self, route_key: str) -> ParameterMapping | None:
        """What the integration behind a route changes in requests and responses."""
        return self._mappings.get(route_key)

    @property
    def route_keys(self) -> list[str]:
        """The keys of all routes, in order of creation."""
        return list(self._integrations)

    @property
    def cors_configuration(self) -> Resource | None:
        """The ``CorsConfiguration``."""
        return self._cors

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

    # The engine gets a stage anew with every change, so that these can be kept.

    @cached_property
    def source_arns(self) -> dict[tuple[str, str], str]:
        """ARNs with which the API introduces itself to Lambda, by method and path of the route."""
        return {}

    @cached_property
    def limits(self) -> dict[str, Limits] | None:
        """Rate and burst by route key, ``""`` for all other routes; ``None``: no limits."""
        limits: dict[str, Limits] = {}
        routes = self.attributes.get("RouteSettings") or {}
        for key, settings in {"": self.attributes.get("DefaultRouteSettings"), **routes}.items():
            found = _limits(settings or {})
            if found is not None:
                limits[key] = found
        return limits or None

    @cached_property
    def access_log(self) -> AccessLog | None:
        """Where and how requests are logged."""
        settings = self.attributes.get("AccessLogSettings") or {}
        return AccessLog.from_settings(
            settings.get("DestinationArn"),
            settings.get("Format"),
            self.attributes.get("ApiId", ""),
            self.attributes["StageName"],
        )


def _limits(settings: Mapping[str, Any]) -> Limits | None:
    rate, burst = settings.get("ThrottlingRateLimit"), settings.get("ThrottlingBurstLimit")
    if rate is None and burst is None:
        return None
    return (
        _ACCOUNT_RATE if rate is None else float(rate),
        _ACCOUNT_BURST if burst is None else int(burst),
    )


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
                    "ApiId": self.api_id,
                    "StageName": name,
                    "StageVariables": stage.variables,
                    **{key: stage.attributes.get(key) for key in _STAGE_SETTINGS},
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
