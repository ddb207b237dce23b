"""Route keys, route choice and stages of HTTP APIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack_engine.front_doors.core.message import HttpError
from trigger_stack_engine.front_doors.core.routing import (
    InvalidRouteKeyError,
    RouteTable,
    parse_route_key,
    split_stage,
)


def table(*keys: str) -> RouteTable:
    return RouteTable(parse_route_key(key) for key in keys)


def chosen(routes: RouteTable, method: str, path: str) -> str | None:
    match = routes.match(method, path)
    return match.route.key if match else None


AWS_GUIDE = table(
    "ANY /{proxy+}",
    "$default",
    "GET /pets/dog/{id}",
    "GET /pets/{proxy+}",
    "GET /pets/dog/1",
)


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        ("POST", "/pets/dog/1", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ],
)
def test_priority_is_that_of_the_aws_guide(method: str, path: str, key: str) -> None:
    assert chosen(AWS_GUIDE, method, path) == key


@pytest.mark.parametrize("order", [1, -1])
def test_a_concrete_method_beats_any_in_whatever_order_they_were_created(order: int) -> None:
    keys = ["ANY /brand/{brandId}", "GET /brand/{brandId}"][::order]
    assert chosen(table(*keys), "GET", "/brand/acme") == "GET /brand/{brandId}"
    assert chosen(table(*keys), "PUT", "/brand/acme") == "ANY /brand/{brandId}"


def test_a_literal_further_left_is_more_specific() -> None:
    routes = table("GET /{a}/b", "GET /a/{b}", "GET /{a}/{b}")
    assert chosen(routes, "GET", "/a/b") == "GET /a/{b}"
    assert chosen(routes, "GET", "/x/b") == "GET /{a}/b"
    assert chosen(routes, "GET", "/x/y") == "GET /{a}/{b}"


def test_the_longest_greedy_route_wins() -> None:
    routes = table("GET /{proxy+}", "GET /a/{proxy+}", "GET /a/b/{proxy+}", "GET /a/{x}/{proxy+}")
    assert chosen(routes, "GET", "/a/b/c") == "GET /a/b/{proxy+}"
    assert chosen(routes, "GET", "/a/x/c") == "GET /a/{x}/{proxy+}"
    assert chosen(routes, "GET", "/a/b") == "GET /a/{proxy+}"
    assert chosen(routes, "GET", "/b") == "GET /{proxy+}"


def test_no_route_matches() -> None:
    routes = table("GET /brand/{brandId}")
    assert routes.match("PUT", "/brand/acme") is None
    assert routes.match("HEAD", "/brand/acme") is None
    assert routes.match("GET", "/brand") is None
    assert routes.match("GET", "/brand/") is None
    assert routes.match("GET", "/brand/acme/") is None
    assert routes.match("GET", "/brand/acme/logo") is None


def test_a_trailing_slash_is_a_route_of_its_own() -> None:
    routes = table("GET /a", "GET /a/")
    assert chosen(routes, "GET", "/a") == "GET /a"
    assert chosen(routes, "GET", "/a/") == "GET /a/"


def test_path_variables_are_decoded_once_and_keep_an_encoded_slash() -> None:
    match = table("GET /brand/{brandId}/logo/{file}").match(
        "GET", "/brand/a%2Fb%20c/logo/%2541%C3%A9.png"
    )
    assert match is not None
    assert match.path_parameters == {"brandId": "a/b c", "file": "%41é.png"}


def test_a_greedy_variable_holds_the_rest_of_the_path() -> None:
    match = table("ANY /files/{dir}/{proxy+}").match("GET", "/files/x/a/b%20c/")
    assert match is not None
    assert match.path_parameters == {"dir": "x", "proxy": "a/b c/"}


def test_the_default_route_has_no_path_parameters() -> None:
    match = table("$default").match("GET", "/anything/%2F")
    assert match is not None
    assert match.path_parameters == {}


@pytest.mark.parametrize("path", ["/%", "/%4", "/%zz", "/%ff", "/%C3", "/%00", "/a/%00b"])
def test_a_path_that_cannot_be_decoded_is_a_bad_request(path: str) -> None:
    with pytest.raises(HttpError) as error:
        table("$default").match("GET", path)
    assert error.value.response.status == 400
    assert error.value.response.body == b'{"message":"Bad Request"}'


@pytest.mark.parametrize(
    "key",
    [
        "",
        "default",
        "$Default",
        "GET",
        "GET brand",
        "get /brand",
        "FETCH /brand",
        "GET  /brand",
        "GET /a{b}",
        "GET /{}",
        "GET /{a}{b}",
        "GET /{proxy+}/more",
        "GET /{id}/{id}",
        "GET /a b",
    ],
)
def test_malformed_route_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidRouteKeyError):
        parse_route_key(key)


def test_keys_that_match_the_same_requests_have_one_identity() -> None:
    one, other = parse_route_key("GET /b/{id}"), parse_route_key("GET /b/{brandId}")
    assert one.identity == other.identity
    assert one.identity != parse_route_key("ANY /b/{id}").identity
    assert one.identity != parse_route_key("GET /b/{id+}").identity


@pytest.mark.parametrize(
    ("path", "stages", "expected"),
    [
        ("/dev/brand/acme", ["dev", "$default"], ("dev", "/brand/acme")),
        ("/dev", ["dev"], ("dev", "/")),
        ("/dev/", ["dev"], ("dev", "/")),
        ("/brand/acme", ["dev", "$default"], ("$default", "/brand/acme")),
        ("/developer", ["dev"], None),
        ("/", ["dev"], None),
        ("/", ["$default"], ("$default", "/")),
        ("/$default/x", ["$default"], ("$default", "/x")),
        ("/%24default/x", ["$default"], ("$default", "/x")),
    ],
)
def test_stage_is_the_first_segment_or_default(
    path: str, stages: list[str], expected: tuple[str, str] | None
) -> None:
    assert split_stage(path, stages) == expected


SEGMENTS = st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=8))


@given(method=st.text(max_size=8), parts=SEGMENTS)
def test_fuzz_any_path_is_routed_or_refused(method: str, parts: list[str]) -> None:
    """Whatever arrives, a route is chosen or the request is refused with 400."""
    try:
        match = AWS_GUIDE.match(method, "/" + "/".join(parts))
    except HttpError as error:
        assert error.response.status == 400
    else:
        assert match is not None  # the table has $default


@given(st.text(max_size=40))
def test_fuzz_any_route_key_is_parsed_or_refused(key: str) -> None:
    try:
        parsed = parse_route_key(key)
    except InvalidRouteKeyError:
        return
    assert parsed.key == key
    assert parsed.is_default or parsed.segments
