"""Every distribution, each on a port of its own."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterable
from typing import Any

from trigger_stack_engine.front_doors.cloudfront.distribution import Distribution
from trigger_stack_engine.front_doors.cloudfront.responses import EdgeError, error_page
from trigger_stack_engine.front_doors.cloudfront.serve import Edge
from trigger_stack_engine.front_doors.cloudfront.store import Store
from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.event_parts import host_name
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.server import HttpServer, ListenError

LOG = logging.getLogger(__name__)


class Distributions:
    """Serves distributions.

    Args:
        edge: Answers requests.
        store: The cache.
        guard: Which requests of web pages are refused.
    """

    def __init__(self, edge: Edge, store: Store, guard: GuardSettings) -> None:
        self._edge = edge
        self._store = store
        self._guard = guard
        self._distributions: dict[str, Distribution] = {}
        self._servers: dict[str, HttpServer] = {}
        self._changing = asyncio.Lock()

    # -- what the control plane tells -----------------------------------------------------------

    async def open(self, distribution_id: str, host: str, ports: Iterable[int]) -> int:
        """Take the first port that is free for a distribution that is being made.

        Args:
            distribution_id: Its id.
            host: Address to bind.
            ports: What may be taken, in the order in which it is tried.

        Raises:
            ListenError: All of them are taken.
        """
        async with self._changing:
            problem = "there is none that no other distribution has"
            for port in ports:
                try:
                    await self._serve(distribution_id, host, port)
                except OSError as error:
                    taken = error.errno == errno.EADDRINUSE
                    problem = f"port {port}: {'taken by another program' if taken else error}"
                    continue
                return port
        raise ListenError(f"No port is left for the distribution ({problem}).")

    async def replace(self, document: dict[str, Any]) -> None:
        """Serve these distributions and no others.

        Args:
            document: ``{host, distributions: [see Distribution.from_document]}``.
        """
        found = [Distribution.from_document(one) for one in document["distributions"]]
        async with self._changing:
            self._distributions = {one.distribution_id: one for one in found}
            self._store.keep(set(self._distributions))
            for key in self._servers.keys() - self._distributions.keys():
                self._servers.pop(key).close()
            for one in found:
                if one.distribution_id in self._servers:
                    continue
                try:
                    await self._serve(one.distribution_id, document["host"], one.port)
                except OSError as error:
                    LOG.error(  # noqa: TRY400  the operating system's reason is the whole story
                        "distribution %s cannot be served on port %d: %s",
                        *(one.distribution_id, one.port, error),
                    )

    def invalidate(self, distribution_id: str, paths: list[str]) -> int:
        """Drop objects from the cache; how many there were."""
        return self._store.invalidate(distribution_id, paths)

    def close(self) -> None:
        """Take no further requests."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    async def _serve(self, distribution_id: str, host: str, port: int) -> None:
        async def answer(request: HttpRequest) -> HttpResponse:
            return await self.answer(distribution_id, request)

        server = HttpServer(
            answer, lambda status, message: error_page(EdgeError(status, message), "")
        )
        await server.start(host, port)
        self._servers[distribution_id] = server

    # -- requests -------------------------------------------------------------------------------

    async def answer(self, distribution_id: str, request: HttpRequest) -> HttpResponse:
        """The response of a distribution to a request on its port."""
        distribution = self._distributions.get(distribution_id)
        if distribution is None:
            error = EdgeError(503, "The distribution is being made.")
            return error_page(error, "")  # its port is open, the rest is on its way
        return await self._answer(distribution, request)

    @property
    def are_there(self) -> bool:
        """Whether there are any."""
        return bool(self._distributions)

    async def answer_named(self, request: HttpRequest) -> HttpResponse | None:
        """The response of the distribution that ``Host`` names; ``None`` when it names none."""
        if not self._distributions:
            return None
        name = host_name(request)
        for distribution in self._distributions.values():
            if distribution.names(name):
                return await self._answer(distribution, request)
        return None

    async def _answer(self, distribution: Distribution, request: HttpRequest) -> HttpResponse:
        def header(name: str) -> str | None:
            value = request.header(name)
            if name == "host" and value and distribution.names(host_name(request)):
                return None  # the distribution has this very name
            return value

        def allows(origin: str) -> bool:
            return distribution.allows_origin(request.raw_path, origin)

        if reason := refusal(header, self._guard, allows):
            return error_page(EdgeError(403, reason), "")
        return await self._edge.answer(distribution, request)
