"""Nobody but an environment's own process reaches its Runtime API."""

from __future__ import annotations

import os
import socket
import sys

import psutil
import pytest

from tests.engine.lambda_stack import Stack
from tests.engine.test_crash import engine
from tests.engine.test_custom_runtimes import runtime

ECHO = """
while True:
    status, event, headers = ask("GET", "/invocation/next")
    ask("POST", f"/invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/response", event)
"""
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"


def ports(stack: Stack) -> set[int]:
    """The ports that the engine listens on."""
    return {
        connection.laddr.port
        for connection in engine(stack).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_a_forked_environment_listens_nowhere(stack: Stack) -> None:
    before = ports(stack)
    name = stack.create("def handler(event, context): return event")

    assert stack.invoke(name, 1).value == 1
    assert ports(stack) <= before


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="environments have users of their own only where the emulator runs as root on Linux",
)
def test_another_user_gets_no_event_and_the_environment_goes_on(stack: Stack) -> None:
    before = ports(stack)
    name = runtime(stack, ECHO)
    assert stack.invoke(name, 1).value == 1
    (port,) = ports(stack) - before

    with socket.create_connection(("127.0.0.1", port), 10) as intruder:
        intruder.sendall(NEXT)
        try:
            answer = intruder.recv(1000)
        except ConnectionResetError:
            answer = b""

    assert answer == b""
    assert stack.invoke(name, 2).value == 2
