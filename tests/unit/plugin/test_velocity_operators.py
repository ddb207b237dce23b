"""Velocity's operators and loop, as mapping templates have them.

The expected values are what Apache Velocity 1.7 does; see ``velocity_operators``.
"""

from __future__ import annotations

from typing import Any

import pytest
from localstack.utils.aws.templating import airspeed

from tests.unit.plugin.test_mapping_templates import render
from trigger_stack.localstack.apigateway import velocity
from trigger_stack.services.apigateway import json_paths, velocity_operators

TEMPLATES: list[tuple[str, str]] = [
    ('#set($x = "a" + 1)$x', "a1"),
    ('#set($x = 1 + "a")$x', "1a"),
    ('#set($x = "a" + true + 1.5)$x', "atrue1.5"),
    ('#set($x = "a" + [1, "b"])$x', "a[1, b]"),
    ('#set($x = 1 + 2 + "a")$x', "3a"),
    ('#set($x = "n=" + $input.path("$.n"))$x', "n=2"),
    ("#set($x = 5 / 2)$x #set($x = -5 / 2)$x #set($x = 5.0 / 2)$x", "2 -2 2.5"),
    ("#set($x = -5 % 3)$x #set($x = 5 % 3)$x", "-2 2"),
    ('#if("1" == 1)yes#{else}no#end', "yes"),
    ('#if(true == "true")yes#{else}no#end', "yes"),
    ("#if(1 == true)yes#{else}no#end", "no"),
    ('#if($input.path("$.n") == 2.0)yes#{else}no#end', "yes"),
    ('#if("a" != "b" && 1 != "2")yes#{else}no#end', "yes"),
    ('#if("a" > 1)yes#{else}no#end', "no"),
    ('#if($input.path("$.none").size() > 0)yes#{else}no#end', "no"),
    ('#foreach($v in $input.path("$.o"))[$v]#end', "[y][]"),
    ('#set($m={"a":1,"b":2})#foreach($v in $m)$v#if($foreach.hasNext),#end#end', "1,2"),
    ('#foreach($v in "abc")$v#end', ""),
    ("#foreach($v in 5)$v#end", ""),
    ('#foreach($k in $input.path("$.o").keySet())$k#end', "zno"),
    ('#foreach($v in $input.path("$.l"))$v#end', "xy"),
    ("#foreach($i in [1..5])#if($i == 3)#break#end$i#end.", "12."),
    ("#foreach($i in [1..2])#foreach($k in [1..3])#if($k == 2)#{break}#end$i$k #end#end", "11 21 "),
    ("a#if(true)#break#end b", "a"),
    ("a#stop b", "a"),
]


@pytest.fixture
def patched() -> None:
    """The patches are in airspeed; they stay there for other tests, which they do not concern."""
    velocity.install()


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(("template", "expected"), TEMPLATES)
def test_templates_calculate_as_velocity(template: str, expected: str) -> None:
    assert render(template) == expected


@pytest.mark.parametrize(
    ("name", "left", "right", "expected"),
    [
        ("/", 1, 0, None),
        ("/", 1.0, 0, None),
        ("%", 1, 0, None),
        ("%", -7.5, 2, -1.5),
        ("-", "a", 1, None),
        ("*", None, 1, None),
        ("+", True, 1, None),
        ("+", None, "a", "a"),
        ("==", None, None, True),
        ("==", None, "", False),
        ("!=", [1], [1], False),
        ("<=", 2, 2.0, True),
        ("lt", "a", "b", False),
    ],
)
def test_operators(name: str, left: Any, right: Any, expected: Any) -> None:
    assert velocity_operators.OPERATORS[name](left, right) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.items[?(@.p == 1 || @.p == 3)].p", [1, 3]),
        ("$.items[?(@.p == 1 || @.q == 'x' && @.p == 2)].p", [1, 2]),
        ("$.items[?(@.q == 'a||b')].p", [3]),
    ],
)
def test_filters_have_or(path: str, expected: Any) -> None:
    items = [{"p": 1}, {"p": 2, "q": "x"}, {"p": 3, "q": "a||b"}]

    assert json_paths.find({"items": items}, path) == expected


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(
    "template", ['#set($x = "a" + 1)$x', '#foreach($v in {"a": "b"})$v#end', "#set($x=5.0/2)$x"]
)
def test_airspeed_still_calculates_as_python(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    wanted = render(template)
    operators = airspeed.operators
    original = getattr(operators.ForeachDirective.evaluate_raw, velocity.MARK)
    monkeypatch.setattr(operators.ForeachDirective, "evaluate_raw", original)
    monkeypatch.setattr(operators.BinaryOperator, "OPERATORS", velocity.OPERATORS_OF_AIRSPEED)

    try:
        found = render(template)
    except airspeed.TemplateExecutionError:
        return
    assert found != wanted


def test_airspeed_still_has_no_break() -> None:
    original = velocity._Ending.__mro__[1]
    assert original.__name__ == "StopDirective"
    assert "break" not in original.STOP.pattern
