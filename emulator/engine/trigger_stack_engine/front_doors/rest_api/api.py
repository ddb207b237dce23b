"""The REST APIs that are served: stages, and what each deployment of an API holds."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from trigger_stack_engine.front_doors.core.access_logs import AccessLog, parse_log_group
from trigger_stack_engine.front_doors.core.execution_policy import source_arn
from trigger_stack_engine.front_doors.core.routing import (
    InvalidRouteKeyError,
    Match,
    RouteKey,
    RouteTable,
    parse_route_key,
)

LOG = logging.getLogger(__name__)
Resource = dict[str, Any]

_ALLOWED_ORIGIN: Final = "method.response.header.Access-Control-Allow-Origin"
_MAX_TIMEOUT_MILLIS: Final = 29_000


@dataclass(frozen=True, slots=True)
class Method:
    """One method of one resource, as API Gateway's ``Method`` shape has it.

    Attributes:
        resource_id: Id of its resource.
        resource_path: ``/brand/{brandId}``.
        attributes: The ``Method`` shape.
    """

    resource_id: str
    resource_path: str
    attributes: Resource

    @property
    def integration(self) -> Resource | None:
        """What answers: the ``Integration`` shape, ``None`` when nothing does."""
        integration: Resource | None = self.attributes.get("methodIntegration")
        return integration

    @property
    def name(self) -> str:
        """The method's own name: ``GET``, or ``ANY``."""
        return str(self.attributes["httpMethod"])

    @property
    def timeout_s(self) -> float:
        """Seconds that its integration may take."""
        given = (self.integration or {}).get("timeoutInMillis") or _MAX_TIMEOUT_MILLIS
        return float(given) / 1000


class Deployment:
    """A REST API as it was when it was deployed. Immutable.

    Args:
        document: ``{api, resources, authorizers, validators, models, gateway_responses}`` in the
            shapes of API Gateway's model: ``resources`` is a list of ``Resource``, the others are
            mappings by id or name; ``models`` holds resolved JSON schemas.
    """

    def __init__(self, document: Resource) -> None:
        api = document["api"]
        self.binary_media_types: list[str] = list(api.get("binaryMediaTypes") or [])
        self.api_key_source: str = api.get("apiKeySource") or "HEADER"
        self.policy: Resource | None = api.get("policy")
        self.authorizers: Mapping[str, Resource] = document["authorizers"]
        self.validators: Mapping[str, Resource] = document["validators"]
        self.models: Mapping[str, Resource] = document["models"]
        self.gateway_responses: Mapping[str, Resource] = document["gateway_responses"]
        self._methods: dict[str, Method] = {}
        keys: list[RouteKey] = []
        for resource in document["resources"]:
            for name, attributes in (resource.get("resourceMethods") or {}).items():
                try:
                    key = parse_route_key(f"{name} {resource['path']}")
                except InvalidRouteKeyError as error:
                    LOG.warning("REST API %s: %s", api.get("id"), error)
                    continue
                keys.append(key)
                self._methods[key.key] = Method(resource["id"], resource["path"], attributes)
        self._table = RouteTable(keys)

    def match(self, http_method: str, raw_path: str) -> tuple[Method, dict[str, str]] | None:
        """The method that serves a request, and its path parameters, still percent-encoded.

        A slash at the end makes no difference.
        """
        path = raw_path.rstrip("/") or "/"
        # Decoded, a `%25` is a `%`: the table decodes once, so that parameters stay as they came.
        match: Match | None = self._table.match(http_method, path.replace("%", "%25"))
        if match is None:
            return None
        return self._methods[match.route.key], match.path_parameters

    def allows_origin(self, raw_path: str, origin: str) -> bool:
        """Whether the mock that answers preflight requests for a path names an origin."""
        found = self.match("OPTIONS", raw_path)
        integration = found[0].integration if found else None
        if integration is None or integration["type"] != "MOCK":
            return False
        responses = (integration.get("integrationResponses") or {}).values()
        allowed = [
            (one.get("responseParameters") or {}).get(_ALLOWED_ORIGIN, "").strip("'")
            for one in responses
        ]
        # A template chooses among several origins.
        templates = [
            text for one in responses for text in (one.get("responseTemplates") or {}).values()
        ]
        return "*" in allowed or origin in allowed or any(origin in (t or "") for t in templates)


