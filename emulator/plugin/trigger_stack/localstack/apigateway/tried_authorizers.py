"""``TestInvokeAuthorizer``: the engine asks the authorizer.

What: the operation, for ``operations.py``.
Why: LocalStack has none.
Until: LocalStack has one.
Test: ``tests/engine/test_rest_api_keys.py``;
``tests/unit/plugin/test_rest_api_operations_patch.py`` fails when LocalStack has it.

AWS topic: API Gateway REST API Reference, "TestInvokeAuthorizer" (``clientStatus`` "is 0 if the
authorizer succeeded"). The stage of its request is ``ESTestInvoke-stage``, which functions were
seen to get.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from localstack.aws.api.apigateway import NotFoundException
from localstack.services.apigateway.models import apigateway_stores

from trigger_stack.localstack.lambda_engine.control_plane import control_plane

_STAGE: Final = "ESTestInvoke-stage"
_SOURCE_IP: Final = "test-invoke-source-ip"


def test_invoke_authorizer(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation."""
    api_id = request["restApiId"]
    api = apigateway_stores[context.account_id][context.region].rest_apis.get(api_id)
    if api is None:
        raise NotFoundException("Invalid API identifier specified")
    authorizer = api.authorizers.get(request["authorizerId"])
    if authorizer is None:
        raise NotFoundException("Invalid Authorizer identifier specified")
    request_id, started = str(uuid.uuid4()), time.monotonic()
    document = {
        "authorizer": dict(authorizer),
        "api": f"arn:aws:execute-api:{context.region}:{context.account_id}:{api_id}",
        "event": _event(request, context.account_id, api_id, request_id),
    }
    reply, _ = control_plane().call({"op": "rest_api", "document": document})
    decision = reply["decision"]
    reason = decision.pop("reason", None)
    lines = [f"Execution log for request {request_id}"]
    lines.append(f"Unauthorized request: {reason}" if reason else "Authorizer succeeded")
    return {
        **decision,
        "log": "\n".join(lines) + "\n",
        "latency": int((time.monotonic() - started) * 1000),
    }


def _event(
    request: Mapping[str, Any], account: str, api_id: str, request_id: str
) -> dict[str, Any]:
    """The request as a proxy event."""
    headers = _by_name(request.get("headers"), request.get("multiValueHeaders"))
    path, _, query_text = (request.get("pathWithQueryString") or "/").partition("?")
    query = parse_qs(query_text, keep_blank_values=True)
    return {
        "resource": "/",
        "path": path,
        "httpMethod": "GET",
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": request.get("stageVariables") or None,
        "requestContext": {
            **(request.get("additionalContext") or {}),
            "accountId": account,
            "apiId": api_id,
            "httpMethod": "GET",
            "identity": {"sourceIp": _SOURCE_IP},
            "path": path,
            "requestId": request_id,
            "resourcePath": "/",
            "stage": _STAGE,
        },
    }


def _by_name(
    single: Mapping[str, str] | None, several: Mapping[str, list[str]] | None
) -> dict[str, list[str]]:
    found = {name: [value] for name, value in (single or {}).items()}
    return found | {name: values for name, values in (several or {}).items() if values}
