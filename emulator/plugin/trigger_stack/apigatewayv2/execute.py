"""The data plane: from a request for an API to its response.

Everything up to the integration takes microseconds and runs in the caller's thread; the
integration blocks and runs on a :class:`WorkerPool`, so that its time-out can be kept.

AWS topics: "Quotas for configuring and running an HTTP API in API Gateway" (10 MB of payload,
10 240 bytes of request line and headers, 30 s) and "Troubleshooting issues with HTTP API Lambda
integrations".
"""

from __future__ import annotations

import base64
import concurrent.futures
import json
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from trigger_stack.apigatewayv2.cors import apply_cors, is_preflight, preflight_response
from trigger_stack.apigatewayv2.events import CallContext, build_event
from trigger_stack.apigatewayv2.http_proxy import HttpProxy
from trigger_stack.apigatewayv2.invoker import Invoker
from trigger_stack.apigatewayv2.message import (
    HttpError,
    HttpRequest,
    HttpResponse,
    bad_request,
    error_response,
    headers_too_large,
    internal_server_error,
    not_found,
    request_too_large,
    service_unavailable,
)
from trigger_stack.apigatewayv2.models import Api, Resource, Snapshot, Stage
from trigger_stack.apigatewayv2.policy import source_arn
from trigger_stack.apigatewayv2.responses import parse_result
from trigger_stack.apigatewayv2.routing import Match, split_stage
from trigger_stack.apigatewayv2.validation import (
    MAX_TIMEOUT_MILLIS,
    substitute_stage_variables,
)
from trigger_stack.apigatewayv2.workers import WorkerPool

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_HEADER_BYTES: Final = 10_240


@dataclass(frozen=True, slots=True)
class Pending:
    """A request whose integration is running.

    :ivar future: the integration's response, or the exception it ended with
    :ivar timeout: seconds after which the client gets 503
    :ivar finish: turns the outcome into the response for the client
    """

    future: Future[HttpResponse]
    timeout: float
    finish: Callable[[HttpResponse], HttpResponse]

    def outcome(self) -> HttpResponse:
        """The response, once ``future`` is done."""
        try:
            return self.finish(self.future.result())
        except HttpError as error:
            return self.finish(error.response)
        except concurrent.futures.CancelledError:
            return self.timed_out()
        except Exception:
            LOG.exception("HTTP API: an integration ended unexpectedly")
            return self.finish(internal_server_error().response)

    def timed_out(self) -> HttpResponse:
        """The response when ``timeout`` has passed; the integration itself runs on, as on AWS."""
        self.future.cancel()
        return self.finish(service_unavailable().response)


_Run = Callable[[], HttpResponse]


class DataPlane:
    """Answers requests for HTTP APIs."""

    def __init__(self, invoker: Invoker, proxy: HttpProxy, workers: WorkerPool) -> None:
        self._invoker = invoker
        self._proxy = proxy
        self._workers = workers

    def handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        """Answer a request, blocking until the integration answers or times out."""
        started = self.start(request, api)
        if isinstance(started, HttpResponse):
            return started
        concurrent.futures.wait([started.future], timeout=started.timeout)
        return started.outcome() if started.future.done() else started.timed_out()

    def start(self, request: HttpRequest, api: Api) -> HttpResponse | Pending:
        """Answer a request at once, or start its integration."""
        call_id = _extended_request_id()
        try:
            check_size(request)
            call = _locate(request, api, call_id)
        except HttpError as error:
            return _with_request_id(error.response, call_id)
        try:
            return self._route(call)
        except HttpError as error:
            return call.finish(error.response)

    def _route(self, call: _Call) -> HttpResponse | Pending:
        cors = call.snapshot.cors
        if cors and is_preflight(call.request):
            return _with_request_id(preflight_response(cors, call.request), call.call_id)
        match = call.snapshot.table.match(call.request.method, call.raw_path)
        if match is None:
            raise not_found()
        integration = call.snapshot.integration(match.route.key)
        if integration is None:
            raise internal_server_error()
        make = self._proxying if integration["IntegrationType"] == "HTTP_PROXY" else self._invoking
        run = make(call, match, integration)
        return Pending(self._workers.submit(run), _timeout(integration), call.finish)

    def _proxying(self, call: _Call, match: Match, integration: Resource) -> _Run:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        method = integration.get("IntegrationMethod") or "ANY"
        timeout = _timeout(integration)
        return lambda: self._proxy.forward(call.request, match, uri, method, timeout)

    def _invoking(self, call: _Call, match: Match, integration: Resource) -> _Run:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        version = integration["PayloadFormatVersion"]
        context = call.context()
        event = build_event(version, call.request, match, context)
        payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        # With CredentialsArn the role is asked instead of the function's policy.
        caller = None if integration.get("CredentialsArn") else call.source_arn(match)

        def run() -> HttpResponse:
            result = self._invoker.invoke(
                uri,
                payload,
                source_arn=caller,
                account_id=context.account_id,
                trace_id=context.trace_id,
            )
            return parse_result(version, result)

        return run


