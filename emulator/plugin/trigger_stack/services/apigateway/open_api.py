"""The gateway responses of an OpenAPI document.

AWS topic: API Gateway Developer Guide, "x-amazon-apigateway-gateway-responses object".
"""

from __future__ import annotations

from typing import Any, Final

_EXTENSION: Final = "x-amazon-apigateway-gateway-responses"


def gateway_responses(document: Any) -> dict[str, dict[str, Any]]:
    """What a document says of the responses that an API gives by itself.

    Args:
        document: A parsed OpenAPI document.

    Returns:
        ``{statusCode, responseParameters, responseTemplates}`` by type; what is absent is ``None``.
        What has another form than AWS documents is left out.
    """
    found = document.get(_EXTENSION) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        return {}
    return {
        str(kind): {
            "statusCode": _status(settings.get("statusCode")),
            "responseParameters": _texts(settings.get("responseParameters")),
            "responseTemplates": _texts(settings.get("responseTemplates")),
        }
        for kind, settings in found.items()
        if isinstance(settings, dict)
    }


def _status(value: Any) -> str | None:
    text = str(value)  # JSON and YAML have it as a number or as a text
    return text if text.isascii() and text.isdigit() else None


def _texts(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    return {str(name): one for name, one in value.items() if isinstance(one, str)} or None
