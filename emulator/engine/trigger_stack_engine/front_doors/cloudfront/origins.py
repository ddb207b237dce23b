"""Sends requests to origins: buckets, the other front doors, and servers of this machine.

AWS topics: CloudFront Developer Guide, "Use various origins with CloudFront distributions",
"Restrict access to an AWS Lambda function URL origin" and "HTTP 502 status code (Bad Gateway)".
Nothing is sent to another machine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import ipaddress
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from trigger_stack_engine.front_doors.cloudfront.distribution import Distribution, Origin
from trigger_stack_engine.front_doors.cloudfront.responses import EdgeError
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.responses import FRAMING
from trigger_stack_engine.front_doors.core.sent_headers import received_headers, sent_headers
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit

LOG = logging.getLogger(__name__)

#: A larger response is not taken: it would not fit beside others.
MAX_RESPONSE_BYTES: Final = 48 * 1024 * 1024
_PART_BYTES: Final = 1024 * 1024
_NOT_RETURNED: Final = FRAMING | {"date", "proxy-connection", "te", "trailer", "upgrade"}
_SUFFIX: Final = r"(?:amazonaws\.com(?:\.cn)?|localhost\.localstack\.cloud)"
_BUCKET: Final = re.compile(
    rf"(?P<bucket>.+)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.{_SUFFIX}", re.DOTALL
)
_WEBSITE: Final = re.compile(
    rf"(?P<bucket>.+)\.s3-website(?:[.-][a-z0-9-]+)?\.{_SUFFIX}", re.DOTALL
)
_API: Final = re.compile(r"[a-z0-9-]+\.execute-api\..+")
_FUNCTION_URL: Final = re.compile(r"[a-z0-9-]+\.lambda-url\..+")
_BALANCER: Final = re.compile(
    r"(?:internal-|dualstack\.)?(?P<name>.+)-\d+\.[a-z0-9-]+\.elb\.amazonaws\.com"
)
#: With which CloudFront says for whom it asks a function URL; a viewer cannot.
_SIGNING: Final = frozenset(
    {
        *("authorization", "x-amz-date", "x-amz-security-token", "x-amz-source-account"),
        "x-amz-source-arn",
    }
)
_NO_BODY: Final = hashlib.sha256().hexdigest()
_FORBIDDEN: Final = json.dumps({"message": "Forbidden"}).encode()

type Answer = Callable[[HttpRequest], Awaitable[HttpResponse | None]]
#: The same, on behalf of the distribution of an ARN if there is one.
type AnswerFor = Callable[[HttpRequest, str | None], Awaitable[HttpResponse | None]]
type AnswerNamed = Callable[[str, HttpRequest], Awaitable[HttpResponse | None]]
#: Has LocalStack's S3 answer: what is asked (see ``Origins``), and the request.
type AskBucket = Callable[[dict[str, Any], HttpRequest], Awaitable[HttpResponse]]


class Origins:
    """Knows where an origin's domain name leads to on this machine.

    Args:
        api: Answers for HTTP and REST APIs by their ``Host``.
        function_url: Answers for function URLs by their ``Host``.
        balancer: Answers for a load balancer by its name.
        bucket: Answers for S3: takes ``{bucket, website, access, identity, distribution}``.
    """

    def __init__(
        self, api: Answer, function_url: AnswerFor, balancer: AnswerNamed, bucket: AskBucket
    ) -> None:
        self._api = api
        self._function_url = function_url
        self._balancer = balancer
        self._bucket = bucket
        self._limit = TimeLimit()
        # No session: that would send what a server sets for one client for the next one, and take
        # the body of a redirect, which is the viewer's.
        self._servers = HTTPAdapter(pool_maxsize=32)

    async def fetch(
        self, distribution: Distribution, origin: Origin, request: HttpRequest
    ) -> HttpResponse:
        """An origin's response, its body whole, or as much as came of it.

        Args:
            request: As the origin gets it; its path begins with ``OriginPath``.

        Raises:
            EdgeError: 502, the origin cannot be reached; 504, it takes too long.
        """
        work = self._ask(distribution, origin, request)
        try:
            response = await self._limit.run(work, origin.read_timeout_s)
        except TimeoutError:
            raise EdgeError(
                504,
                f"The origin {origin.domain} did not answer within {origin.read_timeout_s:g} s.",
            ) from None
        response.headers = _returned(response.headers)
        return response

    async def _ask(
        self, distribution: Distribution, origin: Origin, request: HttpRequest
    ) -> HttpResponse:
        name = origin.domain.partition(":")[0]
        response: HttpResponse | None
        if origin.is_s3 or _WEBSITE.fullmatch(name) or _BUCKET.fullmatch(name):
            response = await self._from_bucket(distribution, origin, name, request)
        elif _API.fullmatch(name) or _FUNCTION_URL.fullmatch(name):
            host = (request.header("host") or "").partition(":")[0].lower()
            if host != name:
                LOG.warning(
                    "CloudFront %s: the origin %s was sent Host %s, and refuses it, as on AWS: use"
                    " the origin request policy AllViewerExceptHostHeader",
                    *(distribution.distribution_id, name, host),
                )
                headers = [("Content-Type", "application/json")]
                return HttpResponse(403, headers, _FORBIDDEN)
            if _API.fullmatch(name):
                response = await self._api(request)
            elif origin.access == "control":
                signed = _signed(distribution, request)
                response = await self._function_url(signed, distribution.arn)
            else:
                response = await self._function_url(request, None)
        elif match := _BALANCER.fullmatch(name):
            response = await self._balancer(match["name"], request)
        elif is_local(name):
            return await asyncio.to_thread(self._from_server, origin, request)
        else:
            raise _unreachable(
                origin,
                "this stack sends nothing to the internet. Origins are S3, APIs, function"
                " URLs and load balancers of this stack, and localhost",
            )
        if response is None:
            raise _unreachable(origin, "there is no such API, function URL or load balancer here")
        if response.stream is not None:
            await _collect(origin, response, response.stream)
        return response

    async def _from_bucket(
        self, distribution: Distribution, origin: Origin, name: str, request: HttpRequest
    ) -> HttpResponse:
        website, bucket = _WEBSITE.fullmatch(name), _BUCKET.fullmatch(name)
        match = website or bucket
        if match is None:
            raise _unreachable(origin, "it is no bucket's name, such as name.s3.amazonaws.com")
        asked = {
            "bucket": match["bucket"],
            "website": website is not None,
            "access": origin.access if origin.is_s3 else "none",
            "identity": origin.identity,
            "distribution": distribution.arn,
        }
        try:
            return await self._bucket(asked, request)
        except OSError as error:
            raise _unreachable(origin, str(error)) from None

    def _from_server(self, origin: Origin, request: HttpRequest) -> HttpResponse:
        """The response of a server of this machine, which is always spoken to without TLS.

        Raises:
            EdgeError: It does not answer.
        """
        name, _, port = origin.domain.partition(":")
        uses_tls = origin.protocol_policy == "https-only"
        number = int(port) if port else origin.https_port if uses_tls else origin.http_port
        address = "127.0.0.1" if name == "localhost" or name.endswith(".localhost") else name
        target = f"http://{address}:{number}{request.raw_path}"
        if request.raw_query:
            target += f"?{request.raw_query}"
        prepared = requests.Request(request.method, target, data=request.body or None).prepare()
        prepared.headers = sent_headers(request.headers, prepared.headers)
        problem: Exception | None = None
        for _ in range(origin.attempts):
            try:
                with self._servers.send(
                    prepared,
                    stream=True,
                    timeout=(origin.connect_timeout_s, origin.read_timeout_s),
                ) as answer:
                    return _read(origin, answer)
            except requests.Timeout:
                raise EdgeError(
                    504, f"The origin {origin.domain} did not answer in time."
                ) from None
            except (requests.RequestException, OSError, ValueError) as error:
                problem = error
                if isinstance(error, requests.ConnectionError) and request.method in (
                    "GET",
                    "HEAD",
                ):
                    continue
                break
        LOG.warning("CloudFront: the origin %s does not answer: %s", origin.domain, problem)
        raise _unreachable(origin, "nothing answers there")


def is_local(name: str) -> bool:
    """Whether a host name, without a port, is this machine's."""
    if name in ("localhost", "host.docker.internal") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _read(origin: Origin, answer: requests.Response) -> HttpResponse:
    """A server's response with all that comes of its body.

    Raises:
        EdgeError: It is too large.
    """
    body, rest = bytearray(), None
    try:
        while part := answer.raw.read(_PART_BYTES, decode_content=False):
            body += part
            if len(body) > MAX_RESPONSE_BYTES:
                raise _too_large(origin)
    except (HTTPError, OSError, ValueError) as error:
        rest = _broken_off(origin, error)
    headers = received_headers(answer.raw.headers.items())
    return HttpResponse(answer.status_code, headers, bytes(body), rest)


