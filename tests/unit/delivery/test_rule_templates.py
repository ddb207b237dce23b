"""Input templates of a rule's targets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack.delivery.core.json_paths import MISSING
from trigger_stack.delivery.rules.delivery import EventNotDeliverableError
from trigger_stack.delivery.rules.templates import Lines, fixed, render, value_at

RULE = "arn:aws:events:us-east-2:123456789012:rule/example"
#: The event of EventBridge's user guide.
INSTANCE: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING"},
}
INSTANCE_PATHS = {
    "timestamp": "$.time",
    "instance": "$.detail.instance-id",
    "state": "$.detail.state",
    "resource": "$.resources[0]",
}
#: That of LocalStack's tests, whose results were recorded on AWS.
ACCOUNT: dict[str, Any] = {
    "detail-type": "core.update-account-command",
    "time": "2024-12-13T18:03:12Z",
    "detail": {
        "command": "update-account",
        "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"},
        "listsingle": ["HIGH"],
        "listmulti": ["ACTIVE", "INACTIVE"],
        "valid": True,
    },
}
ACCOUNT_PATHS = {
    "userId": "$.detail.payload.acc_id",
    "payload": "$.detail.payload",
    "systemstring": "$.detail.awsAccountId",
    "listsingle": "$.detail.listsingle",
    "listmulti": "$.detail.listmulti",
    "valid": "$.detail.valid",
}


def filled(template: str, detail: Any) -> Any:
    """A template with ``<d>`` for the detail, and ``<a>``, ``<b>`` … for its fields."""
    paths = {"d": "$.detail", "gone": "$.detail.gone"}
    paths |= {name: f"$.detail.{name}" for name in detail} if isinstance(detail, dict) else {}
    return render(template, paths, {"time": "now", "detail": detail}, RULE, "example")


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('"instance <instance> is in <state>"', "instance i-0123456789 is in RUNNING"),
        ('"instance \\"<instance>\\" is in <state>"', 'instance "i-0123456789" is in RUNNING'),
        ('{\n  "instance" : <instance>,\n  "state": <state>\n}',
         {"instance": "i-0123456789", "state": "RUNNING"}),
        ('{"instance": <instance>, "state": "<state>",'
         ' "instanceStatus": "instance \\"<instance>\\" is in <state>"}',
         {"instance": "i-0123456789", "state": "RUNNING",
          "instanceStatus": 'instance "i-0123456789" is in RUNNING'}),
        ('{"instance": <instance>, "state": [ 9, <state>, true ], "Transformed": "Yes"}',
         {"instance": "i-0123456789", "state": [9, "RUNNING", True], "Transformed": "Yes"}),
        ('{"ruleArn": <aws.events.rule-arn>, "ruleName": <aws.events.rule-name>,'
         ' "originalEvent": <aws.events.event.json>}',
         {"ruleArn": RULE, "ruleName": "example", "originalEvent": INSTANCE}),
        ('"<aws.events.rule-name> triggered"', "example triggered"),
        ('{"timestamp": <timestamp>, "message": "instance \\"<instance>\\" is in <state>"}',
         {"timestamp": "2015-11-11T21:29:54Z",
          "message": 'instance "i-0123456789" is in RUNNING'}),
        ('{"resource": <resource>}', {"resource": INSTANCE["resources"][0]}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2015-11-11T21:29:54Z"}),
    ],
)  # fmt: skip
def test_the_examples_of_the_user_guide(template: str, result: Any) -> None:
    assert render(template, INSTANCE_PATHS, INSTANCE, RULE, "example") == result


def test_the_event_without_its_detail() -> None:
    """AWS writes ``detailType`` there (LocalStack's recording of 11 June 2024)."""
    found = render("<aws.events.event>", {}, INSTANCE, RULE, "example")

    left = {key: value for key, value in INSTANCE.items() if key not in ("detail", "detail-type")}
    assert found == {**left, "detailType": INSTANCE["detail-type"]}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ('{"path": "users/<userId>", "bod": <payload>}',
         {"path": "users/0a787ecb-4015", "bod": {"acc_id": "0a787ecb-4015", "sf_id": "baz"}}),
        ('"Payload of <payload> with path users/<userId> and <userId>"',
         "Payload of {acc_id:0a787ecb-4015,sf_id:baz} with path users/0a787ecb-4015"
         " and 0a787ecb-4015"),
        ('{"id" : <userId>}', {"id": "0a787ecb-4015"}),
        ('{"id" : "<userId>"}', {"id": "0a787ecb-4015"}),
        ('{"bod": [<userId>, "hardcoded"]}', {"bod": ["0a787ecb-4015", "hardcoded"]}),
        ('{"a": {"b": {"c": "users/<userId>"} }, "bod": "<userId>"}',
         {"a": {"b": {"c": "users/0a787ecb-4015"}}, "bod": "0a787ecb-4015"}),
        ('"<listsingle> single list item"', "[HIGH] single list item"),
        ('"<listmulti> multiple list items"', "[ACTIVE,INACTIVE] multiple list items"),
        ('{"singlelistitem": <listsingle>}', {"singlelistitem": ["HIGH"]}),
        ('{"multi": "users/<userId>/second/<userId>"}',
         {"multi": "users/0a787ecb-4015/second/0a787ecb-4015"}),
        ('"Command is <valid>!"', "Command is true!"),
        ('"{[/special characters <userId>"', "{[/special characters 0a787ecb-4015"),
        ('"detail <systemstring>"', "detail "),
        ('{"command": <systemstring>}', {"command": ""}),
        ('"<listsingle> single list item"\n"<listmulti> multiple list items"\n'
         '"<systemstring> system account id"\n"<payload> payload"\n"<userId> user id"',
         '"[HIGH] single list item"\n"[ACTIVE,INACTIVE] multiple list items"\n'
         '" system account id"\n"{acc_id:0a787ecb-4015,sf_id:baz} payload"\n'
         '"0a787ecb-4015 user id"'),
    ],
)  # fmt: skip
def test_what_localstack_recorded_on_aws(template: str, result: Any) -> None:
    found = render(template, ACCOUNT_PATHS, ACCOUNT, RULE, "example")

    assert found == result
    assert isinstance(found, Lines) == ("\n" in template)


