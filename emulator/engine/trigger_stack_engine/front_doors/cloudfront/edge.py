"""Calls the functions of Lambda@Edge.

AWS topics: CloudFront Developer Guide, "Lambda@Edge", "HTTP 502 status code (Lambda validation
error)" and "HTTP 503 status code (Service Unavailable)". Nobody retries: the viewer sees the error.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from typing import Final

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.front_doors.cloudfront.distribution import (
    ORIGIN_REQUEST,
    ORIGIN_RESPONSE,
    VIEWER_REQUEST,
    VIEWER_RESPONSE,
    Behavior,
    Distribution,
    EdgeFunction,
    Origin,
)
from trigger_stack_engine.front_doors.cloudfront.edge_events import (
    EdgeRequest,
    InvalidResultError,
    build_event,
    parse_request_result,
    parse_response_result,
)
from trigger_stack_engine.front_doors.cloudfront.responses import (
    LAMBDA_EXECUTION,
    LAMBDA_LIMIT,
    LAMBDA_VALIDATION,
    EdgeError,
)
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.invoker import NoSuchFunctionError, NotReadyError
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.recorder import Origin as EventOrigin
from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

#: Seconds that a function may take at each point, whatever its own time-out.
LIMITS_S: Final = {
    VIEWER_REQUEST: 5.0,
    VIEWER_RESPONSE: 5.0,
    ORIGIN_REQUEST: 30.0,
    ORIGIN_RESPONSE: 30.0,
}
#: A function's own time-out ends it first; this is for what takes time around it.
_GRACE_S: Final = 1.0


class EdgeFunctions:
    """Calls functions at the four points.

    Args:
        synchronous: Calls functions.
    """

    def __init__(self, synchronous: SynchronousInvoker) -> None:
        self._synchronous = synchronous
        self._running: set[asyncio.Task[Result]] = set()

    async def on_request(
        self,
        distribution: Distribution,
        behavior: Behavior,
        point: str,
        request: HttpRequest,
        request_id: str,
        origin: Origin | None = None,
    ) -> EdgeRequest:
        """What the function at a request's point makes of it; without one, the same.

        Raises:
            EdgeError: It fails, or its result cannot be used.
        """
        function = behavior.functions.get(point)
        if function is None:
            return EdgeRequest(request, origin)
        event = build_event(
            distribution, function, point, request, request_id=request_id, origin=origin
        )
        payload = await self._call(distribution, function, point, dump_json(event), request)
        try:
            return parse_request_result(payload, point, request, origin)
        except InvalidResultError as error:
            raise _invalid(distribution, function, point, error) from None

    async def on_response(
        self,
        distribution: Distribution,
        behavior: Behavior,
        point: str,
        request: HttpRequest,
        response: HttpResponse,
        request_id: str,
        origin: Origin | None = None,
    ) -> HttpResponse:
        """What the function at a response's point makes of it; without one, the same.

        Raises:
            EdgeError: It fails, or its result cannot be used.
        """
        function = behavior.functions.get(point)
        if function is None:
            return response
        event = build_event(
            distribution,
            function,
            point,
            request,
            request_id=request_id,
            origin=origin,
            response=response,
        )
        payload = await self._call(distribution, function, point, dump_json(event), request)
        try:
            return parse_response_result(payload, point, response)
        except InvalidResultError as error:
            raise _invalid(distribution, function, point, error) from None

    async def _call(
        self,
        distribution: Distribution,
        function: EdgeFunction,
        point: str,
        payload: bytes,
        request: HttpRequest,
    ) -> bytes:
        """The function's result.

        Raises:
            EdgeError: It has none.
        """
        invocation = Invocation(
            request_id=str(uuid.UUID(int=random.getrandbits(128), version=4)),
            payload=payload,
            invoked_arn=function.arn,
            trace_id=request.header("x-amzn-trace-id"),
        )
        source = f"CloudFront {distribution.distribution_id} {point}"
        try:
            pool = self._synchronous.invoker.find(function.function_arn, function.version)
            task = asyncio.ensure_future(
                self._synchronous.invoke(pool, invocation, EventOrigin("HTTP request", source))
            )
            self._running.add(task)  # it goes on when its time here is over
            task.add_done_callback(self._running.discard)
            done, _ = await asyncio.wait({task}, timeout=LIMITS_S[point] + _GRACE_S)
            if not done:
                task.add_done_callback(_forget_outcome)
                raise _failed(
                    f"The Lambda function took longer than {LIMITS_S[point]:.0f} seconds."
                )
            result = task.result()
        except ThrottledError:
            text = "The Lambda function associated with the CloudFront distribution was throttled."
            raise EdgeError(503, text, LAMBDA_LIMIT) from None
        except (NoSuchFunctionError, NotReadyError) as error:
            LOG.warning("%s: %r", source, error)
            raise _failed(
                "The Lambda function associated with the CloudFront distribution is invalid or"
                " doesn't have the required permissions."
            ) from None
        if result.is_error:
            LOG.warning("%s: %s failed, see its log", source, function.arn)
            raise _failed("The Lambda function returned an error, or its time was over.")
        return result.payload


def _failed(text: str) -> EdgeError:
    return EdgeError(503, text, LAMBDA_EXECUTION)


def _invalid(
    distribution: Distribution, function: EdgeFunction, point: str, error: InvalidResultError
) -> EdgeError:
    LOG.warning(
        "CloudFront %s %s: the result of %s failed validation: %s",
        *(distribution.distribution_id, point, function.arn, error),
    )
    text = f"The Lambda function result failed validation: {error}"
    return EdgeError(502, text, LAMBDA_VALIDATION)


def _forget_outcome(task: asyncio.Task[Result]) -> None:
    """The viewer has its answer already; the journal has the invocation's end."""
    if not task.cancelled():
        task.exception()
