"""The data plane: from a request for a REST API to its response.

The order is API Gateway's: route, who may call (resource policy, authorizer or signature, API key),
limits, validation, integration. Lambda proxy integrations and plain mocks are answered here;
integrations with mapping templates go to LocalStack, which has the template language.

AWS topics: "Quotas for configuring and running a REST API in API Gateway" (10 MB of payload, 29 s)
and "Gateway response types". Nobody retries: the caller sees the error.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from trigger_stack_engine.front_doors.core.access_logs import (
    AccessLog,
    Write,
    error_variables,
)
from trigger_stack_engine.front_doors.core.authorization_header import incomplete
from trigger_stack_engine.front_doors.core.callers import (
    Callers,
    SignatureError,
    UnsignedError,
)
from trigger_stack_engine.front_doors.core.encoding import parse_query, percent_decode
from trigger_stack_engine.front_doors.core.event_parts import new_trace_id
from trigger_stack_engine.front_doors.core.function_calls import (
    EventTooLargeError,
    FunctionCallError,
    FunctionFailedError,
    Invoker,
    new_request_id,
)
from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens
from trigger_stack_engine.front_doors.core.limits import MOST_INTEGRATIONS, check_size
from trigger_stack_engine.front_doors.core.message import (
    Headers,
    HttpError,
    HttpRequest,
    HttpResponse,
)
from trigger_stack_engine.front_doors.core.policy import covers, verdict
from trigger_stack_engine.front_doors.core.responses import FRAMING
from trigger_stack_engine.front_doors.core.throttles import Throttles
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit
from trigger_stack_engine.front_doors.core.uris import substitute_stage_variables
from trigger_stack_engine.front_doors.rest_api.api import Deployment, Method, RestApi, Stage
from trigger_stack_engine.front_doors.rest_api.authorizers import Authorizers
from trigger_stack_engine.front_doors.rest_api.authorizers import Call as AuthorizedCall
from trigger_stack_engine.front_doors.rest_api.events import (
    CallContext,
    MalformedResultError,
    build_event,
    forwarded_headers,
    parse_result,
    request_context,
)
from trigger_stack_engine.front_doors.rest_api.gateway_responses import (
    GatewayError,
    gateway_response,
)
from trigger_stack_engine.front_doors.rest_api.mock import mock_response
from trigger_stack_engine.front_doors.rest_api.usage_plans import UsagePlans
from trigger_stack_engine.front_doors.rest_api.validation import validate
from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

AWS_IAM: Final = "AWS_IAM"
_FAILED: Final = "The function failed"
_MALFORMED: Final = "Execution failed due to configuration error: Malformed Lambda proxy response"
#: LocalStack's, which are set here too.
_OWN_HEADERS: Final = FRAMING | {"x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "date"}

Resource = dict[str, Any]
#: Has LocalStack's own chain answer: ``{api_id, stage, path, authorizer}`` and the request. A
#: response with status 0 is an error, with the headers ``kind``, ``message`` and ``status``.
type Elsewhere = Callable[[Resource, HttpRequest], Awaitable[HttpResponse]]


class DataPlane:
    """Answers requests for REST APIs.

    Args:
        invoker: Calls functions.
        callers: Finds who signed a request.
        tokens: Checks JSON Web Tokens.
        elsewhere: Answers for integrations that are not answered here.
        write_log: Writes a line of an access log; ``None``: nothing is logged.
        now: The time by which quotas of usage plans begin anew, in seconds since 1970.
    """

    def __init__(
        self,
        invoker: Invoker,
        callers: Callers,
        tokens: JsonWebTokens,
        elsewhere: Elsewhere,
        write_log: Write | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._write_log = write_log
        self._invoker = invoker
        self._callers = callers
        self._elsewhere = elsewhere
        self._places = asyncio.Semaphore(MOST_INTEGRATIONS)
        self.authorizers = Authorizers(self._ask_function, tokens)
        self._limit = TimeLimit()
        self._throttles = Throttles()
        self.usage_plans = UsagePlans(self._throttles, lambda: datetime.fromtimestamp(now(), UTC))

    async def handle(
        self, request: HttpRequest, api: RestApi, stage: Stage, path: str
    ) -> HttpResponse:
        """Answer a request.

        Args:
            request: The request as it came.
            api: The API that it is for.
            stage: The stage that it is for.
            path: Percent-encoded path below the stage.
        """
        deployment, deployment_id, variables, is_canary = stage.choose()
        context = CallContext(
            account=api.account,
            api_id=api.api_id,
            stage=stage.name,
            stage_variables=variables,
            deployment_id=deployment_id,
            is_canary=is_canary,
            request_id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
            extended_request_id=_extended_request_id(),
            trace_id=request.header("x-amzn-trace-id") or new_trace_id(),
            time=datetime.now(UTC),
            path=path,
        )
        call = _Call(request, api, stage, deployment, context)
        error: GatewayError | None = None
        try:
            response = await self._execute(call)
        except GatewayError as raised:
            error = raised
            response = gateway_response(error, deployment.gateway_responses, call.lookup)
        response.headers = [*response.headers, *_ids(context)]
        if stage.access_log is not None and self._write_log is not None:
            _log(self._write_log, stage.access_log, call, response, error)
        return response

    async def _execute(self, call: _Call) -> HttpResponse:
        call.check_request()
        method = call.route()
        call.check_resource_policy()
        await self._authorize(call, method)
        self._admit(call, method)
        validate(call.request, method, call.deployment, call.lookup)
        integration = method.integration
        if integration is None:
            raise GatewayError("API_CONFIGURATION_ERROR")
        call.asked_at = time.perf_counter()
        try:
            response = await self._integrate(call, method, integration)
        finally:
            call.integration_s = time.perf_counter() - call.asked_at
        call.integration_status = response.status
        return response

    async def _integrate(self, call: _Call, method: Method, integration: Resource) -> HttpResponse:
        if integration["type"] == "MOCK":
            mocked = mock_response(call.request, integration)
            if mocked is not None:
                return mocked
        if integration["type"] == "AWS_PROXY" and ":lambda:" in (integration.get("uri") or ""):
            call.function_request_id = new_request_id()
            work = self._invoking(call, method, integration)
        else:
            work = self._leaving(call, method)
        try:
            return await self._limit.run(work, method.timeout_s)
        except TimeoutError:
            call.problem = "Execution failed due to a timeout error"
            raise GatewayError("INTEGRATION_TIMEOUT") from None
        except GatewayError:
            raise
        except Exception:
            LOG.exception("REST API: an integration ended unexpectedly")
            raise GatewayError("API_CONFIGURATION_ERROR") from None

    # -- who may ------------------------------------------------------------------------------

    async def _authorize(self, call: _Call, method: Method) -> None:
        kind = method.attributes.get("authorizationType") or "NONE"
        if kind == "NONE":
            return
        if kind == AWS_IAM:
            await self._check_signature(call)
            return
        authorizer = call.deployment.authorizers.get(method.attributes.get("authorizerId") or "")
        if authorizer is None:
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR")
        api = call.api
        arn = f"arn:aws:execute-api:{api.region}:{api.account}:{api.api_id}"
        found = await self.authorizers.authorize(
            authorizer,
            AuthorizedCall(
                event=call.event,
                method_arn=call.execution_arn,
                authorizer_arn=f"{arn}/authorizers/{authorizer['id']}",
                lookup=call.lookup,
                scopes=list(method.attributes.get("authorizationScopes") or []),
                source_ip=call.request.source_ip,
                flushed=int(call.stage.attributes.get("authorizersFlushed") or 0),
            ),
        )
        # Also what it says of somebody whom it refuses: gateway responses show it.
        call.context.authorizer, call.named_key = found.context, found.api_key
        if found.refusal is not None:
            raise found.refusal

    async def _check_signature(self, call: _Call) -> None:
        try:
            caller = await self._callers.signer(call.request, "execute-api", call.api.region)
        except UnsignedError:
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN") from None
        except SignatureError as error:
            LOG.warning("REST API %s: %s", call.api.api_id, error)
            raise GatewayError("INVALID_SIGNATURE", error.answer, error_type=error.kind) from None
        call.context.caller = caller
        if caller.account == call.api.account:
            return
        if call.policy_verdict(caller.principals) != "Allow":
            raise GatewayError("ACCESS_DENIED", call.denied(caller.arn))

    async def _ask_function(self, uri: str, payload: bytes, source_arn: str) -> bytes:
        return await self._invoker.invoke(
            uri,
            payload,
            source_arn=source_arn,
            account_id=source_arn.split(":")[4],
            trace_id=new_trace_id(),
        )

    def _admit(self, call: _Call, method: Method) -> None:
        if method.attributes.get("apiKeyRequired"):
            from_authorizer = call.deployment.api_key_source == "AUTHORIZER"
            value = call.named_key if from_authorizer else call.request.header("x-api-key")
            call.context.api_key = self.usage_plans.admit(
                value, call.api.api_id, call.stage.name, f"{method.resource_path}/{method.name}"
            )
        name = (call.api.api_id, call.stage.name, method.resource_path, method.name)
        if not self._throttles.take(name, call.stage.throttle(method)):
            raise GatewayError("THROTTLED")

    # -- integrations -------------------------------------------------------------------------

    async def _invoking(self, call: _Call, method: Method, integration: Resource) -> HttpResponse:
        uri = substitute_stage_variables(integration["uri"], call.context.stage_variables)
        try:
            result = await self._invoker.invoke(
                uri,
                dump_json(call.event()),
                # With credentials the role is asked instead of the function's policy.
                source_arn=None
                if integration.get("credentials")
                else call.api.source_arn(call.stage.name, method),
                account_id=call.api.account,
                trace_id=call.context.trace_id,
                request_id=call.function_request_id,
            )
            return parse_result(
                result, call.request.header("accept"), call.deployment.binary_media_types
            )
        except EventTooLargeError:
            raise GatewayError("REQUEST_TOO_LARGE") from None
        except FunctionFailedError:
            call.problem = _FAILED
            raise GatewayError("DEFAULT_5XX") from None
        except FunctionCallError as error:
            call.problem = str(error)
            raise GatewayError("API_CONFIGURATION_ERROR") from None
        except MalformedResultError:
            call.problem = _MALFORMED
            LOG.warning("REST API %s: the result of %s describes no response", call.api.api_id, uri)
            raise GatewayError("DEFAULT_5XX") from None

    async def _leaving(self, call: _Call, method: Method) -> HttpResponse:
        async with self._places:
            if call.asked_at is not None and _is_over(call.asked_at, method.timeout_s):
                # Its client has been told so: what did not begin must not begin any more.
                LOG.warning(
                    "REST API %s: %s %s waited for its integration until its time was over, and"
                    " was not sent: others take long",
                    *(call.api.api_id, call.request.method, call.context.path),
                )
                raise GatewayError("INTEGRATION_TIMEOUT")
            return await self._answer_elsewhere(call)

    async def _answer_elsewhere(self, call: _Call) -> HttpResponse:
        context = call.context
        description = {
            "api_id": context.api_id,
            "stage": context.stage,
            "path": context.path,
            "authorizer": dict(context.authorizer) if context.authorizer is not None else None,
        }
        response = await self._elsewhere(description, call.request)
        if response.status == 0:
            raise _error(dict(response.headers))
        response.headers = [one for one in response.headers if one[0].lower() not in _OWN_HEADERS]
        return response


def _is_over(begin: float, seconds: float) -> bool:
    return time.perf_counter() - begin >= seconds


def _error(described: dict[str, str]) -> GatewayError:
    """An error of LocalStack's chain."""
    return GatewayError(described["kind"], described.get("message"), int(described["status"]))


