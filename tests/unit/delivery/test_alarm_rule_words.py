"""The rules of composite alarms: what they say of the states of other alarms."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack.delivery.core.alarm_rules import AlarmRuleError, parse

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA", "with space": "ALARM"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('ALARM("a")', True),
        ("ALARM( a )", True),
        ("ALARM(with space)", True),
        ("ALARM(b)", False),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("NOT ALARM(a)", False),
        ("NOT NOT ALARM(a)", True),
        ("TRUE", True),
        ("FALSE OR ALARM(a)", True),
        ("ALARM(a) OR ALARM(a) AND FALSE", True),
        ("(ALARM(a) OR ALARM(a)) AND FALSE", False),
        ("NOT ALARM(b) AND FALSE", False),
        ("NOT (ALARM(b) AND FALSE)", True),
        ('ALARM("ORDERS") OR\n ALARM("a")', True),
        ('AT_LEAST(2, ALARM, ("a", "b", "with space"))', True),
        ('AT_LEAST(2, ALARM, ("a", "b", "c"))', False),
        ("AT_LEAST( 1 , NOT OK , (a, b) )", True),
        ("AT_LEAST(2, NOT OK, (a, b))", False),
        ("AT_LEAST(60%, ALARM, (a, with space, b))", True),
        ("AT_LEAST(67%, ALARM, (a, with space, b))", False),
        ("AT_LEAST(100%, OK, (b))", True),
        ("NOT AT_LEAST(1, ALARM, (a, b)) OR OK(b)", True),
        ("TRUE AND (AT_LEAST(1, INSUFFICIENT_DATA, (c)) OR FALSE)", True),
    ],
)
def test_it_holds_by_the_states(rule: str, expected: bool) -> None:
    assert parse(rule).holds(STATES.get) is expected


def test_it_names_its_alarms_once() -> None:
    listed = 'AT_LEAST(50%, OK, ("x, y", b, "arn:aws:a")) AND OK(b)'
    assert parse(listed).alarms == ("x, y", "b", "arn:aws:a")
    assert parse('ALARM(a) OR NOT (OK("a") AND OK(b)) OR TRUE').alarms == ("a", "b")


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "ALARM",
        "ALARM()",
        "NOT",
        "a",
        "ALARM(a) AND",
        "ALARM(a) b",
        "(TRUE",
        "TRUE)",
        "AT_LEAST(1)",
        "AT_LEAST(0, ALARM, (a))",
        "AT_LEAST(2, ALARM, (a))",
        "AT_LEAST(101%, ALARM, (a))",
        "AT_LEAST(1, ALARM, ())",
        "AT_LEAST(1, ALARM, (a,, b))",
        "AT_LEAST(1, ALARM, a)",
        "AT_LEAST(1, OFTEN, (a))",
    ],
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(AlarmRuleError):
        parse(rule)


@given(st.text(alphabet='ALRMOKNT ()"a', max_size=60) | st.text("AT_LES(1%,OK) a", max_size=60))
def test_it_raises_nothing_else(text: str) -> None:
    with suppress(AlarmRuleError):
        parse(text).holds(STATES.get)
