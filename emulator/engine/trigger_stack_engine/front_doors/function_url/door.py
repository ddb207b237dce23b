"""Every function URL: from a request to its response.

AWS topics: AWS Lambda Developer Guide, "Creating and managing Lambda function URLs", "Control
access to Lambda function URLs" and "Lambda quotas"; CloudFront Developer Guide, "Restrict access to
an AWS Lambda function URL origin". Nobody retries: the caller sees the error.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

from trigger_stack_engine.environments.execution import Invocation, Result
from trigger_stack_engine.environments.response_stream import ResponseStream
from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal
from trigger_stack_engine.front_doors.core.callers import (
    Caller,
    Callers,
    IncompleteSignatureError,
    SignatureError,
    UnsignedError,
)
from trigger_stack_engine.front_doors.core.cors import apply_cors, is_preflight, preflight_response
from trigger_stack_engine.front_doors.core.event_parts import new_trace_id
from trigger_stack_engine.front_doors.core.message import (
    Headers,
    HttpError,
    HttpRequest,
    HttpResponse,
)
from trigger_stack_engine.front_doors.core.policy import allows
from trigger_stack_engine.front_doors.function_url.events import (
    END_OF_HEAD,
    HEAD_AND_BODY,
    MalformedResultError,
    build_event,
    parse_result,
    parse_stream,
)
from trigger_stack_engine.front_doors.function_url.url import (
    AWS_IAM,
    RESPONSE_STREAM,
    FunctionUrl,
    locate,
)
from trigger_stack_engine.invoke.concurrency import ThrottledError
from trigger_stack_engine.invoke.invoker import NoSuchFunctionError, NotReadyError
from trigger_stack_engine.invoke.synchronous import SynchronousInvoker
from trigger_stack_engine.journal.recorder import Origin
from trigger_stack_engine.json_text import dump_json

LOG = logging.getLogger(__name__)

MAX_EVENT_BYTES: Final = 6 * 1024 * 1024
#: What a policy must allow; both since November 2026 for every URL.
_ACTIONS: Final = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
_CLOUDFRONT: Final = "cloudfront.amazonaws.com"
#: Who signs the requests of distributions with an origin access control, in every account.
_DISTRIBUTION: Final = Caller(
    access_key="ASIAORIGINACCESS0000",
    account="856369053181",
    arn="arn:aws:sts::856369053181:assumed-role/OriginAccessControlRole/OriginAccessSession",
    user_id="AROA4OY4SXX6VEIZRJRCJ:OriginAccessSession",
)


class FunctionUrls:
    """Answers requests for function URLs.

    Args:
        synchronous: Calls functions.
        callers: Finds who signed a request.
        guard: Which requests of web pages are refused.
    """

    def __init__(
        self, synchronous: SynchronousInvoker, callers: Callers, guard: GuardSettings
    ) -> None:
        self._synchronous = synchronous
        self._callers = callers
        self._guard = guard
        self._urls: dict[str, FunctionUrl] = {}
        self._running: set[asyncio.Task[Result]] = set()

    def replace(self, documents: list[dict[str, Any]]) -> None:
        """Serve these URLs and no others; see ``FunctionUrl.from_document``."""
        urls = [FunctionUrl.from_document(document) for document in documents]
        # A name may be there in several accounts and regions: the first one has it.
        self._urls = {url.function: url for url in reversed(urls)}
        self._urls |= {url.url_id: url for url in urls}

    async def answer(
        self, request: HttpRequest, distribution: str | None = None
    ) -> HttpResponse | None:
        """The response, or ``None`` when the request is for no function URL.

        Args:
            request: The request.
            distribution: ARN of the CloudFront distribution that signs it by its origin access
                control; ``None``: the request is its client's.
        """
        found = locate(request.header("host") or "", request.raw_path)
        if found is None:
            return None
        url_id, path = found
        return await self._answer(self._urls.get(url_id), request, path, distribution)

    async def _answer(
        self, url: FunctionUrl | None, request: HttpRequest, path: str, distribution: str | None
    ) -> HttpResponse:
        request_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        trace_id = request.header("x-amzn-trace-id") or new_trace_id()
        added: Headers = [("x-amzn-requestid", request_id), ("x-amzn-trace-id", trace_id)]
        cors = url.cors if url else None
        reason = refusal(
            request.header,
            self._guard,
            lambda origin: cors is not None and cors.allowed_origin(origin) is not None,
        )
        if reason is not None:
            response = _error(403, reason)
        elif url is None:
            response = _error(403, None, "AccessDeniedException")
        elif cors is not None and is_preflight(request):
            response = preflight_response(cors, request)
            response.status = 200
        else:
            try:
                caller = await self._caller(url, request, distribution)
                response = await self._invoke(url, request, path, request_id, trace_id, caller)
            except _RefusedError as error:
                response = error.response
            except HttpError as error:
                response = error.response
            if cors is not None:
                response = apply_cors(cors, request, response)
        response.headers = [*response.headers, *added]
        return response

    async def _invoke(
        self,
        url: FunctionUrl,
        request: HttpRequest,
        path: str,
        request_id: str,
        trace_id: str,
        caller: Caller | None,
    ) -> HttpResponse:
        event = build_event(
            url,
            request,
            path,
            request_id=request_id,
            trace_id=trace_id,
            time=datetime.now(UTC),
            caller=caller,
        )
        payload = dump_json(event)
        if len(payload) > MAX_EVENT_BYTES:
            limit = f"Request must be smaller than {MAX_EVENT_BYTES} bytes for the InvokeFunction"
            raise _RefusedError(413, f"{limit} operation", "RequestEntityTooLargeException")
        invocation = Invocation(
            request_id=request_id,
            payload=payload,
            invoked_arn=url.invoked_arn,
            trace_id=trace_id,
        )
        try:
            if url.invoke_mode == RESPONSE_STREAM:
                return await self._streamed(url, invocation)
            result = await self._call(url, invocation)
            if result.is_error:
                raise _bad_gateway()
            reply = parse_result(result.payload or b"null")
        except ThrottledError:
            raise _RefusedError(429, "Rate Exceeded.", "TooManyRequestsException") from None
        except (NoSuchFunctionError, NotReadyError) as error:
            LOG.warning("function URL %s: %r", url.url_id, error)
            raise _bad_gateway() from None
        except MalformedResultError:
            LOG.warning("function URL %s: the result describes no response", url.url_id)
            raise _bad_gateway() from None
        return HttpResponse(reply.status, reply.headers, reply.body)

    async def _call(self, url: FunctionUrl, invocation: Invocation) -> Result:
        pool = self._synchronous.invoker.find(url.arn, url.qualifier)
        origin = Origin("HTTP request", f"function URL {url.url_id}")
        return await self._synchronous.invoke(pool, invocation, origin)

    async def _streamed(self, url: FunctionUrl, invocation: Invocation) -> HttpResponse:
        """The response as soon as its head is known; the rest follows while it comes."""
        stream = invocation.stream = ResponseStream()
        task = asyncio.create_task(self._call(url, invocation))
        self._running.add(task)  # it goes on when the client goes away
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: stream.end())
        begin = b""
        while (part := await stream.parts.get()) is not None:
            begin += part
            if stream.content_type != HEAD_AND_BODY or END_OF_HEAD in begin:
                reply = parse_stream(stream.content_type, begin)
                rest = _rest(stream, task)
                return HttpResponse(reply.status, reply.headers, reply.body, rest)
        result = await task
        if result.is_error:
            raise _bad_gateway()
        reply = parse_stream(stream.content_type, result.payload)
        return HttpResponse(reply.status, reply.headers, reply.body)

    # -- who may ------------------------------------------------------------------------------

    async def _caller(
        self, url: FunctionUrl, request: HttpRequest, distribution: str | None
    ) -> Caller | None:
        """Who signed the request; ``None`` when nobody has to.

        Raises:
            _RefusedError: It may not invoke the function.
        """
        caller, principals, who = None, [], "everybody"
        keys = {
            "lambda:functionurlauthtype": url.auth_type,
            "lambda:invokedviafunctionurl": "true",
        }
        if url.auth_type == AWS_IAM and distribution is not None:
            _check_body(url, request)
            caller, principals, who = _DISTRIBUTION, [_CLOUDFRONT], distribution
            account = distribution.split(":")[4]
            keys |= {"aws:sourcearn": distribution, "aws:sourceaccount": account}
        elif url.auth_type == AWS_IAM:
            caller = await self._signer(url, request)
            if caller.account == url.account:
                return caller
            principals, who = caller.principals, caller.arn
        self._check_policy(url, principals, keys, who)
        return caller

    def _check_policy(
        self, url: FunctionUrl, principals: list[str], keys: dict[str, str], who: str
    ) -> None:
        """Whether the function's policy lets somebody invoke it by its URL.

        Raises:
            _RefusedError: It does not.
        """
        settings = self._synchronous.invoker.settings.get(url.arn)
        statements = settings.policies.get(url.qualifier or "$LATEST", []) if settings else []
        for action in _ACTIONS:
            if not allows(statements, action=action.lower(), principals=principals, keys=keys):
                LOG.warning(
                    "function URL %s: the resource-based policy of %s does not allow %s for %s"
                    " (lambda add-permission)",
                    *(url.url_id, url.invoked_arn, action, who),
                )
                raise _forbidden()

    async def _signer(self, url: FunctionUrl, request: HttpRequest) -> Caller:
        try:
            return await self._callers.signer(request, "lambda", url.region)
        except SignatureError as error:
            LOG.warning("function URL %s: %s", url.url_id, error)
            if isinstance(error, UnsignedError | IncompleteSignatureError):
                raise _forbidden() from None
            raise _badly_signed(error) from None


async def _rest(stream: ResponseStream, task: asyncio.Task[Result]) -> AsyncIterator[bytes]:
    """The parts that are still to come.

    Raises:
        FunctionFailedError: The function failed in the middle.
    """
    while (part := await stream.parts.get()) is not None:
        yield part
    result = await task
    if result.is_error:
        raise FunctionFailedError(result.payload.decode(errors="replace")[:1000])


class FunctionFailedError(Exception):
    """The function failed when a part of its response had been sent already."""


class _RefusedError(Exception):
    def __init__(self, status: int, message: str | None, kind: str) -> None:
        super().__init__(message)
        self.response = _error(status, message, kind)


def _forbidden() -> _RefusedError:
    text = "Forbidden. For troubleshooting Function URL authorization issues, see: "
    page = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    return _RefusedError(403, text + page, "AccessDeniedException")


def _check_body(url: FunctionUrl, request: HttpRequest) -> None:
    """Whether CloudFront signed the body: it takes the hash that the viewer sends.

    Raises:
        _RefusedError: It is another one, or there is none.
    """
    if request.header("x-amz-content-sha256") == hashlib.sha256(request.body).hexdigest():
        return
    problem = "CloudFront signs a body by the viewer's header x-amz-content-sha256: it is missing"
    LOG.warning("function URL %s: %s, or not that of the body", url.url_id, problem)
    raise _badly_signed(SignatureError(problem))


def _badly_signed(error: SignatureError) -> _RefusedError:
    """Who signs has AWS's reason, from the part that all services share: ``message`` is small."""
    refused = _RefusedError(403, None, error.kind)
    refused.response.body = json.dumps({"message": error.answer}).encode()
    return refused


def _bad_gateway() -> _RefusedError:
    error = _RefusedError(502, None, "")
    body = b"Internal Server Error"
    error.response = HttpResponse(502, [("content-type", "application/json")], body)
    return error


def _error(status: int, message: str | None, kind: str = "") -> HttpResponse:
    headers = [("content-type", "application/json")]
    if kind:
        headers.append(("x-amzn-errortype", kind))
    return HttpResponse(status, headers, json.dumps({"Message": message}).encode())
