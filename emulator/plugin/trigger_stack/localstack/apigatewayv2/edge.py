"""HTTP APIs on the edge port, beside the AWS API.

Two addresses, as for LocalStack's REST APIs: the host ``<apiId>.execute-api.<anything>``, and the
path ``/_aws/execute-api/<apiId>`` for machines without DNS. LocalStack registers both for REST
APIs when that service loads, so this handler stands before its router and takes the requests of
the HTTP APIs it knows; all others go on.

What: a handler in ``preprocess_request``, LocalStack's own list (see ``hooks.py``).
Why: LocalStack's router knows REST APIs only, and answers 404 for the others at these addresses.
Until: LocalStack's open release has ``apigatewayv2``.
Test: ``tests/unit/plugin/test_open_release.py::test_the_open_release_still_lacks``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localstack.http.request import get_raw_path
from rolo import Request, Response
from rolo.gateway import HandlerChain

from trigger_stack.localstack.apigatewayv2.store import apis
from trigger_stack.services.apigatewayv2.models import Api
from trigger_stack_engine.front_doors.core.limits import MAX_BODY_BYTES
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.http_api import address
from trigger_stack_engine.front_doors.http_api.refusals import refuse


class EdgeHandler:
    """Request handler of LocalStack's gateway that answers for HTTP APIs."""

    def __init__(self, forward: Callable[[Api, HttpRequest], HttpResponse]) -> None:
        self._forward = forward

    def __call__(self, chain: HandlerChain[Any], context: Any, response: Response) -> None:
        """Answer and end the chain, or do nothing when the request is for something else."""
        found = locate(context.request.host, get_raw_path(context.request))
        if found is None:
            return
        api, raw_path = found
        send(response, self._answer(context.request, api, raw_path))
        # Not stop(): the response handlers would log an AWS operation and add CORS headers.
        chain.terminate()

    def _answer(self, request: Request, api: Api, raw_path: str) -> HttpResponse:
        if api.attributes.get("DisableExecuteApiEndpoint"):
            return refuse(404, "Not Found")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return refuse(413, "Request Entity Too Large")
        return self._forward(api, to_http_request(request, raw_path))


def send(response: Response, answer: HttpResponse) -> None:
    """Make the gateway's response the engine's answer."""
    response.status_code = answer.status
    response.headers.clear()
    for name, value in answer.headers:
        # WSGI carries bytes as Latin-1.
        response.headers.add(name, value.encode("utf-8").decode("latin-1"))
    response.set_data(answer.body)


def locate(host: str, raw_path: str) -> tuple[Api, str] | None:
    """The API a request on the edge port is for, and the path below its address."""
    found = address.locate(host, raw_path)
    api = apis.find(found[0]) if found else None
    return (api, found[1]) if found and api else None


def to_http_request(request: Request, raw_path: str) -> HttpRequest:
    """A request on LocalStack's port as the engine takes it."""
    environ = request.environ
    headers = environ.get("rolo.headers")
    return HttpRequest(
        method=request.method,
        raw_path=raw_path,
        sent_path=get_raw_path(request),
        raw_query=request.query_string.decode("latin-1"),
        headers=[(k.decode("latin-1"), v.decode("latin-1")) for k, v in headers]
        if headers is not None
        else list(request.headers.items()),
        body=request.get_data(parse_form_data=False),
        source_ip=environ.get("REMOTE_ADDR") or "127.0.0.1",
        scheme=request.scheme,
        port=int(environ.get("SERVER_PORT") or 4566),
        protocol=environ.get("SERVER_PROTOCOL") or "HTTP/1.1",
    )
