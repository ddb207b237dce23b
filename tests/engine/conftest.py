"""One LocalStack for all tests of a worker; its log must stay free of tracebacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.lambda_stack import Stack, alive, start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = start_stack(tmp_path_factory.mktemp("localstack") / "state")
    try:
        yield running
        assert "Traceback (most recent call last)" not in running.log, running.log
    finally:
        children = running.processes()
        running.stop()
        left = [process for process in children if alive(process)]
        assert not left, f"processes that outlived LocalStack: {left}"


@pytest.fixture(autouse=True)
def no_traceback(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a function does, it is no error of the emulator that the tests share."""
    if "stack" not in request.fixturenames:
        yield
        return
    stack: Stack = request.getfixturevalue("stack")
    before = len(stack.log)
    yield
    news = stack.log[before:]
    assert "Traceback (most recent call last)" not in news, news
