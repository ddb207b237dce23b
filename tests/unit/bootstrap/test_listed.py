"""What the emulator lists at its own routes, or another program at its port."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap import gateway
from bootstrap.settings import Settings

SETTINGS = Settings(gateway_port=4911, http_api_port=4912, region="us-east-1")


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (None, []),
        ((404, b"[]"), []),
        ((200, b"<html>not the emulator</html>"), []),
        ((200, b"\xff"), []),
        ((200, b'[{"address": "http://localhost:8081"}]'), [{"address": "http://localhost:8081"}]),
    ],
)
def test_what_is_listed(monkeypatch: pytest.MonkeyPatch, answer: Any, found: Any) -> None:
    monkeypatch.setattr(gateway, "request", lambda *arguments, **named: answer)

    assert gateway.listed(SETTINGS, "/_trigger_stack/load-balancers") == found
