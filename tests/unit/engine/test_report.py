"""The platform's own lines."""

from __future__ import annotations

import json

from trigger_stack_engine.logs.report import PlatformLog, Report


def test_text_lines() -> None:
    log = PlatformLog(as_json=False)
    report = Report("r", 1.234, 128, 40, init_ms=10.5)

    assert log.start("r", "$LATEST").message == "START RequestId: r Version: $LATEST\n"
    assert [event.message for event in log.end(report)] == [
        "END RequestId: r\n",
        "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 12 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 40 MB\tInit Duration: 10.50 ms\t\n",
    ]


def test_status_is_named_when_the_environment_failed() -> None:
    log = PlatformLog(as_json=False)

    late = log.end(Report("r", 1000, 128, 40, status="timeout"))[1].message
    dead = log.end(Report("r", 1, 128, 40, status="error", error_type="Runtime.ExitError"))[1]

    assert "Status: timeout" in late
    assert "Status: error\tError Type: Runtime.ExitError" in dead.message


def test_json_lines() -> None:
    log = PlatformLog(as_json=True)

    start = json.loads(log.start("r", "1").message)
    (report,) = (json.loads(event.message) for event in log.end(Report("r", 1.5, 128, 40)))

    assert start["record"] == {"requestId": "r", "version": "1"}
    assert report["type"] == "platform.report"
    assert report["record"]["metrics"]["billedDurationMs"] == 2
