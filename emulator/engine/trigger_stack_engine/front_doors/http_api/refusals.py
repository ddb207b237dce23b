"""The id that every response of an HTTP API has, and errors of the gateway itself."""

from __future__ import annotations

import random
from binascii import b2a_base64
from typing import Final

from trigger_stack_engine.front_doors.core.message import HttpResponse, error_response

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def with_request_id(response: HttpResponse, call_id: str) -> HttpResponse:
    """The response with the header that has the request's id."""
    headers = [*response.headers, ("apigw-requestid", call_id)]
    return HttpResponse(response.status, headers, response.body)


def refuse(status: int, message: str) -> HttpResponse:
    """An error of the gateway itself, with a request id as every reply."""
    return with_request_id(error_response(status, message), extended_request_id())


def extended_request_id() -> str:
    """16 characters that end in ``=``, as API Gateway's: base64 of eleven bytes."""
    digits = random.getrandbits(88).to_bytes(11)  # no secret
    return b2a_base64(digits, newline=False).translate(_URL_SAFE).decode("ascii")
