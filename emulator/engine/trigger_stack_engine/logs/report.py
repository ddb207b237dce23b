"""The lines that Lambda itself writes into a function's log, as text or as JSON.

AWS documentation topics "Viewing CloudWatch logs for Lambda functions" and "Using Lambda advanced
logging controls": the platform's start and report events, and where end and errors appear.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from trigger_stack_engine.logs.output import LogEvent, now_ms


def timestamp(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds, as Lambda writes it."""
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


@dataclass(slots=True)
class Report:
    """The values of the REPORT line. Durations in milliseconds, memory in MB."""

    request_id: str
    duration_ms: float
    memory_size_mb: int
    memory_used_mb: int
    init_ms: float | None = None
    status: str = "success"
    error_type: str | None = None

    @property
    def billed_ms(self) -> int:
        """Time billed: init and invoke, rounded up to the next millisecond."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))


class PlatformLog:
    """Words the platform's own events in the function's log format."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def _json(self, kind: str, record: dict[str, Any]) -> LogEvent:
        moment = now_ms()
        message = {"time": timestamp(moment), "type": kind, "record": record}
        return LogEvent(moment, json.dumps(message, separators=(",", ":")) + "\n")

    def init_start(self, runtime: str, region: str) -> LogEvent:
        """An environment begins its init phase; ``runtime`` is for example ``python3.13``."""
        name = re.sub(r"^([a-z]+)(.*)$", r"\1:\2", runtime.removesuffix(".x"))
        digest = hashlib.sha256(runtime.encode()).hexdigest()
        arn = f"arn:aws:lambda:{region}::runtime:{digest}"
        if self.as_json:
            record = {
                "initializationType": "on-demand",
                "phase": "init",
                "runtimeVersion": name,
                "runtimeVersionArn": arn,
            }
            return self._json("platform.initStart", record)
        return LogEvent(
            now_ms(), f"INIT_START Runtime Version: {name}\tRuntime Version ARN: {arn}\n"
        )

    def start(self, request_id: str, version: str) -> LogEvent:
        """An invoke begins."""
        if self.as_json:
            return self._json("platform.start", {"requestId": request_id, "version": version})
        return LogEvent(now_ms(), f"START RequestId: {request_id} Version: {version}\n")

    def end(self, report: Report) -> list[LogEvent]:
        """An invoke has ended."""
        if self.as_json:
            return [self._json("platform.report", self._record(report))]
        moment = now_ms()
        return [
            LogEvent(moment, f"END RequestId: {report.request_id}\n"),
            LogEvent(moment, self._line(report)),
        ]

    @staticmethod
    def _record(report: Report) -> dict[str, Any]:
        metrics: dict[str, Any] = {
            "durationMs": round(report.duration_ms, 3),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": report.memory_size_mb,
            "maxMemoryUsedMB": report.memory_used_mb,
        }
        if report.init_ms is not None:
            metrics["initDurationMs"] = round(report.init_ms, 3)
        record: dict[str, Any] = {
            "requestId": report.request_id,
            "metrics": metrics,
            "status": report.status,
        }
        if report.error_type:
            record["errorType"] = report.error_type
        return record

    @staticmethod
    def _line(report: Report) -> str:
        line = (
            f"REPORT RequestId: {report.request_id}\t"
            f"Duration: {report.duration_ms:.2f} ms\t"
            f"Billed Duration: {report.billed_ms} ms\t"
            f"Memory Size: {report.memory_size_mb} MB\t"
            f"Max Memory Used: {report.memory_used_mb} MB\t"
        )
        if report.init_ms is not None:
            line += f"Init Duration: {report.init_ms:.2f} ms\t"
        # A handler's exception is no failure of the environment: its line says nothing of it.
        if report.status == "timeout":
            line += "Status: timeout\t"
        elif report.status == "error" and report.error_type:
            line += f"Status: error\tError Type: {report.error_type}\t"
        return f"{line}\n"

    def init_report(
        self, duration_ms: float, phase: str, status: str, error_type: str | None = None
    ) -> LogEvent:
        """An init phase that failed or took too long."""
        if self.as_json:
            record: dict[str, Any] = {
                "initializationType": "on-demand",
                "phase": phase,
                "status": status,
                "metrics": {"durationMs": round(duration_ms, 3)},
            }
            if error_type:
                record["errorType"] = error_type
            return self._json("platform.initReport", record)
        parts = [
            f"INIT_REPORT Init Duration: {duration_ms:.2f} ms",
            f"Phase: {phase}",
            f"Status: {status}",
        ]
        if error_type:
            parts.append(f"Error Type: {error_type}")
        return LogEvent(now_ms(), "\t".join(parts) + "\n")

    def text(self, message: str) -> LogEvent:
        """A line of plain text, such as an error's."""
        return LogEvent(now_ms(), message + "\n")
