"""Reads an HTTP API from an OpenAPI 3.0 document.

AWS topics: API Gateway Developer Guide, "Use OpenAPI definitions for HTTP APIs in API Gateway",
"OpenAPI extensions for API Gateway" and "Set the OpenAPI basePath property". What the document
says of data (schemas, parameters, request bodies) is not for HTTP APIs and is ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from trigger_stack.services.apigatewayv2.errors import BadRequestError
from trigger_stack.services.apigatewayv2.models import Resource
from trigger_stack.services.apigatewayv2.openapi_shapes import check
from trigger_stack_engine.front_doors.core.routing import DEFAULT

MAX_BODY_BYTES: Final = 6 * 1024 * 1024
"""API Gateway's quota for an OpenAPI definition."""

ANY_METHOD: Final = "x-amazon-apigateway-any-method"
AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
CORS: Final = "x-amazon-apigateway-cors"
ENDPOINT: Final = "x-amazon-apigateway-endpoint-configuration"
INTEGRATION: Final = "x-amazon-apigateway-integration"
TAG_VALUE: Final = "x-amazon-apigateway-tag-value"
VERSION: Final = "x-amazon-apigateway-importexport-version"
METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")

#: Extension's name: member of ``Integration``.
INTEGRATION_MEMBERS: Final = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "responseParameters": "ResponseParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "tlsConfig": "TlsConfig",
    "type": "IntegrationType",
    "uri": "IntegrationUri",
}
#: Extension's name: member of ``Authorizer``.
AUTHORIZER_MEMBERS: Final = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerUri": "AuthorizerUri",
    "enableSimpleResponses": "EnableSimpleResponses",
}
CORS_MEMBERS: Final = {
    "allowCredentials": "AllowCredentials",
    "allowHeaders": "AllowHeaders",
    "allowMethods": "AllowMethods",
    "allowOrigins": "AllowOrigins",
    "exposeHeaders": "ExposeHeaders",
    "maxAge": "MaxAge",
}
_KNOWN_AT_TOP: Final = {CORS, ENDPOINT, VERSION}
_NOT_FOR_HTTP: Final = "is not supported for HTTP APIs and is ignored"


@dataclass
class Route:
    """A route of the document.

    Attributes:
        key: Its key.
        integration: Index in ``Definition.integrations``; ``None``: it has none.
        authorization_type: ``NONE``, ``AWS_IAM``, ``JWT`` or ``CUSTOM``.
        authorizer: Name of its authorizer.
        scopes: Of which a token needs one.
        operation_name: ``operationId``.
    """

    key: str
    integration: int | None = None
    authorization_type: str = "NONE"
    authorizer: str | None = None
    scopes: list[str] = field(default_factory=list)
    operation_name: str | None = None


