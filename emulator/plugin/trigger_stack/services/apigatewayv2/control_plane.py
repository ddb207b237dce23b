"""Control plane: the operations of ``apigatewayv2`` for HTTP APIs.

AWS topic: "Amazon API Gateway Version 2 API Reference". LocalStack generates no interface for this
service, so every operation takes the request as botocore's model parses it and returns a mapping
with the members of the model's output shape. Operations that are missing here answer 501.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable, Mapping
from typing import Any, Final

from trigger_stack.services.apigatewayv2 import openapi_export, openapi_import, validation
from trigger_stack.services.apigatewayv2.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    unknown,
)
from trigger_stack.services.apigatewayv2.models import Api, Apis, Deployment, Resource, now
from trigger_stack.services.apigatewayv2.openapi_import import Definition
from trigger_stack.services.operations import Caller, operation
from trigger_stack_engine.front_doors.core.routing import DEFAULT
from trigger_stack_engine.front_doors.http_api.api import Stage

CUSTOM_ID_TAG: Final = "_custom_id_"
"""Tag with which LocalStack users choose an API's id."""

EXECUTE_API_PATH: Final = "/_aws/execute-api"
"""Path on the edge port below which APIs answer without any DNS."""

_ID_LETTERS: Final = string.ascii_lowercase + string.digits
_API_MEMBERS: Final = (
    "ApiKeySelectionExpression",
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "IpAddressType",
    "Name",
    "ProtocolType",
    "RouteSelectionExpression",
    "Version",
)
_INTEGRATION_MEMBERS: Final = (
    "ConnectionType",
    "CredentialsArn",
    "Description",
    "IntegrationMethod",
    "IntegrationSubtype",
    "IntegrationType",
    "IntegrationUri",
    "PayloadFormatVersion",
    "RequestParameters",
    "ResponseParameters",
    "TimeoutInMillis",
)
_ROUTE_MEMBERS: Final = (
    "ApiKeyRequired",
    "AuthorizationScopes",
    "AuthorizationType",
    "AuthorizerId",
    "OperationName",
    "RouteKey",
    "Target",
)
_AUTHORIZER_MEMBERS: Final = (
    "AuthorizerCredentialsArn",
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerType",
    "AuthorizerUri",
    "EnableSimpleResponses",
    "IdentitySource",
    "JwtConfiguration",
    "Name",
)
_STAGE_MEMBERS: Final = (
    "AccessLogSettings",
    "AutoDeploy",
    "DefaultRouteSettings",
    "Description",
    "RouteSettings",
    "StageVariables",
)
_TAGGED_ARN = re.compile(
    r"arn:[a-z-]+:apigateway:[a-z0-9-]+:\d*:/apis/(?P<api>[^/]+)(/stages/(?P<stage>[^/]+))?"
)


