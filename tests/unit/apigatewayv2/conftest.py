"""Building blocks of the HTTP API's unit tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.loop import LoopThread
from tests.unit.apigatewayv2.http_api_plane import FakeLambda, Plane
from trigger_stack_engine.front_doors.http_api.events import CallContext


@pytest.fixture
def call() -> CallContext:
    return CallContext(
        account_id="000000000000",
        api_id="abc1234567",
        stage="$default",
        stage_variables={},
        request_id="JKJaXmPLvHcESHA=",
        trace_id="Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        time=datetime(2020, 3, 12, 19, 3, 58, 123_000, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.close()


@pytest.fixture
def function() -> FakeLambda:
    return FakeLambda()


@pytest.fixture
def plane(function: FakeLambda, loop: LoopThread) -> Plane:
    return Plane(function, loop)


@pytest.fixture
def upstream() -> Iterator[str]:
    """An HTTP server that answers with what it was asked."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            value = (self.headers["x-a"] or "").encode("latin-1").decode()
            text = f"{self.command} {self.path} {value} {body.decode()}"
            self.send_response(302)
            self.send_header("location", "http://elsewhere.invalid/")
            self.send_header("x-host", self.headers["host"])
            self.send_header("x-text", "grün".encode().decode("latin-1"))
            self.send_header("set-cookie", "session=secret; Path=/")
            self.send_header("x-received", json.dumps(self.headers.items()))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