@dataclass
class Definition:
    """What a document defines, in the shapes of the service's model.

    Attributes:
        api: Members of the ``Api``.
        routes: Its routes.
        integrations: Members of each ``Integration``.
        authorizers: Members of each ``Authorizer`` that a route uses, by name.
        info: What was ignored.
        warnings: What may not be as it was meant.
    """

    api: Resource
    routes: list[Route] = field(default_factory=list)
    integrations: list[Resource] = field(default_factory=list)
    authorizers: dict[str, Resource] = field(default_factory=dict)
    info: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """YAML as OpenAPI wants it: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(body: str, base_path: str | None) -> Definition:
    """Read a document.

    Args:
        body: JSON or YAML.
        base_path: ``ignore``, ``prepend`` or ``split``; ``None``: ``ignore``.

    Raises:
        BadRequestError: It defines no HTTP API; the text names what is wrong.
    """
    document = _parse(body)
    mode = (base_path or "ignore").lower()
    if mode not in ("ignore", "prepend", "split"):
        raise BadRequestError(f"Invalid basepath {base_path}: must be ignore, prepend or split")
    reader = _Reader(document, _prefix(document, mode))
    return reader.read()


def _parse(body: str) -> Resource:
    if not body or len(body.encode()) > MAX_BODY_BYTES:
        raise BadRequestError("Body must be an OpenAPI definition of at most 6 MB")
    try:
        document = json.loads(body)
    except ValueError:
        try:
            document = yaml.load(body, _Loader)  # noqa: S506  a SafeLoader
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            text = str(error).splitlines()[0]
            raise BadRequestError(f"Unable to parse API definition: {text}") from None
    except RecursionError:
        raise BadRequestError("Unable to parse API definition: it is nested too deeply") from None
    if not isinstance(document, dict):
        raise BadRequestError("Unable to parse API definition: it is no object")
    if "swagger" in document:
        raise BadRequestError("OpenAPI 2.0 is not supported for HTTP APIs: use OpenAPI 3.0")
    version = str(document.get("openapi", ""))
    if not re.fullmatch(r"3\.0(\.\d+)?", version):
        raise BadRequestError(f"Unsupported OpenAPI version {version or '(none)'}: use OpenAPI 3.0")
    for name in ("info", "paths"):
        if name not in document:
            raise BadRequestError(f"Invalid OpenAPI input: attribute {name} is missing")
    check("document", document, "the definition")
    return document


def _prefix(document: Resource, mode: str) -> str:
    """What comes before each path."""
    if mode == "ignore":
        return ""
    server: Resource = next(iter(document.get("servers") or []), {})
    variable = (server.get("variables") or {}).get("basePath")
    if variable is not None:
        path = variable.get("default") or ""
    else:
        path = urlsplit(server.get("url") or "").path
    parts = [part for part in path.split("/") if part]
    if mode == "split":
        parts = parts[1:]  # the first one is the stage's or mapping's
    return "".join(f"/{part}" for part in parts)


class _Reader:
    """Reads one document."""

    def __init__(self, document: Resource, prefix: str) -> None:
        self._document = document
        self._prefix = prefix
        self._result = Definition(self._api())
        self._referenced: dict[str, int] = {}

    def read(self) -> Definition:
        self._name_ignored()
        for path, item in self._document["paths"].items():
            if str(path).startswith("x-"):
                continue
            for method, operation in self._operations(str(path), item):
                self._route(str(path), method, operation)
        return self._result

    def _api(self) -> Resource:
        document = self._document
        info = document["info"]
        api: Resource = {"Name": str(info["title"]), "ProtocolType": "HTTP"}
        for name, member in (("description", "Description"), ("version", "Version")):
            if info.get(name):
                api[member] = str(info[name])
        if CORS in document:
            api["CorsConfiguration"] = _renamed(document[CORS], CORS_MEMBERS, CORS)
        endpoint = document.get(ENDPOINT) or {}
        if "disableExecuteApiEndpoint" in endpoint:
            api["DisableExecuteApiEndpoint"] = bool(endpoint["disableExecuteApiEndpoint"])
        tags = {
            tag["name"]: str(tag[TAG_VALUE])
            for tag in document.get("tags") or []
            if TAG_VALUE in tag
        }
        if tags:
            api["Tags"] = tags
        return api

    def _name_ignored(self) -> None:
        for name in map(str, self._document):
            if name.startswith("x-amazon-apigateway-") and name not in _KNOWN_AT_TOP:
                self._result.info.append(f"{name} {_NOT_FOR_HTTP}")
        for name in self._document.get("components") or {}:
            if name in ("schemas", "requestBodies", "parameters"):
                self._result.info.append(f"components.{name} {_NOT_FOR_HTTP}")

    def _operations(self, path: str, item: Any) -> Iterator[tuple[str, Resource]]:
        item = self._resolved(item, f"path {path}")
        for name, operation in item.items():
            if name == ANY_METHOD or name in METHODS:
                yield name, self._resolved(operation, f"{name} of path {path}")
            elif name == "trace":
                self._result.warnings.append(
                    f"Method TRACE of path {path} is not supported and is ignored"
                )

    def _route(self, path: str, method: str, operation: Resource) -> None:
        check("operation", operation, f"{method} of path {path}")
        if path.lstrip("/") == DEFAULT:
            key = DEFAULT
        else:
            verb = "ANY" if method == ANY_METHOD else method.upper()
            key = f"{verb} {self._prefix}{'' if self._prefix and path == '/' else path}"
        route = Route(key, operation_name=operation.get("operationId"))
        for name in ("x-amazon-apigateway-request-validator",):
            if name in operation:
                self._result.info.append(f"{name} of {key} {_NOT_FOR_HTTP}")
        if INTEGRATION in operation:
            route.integration = self._integration(operation[INTEGRATION], key)
        else:
            self._result.warnings.append(f"Route {key} has no {INTEGRATION}")
        self._secure(route, operation)
        self._result.routes.append(route)

    # -- integrations -----------------------------------------------------------------------

    def _integration(self, extension: Any, key: str) -> int:
        check("integration", extension, f"{INTEGRATION} of {key}")
        reference = extension.get("$ref")
        if reference is not None and reference in self._referenced:
            return self._referenced[reference]
        given = self._resolved(extension, f"{INTEGRATION} of {key}")
        if not given.get("type"):
            raise BadRequestError(
                "Unable to parse API definition because of a malformed integration at path "
                f"{key.partition(' ')[2] or key}"
            )
        check("integration", given, f"{INTEGRATION} of {key}")
        members = _renamed(given, INTEGRATION_MEMBERS, f"{INTEGRATION} of {key}", self._result.info)
        members["IntegrationType"] = str(members["IntegrationType"]).upper()
        for name in ("PayloadFormatVersion", "IntegrationUri"):
            if name in members:
                members[name] = str(members[name])  # YAML has 2.0 as a number
        if "RequestParameters" in members:
            members["RequestParameters"] = _texts(members["RequestParameters"])
        if "ResponseParameters" in members:
            members["ResponseParameters"] = {
                str(status): _texts(one) for status, one in members["ResponseParameters"].items()
            }
        self._result.integrations.append(members)
        index = len(self._result.integrations) - 1
        if reference is not None:
            self._referenced[reference] = index
        return index

    # -- who may call -----------------------------------------------------------------------

    def _secure(self, route: Route, operation: Resource) -> None:
        if (operation.get("x-amazon-apigateway-auth") or {}).get("type") == "AWS_IAM":
            route.authorization_type = "AWS_IAM"
            return
        requirements = operation.get("security", self._document.get("security")) or []
        named = [(name, scopes) for one in requirements for name, scopes in one.items()]
        if not named:
            return
        if len(named) > 1:
            self._result.warnings.append(
                f"Route {route.key} has more than one security scheme: {named[0][0]} is used"
            )
        name, scopes = named[0]
        schemes = (self._document.get("components") or {}).get("securitySchemes") or {}
        if name not in schemes:
            raise BadRequestError(f"Invalid security scheme {name} specified for route {route.key}")
        scheme = self._resolved(schemes[name], f"security scheme {name}")
        if str(scheme.get("x-amazon-apigateway-authtype", "")).lower() == "awssigv4":
            route.authorization_type = "AWS_IAM"
        elif AUTHORIZER in scheme:
            authorizer = self._authorizer(name, scheme)
            is_jwt = authorizer["AuthorizerType"] == "JWT"
            route.authorization_type = "JWT" if is_jwt else "CUSTOM"
            route.authorizer = name
            route.scopes = [str(scope) for scope in scopes or []] if is_jwt else []
        else:
            self._result.warnings.append(
                f"Security scheme {name} of route {route.key} has no {AUTHORIZER}: it is open"
            )

    def _authorizer(self, name: str, scheme: Resource) -> Resource:
        known = self._result.authorizers.get(name)
        if known is not None:
            return known
        given = self._resolved(scheme[AUTHORIZER], f"{AUTHORIZER} of {name}")
        check("authorizer", given, f"{AUTHORIZER} of {name}")
        kind = (given.get("type") or "").lower()
        if kind not in ("jwt", "request"):
            raise BadRequestError(
                f"Invalid authorizer type {kind or '(none)'} of security scheme {name}: expected"
                " jwt or request"
            )
        members = {
            member: given[extension]
            for extension, member in AUTHORIZER_MEMBERS.items()
            if extension in given
        }
        if "AuthorizerPayloadFormatVersion" in members:
            members["AuthorizerPayloadFormatVersion"] = str(
                members["AuthorizerPayloadFormatVersion"]
            )
        members |= {"Name": name, "AuthorizerType": kind.upper()}
        sources = given.get("identitySource") or []
        if isinstance(sources, str):
            sources = [one.strip() for one in sources.split(",")]
        members["IdentitySource"] = [str(one) for one in sources]
        if kind == "jwt":
            settings = given.get("jwtConfiguration") or {}
            audience = settings.get("audience") or []
            members["JwtConfiguration"] = {
                "Audience": [audience] if isinstance(audience, str) else list(audience),
                "Issuer": str(settings.get("issuer") or ""),
            }
        self._result.authorizers[name] = members
        return members

    def _resolved(self, value: Any, what: str) -> Resource:
        """An object, or the one that its ``$ref`` names.

        Raises:
            BadRequestError: It is none, or is elsewhere.
        """
        seen = set()
        while isinstance(value, dict) and "$ref" in value:
            reference = str(value["$ref"])
            if not reference.startswith("#/") or reference in seen:
                raise BadRequestError(f"Invalid reference {reference} in {what}")
            seen.add(reference)
            value = self._document
            for part in reference[2:].split("/"):
                part = part.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901  as RFC 6901 says
                value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            raise BadRequestError(f"Invalid OpenAPI input: {what} must be an object")
        return value


def _renamed(
    given: Resource, members: Mapping[str, str], what: str, ignored: list[str] | None = None
) -> Resource:
    if ignored is not None:
        ignored += [f"{name} in {what} {_NOT_FOR_HTTP}" for name in given if name not in members]
    return {
        members[name]: value
        for name, value in given.items()
        if name in members and value is not None
    }


def _texts(given: Resource) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()}
