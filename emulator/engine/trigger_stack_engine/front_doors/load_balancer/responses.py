"""The responses that a load balancer makes by itself.

AWS topics: User Guide for Application Load Balancers, "Troubleshoot your Application Load
Balancers", "Fixed-response actions", "Redirect actions" and "HTTP header modification".
"""

from __future__ import annotations

import http
import re
from typing import Any, Final

from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.load_balancer.balancer import Listener

SERVER: Final = ("server", "awselb/2.0")
_KEYWORD: Final = re.compile(r"#\{(protocol|host|port|path|query)\}")
#: Reason phrases that the service words in its own way.
_REASONS: Final = {
    302: "Found",
    405: "Not Allowed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Large",
    463: "",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def reason_of(status: int) -> str:
    """The reason phrase of a status code; empty for one that has none."""
    if status in _REASONS:
        return _REASONS[status]
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def page(status: int) -> HttpResponse:
    """The service's HTML page for a status code."""
    title = f"{status} {reason_of(status)}".rstrip()
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    headers = [SERVER, ("content-type", "text/html")]
    return HttpResponse(status, headers, body.encode(), reason=reason_of(status))


def listener_headers(listener: Listener, headers: Headers) -> Headers:
    """The headers of a response as the attributes of its listener want them."""
    kept = headers if listener.names_server else [one for one in headers if one != SERVER]
    names = {name.lower() for name, _ in kept}
    return [*kept, *(one for one in listener.added_headers if one[0].lower() not in names)]


def fixed_response(configuration: dict[str, Any]) -> HttpResponse:
    """The response of a ``FixedResponseConfig``."""
    status = int(configuration["StatusCode"])
    body = (configuration.get("MessageBody") or "").encode()
    headers: Headers = [SERVER]
    if body:
        content_type = configuration.get("ContentType") or "text/plain"
        headers.append(("content-type", f"{content_type}; charset=utf-8"))
    return HttpResponse(status, headers, body, reason=reason_of(status))


def redirect(configuration: dict[str, Any], request: HttpRequest, scheme: str) -> HttpResponse:
    """The response of a ``RedirectConfig``.

    Args:
        configuration: What it lacks stays as it is in the request.
        request: The request; its ``Host`` says which host and port the client used.
        scheme: ``http`` or ``https``: the protocol of the listener.
    """
    host, port = _host_and_port(request)
    known = {
        "protocol": scheme.upper(),
        "host": host,
        "port": port,
        "path": request.raw_path.removeprefix("/"),
        "query": request.raw_query,
    }

    def part(name: str, default: str) -> str:
        text = configuration.get(name)
        return _KEYWORD.sub(lambda match: known[match[1]], default if text is None else str(text))

    location = (
        f"{part('Protocol', '#{protocol}').lower()}://{part('Host', '#{host}')}"
        f":{part('Port', '#{port}')}{part('Path', '/#{path}')}"
    )
    if query := part("Query", "#{query}"):
        location += f"?{query}"
    status = 301 if configuration.get("StatusCode") == "HTTP_301" else 302
    response = page(status)
    response.headers.append(("location", location))
    return response


def _host_and_port(request: HttpRequest) -> tuple[str, str]:
    value = request.header("host") or "localhost"
    name, colon, port = value.rpartition(":")
    if colon and port.isdecimal():
        return name, port
    return value, str(request.port)