class ControlPlane:
    """HTTP APIs: APIs, routes, integrations, stages, deployments, CORS and tags.

    Args:
        apis: Where the APIs are kept.
        edge_port: Port of the AWS API, for the address of an API.
    """

    def __init__(self, apis: Apis, edge_port: int) -> None:
        self._apis = apis
        self._edge_port = edge_port

    # -- APIs ------------------------------------------------------------------------------

    @operation("CreateApi")
    def create_api(self, caller: Caller, request: Resource) -> Resource:
        """Create an API; with ``Target`` also its integration, route and ``$default`` stage."""
        _require(request, "Name", "ProtocolType")
        validation.check_api(request)
        for name in ("CredentialsArn", "RouteKey"):
            if request.get(name) and not request.get("Target"):
                raise BadRequestError(f"{name} is part of quick create: Target is required with it")
        with self._apis.lock:
            api = Api(caller.account_id, caller.region, self._new_api(request))
            if request.get("Target"):
                _quick_create(api, request)
            self._apis.by_id[api.api_id] = api
        return _describe(api.attributes)

    @operation("GetApi")
    def get_api(self, caller: Caller, request: Resource) -> Resource:
        """Describe an API."""
        return _describe(self._api(caller, request).attributes)

    @operation("GetApis")
    def get_apis(self, caller: Caller, request: Resource) -> Resource:
        """List the account's APIs of the region, the oldest first."""
        owner = caller.account_id, caller.region
        mine = [api for api in self._apis.oldest_first() if (api.account_id, api.region) == owner]
        return _page((_describe(api.attributes) for api in mine), request)

    @operation("UpdateApi")
    def update_api(self, caller: Caller, request: Resource) -> Resource:
        """Change members of an API; ``Target`` and ``RouteKey`` change what quick create made."""
        validation.check_api(request)
        with self._apis.lock:
            api = self._api(caller, request)
            changes = _pick(request, _API_MEMBERS)
            changes.pop("ProtocolType", None)
            _update_quick_created(api, request)
            api.attributes.update(changes)
            _deploy_changes(api)
            return _describe(api.attributes)

    @operation("DeleteApi")
    def delete_api(self, caller: Caller, request: Resource) -> None:
        """Delete an API with everything in it."""
        with self._apis.lock:
            del self._apis.by_id[self._api(caller, request).api_id]

    @operation("ImportApi")
    def import_api(self, caller: Caller, request: Resource) -> Resource:
        """Create an API from an OpenAPI 3.0 document."""
        _require(request, "Body")
        definition = openapi_import.read(request["Body"], request.get("Basepath"))
        with self._apis.lock:
            validation.check_api(definition.api)
            api = Api(caller.account_id, caller.region, self._new_api(definition.api))
            _define(api, definition, fail=bool(request.get("FailOnWarnings")))
            self._apis.by_id[api.api_id] = api
            return _imported(api, definition)

    @operation("ReimportApi")
    def reimport_api(self, caller: Caller, request: Resource) -> Resource:
        """Replace routes, integrations, authorizers and CORS of an API by a document's."""
        _require(request, "Body")
        definition = openapi_import.read(request["Body"], request.get("Basepath"))
        with self._apis.lock:
            api = self._api(caller, request)
            validation.check_api(definition.api)
            made = Api(api.account_id, api.region, dict(api.attributes))
            for name in ("CorsConfiguration", "Description", "Version"):
                made.attributes.pop(name, None)
            made.attributes |= definition.api
            _define(made, definition, fail=bool(request.get("FailOnWarnings")))
            api.attributes.clear()
            api.attributes.update(made.attributes)
            api.routes, api.integrations = made.routes, made.integrations
            api.authorizers = made.authorizers
            _deploy_changes(api)
            return _imported(api, definition)

    @operation("ExportApi")
    def export_api(self, caller: Caller, request: Resource) -> Resource:
        """The OpenAPI 3.0 document of an API, or of what one of its stages serves."""
        for name, allowed in (
            ("Specification", ("OAS30",)),
            ("OutputType", ("JSON", "YAML")),
            ("ExportVersion", ("1.0",)),
        ):
            given = request.get(name) or ("1.0" if name == "ExportVersion" else None)
            if given not in allowed:
                raise BadRequestError(f"Invalid {name} {given}: must be {' or '.join(allowed)}")
        with self._apis.lock:
            api = self._api(caller, request)
            stage = request.get("StageName")
            snapshot = _stage(api, stage).snapshot if stage else api.freeze()
            if snapshot is None:
                raise NotFoundError(f"Stage {stage} has no deployment")
            extensions = request.get("IncludeExtensions")
            document = openapi_export.export(
                api, snapshot, stage, extensions=extensions is None or bool(extensions)
            )
        return {"body": openapi_export.as_text(document, request["OutputType"]).encode()}

    @operation("DeleteCorsConfiguration")
    def delete_cors_configuration(self, caller: Caller, request: Resource) -> None:
        """Switch CORS off."""
        with self._apis.lock:
            api = self._api(caller, request)
            api.attributes.pop("CorsConfiguration", None)
            _deploy_changes(api)

    # -- Integrations ----------------------------------------------------------------------

    @operation("CreateIntegration")
    def create_integration(self, caller: Caller, request: Resource) -> Resource:
        """Create an integration of type ``AWS_PROXY`` (Lambda) or ``HTTP_PROXY``."""
        with self._apis.lock:
            api = self._api(caller, request)
            integration = _new_integration(request)
            api.integrations[integration["IntegrationId"]] = integration
            _deploy_changes(api)
            return _describe(integration)

    @operation("GetIntegration")
    def get_integration(self, caller: Caller, request: Resource) -> Resource:
        """Describe an integration."""
        return _describe(_integration(self._api(caller, request), request["IntegrationId"]))

    @operation("GetIntegrations")
    def get_integrations(self, caller: Caller, request: Resource) -> Resource:
        """List the integrations of an API."""
        return _page(self._api(caller, request).integrations.values(), request)

    @operation("UpdateIntegration")
    def update_integration(self, caller: Caller, request: Resource) -> Resource:
        """Change members of an integration."""
        with self._apis.lock:
            api = self._api(caller, request)
            integration = _integration(api, request["IntegrationId"])
            changed = integration | _pick(request, _INTEGRATION_MEMBERS)
            _merge_parameters(changed, integration, request)
            validation.check_integration(changed | _foreign(request, changed))
            integration.clear()
            integration.update(changed)
            _deploy_changes(api)
            return _describe(integration)

    @operation("DeleteIntegration")
    def delete_integration(self, caller: Caller, request: Resource) -> None:
        """Delete an integration that no route uses."""
        with self._apis.lock:
            api = self._api(caller, request)
            identifier = _integration(api, request["IntegrationId"])["IntegrationId"]
            target = f"integrations/{identifier}"
            users = [r["RouteId"] for r in api.routes.values() if r.get("Target") == target]
            if users:
                raise ConflictError(
                    f"Cannot delete Integration '{identifier}', it is currently being used by "
                    f"Route '{users[0]}'"
                )
            del api.integrations[identifier]
            _deploy_changes(api)

    # -- Routes ----------------------------------------------------------------------------

    @operation("CreateRoute")
    def create_route(self, caller: Caller, request: Resource) -> Resource:
        """Create a route; its key must be new to the API."""
        _require(request, "RouteKey")
        with self._apis.lock:
            api = self._api(caller, request)
            validation.check_route(request, api.authorizers)
            _check_new_route_key(api, request["RouteKey"], None)
            _check_target(api, request.get("Target"))
            route = _new_route(request)
            api.routes[route["RouteId"]] = route
            _deploy_changes(api)
            return _describe(route)

    @operation("GetRoute")
    def get_route(self, caller: Caller, request: Resource) -> Resource:
        """Describe a route."""
        return _describe(_route(self._api(caller, request), request["RouteId"]))

    @operation("GetRoutes")
    def get_routes(self, caller: Caller, request: Resource) -> Resource:
        """List the routes of an API."""
        return _page(self._api(caller, request).routes.values(), request)

    @operation("UpdateRoute")
    def update_route(self, caller: Caller, request: Resource) -> Resource:
        """Change members of a route."""
        with self._apis.lock:
            api = self._api(caller, request)
            route = _route(api, request["RouteId"])
            validation.check_route(route | request, api.authorizers)
            if "RouteKey" in request:
                _check_new_route_key(api, request["RouteKey"], route["RouteId"])
            _check_target(api, request.get("Target"))
            route.update(_pick(request, _ROUTE_MEMBERS))
            _deploy_changes(api)
            return _describe(route)

    @operation("DeleteRoute")
    def delete_route(self, caller: Caller, request: Resource) -> None:
        """Delete a route."""
        with self._apis.lock:
            api = self._api(caller, request)
            del api.routes[_route(api, request["RouteId"])["RouteId"]]
            _deploy_changes(api)

    # -- Authorizers -----------------------------------------------------------------------

    @operation("CreateAuthorizer")
    def create_authorizer(self, caller: Caller, request: Resource) -> Resource:
        """Create an authorizer of type ``JWT`` or ``REQUEST``."""
        _require(request, "AuthorizerType", "Name")
        validation.check_authorizer(request)
        with self._apis.lock:
            api = self._api(caller, request)
            _check_new_authorizer_name(api, request["Name"], None)
            authorizer = {"AuthorizerId": _new_id(6)} | _pick(request, _AUTHORIZER_MEMBERS)
            api.authorizers[authorizer["AuthorizerId"]] = authorizer
            return _describe(authorizer)

    @operation("GetAuthorizer")
    def get_authorizer(self, caller: Caller, request: Resource) -> Resource:
        """Describe an authorizer."""
        return _describe(_authorizer(self._api(caller, request), request["AuthorizerId"]))

    @operation("GetAuthorizers")
    def get_authorizers(self, caller: Caller, request: Resource) -> Resource:
        """List the authorizers of an API."""
        return _page(self._api(caller, request).authorizers.values(), request)

    @operation("UpdateAuthorizer")
    def update_authorizer(self, caller: Caller, request: Resource) -> Resource:
        """Change members of an authorizer."""
        with self._apis.lock:
            api = self._api(caller, request)
            authorizer = _authorizer(api, request["AuthorizerId"])
            changed = authorizer | _pick(request, _AUTHORIZER_MEMBERS)
            validation.check_authorizer(changed)
            _check_new_authorizer_name(api, changed["Name"], authorizer["AuthorizerId"])
            authorizer.update(changed)
            _deploy_changes(api)
            return _describe(authorizer)

    @operation("DeleteAuthorizer")
    def delete_authorizer(self, caller: Caller, request: Resource) -> None:
        """Delete an authorizer that no route uses."""
        with self._apis.lock:
            api = self._api(caller, request)
            identifier = _authorizer(api, request["AuthorizerId"])["AuthorizerId"]
            users = [
                route["RouteKey"]
                for route in api.routes.values()
                if route.get("AuthorizerId") == identifier
                and route.get("AuthorizationType") in ("JWT", "CUSTOM")
            ]
            if users:
                raise ConflictError(
                    f"Cannot delete authorizer '{identifier}', is referenced in route: {users[0]}"
                )
            del api.authorizers[identifier]

    # -- Stages and deployments ------------------------------------------------------------

    @operation("CreateStage")
    def create_stage(self, caller: Caller, request: Resource) -> Resource:
        """Create a stage; with ``AutoDeploy`` it serves every change at once."""
        _require(request, "StageName")
        validation.check_stage(request)
        with self._apis.lock:
            api = self._api(caller, request)
            if request["StageName"] in api.stages:
                raise ConflictError("Stage already exists")
            validation.check_route_settings(request, _route_keys(api))
            stage = _new_stage(request)
            _attach_deployment(api, stage, request.get("DeploymentId"))
            api.stages[request["StageName"]] = stage
            _deploy_changes(api)
            return _describe(stage.attributes)

    @operation("GetStage")
    def get_stage(self, caller: Caller, request: Resource) -> Resource:
        """Describe a stage."""
        return _describe(_stage(self._api(caller, request), request["StageName"]).attributes)

    @operation("GetStages")
    def get_stages(self, caller: Caller, request: Resource) -> Resource:
        """List the stages of an API."""
        stages = self._api(caller, request).stages.values()
        return _page((_describe(stage.attributes) for stage in stages), request)

    @operation("UpdateStage")
    def update_stage(self, caller: Caller, request: Resource) -> Resource:
        """Change members of a stage, for example the deployment it serves.

        Stage variables are added to those that are there; one with an empty value is removed.
        """
        with self._apis.lock:
            api = self._api(caller, request)
            stage = _stage(api, request["StageName"])
            validation.check_stage({"AutoDeploy": stage.attributes.get("AutoDeploy")} | request)
            routes = stage.attributes["RouteSettings"] | (request.get("RouteSettings") or {})
            if request.get("RouteSettings"):  # all of them then, also those of before
                request = request | {"RouteSettings": routes}
            validation.check_route_settings(request, _route_keys(api))
            _attach_deployment(api, stage, request.get("DeploymentId"))
            variables = stage.attributes["StageVariables"] | (request.get("StageVariables") or {})
            stage.attributes.update(_pick(request, _STAGE_MEMBERS), LastUpdatedDate=now())
            stage.attributes["StageVariables"] = {k: v for k, v in variables.items() if v}
            stage.attributes["RouteSettings"] = routes
            _deploy_changes(api)
            return _describe(stage.attributes)

    @operation("DeleteAccessLogSettings")
    def delete_access_log_settings(self, caller: Caller, request: Resource) -> None:
        """Switch the access log of a stage off."""
        with self._apis.lock:
            stage = _stage(self._api(caller, request), request["StageName"])
            stage.attributes.pop("AccessLogSettings", None)

    @operation("DeleteRouteSettings")
    def delete_route_settings(self, caller: Caller, request: Resource) -> None:
        """Remove the settings of one route from a stage."""
        with self._apis.lock:
            stage = _stage(self._api(caller, request), request["StageName"])
            if request["RouteKey"] not in stage.attributes["RouteSettings"]:
                raise NotFoundError(f"Unable to find Route by key {request['RouteKey']}")
            del stage.attributes["RouteSettings"][request["RouteKey"]]

    @operation("DeleteStage")
    def delete_stage(self, caller: Caller, request: Resource) -> None:
        """Delete a stage."""
        with self._apis.lock:
            api = self._api(caller, request)
            _stage(api, request["StageName"])
            del api.stages[request["StageName"]]

    @operation("CreateDeployment")
    def create_deployment(self, caller: Caller, request: Resource) -> Resource:
        """Freeze the API as it is and, with ``StageName``, let that stage serve it."""
        with self._apis.lock:
            api = self._api(caller, request)
            if not api.routes:
                raise BadRequestError("At least one route is required before deploying the Api.")
            stage = _stage(api, request["StageName"]) if request.get("StageName") else None
            deployment = _new_deployment(api, request.get("Description"), auto_deployed=False)
            if stage:
                _attach_deployment(api, stage, deployment.attributes["DeploymentId"])
            return _describe(deployment.attributes)

    @operation("GetDeployment")
    def get_deployment(self, caller: Caller, request: Resource) -> Resource:
        """Describe a deployment."""
        return _describe(
            _deployment(self._api(caller, request), request["DeploymentId"]).attributes
        )

    @operation("GetDeployments")
    def get_deployments(self, caller: Caller, request: Resource) -> Resource:
        """List the deployments of an API."""
        deployments = self._api(caller, request).deployments.values()
        return _page((_describe(d.attributes) for d in deployments), request)

    @operation("UpdateDeployment")
    def update_deployment(self, caller: Caller, request: Resource) -> Resource:
        """Change the description of a deployment."""
        with self._apis.lock:
            deployment = _deployment(self._api(caller, request), request["DeploymentId"])
            deployment.attributes.update(_pick(request, ("Description",)))
            return _describe(deployment.attributes)

    @operation("DeleteDeployment")
    def delete_deployment(self, caller: Caller, request: Resource) -> None:
        """Delete a deployment that no stage serves."""
        with self._apis.lock:
            api = self._api(caller, request)
            _deployment(api, request["DeploymentId"])
            if request["DeploymentId"] in _served_deployments(api):
                raise BadRequestError(
                    "Active stages pointing to this deployment must be moved or deleted"
                )
            del api.deployments[request["DeploymentId"]]

    # -- Tags ------------------------------------------------------------------------------

    @operation("TagResource")
    def tag_resource(self, caller: Caller, request: Resource) -> Resource:
        """Add tags to an API or stage."""
        with self._apis.lock:
            self._tags(caller, request["ResourceArn"]).update(request.get("Tags") or {})
        return {}

    @operation("UntagResource")
    def untag_resource(self, caller: Caller, request: Resource) -> None:
        """Remove tags from an API or stage."""
        with self._apis.lock:
            tags = self._tags(caller, request["ResourceArn"])
            for key in request.get("TagKeys") or []:
                tags.pop(key, None)

    @operation("GetTags")
    def get_tags(self, caller: Caller, request: Resource) -> Resource:
        """The tags of an API or stage."""
        return {"Tags": dict(self._tags(caller, request["ResourceArn"]))}

    # -- Finding and making -----------------------------------------------------------------

    def _api(self, caller: Caller, request: Mapping[str, Any]) -> Api:
        return self._find_api(caller, request["ApiId"])

    def _find_api(self, caller: Caller, api_id: str) -> Api:
        api = self._apis.by_id.get(api_id)
        if api is None or (api.account_id, api.region) != (caller.account_id, caller.region):
            raise unknown("API", api_id)
        return api

    def _tags(self, caller: Caller, arn: str) -> dict[str, str]:
        match = _TAGGED_ARN.fullmatch(arn)
        if match is None:
            raise NotFoundError(f"Invalid resource ARN specified: {arn}")
        api = self._find_api(caller, match["api"])
        if match["stage"] is None:
            return api.tags
        tags: dict[str, str] = _stage(api, match["stage"]).attributes.setdefault("Tags", {})
        return tags

    def _new_api(self, request: Resource) -> Resource:
        tags = dict(request.get("Tags") or {})
        api_id = tags.pop(CUSTOM_ID_TAG, "").lower() or _new_id(10, self._apis.by_id)
        if not re.fullmatch(r"[a-z0-9-]+", api_id):
            raise BadRequestError(
                f"Tag {CUSTOM_ID_TAG}: {api_id!r} is not one label of a host name"
            )
        if api_id in self._apis.by_id:
            raise ConflictError(f"API with id {api_id} already exists")
        return {
            "ApiKeySelectionExpression": "$request.header.x-api-key",
            "DisableExecuteApiEndpoint": False,
            "IpAddressType": "ipv4",
            "RouteSelectionExpression": "$request.method $request.path",
            **_pick(request, _API_MEMBERS),
            "ApiEndpoint": f"http://localhost:{self._edge_port}{EXECUTE_API_PATH}/{api_id}",
            "ApiId": api_id,
            "CreatedDate": now(),
            "Tags": tags,
        }


