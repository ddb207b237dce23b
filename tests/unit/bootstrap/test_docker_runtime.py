"""The bootstrap's container waits for an emulator that is there, slow or absent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bootstrap.errors import DeployError
from bootstrap.runtime import docker
from bootstrap.settings import Settings
from tests.support.waiting import eventually


class Emulator(ThreadingHTTPServer):
    """Answers the health check: 503 until it is ``healthy``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Health)
        self.healthy = True
        self.asked = 0


class Health(BaseHTTPRequestHandler):
    server: Emulator

    def do_GET(self) -> None:
        assert self.path == "/_localstack/health"
        self.server.asked += 1
        self.send_response(200 if self.server.healthy else 503)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def settings(monkeypatch: pytest.MonkeyPatch, gateway: int, http_api: int) -> Settings:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{gateway}")
    monkeypatch.setenv("GATEWAY_PORT", str(gateway))
    monkeypatch.setenv("HTTP_API_PORT", str(http_api))
    return Settings.from_environment()


def test_a_stack_that_runs_is_used(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.start(settings(monkeypatch, emulator.server_port, emulator.server_port))
    assert "runs already" in capsys.readouterr().out


def test_it_waits_for_a_healthy_answer_and_uses_the_time(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    emulator.healthy = False

    def meanwhile() -> None:
        seen = emulator.asked
        threading.Timer(0, recover, [seen]).start()

    def recover(seen: int) -> None:
        eventually(lambda: emulator.asked > seen)
        emulator.healthy = True

    docker.start(
        settings(monkeypatch, emulator.server_port, emulator.server_port), meanwhile=meanwhile
    )
    assert "LocalStack answers at" in capsys.readouterr().out


def test_the_port_of_the_http_api_counts(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "_START_SECONDS", 0.2)
    with pytest.raises(DeployError, match="docker compose logs localstack"):
        docker.start(settings(monkeypatch, emulator.server_port, 1))


def test_no_answer_is_an_error_that_names_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "_START_SECONDS", 0.2)
    with pytest.raises(DeployError, match="did not answer within"):
        docker.start(settings(monkeypatch, 1, 1))
