"""CORS that the API answers by itself.

AWS topic: "Configure CORS for HTTP APIs in API Gateway". With CORS configured the API answers
preflight requests without any integration, adds its headers to the replies of cross-origin
requests, and ignores the CORS headers of the integration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse

_INTEGRATION_HEADERS = frozenset(
    {
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
    }
)


@dataclass(frozen=True, slots=True)
class Cors:
    """An API's ``CorsConfiguration``. ``max_age`` in seconds; ``-1`` forbids caching."""

    allow_credentials: bool = False
    allow_headers: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = None

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any] | None) -> Cors | None:
        """Read the ``Cors`` shape of the API model; an absent or empty one means no CORS."""
        if not configuration:
            return None
        return cls(
            allow_credentials=bool(configuration.get("AllowCredentials")),
            allow_headers=tuple(configuration.get("AllowHeaders") or ()),
            allow_methods=tuple(configuration.get("AllowMethods") or ()),
            allow_origins=tuple(configuration.get("AllowOrigins") or ()),
            expose_headers=tuple(configuration.get("ExposeHeaders") or ()),
            max_age=configuration.get("MaxAge"),
        )

    def allowed_origin(self, origin: str) -> str | None:
        """The value of ``access-control-allow-origin`` for an origin, ``None`` if not allowed."""
        for allowed in self.allow_origins:
            if allowed == "*":
                return "*"
            if allowed.lower() == origin.lower():
                return origin
            if allowed.endswith("://*") and origin.lower().startswith(allowed[:-1].lower()):
                return origin
        return None


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks for permission (Fetch standard, "CORS-preflight request")."""
    return (
        request.method == "OPTIONS"
        and request.header("origin") is not None
        and request.header("access-control-request-method") is not None
    )


def preflight_response(cors: Cors, request: HttpRequest) -> HttpResponse:
    """204 with the API's CORS headers, or without any when the origin is not allowed."""
    headers = _origin_headers(cors, request)
    if headers:
        if cors.allow_methods:
            headers.append(("access-control-allow-methods", ",".join(cors.allow_methods)))
        if cors.allow_headers:
            headers.append(("access-control-allow-headers", ",".join(cors.allow_headers)))
        if cors.max_age is not None:
            headers.append(("access-control-max-age", str(cors.max_age)))
    return HttpResponse(204, headers)


def apply_cors(cors: Cors, request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Replace the integration's CORS headers by the API's."""
    headers = [(k, v) for k, v in response.headers if k.lower() not in _INTEGRATION_HEADERS]
    added = _origin_headers(cors, request)
    if added and cors.expose_headers:
        added.append(("access-control-expose-headers", ",".join(cors.expose_headers)))
    return replace(response, headers=headers + added)


def _origin_headers(cors: Cors, request: HttpRequest) -> Headers:
    origin = request.header("origin")
    allowed = cors.allowed_origin(origin) if origin is not None else None
    if allowed is None:
        return []
    headers = [("access-control-allow-origin", allowed)]
    if cors.allow_credentials:
        headers.append(("access-control-allow-credentials", "true"))
    return headers
