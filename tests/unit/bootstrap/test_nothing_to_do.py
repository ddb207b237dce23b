"""What a run leaves at the emulator, and when the next one believes it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from conftest import FUNCTION, Project

from bootstrap import builds
from bootstrap.services import RESOURCE_TYPES, needed
from bootstrap.settings import Settings
from bootstrap.template import Physical, Template
from bootstrap.unchanged import Changes, Known, digest

QUEUE = """\
resources:
  Resources:
    Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
"""
KNOWN = Known("000000000000", {"Orders": Physical("url", {"Arn": "arn"})})


class Emulator(ThreadingHTTPServer):
    """Keeps what it is given, as the emulator does while nothing changes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept: dict[str, Any] = {}
        self.status = 200

    @property
    def settings(self) -> Settings:
        return Settings(self.server_port, 8080, "us-east-1")


class Handler(BaseHTTPRequestHandler):
    server: Emulator

    def do_GET(self) -> None:
        self.answer({"number": 7, "content": self.server.kept.get(self.path)})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (body["since"], body["run"]) == (7, "run")
        self.server.kept[self.path] = body["content"]
        self.answer({"kept": True})

    def answer(self, body: Any) -> None:
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for name in ("AWS_ENDPOINT_URL", "HTTP_API_ID", "HTTP_API_URL"):
        monkeypatch.delenv(name, raising=False)
    with Emulator() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def remembered(template: Template, settings: Settings) -> Known | None:
    return Changes(template, settings, "run").recall()


def remember(template: Template, settings: Settings) -> None:
    changes = Changes(template, settings, "run")
    changes.recall()
    changes.remember(KNOWN, builds.hashes(template))


def test_the_next_run_knows_what_this_one_left(project: Project, emulator: Emulator) -> None:
    template = project.compile(FUNCTION + QUEUE)
    assert remembered(template, emulator.settings) is None

    remember(template, emulator.settings)

    assert remembered(template, emulator.settings) == KNOWN
    assert list(emulator.kept) == ["/_trigger_stack/changes/shop-test"]


def test_but_not_for_another_definition_code_or_setting(
    project: Project, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = emulator.settings
    template = project.compile(FUNCTION + QUEUE)
    remember(template, settings)

    assert remembered(project.compile(FUNCTION + QUEUE.replace("orders", "o")), settings) is None
    assert remembered(template, replace(settings, http_api_port=8081)) is None
    assert remembered(template, replace(settings, region="eu-west-1")) is None
    with monkeypatch.context() as patched:
        patched.setenv("HTTP_API_ID", "abc")
        assert remembered(template, settings) is None
    handler = project.root / "app.py"
    text = handler.read_text()
    handler.write_text(f"{text}\n# changed\n")
    assert remembered(template, settings) is None
    handler.write_text(text)
    assert remembered(template, settings) == KNOWN
    handler.chmod(0o755)
    assert remembered(template, settings) is None


def test_the_code_of_the_bootstrap_counts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template, settings = project.compile(FUNCTION), Settings(4566, 8080, "us-east-1")
    code = tmp_path / "bootstrap"
    (code / "services").mkdir(parents=True)
    monkeypatch.setattr("bootstrap.unchanged._CODE", code)
    before = digest(template, settings, {})

    (code / "services/sqs.py").write_text("new")

    assert digest(template, settings, {}) != before


@pytest.mark.parametrize("status", [404, 500])
def test_an_emulator_that_counts_nothing_is_asked_for_everything(
    project: Project, emulator: Emulator, status: int
) -> None:
    template = project.compile(FUNCTION)
    remember(template, emulator.settings)
    emulator.status = status

    assert remembered(template, emulator.settings) is None
    emulator.kept.clear()
    remember(template, emulator.settings)
    assert not emulator.kept


def test_nothing_answers(project: Project, emulator: Emulator) -> None:
    settings = emulator.settings
    emulator.shutdown()
    emulator.server_close()

    assert remembered(project.compile(FUNCTION), settings) is None


def test_a_run_with_nothing_to_do_imports_no_sdk() -> None:
    code = (
        "import sys\n"
        "from bootstrap.commands import up\n"
        "print(*sorted(name for name in sys.modules if '.' not in name))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    slow = {"boto3", "botocore", "jsonschema", "requests", "s3transfer", "tenacity", "urllib3"}
    assert not slow & set(done.stdout.split())


def test_services_that_a_template_needs(project: Project) -> None:
    services = needed(project.compile(FUNCTION + QUEUE))

    assert sorted(services) == ["iam", "lambda", "logs", "sqs"]


def test_every_service_is_one_of_boto3() -> None:
    resources = {name: SimpleNamespace(type=name) for name in RESOURCE_TYPES}
    template = SimpleNamespace(resources=resources)

    services = needed(template)  # type: ignore[arg-type]  # all of a template that it looks at

    assert set(services) <= set(boto3.Session().get_available_services())