@dataclass(slots=True)
class Stage:
    """One stage: its settings and the deployment that it serves.

    Attributes:
        attributes: The ``Stage`` shape.
        deployment: What it serves.
        canary: What it serves to a part of the requests.
        access_log: Where and how its requests are logged.
    """

    attributes: Resource
    deployment: Deployment
    canary: Deployment | None = None
    access_log: AccessLog | None = field(init=False)

    def __post_init__(self) -> None:
        settings = self.attributes.get("accessLogSettings") or {}
        destination, text = settings.get("destinationArn"), settings.get("format")
        if text and destination and parse_log_group(destination) is None:
            LOG.warning("access log of a REST API: %s is no log group", destination)
        self.access_log = AccessLog.from_settings(
            destination, text, self.attributes.get("apiId", ""), self.name
        )

    @property
    def name(self) -> str:
        """The first segment of the path."""
        return str(self.attributes["stageName"])

    def choose(self) -> tuple[Deployment, str, dict[str, str], bool | None]:
        """What serves one request.

        Returns:
            The deployment, its id, the stage variables, and whether it is the canary: ``None`` for
            a stage without one.
        """
        variables = dict(self.attributes.get("variables") or {})
        settings = self.attributes.get("canarySettings")
        if self.canary is None or not settings:
            return self.deployment, self.attributes["deploymentId"], variables, None
        if random.uniform(0, 100) < float(settings.get("percentTraffic") or 0):  # noqa: S311  no secret
            variables |= settings.get("stageVariableOverrides") or {}
            return self.canary, settings["deploymentId"], variables, True
        return self.deployment, self.attributes["deploymentId"], variables, False

    def throttle(self, method: Method) -> tuple[float, int] | None:
        """Rate per second and burst of a method; ``None``: no limit of the stage's own."""
        settings = self.attributes.get("methodSettings") or {}
        path = method.resource_path.strip("/").replace("/", "~1")
        for key in (f"{path}/{method.name}", f"~1{path}/{method.name}", "*/*"):
            found = settings.get(key) or {}
            rate, burst = found.get("throttlingRateLimit"), found.get("throttlingBurstLimit")
            if rate is not None and burst is not None and float(rate) >= 0:
                return float(rate), int(burst)
        return None


@dataclass(slots=True)
class RestApi:
    """One REST API as it is served.

    Attributes:
        api_id: The first label of its host name.
        name: Its name.
        account: Account that it belongs to.
        region: Its region.
        disabled: ``disableExecuteApiEndpoint``: only custom domain names lead to it.
        stages: Its stages by name.
    """

    api_id: str
    name: str
    account: str
    region: str
    disabled: bool
    stages: dict[str, Stage]

    @classmethod
    def from_document(cls, document: Resource) -> RestApi:
        """From ``{id, name, account, region, disabled, stages, deployments}``.

        ``stages`` is a list of ``Stage`` shapes, ``deployments`` holds :class:`Deployment`'s
        documents by id.
        """
        deployments = {key: Deployment(one) for key, one in document["deployments"].items()}
        stages = {}
        for attributes in document["stages"]:
            deployment = deployments.get(attributes.get("deploymentId"))
            canary = (attributes.get("canarySettings") or {}).get("deploymentId")
            if deployment is not None:
                named = {**attributes, "apiId": document["id"]}
                stage = Stage(named, deployment, deployments.get(canary))
                stages[stage.name] = stage
        return cls(
            document["id"],
            document["name"],
            document["account"],
            document["region"],
            document["disabled"],
            stages,
        )

    def source_arn(self, stage: str, method: Method) -> str:
        """ARN with which a method introduces itself to Lambda."""
        return source_arn(
            region=self.region,
            account_id=self.account,
            api_id=self.api_id,
            stage=stage,
            method=method.name if method.name != "ANY" else "*",
            route_path=method.resource_path,
        )

    def execution_arn(self, stage: str, http_method: str, path: str) -> str:
        """ARN of one request: what policies are asked for.

        Args:
            stage: Name of the stage.
            http_method: Of the request.
            path: Of the request, below the stage.
        """
        arn = f"arn:aws:execute-api:{self.region}:{self.account}:{self.api_id}"
        return f"{arn}/{stage}/{http_method}{path}"
