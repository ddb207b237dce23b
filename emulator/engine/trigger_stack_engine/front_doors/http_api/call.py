"""One request for an HTTP API, and the ``$context`` variables that it has.

AWS topic: API Gateway Developer Guide, "Customize HTTP API access logs".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from trigger_stack_engine.front_doors.core.access_logs import context_value, error_variables
from trigger_stack_engine.front_doors.core.cors import apply_cors
from trigger_stack_engine.front_doors.core.encoding import parse_query
from trigger_stack_engine.front_doors.core.event_parts import (
    format_time,
    host_name,
    new_trace_id,
)
from trigger_stack_engine.front_doors.core.execution_policy import source_arn
from trigger_stack_engine.front_doors.core.function_calls import new_request_id
from trigger_stack_engine.front_doors.core.message import HttpError, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.routing import Match
from trigger_stack_engine.front_doors.http_api.api import Api, Resource, Snapshot, Stage
from trigger_stack_engine.front_doors.http_api.events import CallContext
from trigger_stack_engine.front_doors.http_api.parameter_mapping import joined_header, of_body
from trigger_stack_engine.front_doors.http_api.refusals import with_request_id

_MOST_METHODS: Final = 1000
#: Status and whether an integration was asked, to the gateway's own response.
_RESPONSE_TYPES: Final = {
    401: "UNAUTHORIZED",
    403: "ACCESS_DENIED",
    413: "REQUEST_TOO_LARGE",
    429: "THROTTLED",
    503: "INTEGRATION_TIMEOUT",
}


@dataclass(slots=True)
class Notes:
    """What is only kept for an access log or a parameter mapping.

    Attributes:
        received: When the request came.
        started: The same on the clock for intervals, in seconds.
        took_s: How long it took to answer.
        function_request_id: Id of the invocation.
        service_status: What Lambda, or the other server, answered with.
        integration_status: Of the function's result or the server's response.
        integration_ms: How long the integration took; ``None``: it was not asked.
        authorizer_error: What an authorizer refused a caller with.
        error: What the API answered by itself.
    """

    received: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.perf_counter)
    took_s: float = 0.0
    function_request_id: str = field(default_factory=new_request_id)
    service_status: int | None = None
    integration_status: int | None = None
    integration_ms: int | None = None
    authorizer_error: str | None = None
    error: HttpError | None = None


@dataclass(slots=True)
class Call:
    """A request with the API, stage and deployment that serve it.

    Attributes:
        raw_path: Percent-encoded path below the stage.
        call_id: Extended request id.
        match: The route that serves it, as soon as it is known.
        authorizer: What an authorizer said of the caller.
        notes: For an access log or a parameter mapping; ``None`` when there is neither.
    """

    request: HttpRequest
    api: Api
    stage: Stage
    snapshot: Snapshot
    raw_path: str
    call_id: str
    match: Match | None = None
    authorizer: Resource | None = None
    notes: Notes | None = None

    @property
    def stage_name(self) -> str:
        """Name of the stage."""
        return str(self.stage.attributes["StageName"])

    def context(self) -> CallContext:
        """What an event has that does not come from the HTTP request."""
        return CallContext(
            account_id=self.api.account_id,
            api_id=self.api.api_id,
            stage=self.stage_name,
            stage_variables=self.stage.variables,
            request_id=self.call_id,
            trace_id=self.request.header("x-amzn-trace-id") or new_trace_id(),
            time=self.notes.received if self.notes else datetime.now(UTC),
        )

    def source_arn(self, match: Match) -> str:
        """ARN with which the API introduces itself to Lambda."""
        method, route_path = self.request.method, match.route.path or match.route.key
        known = self.stage.source_arns
        arn = known.get((method, route_path))
        if arn is None:
            if len(known) > _MOST_METHODS:  # ``ANY`` takes whatever a client calls a method
                known.clear()
            arn = known[method, route_path] = source_arn(
                region=self.api.region,
                account_id=self.api.account_id,
                api_id=self.api.api_id,
                stage=self.stage_name,
                method=method,
                route_path=route_path,
            )
        return arn

    def finish(self, response: HttpResponse) -> HttpResponse:
        """The response with the headers that every one of this API has."""
        if self.snapshot.cors:
            response = apply_cors(self.snapshot.cors, self.request, response)
        return with_request_id(response, self.call_id)

    def lookup(self, expression: str) -> str | None:
        """The value of a parameter mapping's expression; ``None`` when there is none.

        Raises:
            HttpError: 400 when the query string cannot be decoded.
        """
        place, _, name = expression.partition(".")
        if place == "stageVariables":
            return self.stage.variables.get(name)
        if place == "context":
            return context_value(variables(self), name)
        place, _, name = name.partition(".")
        match place:
            case "header":
                return joined_header(self.request.headers, name)
            case "querystring":
                values = [v for k, v in parse_query(self.request.raw_query) if k == name]
                return ",".join(values) if values else None
            case "path" if name:
                return self.match.path_parameters.get(name) if self.match else None
            case "path":
                return self.raw_path
            case "body":
                return of_body(self.request.body, name)
        return None


def variables(call: Call, response: HttpResponse | None = None) -> dict[str, Any]:
    """The ``$context`` variables of a request, nested as their names are.

    Args:
        call: The request; its notes must be there.
        response: What the client gets; ``None``: that is not known yet.
    """
    notes, request = call.notes, call.request
    assert notes is not None
    domain = host_name(request) or f"{call.api.api_id}.execute-api.localhost"
    route = call.match.route if call.match else None
    result: dict[str, Any] = {
        "accountId": call.api.account_id,
        "apiId": call.api.api_id,
        "authorizer": {**_authorizer(call.authorizer), "error": notes.authorizer_error},
        "awsEndpointRequestId": None,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": call.call_id,
        "httpMethod": request.method,
        "identity": {
            **_identity(call.authorizer),
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent"),
        },
        "path": request.raw_path,
        "protocol": request.protocol,
        "requestId": call.call_id,
        "requestTime": format_time(notes.received),
        "requestTimeEpoch": int(notes.received.timestamp() * 1000),
        "routeKey": route.key if route else None,
        "stage": call.stage_name,
    }
    error = notes.error
    if notes.integration_ms is not None:
        result |= _integration(call, notes, error)
    if error is not None:
        asked = notes.integration_ms is not None
        default = "DEFAULT_4XX" if error.response.status < 500 else "DEFAULT_5XX"
        kind = _RESPONSE_TYPES.get(error.response.status, default)
        if asked and error.response.status == 500:
            kind = "INTEGRATION_FAILURE"
        result["error"] = error_variables(error.message, kind)
    if response is not None:
        result["status"] = response.status
        result["responseLength"] = len(response.body)
        result["dataProcessed"] = len(request.body) + len(response.body)
        result["responseLatency"] = int(notes.took_s * 1000)
    return result


def _integration(call: Call, notes: Notes, error: HttpError | None) -> dict[str, Any]:
    """The variables that say what an integration did."""
    assert call.match is not None
    integration = call.snapshot.integration(call.match.route.key) or {}
    is_function = integration.get("IntegrationType") == "AWS_PROXY"
    problem = (error.reason or None) if error else None
    request_id = notes.function_request_id if is_function else None
    return {
        "awsEndpointRequestId": request_id,
        "integration": {
            "error": problem,
            "integrationStatus": notes.integration_status,
            "latency": notes.integration_ms,
            "requestId": request_id,
            "status": notes.service_status,
        },
        "integrationErrorMessage": problem,
        "integrationLatency": notes.integration_ms,
        "integrationStatus": notes.service_status,
    }


def _authorizer(said: Resource | None) -> Mapping[str, Any]:
    """``$context.authorizer``: claims of a token, or what a function returned."""
    if not said:
        return {}
    if "jwt" in said:
        return {"claims": said["jwt"]["claims"]}
    context: Mapping[str, Any] = said.get("lambda") or {}
    return context


def _identity(said: Resource | None) -> Mapping[str, Any]:
    """``$context.identity`` of a caller who signed the request."""
    iam = (said or {}).get("iam")
    if not iam:
        return {}
    return {
        "accountId": iam["accountId"],
        "caller": iam["callerId"],
        "user": iam["userId"],
        "userArn": iam["userArn"],
    }
