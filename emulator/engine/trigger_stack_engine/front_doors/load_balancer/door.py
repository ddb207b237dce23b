"""Every listener of a load balancer: from a request to its response.

AWS topics: User Guide for Application Load Balancers, "Use Lambda functions as targets",
"Troubleshoot your Application Load Balancers", and "Access logs" (error reason codes of functions).
Nobody retries: the caller sees the error.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import uuid
from collections.abc import Iterable
from typing import Any, Final

from trigger_stack_engine.environments.execution import Invocation
from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.event_parts import host_name
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.policy import allows
from trigger_stack_engine.front_doors.core.server import HttpServer, ListenError
from trigger_stack_engine.front_doors.load_balancer.balancer import Listener, Target, TargetGroup
from trigger_stack_engine.front_doors.load_balancer.events import (
    MalformedResultError,
    build_event,
    build_health_check,
    parse_result,
    trace_header,
)
from trigger_stack_engine.front_doors.load_balancer.health import (
    FAILED,
    HealthChecks,
    Verdict,
    mismatch,
)
from trigger_stack_engine.front_doors.load_balancer.responses import (
    fixed_response,
    listener_headers,
    page,
    redirect,
)
from trigger_stack_engine.front_doors.load_balancer.rules import (
    FIXED_RESPONSE,
    FORWARD,
    REDIRECT,
    Action,
)
from trigger_stack_engine.front_doors.load_balancer.stickiness import (
    sticky_cookies,
    sticky_target_group,
)
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.invoker import NoSuchFunctionError, NotReadyError
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.recorder import Origin
from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES: Final = 1024 * 1024
#: Of the request line, and of each header.
MAX_LINE_BYTES: Final = 16 * 1024
MAX_FORWARDED_ADDRESSES: Final = 30
PRINCIPAL: Final = "elasticloadbalancing.amazonaws.com"


class LoadBalancers:
    """Serves the listeners of load balancers, each on a port of its own.

    Args:
        synchronous: Calls functions.
        guard: Which requests of web pages are refused.
    """

    def __init__(self, synchronous: SynchronousInvoker, guard: GuardSettings) -> None:
        self._synchronous = synchronous
        self._guard = guard
        self._listeners: dict[str, Listener] = {}
        self._groups: dict[str, TargetGroup] = {}
        self._servers: dict[str, HttpServer] = {}
        self._changing = asyncio.Lock()
        self._health = HealthChecks(self._check)

    # -- what the control plane tells -----------------------------------------------------------

    async def open(self, listener_arn: str, host: str, ports: Iterable[int]) -> int:
        """Take the first port that is free for a listener that is being made.

        Args:
            listener_arn: Its ARN.
            host: Address to bind.
            ports: What may be taken, in the order in which it is tried.

        Raises:
            ListenError: All of them are taken.
        """
        async with self._changing:
            problem = "there is none that no other listener has"
            for port in ports:
                try:
                    await self._serve(listener_arn, host, port)
                except OSError as error:
                    taken = error.errno == errno.EADDRINUSE
                    problem = f"port {port}: {'taken by another program' if taken else error}"
                    continue
                return port
        raise ListenError(f"No port is left for the listener ({problem}).")

    async def replace(self, document: dict[str, Any]) -> None:
        """Serve these listeners and no others.

        Args:
            document: ``{host, listeners: [see Listener.from_document], target_groups: [see
                TargetGroup.from_document]}``.
        """
        listeners = [Listener.from_document(one) for one in document["listeners"]]
        groups = [TargetGroup.from_document(one) for one in document["target_groups"]]
        async with self._changing:
            self._listeners = {listener.arn: listener for listener in listeners}
            self._groups = {group.arn: group for group in groups}
            for arn in self._servers.keys() - self._listeners.keys():
                self._servers.pop(arn).close()
            for listener in listeners:
                if listener.arn in self._servers:
                    continue
                try:
                    await self._serve(listener.arn, document["host"], listener.port)
                except OSError as error:
                    LOG.error(  # noqa: TRY400  the operating system's reason is the whole story
                        "load balancer %s cannot be served on port %d: %s",
                        *(listener.balancer, listener.port, error),
                    )
        used = {arn for listener in listeners for arn in listener.target_groups()}
        self._health.replace(groups, used)

    async def _serve(self, listener_arn: str, host: str, port: int) -> None:
        server = HttpServer(
            lambda request: self.answer(listener_arn, request), lambda status, _: page(status)
        )
        await server.start(host, port)
        self._servers[listener_arn] = server

    def target_health(self, group_arn: str, targets: list[str]) -> list[Verdict]:
        """What ``DescribeTargetHealth`` says of each target."""
        return [self._health.verdict(group_arn, target) for target in targets]

    def close(self) -> None:
        """Take no further requests."""
        self._health.close()
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    # -- requests -------------------------------------------------------------------------------

    async def answer(self, listener_arn: str, request: HttpRequest) -> HttpResponse:
        """The response of a listener."""
        listener = self._listeners.get(listener_arn)
        if listener is None:
            return page(503)  # its port is open, its rules are on their way
        response = await self._answer(listener, request)
        response.headers = listener_headers(listener, response.headers)
        return response

    async def _answer(self, listener: Listener, request: HttpRequest) -> HttpResponse:
        if reason := self._refusal(listener, request):
            return HttpResponse(
                403, [("content-type", "text/plain; charset=utf-8")], reason.encode()
            )
        if status := _malformed(request):
            return page(status)
        for rule in listener.rules:
            if rule.holds(request):
                return await self._act(listener, rule.action, request)
        return page(503)  # not reached: the default rule holds for everything

    async def answer_named(self, name: str, request: HttpRequest) -> HttpResponse | None:
        """The response of a load balancer's oldest listener; ``None``: there is none."""
        for arn, listener in self._listeners.items():
            if listener.balancer == name:
                return await self.answer(arn, request)
        return None

    def _refusal(self, listener: Listener, request: HttpRequest) -> str | None:
        def header(name: str) -> str | None:
            value = request.header(name)
            if name == "host" and value and listener.names_host(host_name(request)):
                return None  # somebody has made a rule for this very domain
            return value

        return refusal(header, self._guard)

    async def _act(self, listener: Listener, action: Action, request: HttpRequest) -> HttpResponse:
        if action.kind == FIXED_RESPONSE:
            return fixed_response(action.configuration)
        if action.kind == REDIRECT:
            return redirect(action.configuration, request, listener.scheme)
        if action.kind == FORWARD:
            chosen = sticky_target_group(action, request) or self._choose(action)
            group = self._groups.get(chosen or "")
            if group is not None and group.targets:
                target = random.choice(group.targets)  # noqa: S311  no secret
                response = await self._forward(listener, group, target, request)
                response.headers += sticky_cookies(action, group.arn)
                return response
        LOG.warning("load balancer %s: a rule has no target for a request", listener.balancer)
        return page(503)

    def _choose(self, action: Action) -> str | None:
        """A target group by weight. Nothing changes a weight, not even that a group is empty."""
        arns = [arn for arn, _ in action.forward_to]
        weights = [weight for _, weight in action.forward_to]
        return random.choices(arns, weights)[0] if any(weights) else None  # noqa: S311  no secret

    async def _forward(
        self, listener: Listener, group: TargetGroup, target: Target, request: HttpRequest
    ) -> HttpResponse:
        if (
            request.header("upgrade") is not None
            and "upgrade" in (request.header("connection") or "").lower()
        ):
            return page(400)  # functions have no WebSockets
        if len(request.body) > MAX_BODY_BYTES:
            return page(413)
        trace_id = trace_header(request.header("x-amzn-trace-id"))
        event = build_event(
            group,
            request,
            scheme=listener.scheme,
            settings=listener.headers,
            trace_id=trace_id,
        )
        origin = Origin("HTTP request", f"load balancer {listener.balancer}")
        try:
            return await self._invoke(group, target, event, trace_id, origin)
        except _FunctionError as error:
            LOG.warning("load balancer %s: %s: %s", listener.balancer, target.arn, error)
            return page(502)

    async def _invoke(
        self,
        group: TargetGroup,
        target: Target,
        event: dict[str, Any],
        trace_id: str | None,
        origin: Origin,
    ) -> HttpResponse:
        """The function's response.

        Raises:
            _FunctionError: There is none; the text has AWS's error reason code.
        """
        self._check_policy(group, target)
        invocation = Invocation(
            request_id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
            payload=dump_json(event),
            invoked_arn=target.arn,
            trace_id=trace_id,
        )
        try:
            pool = self._synchronous.invoker.find(target.function_arn, target.qualifier)
            result = await self._synchronous.invoke(pool, invocation, origin)
        except ThrottledError:
            raise _FunctionError("LambdaThrottling") from None
        except NoSuchFunctionError as error:
            raise _FunctionError(f"LambdaResourceNotFound: {error}") from None
        except NotReadyError as error:
            raise _FunctionError(f"LambdaServiceException: not ready: {error}") from None
        if result.is_error:
            raise _FunctionError("LambdaUnhandled: the function failed, see its log")
        try:
            return parse_result(result.payload, multi_value_headers=group.multi_value_headers)
        except MalformedResultError as error:
            raise _FunctionError(f"LambdaInvalidResponse: {error}") from None

    def _check_policy(self, group: TargetGroup, target: Target) -> None:
        settings = self._synchronous.invoker.settings.get(target.function_arn)
        if settings is None:
            raise _FunctionError(f"LambdaResourceNotFound: {target.function_arn}")
        statements = settings.policies.get(target.qualifier or "$LATEST", [])
        if not may_invoke(statements, group.arn):
            raise _FunctionError(
                f"LambdaAccessDenied: its resource-based policy does not allow {PRINCIPAL}"
                f" lambda:InvokeFunction from {group.arn} (lambda add-permission)"
            )

    # -- health checks --------------------------------------------------------------------------

    async def _check(self, group: TargetGroup, target: Target) -> Verdict | None:
        """One health check; what failed, or ``None``."""
        origin = Origin("health check", f"target group {group.arn.split('/')[1]}")
        try:
            response = await self._invoke(group, target, build_health_check(group), None, origin)
        except _FunctionError as error:
            LOG.info("health check of %s: %s", target.arn, error)
            return FAILED
        return None if group.health.accepts(response.status) else mismatch(response.status)


class _FunctionError(Exception):
    """A function gave no response."""


def may_invoke(statements: list[dict[str, Any]], group_arn: str) -> bool:
    """Whether a function's resource-based policy lets a target group invoke it.

    Args:
        statements: Of the policy.
        group_arn: ARN of the target group.
    """
    return allows(
        statements,
        action="lambda:invokefunction",
        principals=(PRINCIPAL,),
        keys={"aws:sourcearn": group_arn, "aws:sourceaccount": group_arn.split(":")[4]},
    )


def _malformed(request: HttpRequest) -> int | None:
    """The status for a request that no rule gets to see, or ``None``."""
    if request.method == "TRACE":
        return 405
    if len(request.raw_path) + len(request.raw_query) > MAX_LINE_BYTES:
        return 414
    if any(len(name) + len(value) > MAX_LINE_BYTES for name, value in request.headers):
        return 400
    hops = ",".join(v for k, v in request.headers if k.lower() == "x-forwarded-for")
    if hops.count(",") >= MAX_FORWARDED_ADDRESSES:
        return 463
    return None