# -- Finding ---------------------------------------------------------------------------------


def _integration(api: Api, identifier: str) -> Resource:
    if identifier not in api.integrations:
        raise unknown("Integration", identifier)
    return api.integrations[identifier]


def _route(api: Api, identifier: str) -> Resource:
    if identifier not in api.routes:
        raise unknown("Route", identifier)
    return api.routes[identifier]


def _authorizer(api: Api, identifier: str) -> Resource:
    if identifier not in api.authorizers:
        raise unknown("Authorizer", identifier)
    return api.authorizers[identifier]


def _check_new_authorizer_name(api: Api, name: str, own: str | None) -> None:
    others = (one for key, one in api.authorizers.items() if key != own)
    if any(one["Name"] == name for one in others):
        raise BadRequestError(f"Authorizer name must be unique. Authorizer {name} already exists")


def _stage(api: Api, name: str) -> Stage:
    if name not in api.stages:
        raise unknown("Stage", name)
    return api.stages[name]


def _deployment(api: Api, identifier: str) -> Deployment:
    if identifier not in api.deployments:
        raise unknown("Deployment", identifier)
    return api.deployments[identifier]


# -- Making ----------------------------------------------------------------------------------


def _new_id(length: int, taken: Iterable[str] = ()) -> str:
    while True:
        identifier = "".join(secrets.choice(_ID_LETTERS) for _ in range(length))
        if identifier not in taken:
            return identifier


