"""REST APIs on the edge port, beside the AWS API.

What: a handler in ``preprocess_request``, LocalStack's own list, in front of its router and of the
browser guard: a REST API says by itself which pages may read it.
Why: LocalStack's own route to REST APIs checks no authorizers, signatures or resource policies.
Until: LocalStack enforces them.
Test: ``tests/engine/test_rest_api.py``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from localstack.http.request import get_raw_path
from localstack.services.apigateway.models import apigateway_stores
from rolo import Response
from rolo.gateway import HandlerChain

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.apigatewayv2.edge import send, to_http_request
from trigger_stack_engine.front_doors.core.message import HttpResponse
from trigger_stack_engine.front_doors.rest_api.address import locate
from trigger_stack_engine.wire import RemoteError


def answer(chain: HandlerChain[Any], context: Any, response: Response) -> None:
    """Hand on a request for a REST API and end the chain; do nothing for others."""
    from trigger_stack.localstack.lambda_engine.control_plane import control_plane

    raw_path = get_raw_path(context.request)
    if locate(context.request.host, raw_path) is None:
        return
    if not apigateway_stores["000000000000"]["us-east-1"].internal_deployments:
        return
    header = dataclasses.asdict(to_http_request(context.request, raw_path))
    body = header.pop("body")
    try:
        reply, content = control_plane().call({"op": "rest_api", "request": header}, body)
    except (EngineUnavailableError, RemoteError):
        send(response, HttpResponse(500, [], b'{"message":"Internal server error"}'))
    else:
        headers = [(name, value) for name, value in reply["headers"]]
        if not headers:  # no REST API has this address
            return
        send(response, HttpResponse(reply["status"], headers, content))
    # Not stop(): the response handlers would log an AWS operation and add CORS headers.
    chain.terminate()
