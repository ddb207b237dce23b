"""Authorizers of REST APIs: who may call a method.

AWS topics: API Gateway Developer Guide, "Use API Gateway Lambda authorizers" and "Control access to
REST APIs using Amazon Cognito user pools". A request that names nobody is 401, one that may not is
403, and an authorizer that cannot decide is 500.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.function_calls import (
    FunctionCallError,
    FunctionFailedError,
)
from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens, TokenError
from trigger_stack_engine.front_doors.core.policy import covers, verdict
from trigger_stack_engine.front_doors.rest_api.gateway_responses import GatewayError
from trigger_stack_engine.json_text import dump_json, load_json

LOG = logging.getLogger(__name__)

_MOST_CACHED: Final = 10_000
_DEFAULT_TTL_S: Final = 300
_BEARER: Final = "bearer "

type Resource = dict[str, Any]
#: Invokes a function: its URI, the event, and the ARN that its policy must allow.
type Invoke = Callable[[str, bytes, str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request for a method that has an authorizer.

    Attributes:
        event: The event of the method.
        method_arn: ARN of what is called: API, stage, method and path.
        authorizer_arn: ARN that the policy of an authorizer's function must allow.
        lookup: The value of ``method.request.header.Name``, ``method.request.querystring.name``,
            ``stageVariables.name`` or ``context.name``; ``None`` when there is none.
        scopes: The method's ``authorizationScopes``.
        source_ip: Address of the client.
        flushed: How often what authorizers said of the stage was to be forgotten.
    """

    event: Callable[[], Resource]
    method_arn: str
    authorizer_arn: str
    lookup: Callable[[str], Any]
    scopes: list[str]
    source_ip: str
    flushed: int = 0

    @property
    def stage(self) -> str:
        """Name of the stage that is called."""
        return self.method_arn.split("/", 2)[1]


@dataclass(frozen=True, slots=True)
class TriedCall(Call):
    """The request of ``TestInvokeAuthorizer``, for no method of the API."""

    @classmethod
    def from_document(cls, document: Resource) -> TriedCall:
        """What the control plane describes.

        Args:
            document: ``{event, api, authorizer}``: a proxy event, the ARN of the API and the
                ``Authorizer`` shape.
        """
        event, api = document["event"], document["api"]
        return cls(
            event=lambda: event,
            method_arn=f"{api}/{event['requestContext']['stage']}/{event['httpMethod']}/",
            authorizer_arn=f"{api}/authorizers/{document['authorizer']['id']}",
            lookup=lambda source: _found(event, source),
            scopes=[],
            source_ip=event["requestContext"]["identity"]["sourceIp"],
        )


def _found(event: Resource, source: str) -> Any:
    """The value of an identity source in a proxy event."""
    place, _, name = source.rpartition(".")
    match place:
        case "method.request.header":
            headers = event["headers"] or {}
            return next((v for k, v in headers.items() if k.lower() == name.lower()), None)
        case "method.request.querystring":
            return (event["queryStringParameters"] or {}).get(name)
        case "stageVariables":
            return (event["stageVariables"] or {}).get(name)
    return event["requestContext"].get(source.removeprefix("context."))


@dataclass(frozen=True, slots=True)
class Decision:
    """What an authorizer says of a caller.

    Attributes:
        context: ``requestContext.authorizer``, and ``$context.authorizer`` of gateway responses.
        api_key: The API key that the authorizer names, if any.
        refusal: Why the caller may not; ``None``: it may.
    """

    context: Resource
    api_key: str | None = None
    refusal: GatewayError | None = None


