"""The HTTP APIs that the engine serves, and how their functions are called."""

from __future__ import annotations

import errno
import logging
import random
import uuid
from typing import Any

from trigger_stack_engine.environments.execution import Invocation
from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.message import (
    HttpRequest,
    HttpResponse,
    internal_server_error,
    request_too_large,
)
from trigger_stack_engine.front_doors.core.server import Answer, HttpServer, ListenError
from trigger_stack_engine.front_doors.http_api.api import Api, Resource, select_api
from trigger_stack_engine.front_doors.http_api.execute import DataPlane, refuse
from trigger_stack_engine.front_doors.http_api.policy import allows_invoke
from trigger_stack_engine.front_doors.http_api.uris import FunctionArn, parse_lambda_uri
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.invoker import NoSuchFunctionError
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.recorder import Origin

LOG = logging.getLogger(__name__)
MAX_EVENT_BYTES = 6 * 1024 * 1024
"""Lambda's limit for the payload of a synchronous invocation."""


class FunctionInvoker:
    """Calls functions of this engine for HTTP APIs."""

    def __init__(self, synchronous: SynchronousInvoker) -> None:
        self._synchronous = synchronous
        self._invoker = synchronous.invoker
        self._verdicts: dict[tuple[str, str, str, str], tuple[list[Any], bool]] = {}
        self._targets: dict[str, FunctionArn | None] = {}

    async def invoke(
        self, uri: str, payload: bytes, *, source_arn: str | None, account_id: str, trace_id: str
    ) -> bytes:
        """Invoke a function.

        Args:
            uri: The integration's URI, stage variables already filled in.
            payload: The event as JSON.
            source_arn: ARN that the function's policy must allow; ``None``: do not ask the policy.
            account_id: Account of the API.
            trace_id: Value of ``X-Amzn-Trace-Id``.

        Returns:
            The function's result as JSON.

        Raises:
            HttpError: The function cannot be called, or failed.
        """
        target = self._target(uri)
        if target is None:
            LOG.warning("HTTP API: %s is no function ARN", uri)
            raise internal_server_error()
        if len(payload) > MAX_EVENT_BYTES:
            raise request_too_large()
        if source_arn is not None and not self._is_allowed(target, source_arn, account_id):
            LOG.warning(
                "HTTP API: the resource-based policy of function %s does not let "
                "apigateway.amazonaws.com invoke it for %s (lambda add-permission)",
                target.name,
                source_arn,
            )
            raise internal_server_error()
        arn = target.unqualified
        try:
            result = await self._synchronous.invoke(
                self._invoker.find(arn, target.qualifier),
                Invocation(
                    request_id=_request_id(),
                    payload=payload,
                    invoked_arn=f"{arn}:{target.qualifier}" if target.qualifier else arn,
                    trace_id=trace_id,
                ),
                Origin("HTTP request", source_arn or uri),
            )
        except (NoSuchFunctionError, ThrottledError) as error:
            LOG.warning("HTTP API: invoking %s failed: %r", target.name, error)
            raise internal_server_error() from None
        if result.is_error:
            raise internal_server_error()
        return result.payload or b"null"

    def _target(self, uri: str) -> FunctionArn | None:
        if uri not in self._targets:
            if len(self._targets) > 10_000:  # URIs may be made of what a client sends
                self._targets.clear()
            self._targets[uri] = parse_lambda_uri(uri)
        return self._targets[uri]

    def _is_allowed(self, target: FunctionArn, source_arn: str, account_id: str) -> bool:
        settings = self._invoker.settings.get(target.unqualified)
        qualifier = target.qualifier or "$LATEST"
        statements = settings.policies.get(qualifier) if settings else None
        if not statements:
            return False
        key = (target.unqualified, qualifier, source_arn, account_id)
        known = self._verdicts.get(key)
        if known is None or known[0] is not statements:
            if len(self._verdicts) > 10_000:
                self._verdicts.clear()
            verdict = allows_invoke(statements, arn=source_arn, account_id=account_id)
            known = self._verdicts[key] = (statements, verdict)
        return known[1]


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

    def replace(self, documents: list[Resource]) -> None:
        """Serve these APIs and no others; the oldest first."""
        apis = [Api.from_document(document) for document in documents]
        self._apis = {api.api_id: api for api in apis}
        self._ordered = apis

    async def answer_local(self, request: HttpRequest) -> HttpResponse:
        """Answer a request to the extra port."""
        api_id = self.local_api_id
        local = select_api(self._ordered, api_id)
        if local is None:
            if reason := refusal(request.header, self._guard):
                return refuse(403, reason)
            wanted = f"no HTTP API with id {api_id}" if api_id else "no HTTP API yet"
            return refuse(404, f"There is {wanted}: create one and this port will serve it")
        return await self._handle(request, local)

    async def _handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        reason = refusal(request.header, self._guard, api.allows_origin)
        if reason is not None:
            return refuse(403, reason)
        return await self._data_plane.handle(request, api)

    async def answer(self, api_id: str, request: HttpRequest) -> HttpResponse:
        """Answer a request to one API."""
        api = self._apis.get(api_id)
        if api is None:
            return refuse(404, "Not Found")
        return await self._handle(request, api)


def _request_id() -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


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
