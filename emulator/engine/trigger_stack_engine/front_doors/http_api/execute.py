"""The data plane: from a request for an API to its response.

An integration that takes too long is answered for with 503 and runs on, as on AWS.

AWS topics: "Quotas for configuring and running an HTTP API in API Gateway" (10 MB of payload,
10 240 bytes of request line and headers, 30 s) and "Troubleshooting issues with HTTP API Lambda
integrations".
"""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from trigger_stack_engine.front_doors.core.callers import Callers, SignatureError
from trigger_stack_engine.front_doors.core.cors import (
    apply_cors,
    is_preflight,
    preflight_response,
)
from trigger_stack_engine.front_doors.core.encoding import percent_decode
from trigger_stack_engine.front_doors.core.event_parts import new_trace_id
from trigger_stack_engine.front_doors.core.execution_policy import source_arn
from trigger_stack_engine.front_doors.core.function_calls import (
    EventTooLargeError,
    FunctionCallError,
)
from trigger_stack_engine.front_doors.core.json_text import dump_json
from trigger_stack_engine.front_doors.core.message import (
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
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit
from trigger_stack_engine.front_doors.core.uris import (
    MAX_TIMEOUT_MILLIS,
    substitute_stage_variables,
)
from trigger_stack_engine.front_doors.http_api.api import Api, Resource, Snapshot, Stage
from trigger_stack_engine.front_doors.http_api.authorizers import Authorizers
from trigger_stack_engine.front_doors.http_api.authorizers import Call as AuthorizedCall
from trigger_stack_engine.front_doors.http_api.events import CallContext, Event, build_event
from trigger_stack_engine.front_doors.http_api.http_proxy import HttpProxy
from trigger_stack_engine.front_doors.http_api.json_web_tokens import JsonWebTokens
from trigger_stack_engine.front_doors.http_api.responses import parse_result
from trigger_stack_engine.front_doors.http_api.routing import Match, split_stage

LOG = logging.getLogger(__name__)

AWS_IAM: Final = "AWS_IAM"
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_HEADER_BYTES: Final = 10_240


class Invoker(Protocol):
    """Calls a function and waits for its result."""

    async def invoke(
        self, uri: str, payload: bytes, *, source_arn: str | None, account_id: str, trace_id: str
    ) -> bytes:
        """Invoke a function; see ``FunctionInvoker.invoke``."""


class DataPlane:
    """Answers requests for HTTP APIs."""

    def __init__(
        self,
        invoker: Invoker,
        proxy: HttpProxy,
        tokens: JsonWebTokens | None = None,
        callers: Callers | None = None,
    ) -> None:
        self._invoker = invoker
        self._callers = callers
        self._authorizers = Authorizers(self._ask_function, tokens or JsonWebTokens())
        self._proxy = proxy
        self._limit = TimeLimit()

    async def handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        """Answer a request."""
        call_id = _extended_request_id()
        try:
            check_size(request)
            call = _locate(request, api, call_id)
        except HttpError as error:
            return _with_request_id(error.response, call_id)
        try:
            return await self._route(call)
        except HttpError as error:
            return call.finish(error.response)

    async def _route(self, call: _Call) -> HttpResponse:
        cors = call.snapshot.cors
        if cors and is_preflight(call.request):
            return _with_request_id(preflight_response(cors, call.request), call.call_id)
        match = call.snapshot.table.match(call.request.method, call.raw_path)
        if match is None:
            raise not_found()
        integration = call.snapshot.integration(match.route.key)
        if integration is None:
            raise internal_server_error()
        authorizer = await self._authorize(call, match)
        if integration["IntegrationType"] == "HTTP_PROXY":
            work = self._proxying(call, match, integration)
        else:
            work = self._invoking(call, match, integration, authorizer)
        return call.finish(await self._limited(work, _timeout(integration)))

    async def _authorize(self, call: _Call, match: Match) -> Resource | None:
        """What an authorizer says of the caller; None for an open route.

        Raises:
            HttpError: 401, 403, or 500 when it cannot decide.
        """
        authorization = call.snapshot.authorization(match.route.key)
        if authorization is None:
            return None
        if authorization["type"] == AWS_IAM:
            return await self._signer(call)
        if authorization["authorizer"] is None:
            raise internal_server_error()
        api, path = call.api, percent_decode(call.raw_path)
        arn = f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}"
        context = call.context()
        identifier = authorization["authorizer"]["AuthorizerId"]
        return await self._authorizers.authorize(
            authorization,
            AuthorizedCall(
                request=call.request,
                event=lambda version: build_event(version, call.request, match, context),
                route_arn=f"{arn}/{call.stage_name}/{call.request.method}{path}",
                authorizer_arn=f"{arn}/authorizers/{identifier}",
                stage_variables=call.stage.variables,
            ),
        )

    async def _signer(self, call: _Call) -> Resource:
        if self._callers is None:
            raise internal_server_error()
        try:
            caller = await self._callers.signer(call.request, "execute-api", call.api.region)
        except SignatureError as error:
            LOG.warning("HTTP API %s: %s", call.api.api_id, error)
            raise HttpError(403, "Forbidden") from None
        if caller.account != call.api.account_id:  # an HTTP API has no resource policy
            raise HttpError(403, "Forbidden")
        return {
            "iam": {
                "accessKey": caller.access_key,
                "accountId": caller.account,
                "callerId": caller.user_id,
                "cognitoIdentity": None,
                "principalOrgId": None,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }

    async def _ask_function(self, uri: str, payload: bytes, source_arn: str) -> bytes:
        account = source_arn.split(":")[4]
        return await self._call(
            uri, payload, source_arn=source_arn, account_id=account, trace_id=new_trace_id()
        )

    async def _call(
        self, uri: str, payload: bytes, *, source_arn: str | None, account_id: str, trace_id: str
    ) -> bytes:
        """A function's result.

        Raises:
            HttpError: 413 when the event is too large, else 500.
        """
        try:
            return await self._invoker.invoke(
                uri, payload, source_arn=source_arn, account_id=account_id, trace_id=trace_id
            )
        except EventTooLargeError:
            raise request_too_large() from None
        except FunctionCallError:
            raise internal_server_error() from None

    async def _limited(self, work: Awaitable[HttpResponse], seconds: float) -> HttpResponse:
        """Wait for an integration, but not for longer than it may take.

        Raises:
            HttpError: 503 when the time has passed, 500 when the integration failed unexpectedly.
        """
        try:
            return await self._limit.run(work, seconds)
        except TimeoutError:
            raise service_unavailable() from None
        except HttpError:
            raise
        except Exception:
            LOG.exception("HTTP API: an integration ended unexpectedly")
            raise internal_server_error() from None

    async def _proxying(self, call: _Call, match: Match, integration: Resource) -> HttpResponse:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        method = integration.get("IntegrationMethod") or "ANY"
        timeout = _timeout(integration)
        return await asyncio.to_thread(
            self._proxy.forward, call.request, match, uri, method, timeout
        )

    async def _invoking(
        self, call: _Call, match: Match, integration: Resource, authorizer: Resource | None
    ) -> HttpResponse:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        version = integration["PayloadFormatVersion"]
        context = call.context()
        event = build_event(version, call.request, match, context)
        if authorizer is not None:
            _add_authorizer(event, version, authorizer)
        payload = dump_json(event)
        result = await self._call(
            uri,
            payload,
            # With CredentialsArn the role is asked instead of the function's policy.
            source_arn=None if integration.get("CredentialsArn") else call.source_arn(match),
            account_id=context.account_id,
            trace_id=context.trace_id,
        )
        return parse_result(version, result)


def _add_authorizer(event: Event, version: str, authorizer: Resource) -> None:
    """Write into an event what an authorizer said of the caller."""
    context = event["requestContext"]
    if version == "2.0":
        context["authorizer"] = authorizer
    elif iam := authorizer.get("iam"):
        context["identity"] |= {
            "accessKey": iam["accessKey"],
            "accountId": iam["accountId"],
            "caller": iam["callerId"],
            "user": iam["userId"],
            "userArn": iam["userArn"],
        }
    else:
        context["authorizer"] = next(iter(authorizer.values()))


@dataclass(slots=True)
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
            trace_id=self.request.header("x-amzn-trace-id") or new_trace_id(),
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

    Raises:
        HttpError: 413, 431 or 400.
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
    headers = [*response.headers, ("apigw-requestid", call_id)]
    return HttpResponse(response.status, headers, response.body)


def _extended_request_id() -> str:
    """16 characters that end in ``=``, as API Gateway's: base64 of eleven bytes."""
    return base64.urlsafe_b64encode(random.randbytes(11)).decode("ascii")  # noqa: S311  no secret
