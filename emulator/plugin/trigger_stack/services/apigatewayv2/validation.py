"""What API Gateway accepts in the resources of an HTTP API.

AWS topic: "Amazon API Gateway Version 2 API Reference", resources Apis, Routes, Integrations and
Stages. Every function raises ``BadRequestError`` unless it says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from trigger_stack.services.apigatewayv2.errors import (
    BadRequestError,
    NotEmulatedError,
    NotFoundError,
)
from trigger_stack_engine.front_doors.core.access_logs import parse_log_group
from trigger_stack_engine.front_doors.core.routing import (
    DEFAULT,
    METHODS,
    InvalidRouteKeyError,
    RouteKey,
    parse_route_key,
)
from trigger_stack_engine.front_doors.core.uris import (
    MAX_TIMEOUT_MILLIS,
    STAGE_VARIABLE,
    parse_lambda_uri,
)
from trigger_stack_engine.front_doors.http_api.parameter_mapping import (
    InvalidMappingError,
    ParameterMapping,
)

MIN_TIMEOUT_MILLIS: Final = 50
PAYLOAD_FORMAT_VERSIONS: Final = ("1.0", "2.0")

_REQUEST_ONLY: Final = (
    "AuthorizerCredentialsArn",
    "AuthorizerPayloadFormatVersion",
    "AuthorizerResultTtlInSeconds",
    "AuthorizerUri",
    "EnableSimpleResponses",
)
_IDENTITY_SOURCE = re.compile(
    r"\$(request\.(header|querystring)|context|stageVariables)\.[A-Za-z0-9._-]+"
)
_STAGE_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STAGE_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]+")
_STAGE_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]*")
_ORIGIN = re.compile(r"\*|https?://\*|[A-Za-z][A-Za-z0-9+.-]*://[^/\s*]+")


_WEBSOCKET_ONLY: Final = {
    "Api": ("DisableSchemaValidation",),
    "Integration": (
        "ContentHandlingStrategy",
        "RequestTemplates",
        "TemplateSelectionExpression",
    ),
    "Route": (
        "ApiKeyRequired",
        "ModelSelectionExpression",
        "RequestModels",
        "RequestParameters",
        "RouteResponseSelectionExpression",
    ),
    "Stage": ("ClientCertificateId",),
}
"""Members that the model of the service calls "supported only for WebSocket APIs".

