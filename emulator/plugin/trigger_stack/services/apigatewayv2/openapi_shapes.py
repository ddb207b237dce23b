"""The shapes of what is read of an OpenAPI document, as JSON schemas.

AWS topic: API Gateway Developer Guide, "OpenAPI extensions for API Gateway". Only what is read is
described: the rest of a document may be anything.
"""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from trigger_stack.services.apigatewayv2.errors import BadRequestError

_TEXT: Final = {"type": "string"}
_SCALAR: Final = {"type": ["string", "number"]}  # YAML has a version 2.0 as a number
_NUMBER: Final = {"type": "integer"}
_FLAG: Final = {"type": "boolean"}
_OBJECT: Final = {"type": "object"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_PARAMETERS: Final = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_SECURITY: Final = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": _TEXTS},
}
_SHAPES: Final[dict[str, dict[str, Any]]] = {
    "document": {
        "info": {
            "type": "object",
            "required": ["title"],
            "properties": {"title": _SCALAR, "version": _SCALAR, "description": _TEXT},
        },
        "paths": {"type": "object"},
        "servers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "url": _TEXT,
                    "variables": {
                        "type": "object",
                        "properties": {
                            "basePath": {"type": "object", "properties": {"default": _TEXT}}
                        },
                    },
                },
            },
        },
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _TEXT, "x-amazon-apigateway-tag-value": _SCALAR},
            },
        },
        "components": {"type": "object", "properties": {"securitySchemes": _OBJECT}},
        "security": _SECURITY,
        "x-amazon-apigateway-cors": {
            "type": "object",
            "properties": {
                "allowCredentials": _FLAG,
                "allowHeaders": _TEXTS,
                "allowMethods": _TEXTS,
                "allowOrigins": _TEXTS,
                "exposeHeaders": _TEXTS,
                "maxAge": _NUMBER,
            },
        },
        "x-amazon-apigateway-endpoint-configuration": {
            "type": "object",
            "properties": {"disableExecuteApiEndpoint": _FLAG},
        },
    },
    "operation": {
        "operationId": _TEXT,
        "security": _SECURITY,
        "x-amazon-apigateway-auth": _OBJECT,
    },
    "integration": {
        "$ref": _TEXT,
        "connectionId": _TEXT,
        "connectionType": _TEXT,
        "credentials": _TEXT,
        "description": _TEXT,
        "httpMethod": _TEXT,
        "integrationSubtype": _TEXT,
        "payloadFormatVersion": _SCALAR,
        "requestParameters": _PARAMETERS,
        "responseParameters": {"type": "object", "additionalProperties": _PARAMETERS},
        "timeoutInMillis": _NUMBER,
        "tlsConfig": _OBJECT,
        "type": _TEXT,
        "uri": _TEXT,
    },
    "authorizer": {
        "authorizerCredentials": _TEXT,
        "authorizerPayloadFormatVersion": _SCALAR,
        "authorizerResultTtlInSeconds": _NUMBER,
        "authorizerUri": _TEXT,
        "enableSimpleResponses": _FLAG,
        "identitySource": {"anyOf": [_TEXT, _TEXTS]},
        "jwtConfiguration": {
            "type": "object",
            "properties": {"audience": {"anyOf": [_TEXT, _TEXTS]}, "issuer": _TEXT},
        },
        "type": _TEXT,
    },
}
_VALIDATORS: Final = {
    name: Draft202012Validator({"type": "object", "properties": properties})
    for name, properties in _SHAPES.items()
}


def check(kind: str, value: Any, what: str) -> None:
    """Check a part of a document.

    Args:
        kind: ``document``, ``operation``, ``integration`` or ``authorizer``.
        value: The part.
        what: What it is, for the error.

    Raises:
        BadRequestError: It has not the shape; the text names the place.
    """
    error = best_match(_VALIDATORS[kind].iter_errors(value))
    if error is not None:
        place = "".join(f".{key}" for key in error.absolute_path)
        raise BadRequestError(f"Invalid OpenAPI input: {what}{place}: {error.message}"[:500])
