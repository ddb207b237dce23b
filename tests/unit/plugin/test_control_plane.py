"""States reach the engine in the order in which they were reached."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from trigger_stack.localstack.lambda_engine.control_plane import ControlPlane
from trigger_stack_engine.wire import Header, Message


def test_an_older_document_never_replaces_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second change comes while the first is under way to the engine."""
    control_plane = ControlPlane()
    routes = ["first"]
    arrived: list[Any] = []

    def push() -> None:
        control_plane.push("http_apis", lambda: list(routes))

    second = threading.Thread(target=push)

    def call(header: Header, body: bytes = b"") -> Message:
        if header["document"] == ["first"]:
            routes.append("second")
            second.start()
            second.join(0.3)  # time to overtake; in vain
        arrived.append(header["document"])
        return {}, b""

    monkeypatch.setattr(control_plane.supervisor, "start", lambda: None)
    monkeypatch.setattr(control_plane.supervisor, "call", call)

    push()
    second.join(10)

    assert arrived == [["first"], ["first", "second"]]