class _Call:
    """One request."""

    def __init__(
        self,
        request: HttpRequest,
        api: RestApi,
        stage: Stage,
        deployment: Deployment,
        context: CallContext,
    ) -> None:
        self.request = request
        self.api = api
        self.stage = stage
        self.deployment = deployment
        self.context = context
        self.named_key: str | None = None
        self.started = time.perf_counter()
        #: What the access log says of the integration.
        self.asked_at: float | None = None
        self.integration_s = 0.0
        self.integration_status: int | None = None
        self.function_request_id: str | None = None
        self.problem: str | None = None

    def check_request(self) -> None:
        """Refuse what is too large or malformed."""
        try:
            check_size(self.request)
            percent_decode(self.request.raw_path)
            parse_query(self.request.raw_query)
        except HttpError as error:
            if error.response.status == 413:
                raise GatewayError("REQUEST_TOO_LARGE") from None
            message = json.loads(error.response.body)["message"]
            raise GatewayError("DEFAULT_4XX", message, error.response.status) from None

    def route(self) -> Method:
        """The method that serves the request, also in the context."""
        found = self.deployment.match(self.request.method, self.context.path)
        if found is None:
            kind = "MISSING_AUTHENTICATION_TOKEN"
            if (error := incomplete(self.request)) is not None:
                raise GatewayError(kind, error.answer, error_type=error.kind)
            raise GatewayError(kind)
        self.context.method, self.context.path_parameters = found
        return found[0]

    @property
    def execution_arn(self) -> str:
        """ARN of the request."""
        return self.api.execution_arn(self.stage.name, self.request.method, self.context.path)

    def event(self) -> dict[str, Any]:
        """The event for a function."""
        return build_event(self.request, self.context, self.deployment.binary_media_types)

    def check_resource_policy(self) -> None:
        """Ask the API's resource policy; callers that sign are asked for later."""
        assert self.context.method is not None
        if self.deployment.policy is None:
            return
        found = self.policy_verdict([])
        signs = self.context.method.attributes.get("authorizationType") == AWS_IAM
        if found == "Deny":
            raise GatewayError("ACCESS_DENIED", f"{self.denied('anonymous')} with an explicit deny")
        if found is None and not signs:
            raise GatewayError("ACCESS_DENIED", self.denied("anonymous"))

    def denied(self, who: str) -> str:
        """What a caller is told whom the resource policy does not let through."""
        arn = self.execution_arn
        return f"User: {who} is not authorized to perform: execute-api:Invoke on resource: {arn}"

    def policy_verdict(self, principals: list[str]) -> str | None:
        """What the API's resource policy says of somebody; see ``policy.verdict``."""
        statements = (self.deployment.policy or {}).get("Statement") or []
        arn = self.execution_arn
        short = f"execute-api:/{arn.partition('/')[2]}"
        return verdict(
            [one for one in statements if covers(one, arn) or covers(one, short)],
            action="execute-api:invoke",
            principals=principals,
            keys={"aws:sourceip": self.request.source_ip},
        )

    def lookup(self, expression: str) -> Any:
        """The value of a mapping expression; ``None`` when there is none."""
        if expression.startswith("stageVariables."):
            return self.context.stage_variables.get(expression.removeprefix("stageVariables."))
        if expression.startswith("context."):
            found: Any = request_context(self.request, self.context)
            for part in expression.removeprefix("context.").split("."):
                found = found.get(part) if isinstance(found, dict) else None
            return found
        place, _, name = expression.removeprefix("method.request.").partition(".")
        match place:
            case "header":
                return self.request.header(name)
            case "multivalueheader":
                values = forwarded_headers(self.request, self.context)
                return next(
                    (",".join(v) for k, v in values.items() if k.lower() == name.lower()), None
                )
            case "querystring" | "multivaluequerystring":
                try:
                    pairs = parse_query(self.request.raw_query)
                except HttpError:  # it is what the request is refused for
                    return None
                values_of = [value for key, value in pairs if key == name]
                if place == "querystring":
                    values_of = values_of[-1:]
                return ",".join(values_of) or None
            case "path":
                return self.context.path_parameters.get(name)
            case "body":
                return self.request.body.decode("utf-8", errors="replace") or None
        return None


