"""Checks the signature of a request to a front door with ``AWS_IAM``.

AWS topic: AWS Identity and Access Management User Guide, "AWS Signature Version 4 for API
requests"; a signature counts for five minutes before and after its time. botocore computes it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections.abc import Callable
from http.client import HTTPMessage

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trigger_stack_engine.front_doors.core.callers import (
    SignatureError,
    UnknownKeyError,
    UnsignedError,
)
from trigger_stack_engine.front_doors.core.message import HttpRequest

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,"
    r" *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})"
)
_VALID_S = 300.0


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
    access_key, date, scope_region, scope_service, names, signature = _parts(request)
    if (scope_region, scope_service) != (region, service):
        scope = f"{scope_region}/{scope_service}"
        raise SignatureError(f"it is signed for {scope} and not for {region}/{service}")
    timestamp = _fresh(request, date, now())
    signed = names.split(";")
    if "host" not in signed:
        raise SignatureError("the host is not signed")
    secret = secret_of(access_key)
    if secret is None:
        raise UnknownKeyError(f"there is no access key {access_key}")
    wanted = _signature(request, access_key, secret, service, region, timestamp, signed)
    if not hmac.compare_digest(wanted, signature):
        raise SignatureError("the signature does not belong to this request")
    return access_key


def access_key_of(request: HttpRequest) -> str:
    """The access key that a request names, unchecked.

    Raises:
        SignatureError: It is not signed.
    """
    return _parts(request)[0]


def _parts(request: HttpRequest) -> tuple[str, ...]:
    header = request.header("authorization")
    if header is None:
        raise UnsignedError("the request is not signed")
    match = _AUTHORIZATION.fullmatch(header.strip())
    if match is None:
        raise SignatureError("the Authorization header is no AWS4-HMAC-SHA256 signature")
    return match.groups()


def _fresh(request: HttpRequest, date: str, now: float) -> str:
    timestamp = request.header("x-amz-date") or ""
    try:
        signed_at = timegm(time.strptime(timestamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise SignatureError("there is no X-Amz-Date") from None
    if not timestamp.startswith(date):
        raise SignatureError("the date of the signature is not that of the request")
    if abs(now - signed_at) > _VALID_S:
        raise SignatureError(f"it was signed at {timestamp}, too long before or after now")
    return timestamp


def _signature(
    request: HttpRequest,
    access_key: str,
    secret: str,
    service: str,
    region: str,
    timestamp: str,
    signed: list[str],
) -> str:
    digest = hashlib.sha256(request.body).hexdigest()
    claimed = request.header("x-amz-content-sha256")
    if claimed not in (None, digest, "UNSIGNED-PAYLOAD"):
        raise SignatureError("X-Amz-Content-SHA256 is not that of the body")
    query = f"?{request.raw_query}" if request.raw_query else ""
    path = request.sent_path or request.raw_path
    rebuilt = AWSRequest(
        request.method,
        f"{request.scheme}://{request.header('host')}{path}{query}",
        data=request.body,
    )
    for name in signed:
        values = [value for key, value in request.headers if key.lower() == name]
        if not values:
            raise SignatureError(f"the header {name} is signed and not there")
        rebuilt.headers[name] = ",".join(values)
    if claimed is not None and "x-amz-content-sha256" not in signed:
        raise SignatureError("X-Amz-Content-SHA256 is not signed")
    rebuilt.context["timestamp"] = timestamp
    auth = _Sha256OfBody(Credentials(access_key, secret), service, region)
    text = auth.string_to_sign(rebuilt, auth.canonical_request(rebuilt))
    computed: str = auth.signature(text, rebuilt)
    return computed


class _Sha256OfBody(SigV4Auth):
    """Signs the headers that are named, and the body also over HTTPS."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        headers = HTTPMessage()
        for name, value in request.headers.items():
            headers[name.lower()] = value
        return headers

    def _should_sha256_sign_payload(self, request: AWSRequest) -> bool:
        return True
