"""The HTTP APIs that the engine serves, and how their functions are called."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Awaitable

from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.server import Answer, HttpServer, ListenError
from trigger_stack_engine.front_doors.http_api.address import locate
from trigger_stack_engine.front_doors.http_api.api import Api, Resource, select_api
from trigger_stack_engine.front_doors.http_api.execute import DataPlane
from trigger_stack_engine.front_doors.http_api.refusals import refuse


class HttpApis:
    """Every HTTP API, by id; the oldest first.

    Args:
        data_plane: Answers requests.

    Attributes:
        local_api_id: Id of the API that the extra port serves; ``None``: see ``select_api``.
    """

    def __init__(self, data_plane: DataPlane, guard: GuardSettings | None = None) -> None:
        self._data_plane = data_plane
        self._guard = guard or GuardSettings()
        self.local_api_id: str | None = None
        self._apis: dict[str, Api] = {}
        self._ordered: list[Api] = []
        self._local: tuple[str | None, Api | None] | None = None  # for which id it was chosen

    def replace(self, documents: list[Resource]) -> None:
        """Serve these APIs and no others; the oldest first."""
        apis = [Api.from_document(document) for document in documents]
        self._apis = {api.api_id: api for api in apis}
        self._ordered = apis
        self._local = None

    def _local_api(self) -> Api | None:
        """The API that the extra port serves."""
        if self._local is None or self._local[0] != self.local_api_id:
            self._local = self.local_api_id, select_api(self._ordered, self.local_api_id)
        return self._local[1]

    def answer_local(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Answer a request to the extra port."""
        api_id = self.local_api_id
        local = self._local_api()
        if local is None:
            if reason := refusal(request.header, self._guard):
                return _as_answer(refuse(403, reason))
            wanted = f"no HTTP API with id {api_id}" if api_id else "no HTTP API yet"
            text = f"There is {wanted}: create one and this port will serve it"
            return _as_answer(refuse(404, text))
        return self._handle(request, local)

    async def answer_named(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request whose host or path names an API; ``None`` when it names none."""
        found = locate(request.header("host") or "", request.raw_path)
        api = self._apis.get(found[0]) if found else None
        if found is None or api is None:
            return None
        if api.attributes.get("DisableExecuteApiEndpoint"):
            return refuse(404, "Not Found")
        return await self._handle(
            dataclasses.replace(request, raw_path=found[1], sent_path=request.raw_path), api
        )

    def _handle(self, request: HttpRequest, api: Api) -> Awaitable[HttpResponse]:
        reason = refusal(request.header, self._guard, api.allows_origin)
        if reason is not None:
            return _as_answer(refuse(403, reason))
        return self._data_plane.handle(request, api)

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """Answer a request to one API."""
        api = self._apis.get(api_id)
        if api is None:
            return refuse(404, "Not Found")
        return await self._handle(request, api)


async def _as_answer(response: HttpResponse) -> HttpResponse:
    return response


async def listen(answer: Answer, host: str, port: int) -> HttpServer:
    """Serve the local API, and function URLs, on a port of their own.

    Raises:
        ListenError: The port is taken or may not be bound.
    """
    server = HttpServer(answer, refuse)
    try:
        await server.start(host, port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"is refused: {error}"
        raise ListenError(
            f"Port {port} on {host} (local HTTP API) {reason}. "
            "Free it, or choose another one with HTTP_API_PORT."
        ) from None
    return server
