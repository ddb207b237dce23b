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
#: Integrations of REST APIs that LocalStack has at a time, a thread for each. No limit of AWS's:
#: others wait, and one whose client has given up meanwhile is not begun.
MOST_INTEGRATIONS: Final = 64


def check_size(request: HttpRequest) -> None:
    """Refuse what is larger than API Gateway takes, and control characters in headers.

    Raises:
        HttpError: 413, 431 or 400.
    """
    if len(request.body) > MAX_BODY_BYTES:
        raise request_too_large()
    size = len(request.method) + len(request.raw_path) + len(request.raw_query)
    text = "".join([part for header in request.headers for part in header])
    size += len(text)
    if size > MAX_HEADER_BYTES:
        raise headers_too_large()
    if not request.raw_path.startswith("/"):
        raise bad_request()
    if "\0" in text or "\r" in text or "\n" in text:
        raise bad_request()
