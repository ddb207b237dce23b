"""Input templates and JSON paths of pipes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from trigger_stack.delivery.core.json_paths import (
    MISSING,
    PathError,
    decoded,
    find,
    resolved,
    steps,
)
from trigger_stack.delivery.pipes.templates import as_value, problem, render

KNOWN = {"aws.pipes.pipe-name": "p", "aws.pipes.pipe-arn": "arn:aws:pipes:x:1:pipe/p"}
MESSAGE = {
    "messageId": "m",
    "eventSource": "aws:sqs",
    "body": '{"name": "A \\"quoted\\" one", "tags": ["a", "b"], "of": [{"n": 1}, {"n": 2}]}',
    "attributes": {"SenderId": "me"},
}
RECORD = {
    "eventID": "shard:1",
    "eventSource": "aws:kinesis",
    "data": base64.b64encode(b'{"brandId": "acme"}').decode(),
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"who": <$.body.name>}', {"who": 'A "quoted" one'}),
        ('{"who": "<$.body.name>!"}', {"who": 'A "quoted" one!'}),
        ('{"tags": <$.body.tags>, "first": <$.body.tags[0]>}', {"tags": ["a", "b"], "first": "a"}),
        ('{"all": <$.body.of[*].n>, "b": "<$.body.tags>"}', {"all": [1, 2], "b": '["a","b"]'}),
        ('{"gone": <$.body.gone>}', {"gone": ""}),
        ('{"gone": "x<$.body.gone>y"}', {"gone": "xy"}),
        ('{"by": <aws.pipes.pipe-name>, "arn": "<aws.pipes.pipe-arn>"}',
         {"by": "p", "arn": "arn:aws:pipes:x:1:pipe/p"}),
        ("<$.attributes.SenderId>", "me"),
        ('"Hello, <$.attributes.SenderId>"', "Hello, me"),
        ("Hello, <$.body.name> <aws.pipes.pipe-name>", 'Hello, A "quoted" one p'),
        ('{"at": "<aws.pipes.event.ingestion-time>"}', {"at": "2026-01-02T03:04:05.000Z"}),
        ('{"static": true}', {"static": True}),
        ("a < b and c > d", "a < b and c > d"),
    ],
)  # fmt: skip
def test_a_template_is_filled_in(template: str, expected: Any) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert as_value(render(template, MESSAGE, KNOWN, moment)) == expected


def test_the_data_of_a_record_is_decoded() -> None:
    text = render('{"id": <$.data.brandId>, "json": <aws.pipes.event.json>}', RECORD, KNOWN)

    assert json.loads(text)["id"] == "acme"
    assert json.loads(text)["json"]["data"] == {"brandId": "acme"}
    assert json.loads(render("<aws.pipes.event>", RECORD, KNOWN)) == RECORD


def test_behind_an_enrichment_nothing_is_decoded() -> None:
    assert render("[<$.body.name>]", MESSAGE, KNOWN, parse=False) == '[""]'


@pytest.mark.parametrize("body", ["plain", "", '{"broken', "[1]"])
def test_a_body_of_another_kind_gives_nothing_below_it(body: str) -> None:
    assert render("[<$.body.name>]", {**MESSAGE, "body": body}, KNOWN) == '[""]'


@pytest.mark.parametrize("template", ["<$.a..b>", "<$.a[x]>", "<aws.pipes.nope>", "<$a>"])
def test_a_template_that_can_never_be_filled_in_has_a_problem(template: str) -> None:
    assert problem(template)


def test_a_good_template_has_no_problem() -> None:
    assert problem('{"a": <$.body.x-y_z/1[0][*]>, "b": <aws.pipes.event.json>}') is None


def test_paths() -> None:
    event = {"a": {"b-c": [{"d": 1}]}, "quoted key": 2}

    assert find("$.a.b-c[0].d", event) == 1
    assert find("$['quoted key']", event) == 2
    assert find("$", event) == event
    assert find("$.a.b-c[1]", event) is MISSING
    assert find("$.a.*", event) == [[{"d": 1}]]
    assert steps("$.x[2].*") == ["x", 2, "*"]


@pytest.mark.parametrize("path", ["a", "$x", "$.", "$[", "$.a b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        steps(path)


def test_a_parameter_is_itself_or_what_it_leads_to() -> None:
    event = decoded(MESSAGE)

    assert resolved("static", event) == "static"
    assert resolved("$.messageId", event) == "m"
    assert resolved("$.body.tags", event) == '["a","b"]'
    with pytest.raises(PathError, match=r"nothing at \$.body.gone"):
        resolved("$.body.gone", event)


@pytest.mark.parametrize("data", ["no Base64!", "/w=="])
def test_data_that_is_no_text_stays_as_it_is(data: str) -> None:
    assert decoded({**RECORD, "data": data})["data"] == data
