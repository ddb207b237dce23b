"""Java's methods and Jayway's JSONPath, as mapping templates have them.

The expected values are those of the Java API's documentation.
"""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack.services.apigateway import json_paths
from trigger_stack.services.apigateway.java_values import (
    Entry,
    JavaError,
    call,
    equals,
    read,
    to_text,
)


@pytest.mark.parametrize(
    ("text", "method", "arguments", "expected"),
    [
        ("a", "equals", ["a"], True),
        ("1", "equals", [1], False),
        ("aB", "equalsIgnoreCase", ["Ab"], True),
        ("abc", "length", [], 3),
        ("", "isEmpty", [], True),
        (" ", "isEmpty", [], False),
        (" ", "isBlank", [], True),
        ("abc", "contains", ["bc"], True),
        ("abc", "startsWith", ["b", 1], True),
        ("abc", "endsWith", ["c"], True),
        ("abcb", "indexOf", ["b"], 1),
        ("abcb", "indexOf", ["b", 2], 3),
        ("abcb", "indexOf", ["x"], -1),
        ("abcb", "lastIndexOf", ["b"], 3),
        ("abcb", "lastIndexOf", ["b", 2], 1),
        ("abc", "substring", [1], "bc"),
        ("abc", "substring", [1, 2], "b"),
        ("a.b.c", "replace", [".", "-"], "a-b-c"),
        ("a1b22", "replaceAll", [r"(\d+)", "<$1>"], "a<1>b<22>"),
        ("a1b22", "replaceFirst", [r"\d+", ""], "ab22"),
        ("a$", "replaceAll", [r"\$", r"\$\$"], "a$$"),
        ("x[y]", "replaceAll", [r"[\[\]]", "_"], "x_y_"),
        ("Ab1", "replaceAll", [r"\p{Upper}", "u"], "ub1"),
        ("Ab1", "replaceAll", [r"[^\p{Alpha}]", ""], "Ab"),
        ("a-b", "replaceAll", ["(?<x>a)-(?<y>b)", "${y}${x}"], "ba"),
        ("a.b", "replaceAll", [r"\Q.\E", "!"], "a!b"),
        (r"it\'s", "replaceAll", [r"\\'", "'"], "it's"),
        ("boo:and:foo", "split", [":"], ["boo", "and", "foo"]),
        ("boo:and:foo", "split", [":", 2], ["boo", "and:foo"]),
        ("boo:and:foo", "split", ["o"], ["b", "", ":and:f"]),
        ("boo:and:foo", "split", ["o", 5], ["b", "", ":and:f", "", ""]),
        ("boo:and:foo", "split", ["o", -1], ["b", "", ":and:f", "", ""]),
        ("abc", "split", [""], ["a", "b", "c"]),
        ("", "split", ["&"], [""]),
        ("a.b", "split", [r"\."], ["a", "b"]),
        ("abc", "matches", ["a.*"], True),
        ("abc", "matches", ["a"], False),
        ("\t a \n", "trim", [], "a"),
        ("aB", "toLowerCase", [], "ab"),
        ("aB", "toUpperCase", [], "AB"),
        ("a", "concat", ["b"], "ab"),
        ("abc", "charAt", [1], "b"),
        ("a", "compareTo", ["c"], -2),
        ("hello", "hashCode", [], 99162322),
        ("", "format", ["%s-%02d-%s", "a", 3, True], "a-03-true"),
        ("", "join", [",", ["a", 1]], "a,1"),
        ("a", "strip", [], "a"),
        ("a", "lower", [], None),
    ],
)
def test_texts(text: str, method: str, arguments: list[Any], expected: Any) -> None:
    assert call(text, method, arguments) == expected


def test_maps() -> None:
    target: dict[str, Any] = {"a": 1, "b": "x"}

    assert call(target, "put", ["c", True]) is None
    assert call(target, "put", ["c", False]) is True
    assert call(target, "get", ["a"]) == 1
    assert call(target, "get", ["none"]) is None
    assert call(target, "getOrDefault", ["none", 7]) == 7
    assert call(target, "containsKey", ["b"]) is True
    assert call(target, "containsValue", ["x"]) is True
    assert call(target, "containsValue", [True]) is False  # 1 is not true
    assert call(target, "keySet", []) == ["a", "b", "c"]
    assert call(target, "values", []) == [1, "x", False]
    assert to_text(call(target, "entrySet", [])) == "[a=1, b=x, c=false]"
    assert call(call(target, "entrySet", [])[0], "getKey", []) == "a"
    assert call(target, "remove", ["c"]) is False
    call(target, "putAll", [{"d": None}])
    assert call(target, "size", []) == 3
    assert to_text(target) == "{a=1, b=x, d=null}"
    assert read(target, "a") == 1
    assert read(target, "size") is None
    assert read({}, "empty") is True
    assert read(Entry("k", "v"), "value") == "v"