async def _collect(origin: Origin, response: HttpResponse, stream: AsyncIterator[bytes]) -> None:
    """Put what comes of a streamed body into the response.

    Raises:
        EdgeError: It is too large.
    """
    body, response.stream = bytearray(response.body), None
    try:
        async for part in stream:
            body += part
            if len(body) > MAX_RESPONSE_BYTES:
                break
    except Exception as error:
        response.stream = _broken_off(origin, error)
    if len(body) > MAX_RESPONSE_BYTES:
        raise _too_large(origin)
    response.body = bytes(body)


class BrokenOffError(Exception):
    """A response ended before its end."""


class _BrokenOff:
    """What follows of a body whose end did not come: the viewer's connection ends, too.

    Such a response is not kept (CloudFront Developer Guide, "Dropped TCP connections").
    """

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def __aiter__(self) -> _BrokenOff:
        return self

    async def __anext__(self) -> bytes:
        raise BrokenOffError(self._problem)


def _broken_off(origin: Origin, error: Exception) -> _BrokenOff:
    problem = f"the response of the origin {origin.domain} broke off: {error}"
    LOG.warning("CloudFront: %s", problem)
    return _BrokenOff(problem)


def _unreachable(origin: Origin, why: str) -> EdgeError:
    return EdgeError(502, f"CloudFront cannot get an answer of the origin {origin.domain}: {why}.")


