"""Services that are loaded while the emulator starts."""

from __future__ import annotations

import json
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.aws.protocol.parser import create_parser
from localstack.aws.protocol.service_router import determine_aws_service_model
from localstack.aws.spec import load_service
from localstack.http import Request

from trigger_stack.localstack import preload


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("", []),
        ("s3", ["s3"]),
        (" lambda, s3 ,,sqs ", ["lambda", "s3", "sqs"]),
    ],
)
def test_names(setting: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRELOAD_SERVICES", setting)

    assert preload.preloaded() == names


def test_one_that_fails_is_a_warning_and_the_others_are_loaded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loaded: list[str] = []
    done = threading.Event()

    class Plugins:
        @staticmethod
        def require(name: str) -> Any:
            if name == "broken":
                raise RuntimeError("no such module")
            loaded.append(name)
            if name == "last":
                done.set()

    monkeypatch.setenv("PRELOAD_SERVICES", "first,broken,last")
    monkeypatch.setattr(preload, "SERVICE_PLUGINS", Plugins)

    with caplog.at_level(logging.WARNING):
        preload.preload_services()
        assert done.wait(10), loaded

    assert loaded == ["first", "last"]
    assert "service broken could not be loaded: no such module" in caplog.text


def test_each_service_is_loaded_by_a_request_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Request] = []
    gateway = SimpleNamespace(process=lambda request, _: sent.append(request))
    runtime = SimpleNamespace(components=SimpleNamespace(gateway=gateway))
    monkeypatch.setattr(preload, "get_current_runtime", lambda: runtime)

    for name in preload.READS:  # in one test: to tell a service by its request takes a catalogue
        preload._read(name, "eu-west-1")

    for name, request in zip(preload.READS, sent, strict=True):
        found = determine_aws_service_model(request)
        assert found and found.service_name == name
        service = load_service(name)
        operation, _ = create_parser(service, service.protocol).parse(request)
        assert operation.name == preload.READS[name][0]
        assert operation.name.startswith(("Get", "List", "Describe"))
        scope = f"/eu-west-1/{service.signing_name}/aws4_request"
        assert scope in request.headers["Authorization"]


def test_each_service_is_loaded_once_and_one_that_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read: list[str] = []
    done = threading.Event()

    def read_one(name: str, region: str) -> None:
        if name == "ec2":
            raise RuntimeError("no such module")
        read.append(f"{name} in {region}")
        if name == "sqs":
            done.set()

    monkeypatch.setattr(preload, "_read", read_one)
    routes = preload.PreloadRoutes()

    def ask(names: str) -> Any:
        asked = Request("GET", preload.PATH, query_string=f"services={names}&region=eu-west-1")
        return json.loads(routes.preload(asked).data)["begun"]

    with caplog.at_level(logging.WARNING):
        assert ask("sns,nothing,ec2,sqs") == ["sns", "ec2", "sqs"]
        assert done.wait(10), read

    assert ask("sqs,sns") == ask("") == []
    assert read == ["sns in eu-west-1", "sqs in eu-west-1"]
    assert "service ec2 could not be loaded: no such module" in caplog.text
