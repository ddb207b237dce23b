"""``HTTP_PROXY`` integrations: the request goes on to another HTTP server.

AWS topic: "Create HTTP proxy integrations for HTTP APIs in API Gateway".
"""

from __future__ import annotations

import logging
import re
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
        self._session = requests.Session()
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=32))

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
        headers = {k: _as_bytes(v) for k, v in request.headers if k.lower() not in _NOT_FORWARDED}
        headers["Forwarded"] = _as_bytes(f"for={request.source_ip};proto={request.scheme}")
        if mapped.host is not None:
            headers["Host"] = _as_bytes(mapped.host)
        try:
            answer = self._session.request(
                request.method if method == "ANY" else method,
                target_url(uri, match, request.raw_query, mapped.path),
                headers=headers,
                data=request.body,
                timeout=timeout,
                allow_redirects=False,
            )
        except requests.Timeout:
            raise service_unavailable("Endpoint request timed out") from None
        except requests.RequestException as error:
            LOG.warning("HTTP API: %s did not answer: %s", uri, error)
            raise internal_server_error("Internal server error of the endpoint") from None
        returned = [(k, v) for k, v in answer.raw.headers.items() if k.lower() not in _NOT_RETURNED]
        return HttpResponse(answer.status_code, returned, answer.content)


def _as_bytes(value: str) -> bytes:
    """A header's value as it is sent: what came as Latin-1 goes as it came."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


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
