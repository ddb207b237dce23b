"""Mappings of streams are woken by records."""

from __future__ import annotations

import threading
import time

import pytest
from localstack import config

from trigger_stack.localstack import streams
from trigger_stack.localstack.streams import Pause


def test_localstack_still_asks_streams_at_intervals() -> None:
    """When this fails, LocalStack waits for records: see what waking still adds."""
    assert config.LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC >= 1
    assert config.LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC > 1


def test_a_wake_ends_the_pause_and_not_the_loop() -> None:
    pause = Pause("arn")
    threading.Timer(0.05, pause.wake).start()

    assert pause.wait(30) is False
    assert not pause.is_set()


def test_a_wake_before_the_pause_counts() -> None:
    """A record that comes while the loop asks is not left until the next interval."""
    pause = Pause("arn")
    pause.wake()

    assert pause.wait(30) is False
    began = time.monotonic()
    assert pause.wait(0.1) is False
    assert time.monotonic() - began >= 0.1, "one wake ends one pause"


def test_setting_it_ends_the_loop_at_once() -> None:
    pause = Pause("arn")
    threading.Timer(0.05, pause.set).start()

    assert pause.wait(30) is True
    assert pause.wait(30) is True


def test_it_can_be_cleared_for_another_start() -> None:
    pause = Pause("arn")
    pause.set()
    pause.clear()
    pause.wait(0)

    assert pause.wait(0.01) is False


def test_only_the_mappings_of_the_stream_are_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = Pause("arn:aws:kinesis:::stream/a"), Pause("arn:aws:kinesis:::stream/b")
    monkeypatch.setattr(streams, "_pauses", {1: mine, 2: other})

    streams.wake(lambda arn: arn.endswith("/a"))

    assert mine._woken
    assert not other._woken
