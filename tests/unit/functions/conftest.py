"""The functions as Lambda imports them: namespace `functions`, settings in the environment."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from function_fakes import FakeScheduler

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    # Nothing listens there: a call that no fake answers fails, and reaches nobody.
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "POWERTOOLS_SERVICE_NAME": "brand-platform",
    "BRANDS_TABLE": "brands",
    "METRICS_TABLE": "brand_metrics",
    "METRICS_INDEX": "by-hour",
    "SUMMARIES_TABLE": "brand_metrics_hourly",
    "LOGOS_TABLE": "brand_logos",
    "IDEMPOTENCY_TABLE": "idempotency",
    "EVENT_BUS_NAME": "brand-platform-bus",
    "ASSETS_BASE_URL": "https://assets.example",
    "ALERT_EMAIL": "alerts@brand-platform.example",
    "SENDER_EMAIL": "notifications@brand-platform.example",
    "DISTRIBUTION_ID": "E2QWRUHAPOMQZL",
    "AUDIT_TABLE": "brand_audit",
    "USAGE_TABLE": "brand_usage",
    "INDEX_TABLE": "brand_index",
    "ARCHIVE_BUCKET": "brand-archive-bucket",
    "MAIL_BUCKET": "brand-mail-bucket",
    "MAIL_PREFIX": "inbound/",
    "ASSETS_BUCKET": "brand-assets-bucket",
    "REVIEW_GROUP": "brand-review-reminders",
    "REVIEW_FUNCTION_ARN": "arn:aws:lambda:us-east-1:000000000000:function:brand_review_reminder",
    "REVIEW_ROLE_ARN": "arn:aws:iam::000000000000:role/review-reminder",
    "REVIEW_DLQ_ARN": "arn:aws:sqs:us-east-1:000000000000:brand-review-reminder-dlq",
}

sys.path.insert(0, str(ROOT))
with patch.dict(os.environ, SETTINGS):
    # Handlers make their clients when they are imported, from the environment alone.
    for name in (
        "alert_on_error",
        "archive_brand",
        "audit_brand",
        "brand_admin_signin",
        "brand_edge_redirect",
        "brand_review_reminder",
        "count_usage",
        "delete_brand",
        "describe_api",
        "get_brand",
        "get_brand_audit",
        "hourly_metrics",
        "index_brand",
        "invalidate_cdn",
        "list_brands",
        "logo_by_mail",
        "mirror_brand",
        "notify_brand",
        "patch_brand",
        "process_logo",
        "put_brand",
        "regenerate_palette",
    ):
        importlib.import_module(f"functions.{name}.handler")


@dataclass
class Context:
    """The attributes of `LambdaContext` that the functions and Powertools read."""

    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id: str = "6f0c1d6e-6c0f-4a0e-9d54-3f9a2f1f8a11"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def event() -> Callable[[str], dict[str, Any]]:
    """A fresh copy of one of `tests/events/`, by its name."""

    def load(name: str) -> dict[str, Any]:
        return json.loads((ROOT / "tests" / "events" / f"{name}.json").read_text())

    return load


@pytest.fixture(autouse=True)
def scheduler(monkeypatch: pytest.MonkeyPatch) -> FakeScheduler:
    """EventBridge Scheduler, which every PUT of a brand calls."""
    handler = sys.modules["functions.put_brand.handler"]
    fake = FakeScheduler()
    replaced = dataclasses.replace(handler.reminders, scheduler=fake)
    monkeypatch.setattr(handler, "reminders", replaced)
    return fake


class LogLines(list[dict[str, Any]]):
    """The JSON lines that a function's Logger wrote."""

    def at(self, level: str) -> list[dict[str, Any]]:
        return [line for line in self if line["level"] == level]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], LogLines]:
    """Collect what the Logger of a handler module writes from now on."""

    def collect(module: ModuleType) -> LogLines:
        lines = LogLines()

        class Stream:
            def write(self, text: str) -> None:
                lines.extend(json.loads(line) for line in text.splitlines() if line)

            def flush(self) -> None: ...

        monkeypatch.setattr(module.logger.registered_handler, "stream", Stream())
        return lines

    return collect
