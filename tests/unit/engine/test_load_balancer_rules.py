"""Conditions of listener rules, the choice of a rule, and what rules answer by themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest

from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.load_balancer.balancer import Listener
from trigger_stack_engine.front_doors.load_balancer.responses import (
    fixed_response,
    page,
    redirect,
)
from trigger_stack_engine.front_doors.load_balancer.rules import (
    Action,
    Rule,
    condition_match,
    wildcard,
)


def request(
    path: str = "/",
    query: str = "",
    *headers: tuple[str, str],
    method: str = "GET",
    source: str = "127.0.0.1",
) -> HttpRequest:
    return HttpRequest(method, path, query, list(headers), source_ip=source, port=8081)


HOST_EXPRESSION = {"Field": "host-header", "HostHeaderConfig": {"RegexValues": [r"^a[0-9]+\."]}}
PATH_EXPRESSION = {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/v[12]/"]}}


def hosts(*values: str) -> dict[str, Any]:
    return {"Field": "host-header", "HostHeaderConfig": {"Values": list(values)}}


def paths(*values: str) -> dict[str, Any]:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": list(values)}}


def headers(name: str, *values: str) -> dict[str, Any]:
    configuration = {"HttpHeaderName": name, "Values": list(values)}
    return {"Field": "http-header", "HttpHeaderConfig": configuration}


def queries(*values: dict[str, str]) -> dict[str, Any]:
    return {"Field": "query-string", "QueryStringConfig": {"Values": list(values)}}


def sources(*values: str) -> dict[str, Any]:
    return {"Field": "source-ip", "SourceIpConfig": {"Values": list(values)}}


def methods(*values: str) -> dict[str, Any]:
    return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": list(values)}}


@pytest.mark.parametrize(
    ("condition", "host", "holds"),
    [
        (hosts("example.com"), "example.com", True),
        (hosts("example.com"), "EXAMPLE.com:8081", True),
        (hosts("Example.COM"), "example.com", True),
        (hosts("*.example.com"), "test.example.com", True),
        (hosts("*.example.com"), "a.b.example.com", True),
        (hosts("*.example.com"), "example.com", False),
        (hosts("a?.example.com"), "a1.example.com", True),
        (hosts("a?.example.com"), "a.example.com", False),
        (hosts("other.example", "example.com"), "example.com", True),
        (hosts("example.com"), "example.com.evil", False),
        (hosts("example.com"), "exampleXcom", False),
        ({"Field": "host-header", "Values": ["example.com"]}, "example.com", True),
        (HOST_EXPRESSION, "a12.b", True),
        (HOST_EXPRESSION, "ab.c", False),
    ],
)
def test_host_conditions_ignore_case_and_port(
    condition: dict[str, Any], host: str, holds: bool
) -> None:
    assert condition_match(condition)(request("/", "", ("Host", host))) is holds


@pytest.mark.parametrize(
    ("condition", "path", "holds"),
    [
        (paths("/img/*"), "/img/picture.jpg", True),
        (paths("/img/*"), "/img/a/b", True),
        (paths("/img/*"), "/img/", True),
        (paths("/img/*"), "/img", False),
        (paths("/img/*"), "/IMG/picture.jpg", False),
        (paths("/a?c"), "/abc", True),
        (paths("/a?c"), "/ac", False),
        (paths("/a.c"), "/abc", False),
        (paths("/x", "/y"), "/y", True),
        (paths("/a b"), "/a%20b", False),
        (paths("/a%20b"), "/a%20b", True),
        (paths("*"), "/anything", True),
        ({"Field": "path-pattern", "Values": ["/x*"]}, "/xy", True),
        (PATH_EXPRESSION, "/v2/x", True),
        (PATH_EXPRESSION, "/v3/x", False),
    ],
)
def test_path_conditions_are_case_sensitive(
    condition: dict[str, Any], path: str, holds: bool
) -> None:
    assert condition_match(condition)(request(path, "x=/img/")) is holds


@pytest.mark.parametrize(
    ("condition", "sent", "holds"),
    [
        (headers("User-Agent", "*Chrome*"), [("user-agent", "Mozilla chrome/1")], True),
        (headers("user-agent", "*Chrome*"), [("User-Agent", "Firefox")], False),
        (headers("X-A", "1"), [("x-a", "2"), ("x-a", "1")], True),
        (headers("X-A", "1", "2"), [("X-A", "2")], True),
        (headers("X-A", "*"), [], False),
        (headers("X-A", "v?"), [("X-A", "V1")], True),
        (headers("X-A", r"a\*b"), [("X-A", "a*b")], True),
        (headers("X-A", r"a\*b"), [("X-A", "axb")], False),
    ],
)
def test_header_conditions_ignore_case(
    condition: dict[str, Any], sent: list[tuple[str, str]], holds: bool
) -> None:
    assert condition_match(condition)(request("/", "", *sent)) is holds


@pytest.mark.parametrize(
    ("condition", "query", "holds"),
    [
        (queries({"Key": "version", "Value": "v1"}), "version=v1", True),
        (queries({"Key": "version", "Value": "v1"}), "VERSION=V1", True),
        (queries({"Key": "version", "Value": "v1"}), "other=v1", False),
        (queries({"Value": "example"}), "any=example", True),
        (queries({"Value": "*ex*"}), "a=1&b=anexample", True),
        (queries({"Key": "v", "Value": "1"}, {"Value": "x"}), "a=x", True),
        (queries({"Key": "v", "Value": "?"}), "v=1&v=22", True),
        (queries({"Key": "v", "Value": r"\?"}), "v=1", False),
        (queries({"Key": "v", "Value": r"\?"}), "v=?", True),
        (queries({"Key": "v", "Value": "*"}), "", False),
        (queries({"Key": "v", "Value": "*"}), "v", True),
    ],
)
def test_query_conditions_ignore_case(condition: dict[str, Any], query: str, holds: bool) -> None:
    assert condition_match(condition)(request("/", query)) is holds


@pytest.mark.parametrize(
    ("condition", "source", "holds"),
    [
        (sources("127.0.0.0/8"), "127.0.0.1", True),
        (sources("192.0.2.0/24", "127.0.0.1/32"), "127.0.0.1", True),
        (sources("192.0.2.0/24"), "192.0.3.1", False),
        (sources("2001:db8::/32"), "2001:db8::1", True),
        (sources("2001:db8::/32"), "127.0.0.1", False),
    ],
)
def test_source_conditions(condition: dict[str, Any], source: str, holds: bool) -> None:
    forwarded = ("X-Forwarded-For", "192.0.2.1")
    assert condition_match(condition)(request("/", "", forwarded, source=source)) is holds


@pytest.mark.parametrize(
    ("method", "holds"), [("GET", True), ("PURGE", True), ("get", False), ("POST", False)]
)
def test_method_conditions_are_exact(method: str, holds: bool) -> None:
    assert condition_match(methods("GET", "PURGE"))(request(method=method)) is holds


@pytest.mark.parametrize(
    "condition",
    [
        {"Field": "unknown"},
        sources("300.0.0.1/8"),
        {"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["("]}},
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}},
        {"Field": "http-header"},
    ],
)
def test_a_condition_that_cannot_be_read_is_an_error(condition: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, re.error)):
        condition_match(condition)


def test_wildcards_stand_for_line_ends_too_and_nothing_else_is_special() -> None:
    assert wildcard("a*b", case_sensitive=True).fullmatch("a\nb")
    assert not wildcard("[ab]", case_sensitive=True).fullmatch("a")
    assert wildcard("[ab]+", case_sensitive=True).fullmatch("[ab]+")


# --- Rules and actions


def action(name: str) -> list[dict[str, Any]]:
    return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200", "name": name}}]


def listener(*rules: tuple[str, list[dict[str, Any]], str]) -> Listener:
    return Listener.from_document(
        {
            "arn": "arn",
            "balancer": "b",
            "port": 8081,
            "protocol": "HTTP",
            "request_headers": {},
            "added_headers": [],
            "names_server": True,
            "rules": [
                {"priority": priority, "conditions": conditions, "actions": action(name)}
                for priority, conditions, name in rules
            ],
            "default_actions": action("default"),
        }
    )


def chosen(one: Listener, wanted: HttpRequest) -> str:
    rule = next(rule for rule in one.rules if rule.holds(wanted))
    return str(rule.action.configuration["name"])


def test_the_lowest_number_comes_first_and_the_default_last() -> None:
    one = listener(
        ("100", [paths("/a/*")], "hundred"),
        ("9", [paths("/a/b")], "nine"),
        ("20", [paths("/a/*")], "twenty"),
    )

    assert chosen(one, request("/a/b")) == "nine"
    assert chosen(one, request("/a/c")) == "twenty"
    assert chosen(one, request("/b")) == "default"


def test_all_conditions_of_a_rule_must_hold() -> None:
    one = listener(("1", [paths("/a"), methods("POST"), headers("x", "1")], "all"))

    assert chosen(one, request("/a", "", ("X", "1"), method="POST")) == "all"
    assert chosen(one, request("/a", "", ("X", "1"))) == "default"
    assert chosen(one, request("/a", method="POST")) == "default"


@pytest.mark.parametrize(
    ("pattern", "host", "named"),
    [
        ("api.example.com", "api.example.com", True),
        ("*.example.com", "api.example.com", True),
        ("*.com", "evil.com", False),
        ("*", "evil.com", False),
        ("*.exam?le.com", "a.example.com", False),
        ("api.example.com", "evil.com", False),
    ],
)
def test_a_host_counts_as_named_when_its_domain_is_literal(
    pattern: str, host: str, named: bool
) -> None:
    assert listener(("1", [hosts(pattern)], "x")).names_host(host) is named


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([{"Type": "forward", "TargetGroupArn": "a"}], (("a", 1),)),
        (
            [
                {
                    "Type": "forward",
                    "ForwardConfig": {
                        "TargetGroups": [
                            {"TargetGroupArn": "a", "Weight": 0},
                            {"TargetGroupArn": "b", "Weight": "3"},
                            {"TargetGroupArn": "c"},
                        ]
                    },
                }
            ],
            (("a", 0), ("b", 3), ("c", 1)),
        ),
        (
            [
                {"Type": "forward", "TargetGroupArn": "last", "Order": 2},
                {"Type": "other", "Order": 1},
            ],
            (("last", 1),),
        ),
    ],
)
def test_forward_actions(
    actions: list[dict[str, Any]], expected: tuple[tuple[str, int], ...]
) -> None:
    assert Action.from_document(actions).forward_to == expected
    assert Rule.default(actions).action.kind == "forward"


HOST = ("Host", "api.example.com:8081")


@pytest.mark.parametrize(
    ("configuration", "status", "location"),
    [
        ({"StatusCode": "HTTP_301"}, 301, "http://api.example.com:8081/a/b?x=1&y=%20"),
        (
            {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_302"},
            302,
            "https://api.example.com:443/a/b?x=1&y=%20",
        ),
        (
            {"Path": "/new/#{path}", "Query": "from=#{host}&#{query}", "StatusCode": "HTTP_302"},
            302,
            "http://api.example.com:8081/new/a/b?from=api.example.com&x=1&y=%20",
        ),
        (
            {"Host": "www.#{host}", "Path": "/", "Query": "", "StatusCode": "HTTP_302"},
            302,
            "http://www.api.example.com:8081/",
        ),
        (
            {"Query": "#{protocol}:#{port}:#{path}:#{unknown}", "StatusCode": "HTTP_302"},
            302,
            "http://api.example.com:8081/a/b?HTTP:8081:a/b:#{unknown}",
        ),
    ],
)
def test_redirects(configuration: dict[str, str], status: int, location: str) -> None:
    response = redirect(configuration, request("/a/b", "x=1&y=%20", HOST), "http")

    assert response.status == status
    assert dict(response.headers)["location"] == location
    assert dict(response.headers)["server"] == "awselb/2.0"


def test_what_a_request_says_is_not_replaced_again() -> None:
    response = redirect({"Path": "/#{path}"}, request("/#{host}", "", HOST), "http")

    assert dict(response.headers)["location"] == "http://api.example.com:8081/#{host}"


def test_a_fixed_response() -> None:
    response = fixed_response(
        {"StatusCode": "503", "ContentType": "application/json", "MessageBody": "{}"}
    )

    assert (response.status, response.body) == (503, b"{}")
    assert dict(response.headers)["content-type"] == "application/json; charset=utf-8"
    assert fixed_response({"StatusCode": "204"}).body == b""


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (400, "400 Bad Request"),
        (405, "405 Not Allowed"),
        (413, "413 Request Entity Too Large"),
        (414, "414 Request-URI Too Large"),
        (463, "463"),
        (502, "502 Bad Gateway"),
        (503, "503 Service Temporarily Unavailable"),
        (504, "504 Gateway Time-out"),
    ],
)
def test_pages(status: int, title: str) -> None:
    assert page(status).body.decode() == (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
