"""Fixtures: the emulators that tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.lambda_stack import Stack, alive, start_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One emulator for all tests of a worker that need none of their own."""
    running = start_stack(tmp_path_factory.mktemp("localstack") / "state")
    try:
        yield running
        assert "Traceback (most recent call last)" not in running.log, running.log
    finally:
        children = running.processes()
        running.stop()
        left = [process for process in children if alive(process)]
        assert not left, f"processes that outlived LocalStack: {left}"


@pytest.fixture(scope="session")
def clock_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An emulator whose clock tests move. They belong into the group ``clock``."""
    stack = start_stack(tmp_path_factory.mktemp("clock") / "state")
    yield stack
    log = stack.log
    stack.stop()
    assert "Traceback (most recent call last)" not in log, log


@pytest.fixture(scope="session")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An emulator whose engine tests kill. They belong into the group ``crash``.

    Whoever shared it without killing anything would lose invocations.
    """
    running = start_stack(tmp_path_factory.mktemp("crash") / "state")
    try:
        yield running
    finally:
        running.stop()


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
