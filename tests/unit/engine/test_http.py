"""The request parser: strict, incremental, and never surprised."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_stack_engine.environments.http import BadRequestError, Parser, Request

PUT = b"PUT /x HTTP/1.1\r\nHost: h\r\n"


def parse(data: bytes, *, max_body: int = 100, cuts: list[int] | None = None) -> list[Request]:
    parser = Parser(max_body)
    requests = []
    edges = [0, *sorted(cuts or []), len(data)]
    for start, end in itertools.pairwise(edges):
        parser.feed(data[start:end])
        while (request := parser.next_request()) is not None:
            requests.append(request)
    return requests


def test_a_request_without_body() -> None:
    (request,) = parse(b"GET /a/b?c HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (request.method, request.path, request.body) == ("GET", "/a/b?c", b"")
    assert request.headers == {"host": "x"}
    assert request.keep_alive


@pytest.mark.parametrize("cut", [None, 10, 90, 120])
@pytest.mark.parametrize("size", [0, 5, 100, 101])
def test_requests_of_our_own_client_are_those_of_any_other(size: int, cut: int | None) -> None:
    """They are parsed in another way when they come as a whole."""
    line = b"POST /2018-06-01/runtime/invocation/1-2/response HTTP/1.1\r\n"
    rest = b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    following = b"GET /next HTTP/1.1\r\nHost: runtime\r\n\r\n"
    own = line + b"Host: runtime\r\nContent-Type: a/b\r\n" + rest + following
    other = line + b"Host:  runtime\r\nContent-Type: a/b\r\n" + rest + following

    requests = parse(own, cuts=[cut] if cut else None)

    assert requests == parse(other)
    assert [len(request.body) for request in requests] == [size if size <= 100 else 0, 0]


def test_content_length_and_pipelining() -> None:
    one = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"

    assert [request.body for request in parse(one + one)] == [b"abc", b"abc"]


def test_chunks_extensions_and_trailers() -> None:
    (request,) = parse(
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nError-Type: bad\r\n\r\n"
    )

    assert request.body == b"abcde"
    assert request.trailers == {"error-type": "bad"}


def test_a_body_that_is_too_large_is_read_and_dropped() -> None:
    first, second = parse(
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200\r\n\r\n"
        + b"x" * 200
        + b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
    )

    assert first.too_large
    assert first.body == b""
    assert second.path == "/b"


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nbad line\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nA : x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\nb\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nExpect: the worst\r\n\r\n",
        b"A" * 3_000_000,
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequestError) as refused:
        parse(data)

    assert 400 <= refused.value.status < 600


BODIES = st.binary(max_size=60)


@given(st.lists(BODIES, max_size=4), st.booleans(), st.data())
def test_how_bytes_arrive_changes_nothing(
    bodies: list[bytes], chunked: bool, data: st.DataObject
) -> None:
    message = b""
    for body in bodies:
        if chunked:
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:20], body[20:]) if c)
            message += (
                b"PUT /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunks
                + b"0\r\n\r\n"
            )
        else:
            message += b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (
                len(body),
                body,
            )
    cuts = data.draw(st.lists(st.integers(0, len(message)), max_size=8))

    assert [request.body for request in parse(message, cuts=cuts)] == bodies


PIECES = st.sampled_from(
    [
        b"GET ", b"POST ", b"/2018-06-01/runtime/invocation/next", b" HTTP/1.1",
        b"\r\n", b"\r\n\r\n",
        b"Content-Length: ", b"5", b"99999999999999999999",
        b"Transfer-Encoding: chunked", b"0", b"ff",
        b":", b" ", b"\0", b"\xff", b"Expect: 100-continue", b"\n", b"-1",
    ]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=8), max_size=30))
def test_any_bytes_are_parsed_or_refused(pieces: list[bytes]) -> None:
    try:
        for request in parse(b"".join(pieces)):
            assert request.path.startswith("/")
    except BadRequestError as refused:
        assert refused.status in (400, 417, 431, 501)
