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
    ],
)
def test_it_holds_by_the_states(rule: str, expected: bool) -> None:
    assert parse(rule).holds(STATES.get) is expected


def test_it_names_its_alarms_once() -> None:
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
    ],
)
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(AlarmRuleError):
        parse(rule)


@given(st.text(alphabet='ALRMOKNT ()"a', max_size=60))
def test_it_raises_nothing_else(text: str) -> None:
    with suppress(AlarmRuleError):
        parse(text).holds(STATES.get)
