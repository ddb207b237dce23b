"""Checks the signature of a request to a front door with ``AWS_IAM``.

AWS topic: AWS Identity and Access Management User Guide, "AWS Signature Version 4 for API
requests" and "Authentication methods"; a signature in the ``Authorization`` header counts for five
minutes before and after its time, one in the query string (a presigned URL) for as long as its
``X-Amz-Expires`` says. botocore computes it. CloudFront Developer Guide, "Restrict access to an AWS
Lambda function URL origin": Lambda takes no unsigned bodies.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trigger_stack_engine.front_doors.core.authorization_header import (
    ALGORITHM,
    NAMES,
    SCOPE,
    SIGNATURE,
    incomplete,
    parse,
)
from trigger_stack_engine.front_doors.core.callers import (
    SignatureError,
    UnknownKeyError,
    UnsignedError,
)
from trigger_stack_engine.front_doors.core.encoding import parse_query
from trigger_stack_engine.front_doors.core.message import HttpError, HttpRequest

#: The parameters of a presigned URL, joined by spaces.
_PRESIGNED: Final = re.compile(rf"{ALGORITHM} {SCOPE} {NAMES} {SIGNATURE}", re.ASCII)
_PRESIGNED_NAMES: Final = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_IN_QUERY: Final = "X-Amz-Signature="
_SESSION: Final = "X-Amz-Security-Token"
_VALID_S: Final = 300.0
_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_MOST_EXPIRES_S: Final = 604_800


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its signature.

    Attributes:
        access_key: Who is said to have signed.
        date: Day of the scope, ``YYYYMMDD``.
        region: Region of the scope.
        service: Service of the scope.
        signed: Names of the signed headers.
        signature: The signature, in hexadecimal digits.
        timestamp: When it was signed, ``YYYYMMDDTHHMMSSZ``.
        expires_s: For how many seconds it counts from then on, as text; ``None`` in a header.
        payload_hash: ``X-Amz-Content-SHA256``, if there is one.
    """

    access_key: str
    date: str
    region: str
    service: str
    signed: list[str]
    signature: str
    timestamp: str
    expires_s: str | None
    payload_hash: str | None


def check(
    request: HttpRequest,
    service: str,
    region: str,
    secret_of: Callable[[str], str | None],
    now: Callable[[], float] = time.time,
) -> str:
    """The access key that signed a request.

    Args:
        request: The request as it came, with its whole path.
        service: Signing name of the service: ``lambda`` for function URLs, else ``execute-api``.
        region: Of the function or API.
        secret_of: The secret key of an access key; ``None`` when there is no such key.
        now: Seconds since 1970.

    Raises:
        SignatureError: It is not signed by that key for this URL and this time.
    """
    claim = _claim(request)
    if (claim.region, claim.service) != (region, service):
        raise _of_another_scope(claim, region, service)
    _check_time(claim, now())
    if "host" not in claim.signed:
        raise SignatureError("the host is not signed")
    secret = secret_of(claim.access_key)
    if secret is None:
        raise UnknownKeyError(f"there is no access key {claim.access_key}")
    if not hmac.compare_digest(_signature(request, claim, secret), claim.signature):
        raise SignatureError("the signature does not belong to this request")
    return claim.access_key


def access_key_of(request: HttpRequest) -> str:
    """The access key that a request names, unchecked.

    Raises:
        SignatureError: It is not signed.
    """
    return _claim(request).access_key


def session_token_of(request: HttpRequest) -> str | None:
    """The session token that comes with a temporary access key."""
    pairs = parse_query(request.raw_query) if _SESSION in request.raw_query else []
    return dict(pairs).get(_SESSION) or request.header(_SESSION)


def _claim(request: HttpRequest) -> _Claim:
    header = request.header("authorization")
    if any(part.startswith(_IN_QUERY) for part in request.raw_query.split("&")):
        if header is not None:
            raise SignatureError("there is an Authorization header and a signature in the query")
        return _presigned(request)
    if header is None:
        raise UnsignedError("the request is not signed")
    given = parse(header)
    if given is None:
        problem = "the Authorization header is no AWS4-HMAC-SHA256 signature"
        raise incomplete(request) or SignatureError(problem)
    access_key, date, region, service, names, signature = given
    return _Claim(
        access_key=access_key,
        date=date,
        region=region,
        service=service,
        signed=names.split(";"),
        signature=signature,
        timestamp=request.header("x-amz-date") or "",
        expires_s=None,
        payload_hash=request.header("x-amz-content-sha256"),
    )


