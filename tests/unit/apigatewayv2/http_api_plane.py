"""The data plane of HTTP APIs with a fake Lambda."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.support.loop import LoopThread
from trigger_stack.services.apigatewayv2.models import Api
from trigger_stack_engine.front_doors.core.message import (
    HttpRequest,
    HttpResponse,
    internal_server_error,
)
from trigger_stack_engine.front_doors.http_api.api import Stage
from trigger_stack_engine.front_doors.http_api.execute import DataPlane
from trigger_stack_engine.front_doors.http_api.http_proxy import HttpProxy
from trigger_stack_engine.logs.sender import Stream

ACCOUNT, REGION = "000000000000", "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"


class FakeLambda:
    """Records calls and answers with ``handler``; no function named ``missing`` exists."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.handler: Callable[[dict[str, Any]], Any] = lambda event: event

    async def invoke(self, uri: str, payload: bytes, **details: Any) -> bytes:
        event = json.loads(payload)
        self.calls.append({"uri": uri, "event": event, **details})
        if uri.endswith(":missing"):
            raise internal_server_error()
        return json.dumps(await asyncio.to_thread(self.handler, event)).encode()


class Plane:
    """The data plane, for tests that block.

    Attributes:
        lines: What was written to access logs.
    """

    def __init__(self, function: FakeLambda, loop: LoopThread) -> None:
        self._loop = loop
        self.lines: list[tuple[Stream, str]] = []
        self._inner = DataPlane(
            function,
            HttpProxy(),
            write_log=lambda stream, line: self.lines.append((stream, line)),
        )

    def handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        return self._loop.run(self._handle(request, api))

    async def _handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        response = await self._inner.handle(request, api)
        await asyncio.sleep(0)  # a line is written after its response
        return response


def make_api(
    routes: dict[str, dict[str, Any] | None],
    stages: dict[str, dict[str, str]] | None = None,
    **attributes: Any,
) -> Api:
    api = Api(ACCOUNT, REGION, {"ApiId": "abc", "CreatedDate": datetime.now(UTC)} | attributes)
    for number, (key, integration) in enumerate(routes.items()):
        route = {"RouteId": f"r{number}", "RouteKey": key}
        if integration is not None:
            api.integrations[f"i{number}"] = {
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": FUNCTION + "echo",
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": 30_000,
            } | integration
            route["Target"] = f"integrations/i{number}"
        api.routes[route["RouteId"]] = route
    for name, variables in (stages or {"$default": {}}).items():
        api.stages[name] = Stage({"StageName": name, "StageVariables": variables}, api.freeze())
    return api


def header(response: HttpResponse, name: str) -> str | None:
    return next((v for k, v in response.headers if k.lower() == name), None)


def message(response: HttpResponse) -> tuple[int, str]:
    return response.status, json.loads(response.body)["message"]
