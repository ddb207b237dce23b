"""Authorizers of HTTP APIs: who may call a route.

AWS topics: API Gateway Developer Guide, "Control access to HTTP APIs with JWT authorizers",
"Troubleshooting issues with HTTP API JWT authorizers" (the header ``www-authenticate``) and
"Control access to HTTP APIs with AWS Lambda authorizers". A request that names nobody is 401, one
that may not is 403, and an authorizer that cannot decide is 500.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trigger_stack_engine.front_doors.core.encoding import parse_query
from trigger_stack_engine.front_doors.core.json_web_tokens import JsonWebTokens, TokenError
from trigger_stack_engine.front_doors.core.message import (
    HttpError,
    HttpRequest,
    internal_server_error,
)
from trigger_stack_engine.front_doors.core.policy import allows, covers
from trigger_stack_engine.json_text import dump_json, load_json

LOG = logging.getLogger(__name__)

JWT: Final = "JWT"
CUSTOM: Final = "CUSTOM"
_MOST_CACHED: Final = 10_000
_SELECTION = re.compile(r"\$(request\.(header|querystring)|context|stageVariables)\.(.+)")

type Resource = dict[str, Any]
#: Invokes a function: its URI, the event, and the ARN that its policy must allow.
type Invoke = Callable[[str, bytes, str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request for a route that has an authorizer.

    Attributes:
        request: The request.
        event: The event of the route in payload format 2.0.
        route_arn: ARN of what is called: API, stage, method and path.
        authorizer_arn: ARN that the policy of an authorizer's function must allow.
        stage_variables: Of the stage.
    """

    request: HttpRequest
    event: Callable[[str], Resource]
    route_arn: str
    authorizer_arn: str
    stage_variables: Mapping[str, str]

    @property
    def stage(self) -> str:
        """Name of the stage that is called."""
        return self.route_arn.split("/", 2)[1]


