"""What API Gateway takes at most.

AWS topic: API Gateway Developer Guide, "Quotas for configuring and running an HTTP API" (10 MB of
payload, 10 240 bytes of request line and headers).
"""

from __future__ import annotations

from typing import Final

from trigger_stack_engine.front_doors.core.message import (
    HttpRequest,
    bad_request,
    headers_too_large,
    request_too_large,
)

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
MAX_HEADER_BYTES: Final = 10_240


def check_size(request: HttpRequest) -> None:
    """Refuse what is larger than API Gateway takes, and control characters in headers.

    Raises:
        HttpError: 413, 431 or 400.
    """
    if len(request.body) > MAX_BODY_BYTES:
        raise request_too_large()
    size = len(request.method) + len(request.raw_path) + len(request.raw_query)
    size += sum(len(name) + len(value) for name, value in request.headers)
    if size > MAX_HEADER_BYTES:
        raise headers_too_large()
    if not request.raw_path.startswith("/"):
        raise bad_request()
    if any(c in text for pair in request.headers for text in pair for c in "\0\r\n"):
        raise bad_request()