@dataclass(frozen=True, slots=True)
class _Call:
    """A request with the API, stage and deployment that serve it."""

    request: HttpRequest
    api: Api
    stage: Stage
    snapshot: Snapshot
    raw_path: str
    call_id: str

    @property
    def stage_name(self) -> str:
        return str(self.stage.attributes["StageName"])

    def context(self) -> CallContext:
        return CallContext(
            account_id=self.api.account_id,
            api_id=self.api.api_id,
            stage=self.stage_name,
            stage_variables=self.stage.variables,
            request_id=self.call_id,
            trace_id=self.request.header("x-amzn-trace-id") or _trace_id(),
            time=datetime.now(UTC),
        )

    def source_arn(self, match: Match) -> str:
        return source_arn(
            region=self.api.region,
            account_id=self.api.account_id,
            api_id=self.api.api_id,
            stage=self.stage_name,
            method=self.request.method,
            route_path=match.route.path or match.route.key,
        )

    def finish(self, response: HttpResponse) -> HttpResponse:
        if self.snapshot.cors:
            response = apply_cors(self.snapshot.cors, self.request, response)
        return _with_request_id(response, self.call_id)


def _locate(request: HttpRequest, api: Api, call_id: str) -> _Call:
    found = split_stage(request.raw_path, api.stages)
    stage = api.stages.get(found[0]) if found else None
    if found is None or stage is None or stage.snapshot is None:
        raise not_found()
    return _Call(request, api, stage, stage.snapshot, found[1], call_id)


def _timeout(integration: Resource) -> float:
    """Seconds an integration may take."""
    return float(integration.get("TimeoutInMillis", MAX_TIMEOUT_MILLIS)) / 1000


def check_size(request: HttpRequest) -> None:
    """Refuse what is larger than API Gateway takes, and control characters in headers.

    :raises HttpError: 413, 431 or 400
    """
    if len(request.body) > MAX_BODY_BYTES:
        raise request_too_large()
    size = len(request.method) + len(request.raw_path) + len(request.raw_query)
    size += sum(len(name) + len(value) for name, value in request.headers)
    if size > MAX_HEADER_BYTES:
        raise headers_too_large()
    if not request.raw_path.startswith("/"):
        raise bad_request()
    if any(c in text for pair in request.headers for text in pair for c in "\0\r\n"):
        raise bad_request()


def refuse(status: int, message: str) -> HttpResponse:
    """An error of the gateway itself, with a request id as every reply."""
    return _with_request_id(error_response(status, message), _extended_request_id())


def _with_request_id(response: HttpResponse, call_id: str) -> HttpResponse:
    return replace(response, headers=[*response.headers, ("apigw-requestid", call_id)])


def _extended_request_id() -> str:
    """16 characters that end in ``=``, as API Gateway's: base64 of eleven bytes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode("ascii")


def _trace_id() -> str:
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"
