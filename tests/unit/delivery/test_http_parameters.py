"""What the parameters of a target make of the request of an API destination."""

from __future__ import annotations

import pytest

from trigger_stack.delivery.rules.http_parameters import (
    DEFAULT_CONTENT_TYPE,
    add_headers,
    add_query,
    fill_path,
    replace_query,
)


@pytest.mark.parametrize(
    ("endpoint", "values", "filled"),
    [
        ("https://h/a/*/b/*", ["1", "2"], "https://h/a/1/b/2"),
        ("https://h/a/*/b/*", ["1"], "https://h/a/1/b/*"),
        ("https://h/a", ["1"], "https://h/a"),
        ("https://h/*?q=*", ["a b?#"], "https://h/a%20b%3F%23?q=*"),
        ("https://h/*", ["é"], "https://h/%C3%A9"),
        ("https://h/*", ["*"], "https://h/%2A"),
    ],
)
def test_wildcards_of_a_path(endpoint: str, values: list[str], filled: str) -> None:
    assert fill_path(endpoint, values) == filled


@pytest.mark.parametrize(
    ("endpoint", "added"),
    [
        ("https://h/", "https://h/?a=1&b=x+y"),
        ("https://h/?c=3&c=4", "https://h/?c=3&c=4&a=1&b=x+y"),
        ("https://h/?a=&c", "https://h/?a=&c&b=x+y"),
    ],
)
def test_parameters_are_added(endpoint: str, added: str) -> None:
    assert add_query(endpoint, {"a": "1", "b": "x y"}) == added


def test_parameters_are_replaced() -> None:
    assert replace_query("https://h/?a=0&c=3&c=4", {"a": "1"}) == "https://h/?c=3&c=4&a=1"
    assert replace_query("https://h/", {}) == "https://h/"


def test_headers_are_added() -> None:
    headers = {"Content-Type": DEFAULT_CONTENT_TYPE, "authorization": "c", "X-A": "c"}

    add_headers(headers, {"content-type": "text/plain", "Authorization": "t", "x-a": "t", "B": "t"})

    assert headers == {"Content-Type": "text/plain", "authorization": "c", "X-A": "c", "B": "t"}


def test_a_content_type_of_the_connection_stays() -> None:
    headers = {"Content-Type": DEFAULT_CONTENT_TYPE, "content-type": "application/xml"}

    add_headers(headers, {"Content-Type": "text/plain"})

    assert headers["content-type"] == "application/xml"