``PassthroughBehavior`` is one too, but the service takes it: Terraform always sends it.
"""

_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{12}:role/\S+|\*:user/\*)")
_MAX_FORMAT_LENGTH: Final = 1024


def check_protocol(kind: str, request: Mapping[str, Any]) -> None:
    """Refuse members of a resource that HTTP APIs do not have."""
    for name in _WEBSOCKET_ONLY[kind]:
        if request.get(name):
            raise BadRequestError(f"{name} is not currently supported for HTTP APIs")


def check_api(request: Mapping[str, Any]) -> None:
    """Check the members of ``CreateApi`` and ``UpdateApi``.

    Raises:
        NotEmulatedError: It is a WebSocket API.
    """
    protocol = request.get("ProtocolType", "HTTP")
    if protocol == "WEBSOCKET":
        raise NotEmulatedError("WebSocket APIs are not emulated: use ProtocolType HTTP")
    if protocol != "HTTP":
        raise BadRequestError("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
    check_protocol("Api", request)
    if "Name" in request and not 1 <= len(request["Name"] or "") <= 128:
        raise BadRequestError("Name must be between 1 and 128 characters")
    expression = request.get("RouteSelectionExpression")
    if expression not in (
        None,
        "$request.method $request.path",
        "${request.method} ${request.path}",
    ):
        raise BadRequestError(
            "RouteSelectionExpression of an HTTP API must be ${request.method} ${request.path}"
        )
    check_cors(request.get("CorsConfiguration"))


def check_cors(cors: Mapping[str, Any] | None) -> None:
    """Check a ``CorsConfiguration``."""
    if not cors:
        return
    origins = cors.get("AllowOrigins") or []
    if cors.get("AllowCredentials") and "*" in origins:
        raise BadRequestError("allow-credentials is not supported if 'allow-origin' is *")
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise BadRequestError(
                f"Invalid format for origin {origin}: expected *, http://*, https://* or "
                "<scheme>://<host>[:<port>]"
            )
    for method in cors.get("AllowMethods") or []:
        if method != "*" and method not in METHODS[1:]:
            raise BadRequestError(f"Invalid HTTP method {method} in CORS configuration")
    max_age = cors.get("MaxAge")
    if max_age is not None and not -1 <= max_age <= 86_400:
        raise BadRequestError("max-age must be between -1 and 86400 seconds")


def check_route_key(key: str) -> RouteKey:
    """Parse the key of a route."""
    try:
        return parse_route_key(key)
    except InvalidRouteKeyError as error:
        raise BadRequestError(str(error)) from None


def check_route(route: Mapping[str, Any], authorizers: Mapping[str, Any]) -> None:
    """Check the authorization of a whole ``Route``."""
    check_protocol("Route", route)
    kind = route.get("AuthorizationType") or "NONE"
    if kind not in ("NONE", "AWS_IAM", "CUSTOM", "JWT"):
        raise BadRequestError(f"Invalid authorization type {kind} specified")
    if route.get("AuthorizationScopes") and kind != "JWT":
        raise BadRequestError(
            "Invalid Route authorization type specified. Authorization Scopes are only valid for"
            " COGNITO_USER_POOLS and JWT authorization types"
        )
    if kind in ("NONE", "AWS_IAM"):
        return
    authorizer = authorizers.get(route.get("AuthorizerId") or "")
    if authorizer is None:
        raise BadRequestError(f"Invalid authorizer ID specified for authorization type {kind}")
    if (authorizer["AuthorizerType"] == "JWT") != (kind == "JWT"):
        raise BadRequestError(
            f"Authorization type {kind} does not fit an authorizer of type "
            f"{authorizer['AuthorizerType']}"
        )


def check_authorizer(authorizer: Mapping[str, Any]) -> None:
    """Check a whole ``Authorizer``.

    Raises:
        NotEmulatedError: Its role is to be used.
    """
    if not 1 <= len(authorizer.get("Name") or "") <= 128:
        raise BadRequestError("Name must be between 1 and 128 characters")
    sources = authorizer.get("IdentitySource") or []
    for source in sources:
        if not _IDENTITY_SOURCE.fullmatch(source):
            raise BadRequestError(f"Invalid identity source {source} specified")
    kind = authorizer.get("AuthorizerType")
    if kind == "JWT":
        _check_jwt(authorizer, sources)
    elif kind == "REQUEST":
        _check_request_authorizer(authorizer)
    else:
        raise BadRequestError(f"Invalid authorizer type {kind}: expected JWT or REQUEST")


def _check_jwt(authorizer: Mapping[str, Any], sources: list[str]) -> None:
    if len(sources) != 1 or not sources[0].startswith("$request."):
        raise BadRequestError(
            "A JWT authorizer needs one identity source: $request.header.<name> or "
            "$request.querystring.<name>"
        )
    settings = authorizer.get("JwtConfiguration") or {}
    if not re.match(r"https?://", settings.get("Issuer") or ""):
        raise BadRequestError("Invalid issuer: it must be an address that begins with https://")
    if not settings.get("Audience"):
        raise BadRequestError("A JWT authorizer needs an audience")
    for name in _REQUEST_ONLY:
        if authorizer.get(name):
            raise BadRequestError(f"{name} is not for authorizers of type JWT")


def _check_request_authorizer(authorizer: Mapping[str, Any]) -> None:
    uri = authorizer.get("AuthorizerUri") or ""
    if parse_lambda_uri(STAGE_VARIABLE.sub("stageVariable", uri)) is None:
        raise BadRequestError(f"Invalid authorizer URI {uri}: expected that of a function")
    if authorizer.get("AuthorizerCredentialsArn"):
        raise NotEmulatedError("AuthorizerCredentialsArn: let the function's policy allow the call")
    version = authorizer.get("AuthorizerPayloadFormatVersion")
    if not version:
        raise BadRequestError(
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer"
        )
    if version not in PAYLOAD_FORMAT_VERSIONS:
        raise BadRequestError("AuthorizerPayloadFormatVersion must be 1.0 or 2.0")
    if version == "1.0" and authorizer.get("EnableSimpleResponses"):
        raise BadRequestError("EnableSimpleResponses needs AuthorizerPayloadFormatVersion 2.0")
    lasts_s = authorizer.get("AuthorizerResultTtlInSeconds")
    if lasts_s is not None and not 0 <= lasts_s <= 3600:
        raise BadRequestError("AuthorizerResultTtlInSeconds must be between 0 and 3600")
    if lasts_s and not authorizer.get("IdentitySource"):
        raise BadRequestError("AuthorizerResultTtlInSeconds needs an identity source")
    if authorizer.get("JwtConfiguration"):
        raise BadRequestError("JwtConfiguration is for authorizers of type JWT only")


def check_integration(integration: Mapping[str, Any]) -> None:
    """Check a whole ``Integration``.

    Raises:
        NotEmulatedError: A private integration or an AWS service integration.
    """
    kind = integration.get("IntegrationType")
    if kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise BadRequestError(
            f"Invalid integration type {kind} for an HTTP API: expected AWS_PROXY or HTTP_PROXY"
        )
    if integration.get("IntegrationSubtype"):
        raise NotEmulatedError("AWS service integrations of HTTP APIs are not emulated")
    if integration.get("ConnectionType", "INTERNET") != "INTERNET":
        raise NotEmulatedError("Private integrations (VPC_LINK) are not emulated")
    for name in ("ConnectionId", "TlsConfig"):
        if integration.get(name):
            raise BadRequestError(f"{name} is for private integrations (VPC_LINK) only")
    check_protocol("Integration", integration)
    credentials = integration.get("CredentialsArn")
    if credentials and not _ROLE.fullmatch(credentials):
        raise BadRequestError(f"Invalid credentials ARN {credentials}: expected that of a role")
    try:
        ParameterMapping.of(integration)
    except InvalidMappingError as error:
        raise BadRequestError(str(error)) from None
    _check_uri(kind, integration.get("IntegrationUri") or "")
    timeout = integration.get("TimeoutInMillis")
    if timeout is not None and not MIN_TIMEOUT_MILLIS <= timeout <= MAX_TIMEOUT_MILLIS:
        raise BadRequestError("Timeout should be between 50 ms and 30000 ms")
    version = integration.get("PayloadFormatVersion")
    if version is None:
        raise BadRequestError("PayloadFormatVersion is a required parameter for integration")
    if version not in PAYLOAD_FORMAT_VERSIONS or (kind == "HTTP_PROXY" and version != "1.0"):
        allowed = "1.0" if kind == "HTTP_PROXY" else "1.0, 2.0"
        raise BadRequestError(
            f"Invalid PayloadFormatVersion {version} for {kind}: supported are [{allowed}]"
        )


def _check_uri(kind: str, uri: str) -> None:
    literal = STAGE_VARIABLE.sub("stageVariable", uri)
    if kind == "AWS_PROXY" and parse_lambda_uri(literal) is None:
        raise BadRequestError(f"Invalid function ARN or invalid uri: {uri!r}")
    if kind == "HTTP_PROXY" and not re.match(r"https?://[^/\s]+", literal):
        raise BadRequestError(f"Invalid HTTP endpoint specified for URI: {uri!r}")


def check_stage(request: Mapping[str, Any]) -> None:
    """Check the members of ``CreateStage`` and ``UpdateStage``."""
    name = request["StageName"]
    if name != DEFAULT and not (_STAGE_NAME.fullmatch(name) and len(name) <= 128):
        raise BadRequestError(
            "Stage name only allows alphanumeric characters, hyphens and underscores, or $default"
        )
    check_protocol("Stage", request)
    for key, value in (request.get("StageVariables") or {}).items():
        if not _STAGE_VARIABLE_NAME.fullmatch(key):
            raise BadRequestError(f"Stage variable name {key!r} is not valid")
        if not _STAGE_VARIABLE_VALUE.fullmatch(value):
            raise BadRequestError(f"Value of stage variable {key} is not valid: {value!r}")
    if request.get("AutoDeploy") and request.get("DeploymentId"):
        raise BadRequestError("DeploymentId cannot be set while AutoDeploy is enabled")
    _check_access_log(request.get("AccessLogSettings") or {})


def check_route_settings(request: Mapping[str, Any], route_keys: Collection[str]) -> None:
    """Check ``DefaultRouteSettings`` and ``RouteSettings`` of a stage.

    Args:
        request: With both.
        route_keys: The keys of the API's routes.

    Raises:
        NotFoundError: Settings are for a route that is not there.
    """
    routes: Mapping[str, Any] = request.get("RouteSettings") or {}
    for key in routes:
        if key not in route_keys:
            raise NotFoundError(
                f"Unable to find Route by key {key} within the provided RouteSettings"
            )
    for settings in (request.get("DefaultRouteSettings") or {}, *routes.values()):
        if settings.get("LoggingLevel", "OFF") != "OFF" or settings.get("DataTraceEnabled"):
            raise BadRequestError("Execution logs are not supported on protocolType HTTP")
        for name in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            if (settings.get(name) or 0) < 0:
                raise BadRequestError(f"{name} must not be negative")


def _check_access_log(settings: Mapping[str, Any]) -> None:
    if not settings:
        return
    destination, text = settings.get("DestinationArn") or "", settings.get("Format") or ""
    if parse_log_group(destination) is None:
        raise BadRequestError(
            f"Invalid access log destination ARN {destination!r}: expected that of a log group"
        )
    if not 1 <= len(text) <= _MAX_FORMAT_LENGTH:
        raise BadRequestError("The format of access logs must have between 1 and 1024 characters")
    if "\n" in text.rstrip("\r\n"):
        raise BadRequestError(
            "Access Log format must be single line, new line character is allowed only at end of "
            "the format"
        )
    if not re.search(r"\$context\.(extendedR|r)equestId\b", text):
        raise BadRequestError(
            "The format of access logs must include at least $context.requestId or "
            "$context.extendedRequestId"
        )
