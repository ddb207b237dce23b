"""Building blocks of the HTTP API's unit tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.loop import LoopThread
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