@pytest.mark.parametrize(
    "template",
    [
        '{"not_valid": "users-service/users/<payload>", "bod": <payload>}',
        '{"payload": "<payload>"}',
        '{"singlelistitem": "<listsingle>"}',
    ],
)
def test_what_aws_does_not_deliver(template: str) -> None:
    """LocalStack's ``test_input_transformer_nested_keys_replacement_not_valid``."""
    with pytest.raises(EventNotDeliverableError, match=r"remove the quotes around <\w+>"):
        render(template, ACCOUNT_PATHS, ACCOUNT, RULE, "example")


@pytest.mark.parametrize(
    ("template", "detail", "result"),
    [
        # What has quotes or line breaks in it.
        ('{"d": <d>}', {"a": 'say "hi"'}, {"d": {"a": 'say "hi"'}}),
        ('{"d": <d>}', {"a": "one\ntwo"}, {"d": {"a": "one\ntwo"}}),
        ('{"l": <a>}', {"a": ['say "hi"', "one\ntwo"]}, {"l": ['say "hi"', "one\ntwo"]}),
        ('{"n": <a>}', {"a": "one\ntwo"}, {"n": "one\ntwo"}),
        ('{"n": <a>}', {"a": "C:\\new"}, {"n": "C:\\new"}),
        ('{"t": "v <a>"}', {"a": 'say "hi"\n\\'}, {"t": 'v say "hi"\n\\'}),
        ('"v <a>"', {"a": 'say "hi"\n\\'}, 'v say "hi"\n\\'),
        ('"v <d>"', {"a": 'say "hi"\n\\'}, "v {a:say hi\n\\}"),
        ('{"a": "one\\ntwo <a>"}', {"a": "x"}, {"a": "one\ntwo x"}),
        ('"one\\ntwo <a>"', {"a": "x"}, "one\ntwo x"),
        ('{"a": "one\ntwo <a>"}', {"a": "x"}, {"a": "one\ntwo x"}),
        ('"one\ntwo <a>"', {"a": "x"}, "one\ntwo x"),
        ('{"n": <a>, "m": "<a>"}', {"a": "é☕"}, {"n": "é☕", "m": "é☕"}),
        # What is no string, within quotes.
        ('{"t": "n is <a>"}', {"a": 5}, {"t": "n is 5"}),
        ('"n is <a>"', {"a": 5}, "n is 5"),
        ('"n is <a>"', {"a": [1, 2.5, None, False]}, "n is [1,2.5,null,false]"),
        ('{"t": "<a> <b>"}', {"a": True, "b": None}, {"t": "true null"}),
        ('{"t": "<a>"}', {"a": [1, 2]}, {"t": "[1,2]"}),
        # Commas and braces.
        ('{"t": "Hello <a>, welcome"}', {"a": "Bob"}, {"t": "Hello Bob, welcome"}),
        ('{"t": "see {<a>} there"}', {"a": "Bob"}, {"t": "see {Bob} there"}),
        ('"Hello <a>, welcome <b>"', {"a": "Bob", "b": "x"}, "Hello Bob, welcome x"),
        ('{"t": "<a>", "u": <b>}', {"a": "Bob", "b": "x"}, {"t": "Bob", "u": "x"}),
        ('{"t": "C:\\\\", "u": <a>}', {"a": "x"}, {"t": "C:\\", "u": "x"}),
        # Values that are false.
        *(('{"n": <a>}', {"a": one}, {"n": one}) for one in (0, 0.0, False, [], {}, "", None)),
        ('"<a> <b>"', {"a": 0, "b": {}}, "0 {}"),
        # Templates that are no object.
        ("<d>", {"a": "x", "b": 1}, {"a": "x", "b": 1}),
        ("<a>", {"a": "hello"}, "hello"),
        ("<a>", {"a": 0}, 0),
        ("<gone>", {}, ""),
        ('"<gone>"', {}, ""),
        ('[<a>, "y"]', {"a": "x"}, ["x", "y"]),
        ("<aws.events.event.json>", {"a": "x"}, {"time": "now", "detail": {"a": "x"}}),
        ("  true\n", {}, True),
        ('"hello <a>"\n', {"a": "x"}, "hello x"),
        ("Hello <a>!", {"a": 'Bob "B"'}, 'Hello Bob "B"!'),
        ("<a> and <d>", {"a": 5}, "5 and {a:5}"),
    ],
)  # fmt: skip
def test_ordinary_values(template: str, detail: Any, result: Any) -> None:
    found = filled(template, detail)

    # 0 == False: as JSON they differ.
    assert json.dumps(found) == json.dumps(result)
    assert not isinstance(found, Lines)


