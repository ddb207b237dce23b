"""The REST APIs that the engine serves."""

from __future__ import annotations

from datetime import date
from typing import Any

from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.rest_api.address import locate
from trigger_stack_engine.front_doors.rest_api.api import RestApi
from trigger_stack_engine.front_doors.rest_api.authorizers import TriedCall
from trigger_stack_engine.front_doors.rest_api.execute import DataPlane
from trigger_stack_engine.front_doors.rest_api.gateway_responses import (
    GatewayError,
    gateway_response,
)


class RestApis:
    """Every REST API, by id and by name.

    Args:
        data_plane: Answers requests.
        guard: Which requests of web pages are refused.
    """

    def __init__(self, data_plane: DataPlane, guard: GuardSettings) -> None:
        self._data_plane = data_plane
        self._guard = guard
        self._apis: dict[str, RestApi] = {}

    def replace(self, document: dict[str, Any]) -> None:
        """Serve these APIs and no others.

        Args:
            document: ``{apis, usage_plans}``; see ``RestApi.from_document`` and
                ``UsagePlans.replace``.
        """
        apis = [RestApi.from_document(one) for one in document["apis"]]
        # A name may be there several times: the first one has it.
        self._apis = {api.name: api for api in reversed(apis)}
        self._apis |= {api.api_id: api for api in apis}
        self._data_plane.usage_plans.replace(document["usage_plans"])

    def usage(self, plan_id: str, first: date, last: date) -> dict[str, list[list[int]]]:
        """What the keys of a usage plan have used; see ``UsagePlans.usage``."""
        return self._data_plane.usage_plans.usage(plan_id, first, last)

    def leave(self, plan_id: str, key_id: str, remaining: int) -> date | None:
        """Let a key make so many more requests; see ``UsagePlans.leave``."""
        return self._data_plane.usage_plans.leave(plan_id, key_id, remaining)

    async def try_authorizer(self, document: dict[str, Any]) -> dict[str, Any]:
        """What an authorizer says of a request; see ``Authorizers.tried``."""
        call = TriedCall.from_document(document)
        return await self._data_plane.authorizers.tried(document["authorizer"], call)

    async def answer(self, request: HttpRequest) -> HttpResponse | None:
        """The response, or ``None`` when the request is for no REST API."""
        address = locate(request.header("host") or "", request.raw_path)
        api = self._apis.get(address.api) if address else None
        if address is None or api is None:
            return None
        stage = api.stages.get(address.stage)
        reason = refusal(
            request.header,
            self._guard,
            lambda origin: (
                stage is not None and stage.deployment.allows_origin(address.path, origin)
            ),
        )
        if reason is not None:
            return gateway_response(GatewayError("ACCESS_DENIED", reason), {}, _nothing)
        if stage is None or api.disabled:
            return gateway_response(GatewayError("INVALID_API_KEY"), {}, _nothing)
        return await self._data_plane.handle(request, api, stage, address.path)


def _nothing(_: str) -> None:
    return None