def _new_integration(request: Resource) -> Resource:
    integration = {
        "ConnectionType": "INTERNET",
        "IntegrationId": _new_id(7),
        **_pick(request, _INTEGRATION_MEMBERS),
    }
    if integration.get("IntegrationType") == "AWS_PROXY":
        integration.setdefault("IntegrationMethod", "POST")
    integration.setdefault("TimeoutInMillis", validation.MAX_TIMEOUT_MILLIS)
    _merge_parameters(integration, {}, request)
    validation.check_integration(integration | _foreign(request, integration))
    return integration


def _merge_parameters(integration: Resource, before: Resource, request: Resource) -> None:
    """Add parameter mappings to those that are there; one without a value is removed."""
    if request.get("RequestParameters") is not None:
        merged = (before.get("RequestParameters") or {}) | request["RequestParameters"]
        integration["RequestParameters"] = {key: value for key, value in merged.items() if value}
    if request.get("ResponseParameters") is not None:
        responses = dict(before.get("ResponseParameters") or {})
        for status, given in request["ResponseParameters"].items():
            merged = (responses.get(status) or {}) | given if given else {}
            responses[status] = {key: value for key, value in merged.items() if value}
        integration["ResponseParameters"] = {key: one for key, one in responses.items() if one}
    for name in ("RequestParameters", "ResponseParameters"):
        if not integration.get(name):
            integration.pop(name, None)


