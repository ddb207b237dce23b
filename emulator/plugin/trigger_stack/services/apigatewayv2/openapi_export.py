"""Writes an HTTP API as an OpenAPI 3.0 document.

AWS topic: API Gateway Developer Guide, "Export HTTP APIs from API Gateway".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from trigger_stack.services.apigatewayv2.models import Api, Resource
from trigger_stack.services.apigatewayv2.openapi_import import (
    ANY_METHOD,
    AUTHORIZER,
    AUTHORIZER_MEMBERS,
    CORS,
    CORS_MEMBERS,
    ENDPOINT,
    INTEGRATION,
    INTEGRATION_MEMBERS,
    TAG_VALUE,
    VERSION,
)
from trigger_stack_engine.front_doors.core.routing import DEFAULT
from trigger_stack_engine.front_doors.http_api.api import Snapshot

_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")
_IAM_SCHEME: Final = "sigv4Reference"


def export(api: Api, snapshot: Snapshot, stage: str | None, *, extensions: bool) -> Resource:
    """The document of an API.

    Args:
        api: The API.
        snapshot: Routes and integrations to write.
        stage: Name of the stage that serves them; ``None``: they are the API's latest.
        extensions: Whether to write API Gateway's extensions.
    """
    attributes = api.attributes
    info: Resource = {"title": attributes["Name"]}
    if attributes.get("Description"):
        info["description"] = attributes["Description"]
    info["version"] = (
        attributes.get("Version") or f"{attributes['CreatedDate']:%Y-%m-%d %H:%M:%SUTC}"
    )
    document: Resource = {
        "openapi": "3.0.1",
        "info": info,
        "servers": [
            {
                "url": f"{attributes['ApiEndpoint']}/{{basePath}}",
                "variables": {"basePath": {"default": "" if stage in (None, DEFAULT) else stage}},
            }
        ],
    }
    tags = [
        {"name": name, **({TAG_VALUE: value} if extensions else {})}
        for name, value in api.tags.items()
    ]
    if tags:
        document["tags"] = tags
    schemes: dict[str, Resource] = {}
    document["paths"] = _paths(api, snapshot, schemes, extensions=extensions)
    if schemes:
        document["components"] = {"securitySchemes": schemes}
    if extensions:
        if attributes.get("DisableExecuteApiEndpoint"):
            document[ENDPOINT] = {"disableExecuteApiEndpoint": True}
        if snapshot.cors_configuration:
            document[CORS] = _renamed(snapshot.cors_configuration, CORS_MEMBERS)
        document[VERSION] = "1.0"
    return document


def as_text(document: Resource, output: str) -> str:
    """A document as ``JSON`` or ``YAML``."""
    if output == "JSON":
        return json.dumps(document, indent=2)
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text


def _paths(
    api: Api, snapshot: Snapshot, schemes: dict[str, Resource], *, extensions: bool
) -> dict[str, Resource]:
    names = {route["RouteKey"]: route.get("OperationName") for route in api.routes.values()}
    paths: dict[str, Resource] = {}
    for key in snapshot.route_keys:
        if key == DEFAULT:
            verb, path = "ANY", f"/{DEFAULT}"
        else:
            verb, _, path = key.partition(" ")
        operation: Resource = {}
        if names.get(key):
            operation["operationId"] = names[key]
        operation["responses"] = {"default": {"description": f"Default response for {verb} {path}"}}
        security = _security(snapshot.authorization(key), schemes, extensions=extensions)
        if security:
            operation["security"] = [security]
        integration = snapshot.integration(key)
        if integration is not None and extensions:
            operation[INTEGRATION] = _integration(integration)
        if key == DEFAULT and extensions:
            operation["isDefaultRoute"] = True
        item = paths.setdefault(path, {})
        item[ANY_METHOD if verb == "ANY" else verb.lower()] = operation
        variables = _VARIABLE.findall(path)
        if variables:
            item["parameters"] = [
                {
                    "name": name,
                    "in": "path",
                    "description": f"Generated path parameter for {name}",
                    "required": True,
                    "schema": {"type": "string"},
                }
                for name in variables
            ]
    return paths


def _integration(integration: Resource) -> Resource:
    extension = _renamed(integration, INTEGRATION_MEMBERS)
    extension["type"] = extension["type"].lower()
    return extension


def _security(
    authorization: Resource | None, schemes: dict[str, Resource], *, extensions: bool
) -> dict[str, list[str]] | None:
    if authorization is None:
        return None
    if authorization["type"] == "AWS_IAM":
        schemes[_IAM_SCHEME] = {"type": "apiKey", "name": "Authorization", "in": "header"}
        if extensions:
            schemes[_IAM_SCHEME]["x-amazon-apigateway-authtype"] = "awsSigv4"
        return {_IAM_SCHEME: []}
    authorizer = authorization["authorizer"]
    if authorizer is None:
        return None
    name = authorizer["Name"]
    schemes[name] = _scheme(authorizer, extensions=extensions)
    return {name: list(authorization["scopes"])}


def _scheme(authorizer: Resource, *, extensions: bool) -> Resource:
    sources = authorizer.get("IdentitySource") or []
    if authorizer["AuthorizerType"] == "JWT":
        scheme: Resource = {"type": "oauth2", "flows": {}}
        settings = authorizer["JwtConfiguration"]
        extension: Resource = {
            "identitySource": sources[0],
            "jwtConfiguration": {
                "audience": list(settings["Audience"]),
                "issuer": settings["Issuer"],
            },
            "type": "jwt",
        }
    else:
        source = sources[0] if len(sources) == 1 else ""
        found = re.fullmatch(r"\$request\.(header|querystring)\.(.+)", source)
        place = {"header": "header", "querystring": "query"}[found[1]] if found else "header"
        scheme = {"type": "apiKey", "name": found[2] if found else "Unused", "in": place}
        extension = {
            "type": "request",
            **({"identitySource": ", ".join(sources)} if sources else {}),
            **_renamed(authorizer, AUTHORIZER_MEMBERS),
        }
    if extensions:
        scheme[AUTHORIZER] = extension
    return scheme


def _renamed(given: Mapping[str, Any], members: Mapping[str, str]) -> Resource:
    return {
        extension: given[member]
        for extension, member in members.items()
        if given.get(member) is not None
    }
