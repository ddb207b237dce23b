"""Function URLs on LocalStack's port, beside the AWS API.

What: a handler in ``preprocess_request``, LocalStack's own list, in front of its router and of the
browser guard: a URL has a CORS configuration of its own.
Why: LocalStack's ``FunctionUrlRouter`` checks neither signatures nor policies, and answers no CORS
request.
Until: LocalStack enforces ``AuthType`` and CORS of function URLs.
Test: ``tests/unit/plugin/test_function_url_router.py``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from localstack.http.request import get_raw_path
from rolo import Response
from rolo.gateway import HandlerChain

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.apigatewayv2.edge import send, to_http_request
from trigger_stack_engine.front_doors.core.message import HttpResponse
from trigger_stack_engine.front_doors.function_url.url import locate
from trigger_stack_engine.wire import RemoteError


def answer(chain: HandlerChain[Any], context: Any, response: Response) -> None:
    """Hand on a request for a function URL and end the chain; do nothing for others."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    raw_path = get_raw_path(context.request)
    if locate(context.request.host, raw_path) is None:
        return
    header = dataclasses.asdict(to_http_request(context.request, raw_path))
    body = header.pop("body")
    try:
        reply, content = control_plane().call({"op": "function_url", "request": header}, body)
    except (EngineUnavailableError, RemoteError):
        send(response, HttpResponse(502, [], b"Internal Server Error"))
    else:
        headers = [(name, value) for name, value in reply["headers"]]
        send(response, HttpResponse(reply["status"], headers, content))
    chain.terminate()
