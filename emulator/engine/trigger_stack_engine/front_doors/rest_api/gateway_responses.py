"""The responses that a REST API gives by itself.

AWS topic: API Gateway Developer Guide, "Gateway response types". An API may give each type another
status, other headers and another body; ``DEFAULT_4XX`` and ``DEFAULT_5XX`` stand for all others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from trigger_stack_engine.front_doors.core.message import HttpResponse

_NAME: Final = r"(?:context|stageVariables)\.[A-Za-z0-9_.-]*[A-Za-z0-9_]"
_TEMPLATE_VARIABLE: Final = re.compile(rf"\$(?:\{{({_NAME})\}}|({_NAME}))")
#: What GetGatewayResponse shows where nobody set a template.
_DEFAULT_TEMPLATE: Final = '{"message":$context.error.messageString}'
_HEADER: Final = "gatewayresponse.header."

#: Type: status, message, and the value of ``x-amzn-ErrorType``.
_TYPES: Final[dict[str, tuple[int, str | None, str]]] = {
    "ACCESS_DENIED": (
        403,
        "User is not authorized to access this resource",
        "AccessDeniedException",
    ),
    "API_CONFIGURATION_ERROR": (500, "Internal server error", "InternalServerErrorException"),
    "AUTHORIZER_CONFIGURATION_ERROR": (500, None, "AuthorizerConfigurationException"),
    "AUTHORIZER_FAILURE": (500, None, "InternalServerErrorException"),
    "BAD_REQUEST_BODY": (400, "Invalid request body", "BadRequestException"),
    "BAD_REQUEST_PARAMETERS": (400, "Missing required request parameters", "BadRequestException"),
    "DEFAULT_4XX": (400, "Bad Request", "BadRequestException"),
    "DEFAULT_5XX": (502, "Internal server error", "InternalServerErrorException"),
    "INTEGRATION_FAILURE": (504, "Internal server error", "InternalServerErrorException"),
    "INTEGRATION_TIMEOUT": (504, "Endpoint request timed out", "InternalServerErrorException"),
    "INVALID_API_KEY": (403, "Forbidden", "ForbiddenException"),
    "INVALID_SIGNATURE": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your"
        " AWS Secret Access Key and signing method. Consult the service documentation for details.",
        "InvalidSignatureException",
    ),
    "MISSING_AUTHENTICATION_TOKEN": (
        403,
        "Missing Authentication Token",
        "MissingAuthenticationTokenException",
    ),
    "QUOTA_EXCEEDED": (429, "Limit Exceeded", "LimitExceededException"),
    "REQUEST_TOO_LARGE": (413, "Request Too Long", "RequestTooLargeException"),
    "THROTTLED": (429, "Too Many Requests", "TooManyRequestsException"),
    "UNAUTHORIZED": (401, "Unauthorized", "UnauthorizedException"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type", "BadRequestException"),
}
_NO_MESSAGE: Final = object()


class GatewayError(Exception):
    """A request that the API answers by itself.

    Args:
        kind: A gateway response type, for example ``THROTTLED``.
        message: Instead of the type's own.
        status: Instead of the type's own.
        error_type: Value of ``x-amzn-ErrorType`` instead of the type's own.
        details: What a request validator found.
    """

    def __init__(
        self,
        kind: str,
        message: object = _NO_MESSAGE,
        status: int | None = None,
        error_type: str | None = None,
        details: str | None = None,
    ) -> None:
        default_status, default_message, default_error_type = _TYPES[kind]
        self.kind = kind
        self.message = default_message if message is _NO_MESSAGE else message
        self.status = status or default_status
        self.error_type = error_type or default_error_type
        self.details = details
        super().__init__(f"{kind}: {self.message}")


def gateway_response(
    error: GatewayError, configured: Mapping[str, Any], lookup: Callable[[str], Any]
) -> HttpResponse:
    """The response for an error.

    Args:
        error: What happened.
        configured: The API's ``GatewayResponse`` shapes by type.
        lookup: The value of a mapping expression such as ``context.requestId``,
            ``stageVariables.name`` or ``method.request.header.Origin``; ``None``: there is none.
    """
    fallback = "DEFAULT_4XX" if error.status < 500 else "DEFAULT_5XX"
    settings = configured.get(error.kind) or configured.get(fallback) or {}

    def value_of(expression: str) -> Any:
        if expression == "context.error.message":
            return error.message
        if expression == "context.error.messageString":
            return json.dumps(error.message)
        if expression == "context.error.responseType":
            return error.kind
        if expression == "context.error.validationErrorString":
            # It stands between quotes in a template of JSON.
            return None if error.details is None else json.dumps(error.details)[1:-1]
        return lookup(expression)

    templates = settings.get("responseTemplates") or {}
    media_type, template = next(iter(templates.items()), ("application/json", None))
    headers = [("content-type", media_type), ("x-amzn-errortype", error.error_type)]
    for name, expression in (settings.get("responseParameters") or {}).items():
        if name.startswith(_HEADER):
            literal = re.fullmatch(r"'(.*)'", expression, re.DOTALL)
            value = literal[1] if literal else value_of(expression)
            if value is not None and not re.search(r"[\0\r\n]", str(value)):
                key = name.removeprefix(_HEADER)
                headers = [one for one in headers if one[0] != key.lower()]
                headers.append((key, str(value)))
    if template is None or template == _DEFAULT_TEMPLATE:
        # Only this type writes it with a capital letter.
        name = "Message" if error.kind == "ACCESS_DENIED" else "message"
        body = json.dumps({name: error.message}, separators=(",", ":"))
    else:
        body = _TEMPLATE_VARIABLE.sub(
            lambda match: _as_text(value_of(match[1] or match[2])), template
        )
    status = int(settings.get("statusCode") or error.status)
    return HttpResponse(status, headers, body.encode())


def _as_text(value: Any) -> str:
    return "" if value is None else str(value)
