"""Requests that two servers could read differently are refused on both ports."""

from __future__ import annotations

import socket

import pytest

from tests.apigatewayv2.http_api_emulator import Emulator

HEALTHY = b"GET /_localstack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
REFUSED = {
    "a length of 5000 digits": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
    + b"1" * 5000
    + b"\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nxx",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "identity": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity\r\n\r\n",
    "gzip": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\rb\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\nX-B: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nX-A: a\r\n\r\n",
    "no host, with a body": b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: localhost\r\nbroken\r\n\r\n",
}


def send(port: int, data: bytes) -> bytes:
    """Everything that the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize("edge", [True, False], ids=["AWS API", "HTTP API"])
@pytest.mark.parametrize("data", REFUSED.values(), ids=list(REFUSED))
def test_an_ambiguous_request_is_a_bad_request(emulator: Emulator, edge: bool, data: bytes) -> None:
    answer = send(emulator.edge if edge else emulator.port, data)

    assert answer.startswith(b"HTTP/1.1 4"), answer[:300]
    assert answer.count(b"HTTP/1.1 ") == 1, "the rest was read as another request"
    assert send(emulator.edge, HEALTHY).startswith(b"HTTP/1.1 200")