def _foreign(request: Resource, integration: Resource) -> Resource:
    """Members of a request that no integration of an HTTP API has."""
    return {name: value for name, value in request.items() if name not in integration}


def _route_keys(api: Api) -> list[str]:
    return [route["RouteKey"] for route in api.routes.values()]


def _new_route(request: Resource) -> Resource:
    return {
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
        "RouteId": _new_id(7),
        **_pick(request, _ROUTE_MEMBERS),
    }


def _new_stage(request: Resource) -> Stage:
    created = now()
    return Stage(
        {
            "AutoDeploy": False,
            "CreatedDate": created,
            "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
            "LastUpdatedDate": created,
            "RouteSettings": {},
            "StageName": request["StageName"],
            "StageVariables": {},
            "Tags": dict(request.get("Tags") or {}),
            **_pick(request, _STAGE_MEMBERS),
        }
    )


def _new_deployment(api: Api, description: str | None, *, auto_deployed: bool) -> Deployment:
    attributes: Resource = {
        "AutoDeployed": auto_deployed,
        "CreatedDate": now(),
        "DeploymentId": _new_id(6, api.deployments),
        "DeploymentStatus": "DEPLOYED",
    }
    if description:
        attributes["Description"] = description
    deployment = Deployment(attributes, api.freeze())
    api.deployments[attributes["DeploymentId"]] = deployment
    return deployment