def test_lines_stay_lines_in_quotes() -> None:
    found = filled('"line <a>"\n\n  "line \\"<b>\\" é"\n', {"a": "1\n1", "b": [2]})

    assert isinstance(found, Lines)
    assert found == '"line 1\\n1"\n"line \\"[2]\\" é"'


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ('{"a": <a>', "gives no JSON for this event"),
        ('{"a": <a>,}', "gives no JSON for this event"),
        ('{<n>: "v"}', "gives no JSON for this event"),
        ("[text] <a>", "gives no JSON for this event"),
        ("[" * 100_000, "gives no JSON for this event"),
        ('"say "<a>" now"', "quotes within it escaped"),
        ('"one" <a> "two"', "each line must be in quotes"),
        ('"one" 2', "each line must be in quotes"),
        ('"open <a>', "each line must be in quotes"),
        ('{"a": "<d>"}', "remove the quotes around <d>"),
        ('{"a": "<aws.events.event.json>"}', "remove the quotes around <aws.events.event.json>"),
    ],
)
def test_a_template_that_gives_no_json_says_why(template: str, sentence: str) -> None:
    with pytest.raises(EventNotDeliverableError, match=sentence):
        filled(template, {"a": "x", "n": 5})


def test_a_path_that_eventbridge_does_not_know_says_so() -> None:
    for path in ("$..a", "$.a[0:2]", "detail", "$.detail.a b"):
        with pytest.raises(EventNotDeliverableError, match="is no JSON path"):
            render("<a>", {"a": path}, INSTANCE, RULE, "example")
        with pytest.raises(EventNotDeliverableError, match="is no JSON path"):
            value_at(path, INSTANCE)


def test_paths() -> None:
    event = {"detail-type": "t", "detail": {"my-key": "x", "l": [{"k": "x"}], "z": 0, "n": None}}

    assert value_at("$", event) == event
    assert value_at("$.detail-type", event) == "t"
    assert value_at("$.detail.my-key", event) == "x"
    assert value_at("$.detail.l[0].k", event) == "x"
    assert value_at("$.detail.l[*].k", event) == ["x"]
    assert value_at("$.detail.z", event) == 0
    assert value_at("$.detail.n", event) is None
    assert value_at("$.detail.gone", event) is MISSING


def test_a_variable_cannot_replace_a_predefined_one() -> None:
    paths = {"aws.events.rule-name": "$.source"}

    assert render("<aws.events.rule-name>", paths, INSTANCE, RULE, "example") == "example"


def test_a_fixed_input() -> None:
    assert [fixed(text) for text in ('{"a": 1}', "{}", "0", '""', "[]", "null")] == [
        {"a": 1}, {}, 0, "", [], None,
    ]  # fmt: skip
    with pytest.raises(EventNotDeliverableError, match="the target's Input is no JSON"):
        fixed("{a: 1}")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.text(), below),
    max_leaves=5,
)


@given(VALUES)
def test_any_value_comes_through_a_template_as_it_is(value: Any) -> None:
    assert filled('{"v": <v>, "l": [<v>]}', {"v": value}) == {"v": value, "l": [value]}
    assert filled("<v>", {"v": value}) == value
    assert isinstance(filled('"a <v>, {<v>}"', {"v": value}), str)


@given(st.text())
def test_any_text_comes_through_quotes_as_it_is(text: str) -> None:
    assert filled('{"v": "a <v>, b"}', {"v": text}) == {"v": f"a {text}, b"}
    assert filled('"a <v>, b"', {"v": text}) == f"a {text}, b"
