"""The data plane: from a request for an API to its response.

An integration that takes too long is answered for with 503 and runs on, as on AWS.

AWS topics: "Quotas for configuring and running an HTTP API in API Gateway" (10 MB of payload,
10 240 bytes of request line and headers, 30 s) and "Troubleshooting issues with HTTP API Lambda
integrations".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any, Final

from trigger_stack_engine.front_doors.core.access_logs import AccessLog, Write
from trigger_stack_engine.front_doors.core.callers import Callers, SignatureError
from trigger_stack_engine.front_doors.core.cors import is_preflight, preflight_response
from trigger_stack_engine.front_doors.core.encoding import percent_decode
from trigger_stack_engine.front_doors.core.event_parts import new_trace_id
from trigger_stack_engine.front_doors.core.function_calls import (
    EventTooLargeError,
    FunctionCallError,
    FunctionFailedError,
    Invoker,
    NotCallableError,
)
from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens
from trigger_stack_engine.front_doors.core.limits import check_size
from trigger_stack_engine.front_doors.core.message import (
    HttpError,
    HttpRequest,
    HttpResponse,
    internal_server_error,
    not_found,
    request_too_large,
    service_unavailable,
    too_many_requests,
)
from trigger_stack_engine.front_doors.core.routing import Match, split_stage
from trigger_stack_engine.front_doors.core.throttles import Limits, Throttles
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit
from trigger_stack_engine.front_doors.core.uris import (
    MAX_TIMEOUT_MILLIS,
    substitute_stage_variables,
)
from trigger_stack_engine.front_doors.http_api.api import Api, Resource
from trigger_stack_engine.front_doors.http_api.authorizers import Authorizers
from trigger_stack_engine.front_doors.http_api.authorizers import Call as AuthorizedCall
from trigger_stack_engine.front_doors.http_api.call import (
    Call,
    Notes,
    variables,
)
from trigger_stack_engine.front_doors.http_api.events import Event, build_event
from trigger_stack_engine.front_doors.http_api.http_proxy import HttpProxy
from trigger_stack_engine.front_doors.http_api.parameter_mapping import (
    MappedRequest,
    ParameterMapping,
    map_request,
    map_response,
)
from trigger_stack_engine.front_doors.http_api.refusals import extended_request_id, with_request_id
from trigger_stack_engine.front_doors.http_api.responses import parse_result
from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

AWS_IAM: Final = "AWS_IAM"
#: Values of ``$context.integrationErrorMessage``.
_NOT_CALLABLE: Final = (
    "The IAM role configured on the integration or API Gateway doesn't have permissions to call"
    " the integration. Check the permissions and try again."
)
_FAILED: Final = (
    "The Lambda function returned the following error: Unhandled. Check your Lambda function code"
    " and try again."
)
_MALFORMED: Final = (
    "The response from the Lambda function doesn't match the format that API Gateway expects."
)
_TIMED_OUT: Final = "Endpoint request timed out"


class DataPlane:
    """Answers requests for HTTP APIs.

    Args:
        invoker: Calls functions.
        proxy: Sends requests on to other servers.
        tokens: Checks JSON Web Tokens.
        callers: Finds who signed a request; ``None``: nobody may be asked.
        write_log: Writes a line of an access log; ``None``: nothing is logged.
    """

    def __init__(
        self,
        invoker: Invoker,
        proxy: HttpProxy,
        tokens: JsonWebTokens | None = None,
        callers: Callers | None = None,
        write_log: Write | None = None,
    ) -> None:
        self._invoker = invoker
        self._write_log = write_log
        self._throttles = Throttles()
        self._callers = callers
        self._authorizers = Authorizers(self._ask_function, tokens or JsonWebTokens())
        self._proxy = proxy
        self._limit = TimeLimit()

    async def handle(self, request: HttpRequest, api: Api) -> HttpResponse:
        """Answer a request."""
        call_id = extended_request_id()
        try:
            check_size(request)
            call = _locate(request, api, call_id)
        except HttpError as error:
            return with_request_id(error.response, call_id)
        try:
            response = await self._route(call)
        except HttpError as error:
            if call.notes is not None:
                call.notes.error = error
            response = call.finish(error.response)
        if call.notes is not None and call.stage.access_log is not None:
            self._log(call, call.stage.access_log, response)
        return response

    def _log(self, call: Call, log: AccessLog, response: HttpResponse) -> None:
        """Write the line of a request, after the response has been sent."""
        if self._write_log is None or call.notes is None:
            return
        call.notes.took_s = time.perf_counter() - call.notes.started
        write = self._write_log
        asyncio.get_running_loop().call_soon(
            lambda: write(log.stream, log.line(variables(call, response)))
        )

    async def _route(self, call: Call) -> HttpResponse:
        cors = call.snapshot.cors
        if cors and is_preflight(call.request):
            return with_request_id(preflight_response(cors, call.request), call.call_id)
        match = call.match = call.snapshot.table.match(call.request.method, call.raw_path)
        if match is None:
            raise not_found()
        if call.stage.limits is not None:
            self._throttle(call, match, call.stage.limits)
        integration = call.snapshot.integration(match.route.key)
        if integration is None:
            raise internal_server_error()
        if call.snapshot.authorization(match.route.key) is not None:
            call.authorizer = await self._authorize(call, match)
        mapping = call.snapshot.mapping(match.route.key)
        if mapping is not None or call.notes is not None:
            return call.finish(await self._noted(call, match, integration, mapping))
        if integration["IntegrationType"] == "HTTP_PROXY":
            work = self._proxying(call, match, integration, MappedRequest(call.request))
        else:
            work = self._invoking(call, match, integration, call.request)
        return call.finish(await self._limited(work, _timeout(integration)))

    def _throttle(self, call: Call, match: Match, limits: dict[str, Limits]) -> None:
        """Count a request against the limits of its route, or else those of the stage.

        Raises:
            HttpError: 429: there are too many.
        """
        key = match.route.key if match.route.key in limits else ""
        # A route without limits of its own has a bucket of its own with those of the stage.
        name = (call.api.api_id, call.stage_name, match.route.key)
        if not self._throttles.take(name, limits.get(key)):
            raise too_many_requests()

    async def _noted(
        self,
        call: Call,
        match: Match,
        integration: Resource,
        mapping: ParameterMapping | None,
    ) -> HttpResponse:
        """Ask an integration that has a parameter mapping, or whose stage has an access log."""
        notes = call.notes = call.notes or Notes()
        mapped = MappedRequest(call.request)
        if mapping is not None and mapping.request:
            mapped = map_request(mapping.request, call.request, call.lookup)
        if integration["IntegrationType"] == "HTTP_PROXY":
            work = self._proxying(call, match, integration, mapped)
        else:
            if mapped.path is not None:
                stage = call.request.raw_path.removesuffix(call.raw_path)
                mapped.request.raw_path = stage + mapped.path
            work = self._invoking(call, match, integration, mapped.request)
        started = time.perf_counter()
        try:
            response = await self._limited(work, _timeout(integration))
        finally:
            notes.integration_ms = int((time.perf_counter() - started) * 1000)
        notes.integration_status = response.status
        if notes.service_status is None:  # another server; Lambda's is noted already
            notes.service_status = response.status
        changes = mapping.response.get(str(response.status)) if mapping is not None else None
        return map_response(changes, response, call.lookup) if changes else response

    async def _authorize(self, call: Call, match: Match) -> Resource | None:
        """What an authorizer says of the caller; None for an open route.

        Raises:
            HttpError: 401, 403, or 500 when it cannot decide.
        """
        authorization = call.snapshot.authorization(match.route.key)
        if authorization is None:
            return None
        try:
            return await self._ask_authorizer(call, match, authorization)
        except HttpError as error:
            if call.notes is not None:
                call.notes.authorizer_error = error.reason or error.message
            raise

    async def _ask_authorizer(
        self, call: Call, match: Match, authorization: Resource
    ) -> Resource | None:
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

    async def _signer(self, call: Call) -> Resource:
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
        self,
        uri: str,
        payload: bytes,
        *,
        source_arn: str | None,
        account_id: str,
        trace_id: str,
        request_id: str | None = None,
    ) -> bytes:
        """A function's result.

        Raises:
            HttpError: 413 when the event is too large, else 500.
        """
        try:
            return await self._invoker.invoke(
                uri,
                payload,
                source_arn=source_arn,
                account_id=account_id,
                trace_id=trace_id,
                request_id=request_id,
            )
        except EventTooLargeError:
            raise request_too_large() from None
        except NotCallableError:
            raise internal_server_error(_NOT_CALLABLE) from None
        except FunctionFailedError:
            raise internal_server_error(_FAILED) from None
        except FunctionCallError as error:
            raise internal_server_error(str(error)) from None

    async def _limited(
        self, work: Coroutine[Any, Any, HttpResponse], seconds: float
    ) -> HttpResponse:
        """Wait for an integration, but not for longer than it may take.

        Raises:
            HttpError: 503 when the time has passed, 500 when the integration failed unexpectedly.
        """
        try:
            return await self._limit.run(work, seconds)
        except TimeoutError:
            raise service_unavailable(_TIMED_OUT) from None
        except HttpError:
            raise
        except Exception:
            LOG.exception("HTTP API: an integration ended unexpectedly")
            raise internal_server_error() from None

    async def _proxying(
        self, call: Call, match: Match, integration: Resource, mapped: MappedRequest
    ) -> HttpResponse:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        method = integration.get("IntegrationMethod") or "ANY"
        timeout = _timeout(integration)
        return await asyncio.to_thread(self._proxy.forward, mapped, match, uri, method, timeout)

    async def _invoking(
        self, call: Call, match: Match, integration: Resource, request: HttpRequest
    ) -> HttpResponse:
        uri = substitute_stage_variables(integration["IntegrationUri"], call.stage.variables)
        version = integration["PayloadFormatVersion"]
        context = call.context()
        event = build_event(version, request, match, context)
        if call.authorizer is not None:
            _add_authorizer(event, version, call.authorizer)
        payload = dump_json(event)
        try:
            result = await self._call(
                uri,
                payload,
                # With CredentialsArn the role is asked instead of the function's policy.
                source_arn=None if integration.get("CredentialsArn") else call.source_arn(match),
                account_id=context.account_id,
                trace_id=context.trace_id,
                request_id=call.notes.function_request_id if call.notes else None,
            )
        except HttpError as error:
            if call.notes is not None and error.reason == _FAILED:
                call.notes.service_status = 200  # Lambda did its part
            raise
        if call.notes is not None:
            call.notes.service_status = 200
        try:
            return parse_result(version, result)
        except HttpError as error:
            error.reason = _MALFORMED
            raise


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


def _locate(request: HttpRequest, api: Api, call_id: str) -> Call:
    found = split_stage(request.raw_path, api.stages)
    stage = api.stages.get(found[0]) if found else None
    if found is None or stage is None or stage.snapshot is None:
        raise not_found()
    call = Call(request, api, stage, stage.snapshot, found[1], call_id)
    if stage.access_log is not None:
        call.notes = Notes()
    return call


def _timeout(integration: Resource) -> float:
    """Seconds an integration may take."""
    return float(integration.get("TimeoutInMillis", MAX_TIMEOUT_MILLIS)) / 1000