def _define(api: Api, definition: Definition, *, fail: bool) -> None:
    """Fill an API that is empty with what a document defines.

    Raises:
        BadRequestError: Something in it is not valid, or, with ``fail``, there are warnings.
        NotEmulatedError: Something in it is not emulated.
    """
    if fail and definition.warnings:
        warnings = "".join(f"\n\t{warning}" for warning in definition.warnings)
        raise BadRequestError(f"Warnings found during import:{warnings}")
    authorizers: dict[str, str] = {}
    for name, members in definition.authorizers.items():
        validation.check_authorizer(members)
        authorizers[name] = _new_id(6, api.authorizers)
        api.authorizers[authorizers[name]] = {"AuthorizerId": authorizers[name]} | members
    integrations = [_new_integration(members) for members in definition.integrations]
    api.integrations = {one["IntegrationId"]: one for one in integrations}
    for route in definition.routes:
        request: Resource = {
            "AuthorizationType": route.authorization_type,
            "OperationName": route.operation_name,
            "RouteKey": route.key,
        }
        if route.authorizer is not None:
            request["AuthorizerId"] = authorizers[route.authorizer]
            request["AuthorizationScopes"] = route.scopes or None
        if route.integration is not None:
            identifier = integrations[route.integration]["IntegrationId"]
            request["Target"] = f"integrations/{identifier}"
        validation.check_route(request, api.authorizers)
        _check_new_route_key(api, route.key, None)
        made = _new_route(request)
        api.routes[made["RouteId"]] = made