def _log(
    write: Write, log: AccessLog, call: _Call, response: HttpResponse, error: GatewayError | None
) -> None:
    """Write the line of a request, after the response has been sent."""
    took_ms = int((time.perf_counter() - call.started) * 1000)

    def later() -> None:
        values = request_context(call.request, call.context)
        values |= {
            "responseLatency": took_ms,
            "responseLength": len(response.body),
            "status": response.status,
        }
        if call.asked_at is not None:
            values |= _integration_variables(call)
        if error is not None:
            values["error"] = error_variables(error.message, error.kind)
            values["error"]["validationErrorString"] = error.details
        write(log.stream, log.line(values))

    asyncio.get_running_loop().call_soon(later)


def _integration_variables(call: _Call) -> Resource:
    """The ``$context`` variables that say what an integration did."""
    is_function = call.function_request_id is not None
    own, took_ms = call.integration_status, int(call.integration_s * 1000)
    # Lambda's own status is 200 also when the function failed or its result cannot be used.
    used = own is not None or call.problem in (_FAILED, _MALFORMED)
    service = 200 if is_function and used else own
    return {
        "awsEndpointRequestId": call.function_request_id,
        "integration": {
            "error": call.problem,
            "integrationStatus": own,
            "latency": took_ms,
            "requestId": call.function_request_id,
            "status": service,
        },
        "integrationErrorMessage": call.problem,
        "integrationLatency": took_ms,
        "integrationStatus": service,
    }


def _ids(context: CallContext) -> Headers:
    return [
        ("x-amzn-requestid", context.request_id),
        ("x-amz-apigw-id", context.extended_request_id),
        ("x-amzn-trace-id", context.trace_id),
    ]


def _extended_request_id() -> str:
    """16 characters that end in ``=``, as API Gateway's: base64 of eleven bytes."""
    return base64.urlsafe_b64encode(random.randbytes(11)).decode("ascii")  # noqa: S311  no secret