def test_lists() -> None:
    target: list[Any] = ["a", 1]

    assert call(target, "add", ["b"]) is True
    assert call(target, "add", [0, "first"]) is None
    assert target == ["first", "a", 1, "b"]
    assert call(target, "get", [1]) == "a"
    assert call(target, "indexOf", [True]) == -1
    assert call(target, "contains", [1]) is True
    assert call(target, "remove", ["none"]) is False
    assert call(target, "remove", [0]) == "first"
    assert call(target, "remove", ["b"]) is True
    assert call(target, "subList", [0, 1]) == ["a"]
    assert call(target, "set", [1, 2]) == 1
    assert call(target, "size", []) == 2
    assert call(target, "isEmpty", []) is False
    assert to_text(target) == "[a, 2]"
    assert call(range(1, 4), "size", []) == 3


def test_numbers_and_booleans() -> None:
    assert call(2, "toString", []) == "2"
    assert call(2, "equals", [2]) is True
    assert call(2, "equals", ["2"]) is False
    assert call(2, "equals", [2.0]) is False
    assert call(1, "equals", [True]) is False
    assert call(2.9, "intValue", []) == 2
    assert call(0, "parseInt", ["-12"]) == -12
    assert call(0, "valueOf", ["12"]) == 12
    assert call(2, "compareTo", [3]) == -1
    assert call(True, "toString", []) == "true"
    assert call(True, "equals", [True]) is True
    assert equals({"a": [1]}, {"a": [1]})
    assert not equals({"a": [1]}, {"a": [True]})


@pytest.mark.parametrize(
    ("target", "method", "arguments"),
    [
        ("abc", "substring", [4]),
        ("abc", "substring", [2, 1]),
        ("abc", "charAt", [3]),
        ("abc", "matches", ["("]),
        ("abc", "replaceAll", ["b", "$"]),
        ("abc", "replaceAll", ["b", "$9"]),
        ("abc", "concat", []),
        ("abc", "length", [1]),
        ([], "get", [0]),
        ([], "get", ["a"]),
        ([1], "subList", [0, 2]),
        (0, "parseInt", ["x"]),
        (range(3), "add", [1]),
    ],
)
def test_what_throws_in_java_is_an_error(target: Any, method: str, arguments: list[Any]) -> None:
    with pytest.raises(JavaError):
        call(target, method, arguments)


DOCUMENT: dict[str, Any] = {
    "items": [{"p": 1, "n": "x"}, {"p": 2, "n": "y"}],
    "o": {"k": None, "a.b": 5, "x-y": "t"},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", DOCUMENT),
        ("$.items[0].p", 1),
        ("$['items'][1]['n']", "y"),
        ("$.o['a.b']", 5),
        ("$.o.x-y", "t"),
        ("$.none", None),
        ("$.items[9]", None),
        ("$.items[-1].p", 2),
        ("$.items[?(@.p > 1)]", [{"p": 2, "n": "y"}]),
        ("$.items[?(@.p > 1)].n", ["y"]),
        ("$.items[?(@.p > 0 && @.n == 'x')].p", [1]),
        ("$.items[?(@.p > 9)]", []),
        ("$.items[*].p", [1, 2]),
        ("$..n", ["x", "y"]),
        ("$..none", []),
        ("$.items[0:1].p", [1]),
        ("$.items.length()", 2),
        ("$.items.size()", 2),
        ("$.o.x-y.length()", 1),
        ("$.none.length()", None),
        ("$.items[*].p.sum()", 3.0),
        ("$..p.max()", 2.0),
        ("$..p.min()", 1.0),
        ("$..p.avg()", 1.5),
        ("$.o.keys()", ["k", "a.b", "x-y"]),
    ],
)
def test_paths(path: str, expected: Any) -> None:
    assert json_paths.find(DOCUMENT, path) == expected


@pytest.mark.parametrize("path", ["$.[", "$.items[?(@.p", "$.items.sum()"])
def test_what_is_no_path_is_an_error(path: str) -> None:
    with pytest.raises(json_paths.PathError):
        json_paths.find(DOCUMENT, path)
