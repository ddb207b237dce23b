"""What ``bootstrap test`` finds in the emulator's log."""

from __future__ import annotations

from pathlib import Path

from bootstrap.commands.test import first_traceback

RAISED = """WARN exception during call chain
Traceback (most recent call last):
  File "provider.py", line 1, in create
ValueError: no
"""


def test_an_exception_during_the_tests_is_shown_with_the_line_before_it(tmp_path: Path) -> None:
    log = tmp_path / "emulator.log"
    log.write_text("Ready.\n" + RAISED)

    assert first_traceback(log, 7) == RAISED
    assert first_traceback(log, 0) == RAISED


def test_what_was_raised_before_the_tests_is_not_theirs(tmp_path: Path) -> None:
    log = tmp_path / "emulator.log"
    log.write_text(RAISED)
    before = log.stat().st_size
    with log.open("a") as file:
        file.write("INFO AWS sqs.SendMessage => 200\n")

    assert first_traceback(log, before) == ""