class Authorizers:
    """Decides, and remembers for as long as an authorizer says.

    Args:
        invoke: Calls the function of an authorizer; raises FunctionCallError.
        tokens: Checks JSON Web Tokens.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        invoke: Invoke,
        tokens: JsonWebTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._invoke = invoke
        self._tokens = tokens
        self._clock = clock
        self._cache: OrderedDict[tuple[Any, ...], tuple[float, Resource]] = OrderedDict()

    async def authorize(self, authorizer: Resource, call: Call) -> Decision:
        """What an authorizer says of a caller.

        Args:
            authorizer: The ``Authorizer`` shape.
            call: The request.

        Raises:
            GatewayError: The caller is nobody, or the authorizer cannot decide.
        """
        if authorizer["type"] == "COGNITO_USER_POOLS":
            return Decision(await self._user_pool(authorizer, call))
        ttl_s = authorizer.get("authorizerResultTtlInSeconds")
        lasts_s = _DEFAULT_TTL_S if ttl_s is None else int(ttl_s)
        identity = self._identity(authorizer, call, cached=lasts_s > 0)
        key = (authorizer["id"], authorizer["authorizerUri"], call.stage, call.flushed, *identity)
        known = self._cache.get(key) if lasts_s and identity else None
        started = self._clock()
        if known is None or known[0] < started:
            answer = await self._ask(authorizer, identity, call)
            if lasts_s and identity:
                self._cache[key] = (started + lasts_s, answer)
                if len(self._cache) > _MOST_CACHED:
                    self._cache.popitem(last=False)
        else:
            answer = known[1]
        context = {name: _as_text(value) for name, value in (answer.get("context") or {}).items()}
        latency_ms = int((self._clock() - started) * 1000)
        authorized = {
            **context,
            "principalId": str(answer["principalId"]),
            "integrationLatency": latency_ms,
        }
        return Decision(authorized, answer.get("usageIdentifierKey"), _refusal(answer, call))

    async def tried(self, authorizer: Resource, call: Call) -> Resource:
        """What an authorizer says of a caller, without what was remembered of it.

        AWS topic: API Gateway REST API Reference, "TestInvokeAuthorizer".

        Returns:
            ``{clientStatus}``, which is 0 when it could decide, and of its answer ``principalId``
            and ``policy``, or ``claims``; ``{reason}`` when it could not.
        """
        try:
            if authorizer["type"] == "COGNITO_USER_POOLS":
                return {"clientStatus": 0, **await self._user_pool(authorizer, call)}
            ttl_s = authorizer.get("authorizerResultTtlInSeconds")
            cached = ttl_s is None or int(ttl_s) > 0
            identity = self._identity(authorizer, call, cached=cached)
            answer = await self._ask(authorizer, identity, call)
        except GatewayError as error:
            return {"clientStatus": error.status, "reason": f"{error.kind}: {error.message}"}
        return {
            "clientStatus": 0,
            "principalId": str(answer["principalId"]),
            "policy": dump_json(answer["policyDocument"]).decode(),
        }

    # -- Lambda functions ---------------------------------------------------------------------

    def _identity(self, authorizer: Resource, call: Call, *, cached: bool) -> list[str]:
        """The values of the identity sources.

        Raises:
            GatewayError: 401: one that must be there is missing.
        """
        sources = [one.strip() for one in (authorizer.get("identitySource") or "").split(",")]
        values = [call.lookup(source) for source in sources if source]
        if authorizer["type"] == "TOKEN" or cached:
            if not all(values):
                raise GatewayError("UNAUTHORIZED")
            pattern = authorizer.get("identityValidationExpression")
            if authorizer["type"] == "TOKEN" and pattern and not re.fullmatch(pattern, values[0]):
                raise GatewayError("UNAUTHORIZED")
        return [str(value) for value in values if value is not None]

    async def _ask(self, authorizer: Resource, identity: list[str], call: Call) -> Resource:
        event: Resource = {"type": authorizer["type"], "methodArn": call.method_arn}
        if authorizer["type"] == "TOKEN":
            event["authorizationToken"] = identity[0]
        else:
            request = call.event()
            event |= {k: v for k, v in request.items() if k not in ("body", "isBase64Encoded")}
        name = authorizer["name"]
        try:
            payload = await self._invoke(
                authorizer["authorizerUri"], dump_json(event), call.authorizer_arn
            )
        except FunctionFailedError as error:
            if _is_unauthorized(error.payload):
                raise GatewayError("UNAUTHORIZED") from None
            LOG.warning("authorizer %s: the function failed", name)
            raise GatewayError("AUTHORIZER_FAILURE") from None
        except FunctionCallError as error:
            LOG.warning("authorizer %s: %s", name, error)
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR") from None
        try:
            answer = load_json(payload)
        except (ValueError, RecursionError):
            answer = None
        problem = _problem(answer)
        if problem is not None:
            LOG.warning("authorizer %s: %s", name, problem)
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR")
        return dict(answer)

    # -- Cognito ------------------------------------------------------------------------------

    async def _user_pool(self, authorizer: Resource, call: Call) -> Resource:
        value = call.lookup(authorizer.get("identitySource") or "")
        if not value:
            raise GatewayError("UNAUTHORIZED")
        token = value[len(_BEARER) :] if value.lower().startswith(_BEARER) else value
        for arn in authorizer.get("providerARNs") or []:
            region, pool = arn.split(":")[3], arn.rpartition("/")[2]
            issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool}"
            try:
                claims = await self._tokens.claims(token.strip(), issuer, None)
            except TokenError as error:
                LOG.warning("authorizer %s: %s", authorizer["name"], error)
                continue
            granted = str(claims.get("scope") or "").split()
            # With scopes an access token is asked for, without them an identity token.
            wanted = "access" if call.scopes else "id"
            if claims.get("token_use", wanted) != wanted:
                continue
            if call.scopes and not set(call.scopes) & set(granted):
                continue
            return {"claims": {name: _as_text(claim) for name, claim in claims.items()}}
        raise GatewayError("UNAUTHORIZED")


def _is_unauthorized(payload: bytes) -> bool:
    """Whether a function raised the error that API Gateway takes as "nobody is named"."""
    try:
        return bool(json.loads(payload).get("errorMessage") == "Unauthorized")
    except (ValueError, AttributeError):
        return False


def _problem(answer: object) -> str | None:
    """Why an authorizer's answer cannot be used; ``None`` when it can."""
    if not isinstance(answer, dict):
        return "the function returned no mapping"
    document = answer.get("policyDocument")
    if not answer.get("principalId") or not isinstance(document, dict):
        return "the result has no principalId or no policyDocument"
    statements = document.get("Statement")
    if not isinstance(statements, list) or not all(isinstance(one, dict) for one in statements):
        return "the policyDocument has no Statement"
    context = answer.get("context")
    if not isinstance(context or {}, dict):
        return "the context is no mapping"
    if any(isinstance(value, dict | list) for value in (context or {}).values()):
        return "a value of the context is neither text nor a number nor a boolean"
    return None


def _refusal(answer: Resource, call: Call) -> GatewayError | None:
    """What the policy says against a call; ``None`` when it allows it."""
    statements: list[Mapping[str, Any]] = answer["policyDocument"]["Statement"]
    found = verdict(
        [{**one, "Principal": "*"} for one in statements if covers(one, call.method_arn)],
        action="execute-api:invoke",
        principals=(),
        keys={"aws:sourceip": call.source_ip},
    )
    if found == "Deny":
        return GatewayError(
            "ACCESS_DENIED",
            "User is not authorized to access this resource with an explicit deny",
        )
    return GatewayError("ACCESS_DENIED") if found is None else None


def _as_text(value: Any) -> Any:
    """A value of the context as API Gateway hands it on: text, or null."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(_as_text(one)) for one in value)
    return value if value is None or isinstance(value, str) else dump_json(value).decode()
