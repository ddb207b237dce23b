"""Filter patterns of CloudWatch Logs."""

from __future__ import annotations

import json

import pytest

from trigger_stack.delivery.logs.filter_pattern import PatternError, compiled

ERROR = "[ERROR 400] BAD REQUEST"
JSON = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "latency": 1200.5,
    "text": "17",
    "cluster.name": "c",
    "nested": {"level": "ERROR", "code": -3},
}
APACHE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("  ", "anything", True),
        ("ERROR", ERROR, True),
        ("error", ERROR, False),
        ("RRO", ERROR, True),
        ("ERROR REQUEST", ERROR, True),
        ("ERROR MISSING", ERROR, False),
        ("ERROR -REQUEST", ERROR, False),
        ("-MISSING", ERROR, True),
        ("-ERROR", ERROR, False),
        ("?ERROR ?MISSING", ERROR, True),
        ("?GONE ?MISSING", ERROR, False),
        ("?ERROR -REQUEST", ERROR, False),
        ("?ERROR MISSING ?BAD REQUEST", ERROR, True),
        ("REQUEST ?GONE ?BAD", ERROR, True),
        ("MISSING ?ERROR", ERROR, False),
        ('"BAD REQUEST"', ERROR, True),
        ('"BAD  REQUEST"', ERROR, False),
        ('-"BAD REQUEST"', ERROR, False),
        ('?"BAD REQUEST" ?"x"', ERROR, True),
        ('"[ERROR"', ERROR, True),
        (r'"a \"quoted\" word"', 'this is a "quoted" word', True),
        ("%[Ee][Rr]+OR%", ERROR, True),
        ("%^BAD%", ERROR, False),
        (r"%ERROR \d{3}%", ERROR, True),
        ("%GONE|BAD% -%GOOD%", ERROR, True),
        ("ERROR", '{"level": "ERROR"}', True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{$.eventType=UpdateTrail}", True),
        ('{ $.eventType = "updateTrail" }', False),
        ('{ $.eventType = "Update*" }', True),
        ("{ $.eventType = *Trail }", True),
        ("{ $.eventType = * }", True),
        ("{ $.missing = * }", False),
        ('{ $.eventType != "UpdateTrail" }', False),
        ('{ $.eventType != "Other" }', True),
        ('{ $.missing != "Other" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.* }", True),
        ("{ $.eventType = %Tra.l$% }", True),
        ("{ $.eventType != %^Delete% }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[1] = "value" }', False),
        ('{ $.arrayKey[*] = "another value" }', True),
        ('{ $.arrayKey[7] = "value" }', False),
        ("{ $.objectList[1].id = 2 }", True),
        ('{ $.objectList[*].name = "b" }', True),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.eventType IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.eventType NOT EXISTS }", False),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag is false }", False),
        ("{ $.latency > 1200 }", True),
        ("{ $.latency >= 1.2005e3 }", True),
        ("{ $.latency < 1200 }", False),
        ("{ $.latency <= 1200.5 }", True),
        ("{ $.latency = 1200.5 }", True),
        ("{ $.latency != 1200.5 }", False),
        ("{ $.text > 16 }", True),
        ("{ $.eventType > 16 }", False),
        ("{ $.nested.code = -3 }", True),
        ("{ $.['cluster.name'] = \"c\" }", True),
        ("{ $['nested']['level'] = \"ERROR\" }", True),
        ('{ $.nested.level = "ERROR" && $.latency > 1000 }', True),
        ('{ $.nested.level = "WARN" || $.latency > 1000 }', True),
        ('{ $.nested.level = "ERROR" && ($.latency > 9999 || $.ThisFlag IS TRUE) }', True),
        ('{ ($.nested.level = "WARN" && $.latency > 1) || $.missing = 1 }', False),
        ('{ $.nested = "x" }', False),
        ("{ $.ThisFlag = true }", True),
    ],
)  # fmt: skip
def test_json(pattern: str, expected: bool) -> None:
    assert compiled(pattern)(json.dumps(JSON)) is expected


@pytest.mark.parametrize("message", ["no JSON", '"text"', "{broken", "", "12", "[" * 100_000])
def test_what_is_no_json_matches_no_json_pattern(message: str) -> None:
    assert compiled("{ $.a NOT EXISTS }")(message) is False


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", APACHE, True),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes]", APACHE, True),
        ("[ip, user, username, timestamp, request, status_code = 5*, bytes]", APACHE, False),
        ("[ip, user, username, timestamp, request = *.html*, status = 4*, bytes]", APACHE, True),
        ("[ip, user, username, timestamp, request, status, bytes > 1000]", APACHE, True),
        ("[ip, user, username, timestamp, request, status, bytes < 1000]", APACHE, False),
        ("[ip, user]", APACHE, False),
        ("[..., status = 404, bytes]", APACHE, True),
        ("[ip = 127.*, ...]", APACHE, True),
        ("[ip, ..., bytes = 1534]", APACHE, True),
        ("[..., status = 404 || status = 410, bytes]", APACHE, True),
        ("[..., status != 404 && status != 410, bytes]", APACHE, False),
        ("[..., request = %GET .*HTTP%, status, bytes]", APACHE, True),
        ("[a, b, ..., c, d]", "1 2 3", False),
        ("[w1 = ERROR, w2]", "ERROR now", True),
        ("[w1 != ERROR && w1 != WARN, w2]", "INFO now", True),
        ('[w1 = "ERROR", w2]', "[ERROR] now", True),
        ("[...]", "", True),
    ],
)
def test_space_delimited(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "foo-bar",
        '"open',
        "%open",
        "%a(b)%",
        "%a!%",
        "%[%",
        "%a% %b% %c%",
        "{ $.a }",
        "{ $.a = }",
        "{ a = 1 }",
        "{ $.a = 1",
        "{ $.a = 1 } x",
        "{ ($.a = 1 }",
        "{ $.a > x }",
        "{ $.a > %x% }",
        "{ $.a = 1 && }",
        "{}",
        "[a,",
        "[a = 1 && b = 2]",
        "[..., a, ...]",
        "[1]",
        "[a] b",
        "- x",
        "?",
        "x" * 1025,
        "{" + "(" * 1000,
        "%a{99999999999}%",
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)


def test_hostile_patterns_and_messages_end() -> None:
    assert compiled("[a = *x*x*x*, b]")("y" * 5000 + " z") is False
    assert compiled("{ $.a = 1 }")('{"a": ' * 200) is False
