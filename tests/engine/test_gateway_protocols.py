"""Port 4566 speaks TLS and HTTP/2, too; what serves them is started by the first who asks."""

from __future__ import annotations

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from tests.engine.lambda_stack import Stack

PATH = "/_localstack/health"


def _connect(stack: Stack, *, tls: bool) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", stack.port), 30)
    if not tls:
        return connection
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname="localhost")


def _get(stack: Stack, *, tls: bool) -> tuple[int, bytes]:
    """By HTTP/1.1."""
    with _connect(stack, tls=tls) as connection:
        host = f"localhost:{stack.port}"
        connection.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def _get_by_http2(stack: Stack) -> tuple[int, bytes]:
    """With prior knowledge (RFC 9113, section 3.3)."""
    http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    status, body = 0, b""
    with _connect(stack, tls=False) as connection:
        http2.initiate_connection()
        headers = [
            (":method", "GET"),
            (":path", PATH),
            (":scheme", "http"),
            (":authority", f"localhost:{stack.port}"),
        ]
        http2.send_headers(1, headers, end_stream=True)
        connection.sendall(http2.data_to_send())
        while True:
            for event in http2.receive_data(connection.recv(65536)):
                match event:
                    case ResponseReceived():
                        status = int(dict(event.headers)[":status"])
                    case DataReceived():
                        body += event.data
                    case StreamEnded():
                        return status, body
            connection.sendall(http2.data_to_send())


def test_tls(stack: Stack) -> None:
    status, body = _get(stack, tls=True)

    assert status == 200
    assert "services" in json.loads(body)


def test_http2(stack: Stack) -> None:
    status, body = _get_by_http2(stack)

    assert status == 200
    assert "services" in json.loads(body)


@pytest.mark.xdist_group("crash")
def test_many_who_begin_at_once(own_stack: Stack) -> None:
    """The first of them has Twisted started; nobody is left without an answer."""
    with ThreadPoolExecutor(24) as pool:
        ways = [
            lambda: _get(own_stack, tls=True),
            lambda: _get(own_stack, tls=False),
            lambda: _get_by_http2(own_stack),
        ] * 8
        statuses = [one.result()[0] for one in [pool.submit(way) for way in ways]]

    assert statuses == [200] * len(ways)