def _too_large(origin: Origin) -> EdgeError:
    limit = MAX_RESPONSE_BYTES // 1024 // 1024
    return EdgeError(502, f"The response of the origin {origin.domain} is over {limit} MB.")


def _returned(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in _NOT_RETURNED]


def with_custom_headers(origin: Origin, request: HttpRequest) -> HttpRequest:
    """The request with the origin's own headers and path."""
    names = {name.lower() for name, _ in origin.custom_headers}
    kept = [(name, value) for name, value in request.headers if name.lower() not in names]
    return dataclasses.replace(
        request,
        raw_path=f"{origin.path.rstrip('/')}{request.raw_path}",
        headers=[*kept, *origin.custom_headers],
    )


def _signed(distribution: Distribution, request: HttpRequest) -> HttpRequest:
    """A request as CloudFront signs it: the hash of the body is the viewer's to say."""
    headers = [(name, value) for name, value in request.headers if name.lower() not in _SIGNING]
    if request.header("x-amz-content-sha256") is None:
        headers.append(("X-Amz-Content-Sha256", _NO_BODY))
    headers += [
        ("X-Amz-Date", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")),
        ("X-Amz-Source-Account", distribution.account),
        ("X-Amz-Source-Arn", distribution.arn),
    ]
    return dataclasses.replace(request, headers=headers)
