"""What LocalStack logs about itself: still there without the filters, and gone with them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from localstack import deprecations
from localstack.aws.protocol.serializer import create_serializer
from localstack.aws.spec import load_service

from trigger_stack.localstack import log_noise

LOGGERS = ("localstack.aws.protocol.serializer", "localstack.deprecations")


@pytest.fixture(params=[False, True], ids=["localstack", "filtered"])
def filtered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    for name in LOGGERS:
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    if request.param:
        log_noise.keep_out()
        log_noise.keep_out()
    return bool(request.param)


@pytest.mark.parametrize(
    ("service", "operation", "answer"),
    [
        ("events", "ListRules", {"Rules": [{"Name": "r", "CreatedBy": "somebody"}]}),
        (
            "sns",
            "ListSubscriptions",
            {"Subscriptions": [{"Protocol": "sqs", "FilterPolicy": "{}"}]},
        ),
    ],
)
def test_a_member_that_the_model_does_not_know(
    filtered: bool,
    caplog: pytest.LogCaptureFixture,
    service: str,
    operation: str,
    answer: dict[str, Any],
) -> None:
    model = load_service(service)
    serializer = create_serializer(model)
    serializer.serialize_to_response(answer, model.operation_model(operation), {}, "id")
    assert ("is not specified" in caplog.text) == (not filtered)


def test_the_folder_of_temporary_files(
    filtered: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", "/tmp/somewhere")
    monkeypatch.setenv("LAMBDA_REMOTE_DOCKER", "1")
    deprecations.log_deprecation_warnings()
    assert ("TMPDIR is deprecated" in caplog.text) == (not filtered)
    assert "LAMBDA_REMOTE_DOCKER is deprecated" in caplog.text
