"""Each fails when LocalStack does what the stack does in its place."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from localstack.aws.api.events import InvalidEventPatternException
from localstack.services.events import api_destination
from localstack.services.events.rule import RuleService
from localstack.services.events.target import (
    ApiGatewayTargetSender,
    EventsApiDestinationTargetSender,
    EventsTargetSender,
)
from localstack.utils.aws.message_forwarding import add_target_http_parameters

from trigger_stack.localstack.events import http_targets, requests


def test_localstack_still_keeps_targets_that_it_refuses() -> None:
    source = inspect.getsource(RuleService.add_targets)
    assert "failed_entries = self.validate_targets_input(targets)" in source
    assert "if target_id in failed" not in source


def test_localstack_still_takes_any_pattern() -> None:
    assert "compile_event_pattern" not in inspect.getsource(RuleService._validate_input)


def test_localstack_still_takes_no_notice_of_what_endpoints_and_buses_answer() -> None:
    sends = inspect.getsource(EventsApiDestinationTargetSender.send_event)
    assert "pass  # TODO: retry logic" in sends and "timeout" not in sends
    assert "raise" not in inspect.getsource(ApiGatewayTargetSender.send_event)
    assert "FailedEntryCount" not in inspect.getsource(EventsTargetSender)
    assert "timeout" not in inspect.getsource(api_destination)


def test_localstack_still_leaves_wildcards() -> None:
    target: dict[str, Any] = {"PathParameterValues": ["7"], "QueryStringParameters": {"b": "2"}}

    url = add_target_http_parameters(target, "http://h/*/x?a=1", {}, {})

    assert url == "http://h/*/x/7?a=1&b=2"
    assert target["QueryStringParameters"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize("pattern", ["[]", "", "{", "{}", '{"a": {}}', '{"a": [[1]]}'])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidEventPatternException):
        requests.check_pattern(pattern)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (None, 0.0, 0.0),
        ("", 0.0, 0.0),
        ("120", 120.0, 120.0),
        ("-1", -1.0, -1.0),
        ("soon", 0.0, 0.0),
        ("inf", 0.0, 0.0),
        ("nan", 0.0, 0.0),
        ("9" * 400, 0.0, 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.0),
        ("Wed, 21 Oct 2199 07:28:00 GMT", 1e9, 1e10),
    ],
)
def test_what_retry_after_says(header: str | None, least: float, most: float) -> None:
    assert least <= http_targets.seconds(header) <= most
