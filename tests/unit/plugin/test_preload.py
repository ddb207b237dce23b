"""Services that are loaded while the emulator starts."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

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
