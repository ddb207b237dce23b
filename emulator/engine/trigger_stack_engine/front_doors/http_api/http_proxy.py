"""``HTTP_PROXY`` integrations: the request goes on to another HTTP server.

AWS topic: "Create HTTP proxy integrations for HTTP APIs in API Gateway".
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from trigger_stack_engine.front_doors.core.message import (
    HttpResponse,
    internal_server_error,
    service_unavailable,
)
from trigger_stack_engine.front_doors.core.routing import Match
from trigger_stack_engine.front_doors.core.sent_headers import received_headers, sent_headers
from trigger_stack_engine.front_doors.http_api.parameter_mapping import MappedRequest

LOG = logging.getLogger(__name__)

_VARIABLE = re.compile(r"\{([A-Za-z0-9._-]+)\+?\}")
_NOT_FORWARDED: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding"}
)
_NOT_RETURNED: Final = _NOT_FORWARDED | {"content-encoding"}


class HttpProxy:
    """Forwards requests over pooled connections."""

    def __init__(self) -> None:
        # No session: that would send what a server sets for one client for the next one, and read
        # the address of a redirect, which is the client's.
        self._servers = HTTPAdapter(pool_maxsize=32)

    def forward(
        self, mapped: MappedRequest, match: Match, uri: str, method: str, timeout: float
    ) -> HttpResponse:
        """Send a request on and bring the answer back.

        Args:
            mapped: The request.
            match: The route that serves it.
            uri: URL of the integration, may contain the route's variables as ``{name}``.
            method: Method to use, ``ANY`` for the client's.
            timeout: Seconds to wait for the server.

        Raises:
            HttpError: 503 when the server does not answer in time, 500 when there is none.
        """
        request = mapped.request
        try:
            prepared = requests.Request(
                request.method if method == "ANY" else method,
                target_url(uri, match, request.raw_query, mapped.path),
                data=request.body,
            ).prepare()
            prepared.headers = sent_headers(_headers(mapped), prepared.headers)
            answer = self._servers.send(prepared, timeout=timeout)
            content = answer.content
        except requests.Timeout:
            raise service_unavailable("Endpoint request timed out") from None
        except requests.RequestException as error:
            LOG.warning("HTTP API: %s did not answer: %s", uri, error)
            raise internal_server_error("Internal server error of the endpoint") from None
        received = received_headers(answer.raw.headers.items())
        returned = [(k, v) for k, v in received if k.lower() not in _NOT_RETURNED]
        return HttpResponse(answer.status_code, returned, content)


def _headers(mapped: MappedRequest) -> Iterator[tuple[str, str]]:
    """The client's headers, and those that say who it is and which host it asks."""
    for name, value in mapped.request.headers:
        if name.lower() not in _NOT_FORWARDED and name.lower() != "forwarded":
            yield name, value
    yield "Forwarded", f"for={mapped.request.source_ip};proto={mapped.request.scheme}"
    if mapped.host is not None:
        yield "Host", mapped.host


def target_url(uri: str, match: Match, raw_query: str, path: str | None = None) -> str:
    """The URL to call: the route's variables filled in, the client's query string appended.

    Args:
        uri: URL of the integration.
        match: Route and variables.
        raw_query: Percent-encoded query string.
        path: Percent-encoded path to use instead of that of ``uri``.
    """
    filled = _VARIABLE.sub(
        lambda found: quote(match.path_parameters.get(found[1], ""), safe="/"), uri
    )
    if path is not None:
        filled = urlsplit(filled)._replace(path=path, fragment="").geturl()
    if not raw_query:
        return filled
    return f"{filled}{'&' if '?' in filled else '?'}{raw_query}"