def _presigned(request: HttpRequest) -> _Claim:
    try:
        pairs = [pair for pair in parse_query(request.raw_query) if pair[0].startswith("X-Amz-")]
    except HttpError:
        raise SignatureError("the query string cannot be decoded") from None
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if twice:
        raise SignatureError(f"{twice[0]} is there more than once")
    given = dict(pairs)
    match = _PRESIGNED.fullmatch(" ".join(given.get(name, "") for name in _PRESIGNED_NAMES))
    if match is None:
        raise SignatureError("the query string has no AWS4-HMAC-SHA256 signature")
    access_key, date, region, service, names, signature = match.groups()
    return _Claim(
        access_key=access_key,
        date=date,
        region=region,
        service=service,
        signed=names.split(";"),
        signature=signature,
        timestamp=given.get("X-Amz-Date", ""),
        expires_s=given.get("X-Amz-Expires", ""),
        payload_hash=given.get("X-Amz-Content-Sha256") or request.header("x-amz-content-sha256"),
    )


def _of_another_scope(claim: _Claim, region: str, service: str) -> SignatureError:
    answer = "" if claim.region == region else "Credential should be scoped to a valid region. "
    if claim.service != service:
        answer += f"Credential should be scoped to correct service: '{service}'. "
    scope = f"{claim.region}/{claim.service}"
    return SignatureError(f"it is signed for {scope} and not for {region}/{service}", answer)


def _check_time(claim: _Claim, now: float) -> None:
    timestamp = claim.timestamp
    try:
        signed_at = timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise SignatureError("there is no X-Amz-Date") from None
    if not timestamp.startswith(claim.date):
        raise SignatureError("the date of the signature is not that of the request")
    lasts_s = _VALID_S
    if claim.expires_s is not None:
        if not re.fullmatch("[0-9]{1,6}", claim.expires_s):
            raise SignatureError("X-Amz-Expires is no number of seconds")
        lasts_s = int(claim.expires_s)
        if not 1 <= lasts_s <= _MOST_EXPIRES_S:
            raise SignatureError("X-Amz-Expires is not between one second and one week")
    problem = f"it was signed at {timestamp}, too long before or after now"
    if now < signed_at - _VALID_S:
        late = f"{_written(now + _VALID_S)} ({_written(now)} + 5 min.)"
        answer = f"Signature not yet current: {timestamp} is still later than {late}"
        raise SignatureError(problem, answer)
    if now > signed_at + lasts_s:
        early = f"{_written(now - _VALID_S)} ({_written(now)} - 5 min.)"
        answer = f"Signature expired: {timestamp} is now earlier than {early}"
        raise SignatureError(problem, None if claim.expires_s is not None else answer)


def _written(seconds: float) -> str:
    """A time as ``X-Amz-Date`` has it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def _signature(request: HttpRequest, claim: _Claim, secret: str) -> str:
    digest = hashlib.sha256(request.body).hexdigest()
    claimed = claim.payload_hash
    if claimed not in (None, digest, _UNSIGNED):
        raise SignatureError("X-Amz-Content-SHA256 is not that of the body")
    if claimed == _UNSIGNED and claim.service == "lambda":
        raise SignatureError("Lambda does not take an unsigned body")
    parts = request.raw_query.split("&") if request.raw_query else []
    if claim.expires_s is not None:
        parts = [part for part in parts if not part.startswith(_IN_QUERY)]
    query = f"?{'&'.join(parts)}" if parts else ""
    path = request.sent_path or request.raw_path
    rebuilt = AWSRequest(
        request.method,
        f"{request.scheme}://{request.header('host')}{path}{query}",
        data=request.body,
    )
    for name in claim.signed:
        values = [value for key, value in request.headers if key.lower() == name]
        if not values:
            raise SignatureError(f"the header {name} is signed and not there")
        rebuilt.headers[name] = ",".join(values)
    if claimed is not None and "x-amz-content-sha256" not in claim.signed:
        if claim.expires_s is None:
            raise SignatureError("X-Amz-Content-SHA256 is not signed")
        rebuilt.headers["X-Amz-Content-SHA256"] = claimed  # it is signed with the query
    rebuilt.context["timestamp"] = claim.timestamp
    auth = _Sha256OfBody(
        Credentials(claim.access_key, secret), claim.service, claim.region, claim.signed
    )
    try:
        text = auth.string_to_sign(rebuilt, auth.canonical_request(rebuilt))
    except ValueError:  # of urllib, for a host in brackets that is no address
        raise SignatureError("the URL cannot be read") from None
    computed: str = auth.signature(text, rebuilt)
    return computed


class _Sha256OfBody(SigV4Auth):
    """Signs the headers that are named, and the body also over HTTPS."""

    def __init__(
        self, credentials: Credentials, service: str, region: str, signed: list[str]
    ) -> None:
        super().__init__(credentials, service, region)
        self._signed = signed

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        headers = HTTPMessage()
        for name, value in request.headers.items():
            if name.lower() in self._signed:
                headers[name.lower()] = value
        return headers

    def _should_sha256_sign_payload(self, request: AWSRequest) -> bool:
        return True
