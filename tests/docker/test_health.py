"""The container's health check, against a small HTTP server in the emulator's place."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

HEALTH = Path(__file__).parents[2] / "emulator/container/health.py"


class Emulator(ThreadingHTTPServer):
    """Answers as Lambda does; what it answers to Invoke can be set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.created: list[str] = []
        self.invoke_answer = (200, b'"healthy"')


class Answer(BaseHTTPRequestHandler):
    server: Emulator

    def do_GET(self) -> None:
        if self.server.created:
            self.reply(200, json.dumps({"Configuration": {"State": "Active"}}).encode())
        else:
            self.reply(404, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/invocations"):
            self.reply(*self.server.invoke_answer)
        elif self.path.endswith("/functions"):
            self.server.created.append(json.loads(body)["FunctionName"])
            self.reply(201, b"{}")
        else:
            self.reply(200, b"{}")

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def check(port: int, wait: float = 0.3) -> subprocess.CompletedProcess[str]:
    # As Compose runs it, with a shorter wait.
    program = (
        f"import runpy; module = runpy.run_path({str(HEALTH)!r}); "
        f"module['main'].__globals__['WAIT_SECONDS'] = {wait}; raise SystemExit(module['main']())"
    )
    return subprocess.run(
        [sys.executable, "-ISB", "-c", program],
        env={"GATEWAY_PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_emulator_that_runs_a_function_is_healthy(emulator):
    seen = check(emulator.server_port, wait=10)
    assert seen.returncode == 0, seen.stderr
    assert emulator.created == ["health"]


def test_an_answer_that_is_not_the_functions_own_is_unhealthy(emulator):
    emulator.invoke_answer = (200, b'{"errorMessage": "no"}')
    seen = check(emulator.server_port)
    assert seen.returncode == 1
    assert "errorMessage" in seen.stderr


def test_an_emulator_that_is_only_busy_is_healthy(emulator):
    emulator.invoke_answer = (429, b"{}")
    assert check(emulator.server_port, wait=10).returncode == 0


def test_nothing_at_the_port_is_unhealthy():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    seen = check(port)
    assert seen.returncode == 1
    assert "nothing answers" in seen.stderr
