"""Pipes that are deleted while a batch is under way."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.waiting import eventually
from trigger_stack.delivery.streams.mapping import Progress
from trigger_stack.localstack.pipes import runner as module
from trigger_stack.localstack.pipes.runner import LocalRunner


class Poller:
    """A poller whose last batch ends when ``go`` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def run(self) -> None:
        self.go.wait(20)

    def stop(self) -> None: ...


@pytest.fixture
def discarded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(module, "check_source", lambda settings: None)
    monkeypatch.setattr(module, "discard_waiting", lambda *one: found.append(one))
    return found


@pytest.mark.parametrize("deleted", [True, False])
def test_a_batch_that_fails_after_its_pipe_was_deleted_waits_no_longer(
    discarded: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, deleted: bool
) -> None:
    """What only was stopped goes on when the pipe is started again."""
    settings: Any = SimpleNamespace(id="one", arn="arn", name="name")
    runner, poller = LocalRunner(), Poller()
    runner._progress["one"] = Progress()
    monkeypatch.setattr(runner, "_poller", lambda settings: (poller, nullcontext()))
    runner.start(settings)
    thread = runner._running["arn"].thread
    runner.stop("arn")
    if deleted:
        runner.forget(settings)
    before = len(discarded)

    poller.go.set()

    eventually(lambda: not thread.is_alive())
    assert discarded[before:] == ([("one", "DeletePipe")] if deleted else [])