def _imported(api: Api, definition: Definition) -> Resource:
    found = {"ImportInfo": definition.info, "Warnings": definition.warnings}
    return _describe(api.attributes) | {name: texts for name, texts in found.items() if texts}


def _quick_create(api: Api, request: Resource) -> None:
    target = request["Target"]
    is_lambda = validation.parse_lambda_uri(target) is not None
    integration = _new_integration(
        {
            "IntegrationType": "AWS_PROXY" if is_lambda else "HTTP_PROXY",
            "IntegrationMethod": "POST" if is_lambda else "ANY",
            "IntegrationUri": target,
            "PayloadFormatVersion": "2.0" if is_lambda else "1.0",
            **_pick(request, ("CredentialsArn",)),
        }
    )
    key = request.get("RouteKey") or DEFAULT
    validation.check_route_key(key)
    route = _new_route({"RouteKey": key, "Target": f"integrations/{integration['IntegrationId']}"})
    stage = _new_stage({"StageName": DEFAULT, "AutoDeploy": True})
    for resource in (integration, route, stage.attributes):
        resource["ApiGatewayManaged"] = True
    api.integrations[integration["IntegrationId"]] = integration
    api.routes[route["RouteId"]] = route
    api.stages[DEFAULT] = stage
    _deploy_changes(api)