class Authorizers:
    """Decides, and remembers for as long as an authorizer says.

    Args:
        invoke: Calls the function of an authorizer.
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

    async def authorize(self, route: Resource, call: Call) -> Resource | None:
        """What the event's ``requestContext.authorizer`` holds; None for an open route.

        Args:
            route: ``{type, authorizer, scopes}`` of the route.
            call: The request.

        Raises:
            HttpError: 401, 403 or 500.
        """
        if route["type"] == JWT:
            return await self._jwt(route["authorizer"], route["scopes"], call)
        if route["type"] == CUSTOM:
            return await self._lambda(route["authorizer"], call)
        return None

    # -- JSON Web Tokens ----------------------------------------------------------------------

    async def _jwt(self, authorizer: Resource, scopes: list[str], call: Call) -> Resource:
        (source,) = authorizer["IdentitySource"]
        value = _select(source, call)
        if not value:
            raise _without_token()
        expected = " ".join(scopes)
        token = value[7:] if value[:7].lower() == "bearer " else value
        settings = authorizer["JwtConfiguration"]
        try:
            claims = await self._tokens.claims(
                token.strip(), settings["Issuer"], settings.get("Audience") or []
            )
        except TokenError as error:
            LOG.warning("JWT authorizer %s: %s", authorizer["Name"], error)
            raise _with_problem(401, expected, "invalid_token", str(error)) from None
        granted = _scopes(claims)
        if scopes and not set(scopes) & set(granted):
            problem = f"expected scopes: [{expected}]"
            raise _with_problem(403, expected, "insufficient_scope", problem)
        texts = {name: _as_text(claim) for name, claim in claims.items()}
        return {"jwt": {"claims": texts, "scopes": granted or None}}

    # -- Lambda functions ---------------------------------------------------------------------

    async def _lambda(self, authorizer: Resource, call: Call) -> Resource:
        sources = authorizer.get("IdentitySource") or []
        identity = [_select(source, call) for source in sources]
        if not all(identity):
            raise HttpError(401, "Unauthorized")
        lasts_s = authorizer.get("AuthorizerResultTtlInSeconds", 300 if sources else 0)
        key = (authorizer["AuthorizerId"], authorizer["AuthorizerUri"], call.stage, *identity)
        known = self._cache.get(key) if lasts_s else None
        if known is None or known[0] < self._clock():
            answer = await self._ask(authorizer, identity, call)
            if lasts_s:
                self._cache[key] = (self._clock() + lasts_s, answer)
                if len(self._cache) > _MOST_CACHED:
                    self._cache.popitem(last=False)
        else:
            answer = known[1]
        if not _allows(authorizer, answer, call.route_arn):
            raise HttpError(403, "Forbidden")
        return {"lambda": answer.get("context") or {}}

    async def _ask(self, authorizer: Resource, identity: list[str | None], call: Call) -> Resource:
        version = authorizer.get("AuthorizerPayloadFormatVersion", "2.0")
        event = call.event(version)
        if version == "2.0":
            event = {
                "version": "2.0",
                "type": "REQUEST",
                "routeArn": call.route_arn,
                "identitySource": identity or None,
                **{name: event[name] for name in event if name not in _NOT_FOR_AUTHORIZERS},
            }
        else:
            event = {
                "version": "1.0",
                "type": "REQUEST",
                "methodArn": call.route_arn,
                "identitySource": ",".join(str(one) for one in identity) or None,
                "authorizationToken": identity[0] if identity else None,
                **{name: event[name] for name in event if name not in _NOT_FOR_AUTHORIZERS},
            }
        result = await self._invoke(
            authorizer["AuthorizerUri"], dump_json(event), call.authorizer_arn
        )
        try:
            answer = load_json(result)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            LOG.warning("authorizer %s: the function returned no mapping", authorizer["Name"])
            raise internal_server_error()
        return answer


_NOT_FOR_AUTHORIZERS = frozenset({"version", "body", "isBase64Encoded"})


def _allows(authorizer: Resource, answer: Resource, route_arn: str) -> bool:
    """Whether an authorizer's answer allows a route.

    Raises:
        HttpError: 500: it is no answer.
    """
    if authorizer.get("EnableSimpleResponses"):
        if not isinstance(answer.get("isAuthorized"), bool):
            LOG.warning("authorizer %s: isAuthorized is no boolean", authorizer["Name"])
            raise internal_server_error()
        return bool(answer["isAuthorized"])
    document = answer.get("policyDocument")
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not answer.get("principalId") or not isinstance(statements, list):
        LOG.warning("authorizer %s: no principalId or no policyDocument", authorizer["Name"])
        raise internal_server_error()
    return allows(
        [{**one, "Principal": "*"} for one in statements if covers(one, route_arn)],
        action="execute-api:invoke",
        principals=(),
        keys={},
    )


def _select(source: str, call: Call) -> str | None:
    """The value of an identity source such as ``$request.header.Authorization``."""
    match = _SELECTION.fullmatch(source)
    if match is None:
        return None
    if match[2] == "header":
        values = [v for k, v in call.request.headers if k.lower() == match[3].lower()]
        return ",".join(values) or None
    if match[2] == "querystring":
        pairs = parse_query(call.request.raw_query)
        return ",".join(value for name, value in pairs if name == match[3]) or None
    if match[1] == "stageVariables":
        return call.stage_variables.get(match[3])
    found: Any = call.event("2.0")["requestContext"]
    for part in match[3].split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return str(found) if found is not None else None


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            return value.split()
        if isinstance(value, list):
            return [str(one) for one in value]
    return []


def _as_text(claim: Any) -> str:
    """A claim as API Gateway hands it on: text, arrays and objects as Go prints them."""
    if isinstance(claim, bool):
        return "true" if claim else "false"
    if isinstance(claim, list):
        return f"[{' '.join(_as_text(one) for one in claim)}]"
    if isinstance(claim, dict):
        pairs = (f"{name}:{_as_text(claim[name])}" for name in sorted(claim))
        return f"map[{' '.join(pairs)}]"
    return claim if isinstance(claim, str) else dump_json(claim).decode()


def _without_token() -> HttpError:
    error = HttpError(401, "Unauthorized", "missing: token not provided")
    error.response.headers.append(("www-authenticate", "Bearer"))
    return error


def _with_problem(status: int, scopes: str, kind: str, problem: str) -> HttpError:
    """A refusal that says why: to the client in a header, and in ``$context.authorizer.error``."""
    message = "Unauthorized" if status == 401 else "Forbidden"
    error = HttpError(status, message, f"{kind}: {problem}")
    challenge = f'Bearer scope="{scopes}" error="{kind}" error_description="{problem}"'
    error.response.headers.append(("www-authenticate", challenge))
    return error
