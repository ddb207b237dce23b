"""Sends requests to origins: buckets, the other front doors, and servers of this machine.

AWS topics: CloudFront Developer Guide, "Use various origins with CloudFront distributions" and
"HTTP 502 status code (Bad Gateway)". Nothing is sent to another machine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from trigger_stack_engine.front_doors.cloudfront.distribution import Distribution, Origin
from trigger_stack_engine.front_doors.cloudfront.responses import EdgeError
from trigger_stack_engine.front_doors.core.message import Headers, HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.responses import FRAMING
from trigger_stack_engine.front_doors.core.time_limit import TimeLimit

LOG = logging.getLogger(__name__)

#: A larger response is not taken: it would not fit beside others.
MAX_RESPONSE_BYTES: Final = 48 * 1024 * 1024
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
_FORBIDDEN: Final = json.dumps({"message": "Forbidden"}).encode()

type Answer = Callable[[HttpRequest], Awaitable[HttpResponse | None]]
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
        self, api: Answer, function_url: Answer, balancer: AnswerNamed, bucket: AskBucket
    ) -> None:
        self._api = api
        self._function_url = function_url
        self._balancer = balancer
        self._bucket = bucket
        self._limit = TimeLimit()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        # Else what a server sets for one client would be sent for the next one.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", HTTPAdapter(pool_maxsize=32))

    async def fetch(
        self, distribution: Distribution, origin: Origin, request: HttpRequest
    ) -> HttpResponse:
        """An origin's response, its body whole.

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
            answer = self._api if _API.fullmatch(name) else self._function_url
            host = (request.header("host") or "").partition(":")[0].lower()
            if host != name:
                LOG.warning(
                    "CloudFront %s: the origin %s was sent Host %s, and refuses it, as on AWS: use"
                    " the origin request policy AllViewerExceptHostHeader",
                    *(distribution.distribution_id, name, host),
                )
                headers = [("Content-Type", "application/json")]
                return HttpResponse(403, headers, _FORBIDDEN)
            response = await answer(request)
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
            response.body += await _collected(origin, response.stream)
            response.stream = None
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
        headers: dict[str, bytes] = {}
        for key, value in request.headers:
            headers[key] = _as_bytes(value)
        problem: Exception | None = None
        for _ in range(origin.attempts):
            try:
                with self._session.request(
                    request.method,
                    target,
                    headers=headers,
                    data=request.body or None,
                    timeout=(origin.connect_timeout_s, origin.read_timeout_s),
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    body = answer.raw.read(MAX_RESPONSE_BYTES + 1, decode_content=False)
                    found = list(answer.raw.headers.items())
                    status = answer.status_code
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
            if len(body) > MAX_RESPONSE_BYTES:
                raise _too_large(origin)
            return HttpResponse(status, found, body)
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


async def _collected(origin: Origin, stream: AsyncIterator[bytes]) -> bytes:
    parts, size = [], 0
    try:
        async for part in stream:
            parts.append(part)
            size += len(part)
            if size > MAX_RESPONSE_BYTES:
                break
    except Exception as error:
        raise _unreachable(origin, f"its response broke off: {error}") from None
    if size > MAX_RESPONSE_BYTES:
        raise _too_large(origin)
    return b"".join(parts)


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


def _as_bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()