def _update_quick_created(api: Api, request: Resource) -> None:
    members = {
        "Target": api.integrations,
        "CredentialsArn": api.integrations,
        "RouteKey": api.routes,
    }
    for member, resources in members.items():
        if member in request:
            managed = [r for r in resources.values() if r.get("ApiGatewayManaged")]
            if not managed:
                raise BadRequestError(f"{member} can only be updated for quick-create APIs")
            if member == "RouteKey":
                _check_new_route_key(api, request[member], managed[0]["RouteId"])
            name = "IntegrationUri" if member == "Target" else member
            changed = managed[0] | {name: request[member]}
            if member != "RouteKey":
                validation.check_integration(changed)
            managed[0].update(changed)


# -- Deploying -------------------------------------------------------------------------------


def _deploy_changes(api: Api) -> None:
    """Let the stages with ``AutoDeploy`` serve the API as it is now."""
    stages = [stage for stage in api.stages.values() if stage.attributes.get("AutoDeploy")]
    if not stages:
        return
    deployment = _new_deployment(
        api,
        "Automatic deployment triggered by changes to the Api configuration",
        auto_deployed=True,
    )
    for stage in stages:
        _attach_deployment(api, stage, deployment.attributes["DeploymentId"])
    # An API that changes often would otherwise grow by one snapshot with every change.
    served = _served_deployments(api)
    for identifier, old in list(api.deployments.items()):
        if old.attributes["AutoDeployed"] and identifier not in served:
            del api.deployments[identifier]


def _attach_deployment(api: Api, stage: Stage, identifier: str | None) -> None:
    if identifier is None:
        return
    stage.snapshot = _deployment(api, identifier).snapshot
    stage.attributes.update(
        DeploymentId=identifier,
        LastDeploymentStatusMessage=(
            f"Successfully deployed stage with deployment ID '{identifier}'"
        ),
        LastUpdatedDate=now(),
    )


def _served_deployments(api: Api) -> set[str | None]:
    return {stage.attributes.get("DeploymentId") for stage in api.stages.values()}


# -- Checking and answering ------------------------------------------------------------------


def _require(request: Resource, *members: str) -> None:
    for member in members:
        if not request.get(member):
            raise BadRequestError(f"{member} is required")


def _check_new_route_key(api: Api, key: str, own_id: str | None) -> None:
    identity = validation.check_route_key(key).identity
    for route in api.routes.values():
        taken = validation.check_route_key(route["RouteKey"])
        if route["RouteId"] != own_id and taken.identity == identity:
            raise ConflictError(f"Route with key {key} already exists for this API")


def _check_target(api: Api, target: str | None) -> None:
    if target is None:
        return
    if not target.startswith("integrations/"):
        raise BadRequestError(f"Invalid target {target}: expected integrations/<IntegrationId>")
    _integration(api, target.removeprefix("integrations/"))


def _pick(request: Mapping[str, Any], members: Iterable[str]) -> Resource:
    return {name: request[name] for name in members if request.get(name) is not None}


def _describe(attributes: Resource) -> Resource:
    """A copy to answer with: what is stored may change while the answer is written."""
    return dict(attributes)


def _page(items: Iterable[Resource], request: Resource) -> Resource:
    """One page of a list; ``NextToken`` is the index at which the next page starts."""
    everything = [_describe(item) for item in items]
    token, size = request.get("NextToken") or "0", request.get("MaxResults") or "500"
    if not (token.isascii() and token.isdigit()) or not (size.isascii() and size.isdigit()):
        raise BadRequestError("Invalid NextToken or MaxResults specified")
    start, end = int(token), int(token) + max(1, int(size))
    page: Resource = {"Items": everything[start:end]}
    if end < len(everything):
        page["NextToken"] = str(end)
    return page
