"""The front doors under attack: what is no request is refused, and nothing of it stays."""

from __future__ import annotations

import os
import random
import re
import resource
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import psutil
import pytest

from tests.engine.front_doors import (
    CLOUDFRONT,
    DOORS,
    FUNCTION_URL,
    HTTP_API,
    LOAD_BALANCER,
    REST_API,
    Door,
    open_door,
    stack_with_doors,
)
from tests.engine.lambda_stack import Stack, engine
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("front door fuzz")


#: Says which ids it has seen in path, query and body, in its log and to the client.
CODE = """
import base64, json, re
def handler(event, context):
    body = event.get("body") or ""
    if event["isBase64Encoded"]:
        body = base64.b64decode(body).decode("latin-1")
    query = event.get("queryStringParameters") or {}
    path = event.get("rawPath") or event["path"]
    names = sorted(name.lower() for name in event["headers"])
    ids = " ".join(re.findall("id[0-9a-f]{12}", path + json.dumps(query) + body))
    if ids:
        print(f"got {ids}.")
    if "large" in query:
        return {"statusCode": 200, "body": "x" * int(query["large"])}
    if "half" in query:
        return {"statusCode": 200, "headers": {"x-half": "\\ud800"}}
    answer = {"ids": ids, "length": len(body), "names": names}
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": json.dumps(answer)}
"""
SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(1 << 32))
FUZZ_SECONDS = 4.0
WARM_SECONDS = 2.0
CLOSE = b"Connection: close\r\n\r\n"
MEGABYTE = 1024 * 1024
#: With the limit that most shells have.
LAUNCHER = ("sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with stack_with_doors(tmp_path_factory.mktemp("fuzz") / "state", LAUNCHER) as running:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))  # of the clients
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def doors(stack: Stack) -> dict[str, Door]:
    kinds = [*DOORS, CLOUDFRONT]
    with ThreadPoolExecutor(len(kinds)) as pool:
        made = pool.map(lambda kind: open_door(stack, kind, CODE), kinds)
        return dict(zip(kinds, made, strict=True))


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    found = doors[request.param]
    assert found.call("GET", "/").status_code == 200
    return found


def send(door: Door, data: bytes, seconds: float = 10) -> bytes:
    """Everything that the door sends until it closes the connection."""
    answer = b""
    with door.connect(seconds) as connection, suppress(ConnectionError):
        connection.sendall(data)
        while part := connection.recv(1 << 16):
            answer += part
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of the responses in it, without interim ones."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]
    return [status for status in found if status >= 200]


# --- Malformed requests. <P> stands for the door's prefix.

HOST = b"Host: localhost\r\n"
GET = b"GET <P>/ HTTP/1.1\r\n" + HOST
CHUNKED = b"POST <P>/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
CLIENT_HELLO = bytes.fromhex(
    "16030100c8010000c40303" + "5a" * 32 + "20" + "a5" * 32 + "0004130113020100"
)
REFUSED = {
    "an unknown method": b"BREW <P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "a method in lower case": b"get <P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "no method": b"<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "a method of 100 kB": b"G" * 100_000 + b" / HTTP/1.1\r\n" + HOST + CLOSE,
    "a tab after the method": b"GET\t<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "HTTP/0.9": b"GET <P>/\r\n\r\n",
    "HTTP/0.9 by name": b"GET <P>/ HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET <P>/ HTTP/1.2\r\n" + HOST + CLOSE,
    "HTTP/2.0": b"GET <P>/ HTTP/2.0\r\n" + HOST + CLOSE,
    "HTTP/9.9": b"GET <P>/ HTTP/9.9\r\n" + HOST + CLOSE,
    "HTTP/1.1 in lower case": b"GET <P>/ http/1.1\r\n" + HOST + CLOSE,
    "HTTP/11": b"GET <P>/ HTTP/11\r\n" + HOST + CLOSE,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 9,
    "TLS": CLIENT_HELLO,
    "NULs": b"\0" * 100,
    "a space in the path": b"GET <P>/a b HTTP/1.1\r\n" + HOST + CLOSE,
    "a fragment": b"GET <P>/a#b HTTP/1.1\r\n" + HOST + CLOSE,
    "bytes over 127 in the path": b"GET <P>/\xc3\xbc HTTP/1.1\r\n" + HOST + CLOSE,
    "bytes over 127 in the query": b"GET <P>/?a=\xff HTTP/1.1\r\n" + HOST + CLOSE,
    "NUL in the path": b"GET <P>/a\0b HTTP/1.1\r\n" + HOST + CLOSE,
    "no path": b"GET  HTTP/1.1\r\n" + HOST + CLOSE,
    "a target without a slash": b"GET localhost HTTP/1.1\r\n" + HOST + CLOSE,
    "authority form": b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "authority form with GET": b"GET localhost:443 HTTP/1.1\r\n" + HOST + CLOSE,
    "asterisk form": b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE,
    "absolute form of another host": b"GET http://other<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "absolute form with a user": b"GET http://a@localhost<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "absolute form of FTP": b"GET ftp://localhost<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "no Host": b"GET <P>/ HTTP/1.1\r\n" + CLOSE,
    "two Hosts": GET + HOST + CLOSE,
    "a Host with a path": b"GET <P>/ HTTP/1.1\r\nHost: localhost/x\r\n" + CLOSE,
    "a Host with a user": b"GET <P>/ HTTP/1.1\r\nHost: a@localhost\r\n" + CLOSE,
    "two Hosts in one": b"GET <P>/ HTTP/1.1\r\nHost: localhost, localhost\r\n" + CLOSE,
    "half a bracket in Host": b"GET <P>/ HTTP/1.1\r\nHost: [::1\r\n" + CLOSE,
    "a bare CR": GET + b"X-A: a\rb\r\n" + CLOSE,
    "a bare LF": GET + b"X-A: a\nX-B: b\r\n" + CLOSE,
    "only LF": b"GET <P>/ HTTP/1.1\nHost: localhost\n\n",
    "NUL in a value": GET + b"X-A: a\0b\r\n" + CLOSE,
    "NUL in a name": GET + b"X\0A: a\r\n" + CLOSE,
    "a control character": GET + b"X-A: a\x01b\r\n" + CLOSE,
    "a folded line": GET + b"X-A: a\r\n b\r\n" + CLOSE,
    "a folded line at once": b"GET <P>/ HTTP/1.1\r\n X-A: a\r\n" + HOST + CLOSE,
    "a space before the colon": GET + b"X-A : a\r\n" + CLOSE,
    "no colon": GET + b"broken\r\n" + CLOSE,
    "no name": GET + b": a\r\n" + CLOSE,
    "length and chunks": GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": GET + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "the same length twice": GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "two lengths in one": GET + b"Content-Length: 1, 1\r\n\r\nx",
    "a length of 5000 digits": GET + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a length over 64 bits": GET + b"Content-Length: 18446744073709551617\r\n\r\nx",
    "a length of 63 bits": GET + b"Content-Length: 9223372036854775807\r\n\r\nx",
    "a negative length": GET + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": GET + b"Content-Length: +1\r\n\r\nx",
    "a hexadecimal length": GET + b"Content-Length: 0x1\r\n\r\nx",
    "a length of other digits": GET + b"Content-Length: \xb2\r\n\r\nx",
    "an empty length": GET + b"Content-Length:\r\n\r\nx",
    "identity": GET + b"Transfer-Encoding: identity\r\n\r\n",
    "gzip": GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": GET + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "chunked after a wide space": GET + b"Transfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n",
    "no chunk size": CHUNKED + b"\r\n\r\n",
    "junk as chunk size": CHUNKED + b"xyz\r\n",
    "junk after a chunk size": CHUNKED + b"1 x\r\na\r\n0\r\n\r\n",
    "a space after a chunk size": CHUNKED + b"1 \r\na\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\na\r\n0\r\n\r\n",
    "a chunk size over 64 bits": CHUNKED + b"f" * 17 + b"\r\na",
    "a chunk that is longer": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    "a chunk size before LF": CHUNKED + b"1\na\r\n0\r\n\r\n",
    "NUL in a chunk extension": CHUNKED + b"1;\0\r\na\r\n0\r\n\r\n",
    "LF in a chunk extension": CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nbroken\r\n\r\n",
    "a length as trailer": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "a request line of 100 kB": b"GET <P>/" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + CLOSE,
    "a header of 100 kB": GET + b"X-A: " + b"a" * 100_000 + b"\r\n" + CLOSE,
    "a name of 100 kB": GET + b"X" * 100_000 + b": a\r\n" + CLOSE,
    "100 kB of headers": GET + b"X-A: 1234567890\r\n" * 8000 + CLOSE,
    "100 kB of trailers": CHUNKED + b"0\r\n" + b"X-A: 1234567890\r\n" * 8000 + b"\r\n",
    "100 kB without an end": b"GET <P>/" + b"a" * 100_000,
    "100 kB of empty lines": b"\r\n" * 50_000,
}
#: What a load balancer hands on as it is, since it decodes nothing.
REFUSED_WHERE_DECODED = {
    "half an escape in the path": b"GET <P>/%2 HTTP/1.1\r\n" + HOST + CLOSE,
    "no escape in the path": b"GET <P>/%zz HTTP/1.1\r\n" + HOST + CLOSE,
    "no UTF-8 in the path": b"GET <P>/%ff HTTP/1.1\r\n" + HOST + CLOSE,
    "NUL as an escape in the path": b"GET <P>/%00 HTTP/1.1\r\n" + HOST + CLOSE,
    "half an escape in the query": b"GET <P>/?a=%2 HTTP/1.1\r\n" + HOST + CLOSE,
    "no escape in the query": b"GET <P>/?%zz HTTP/1.1\r\n" + HOST + CLOSE,
    "no UTF-8 in the query": b"GET <P>/?a=%c3%28 HTTP/1.1\r\n" + HOST + CLOSE,
    "NUL as an escape in the query": b"GET <P>/?a=%00 HTTP/1.1\r\n" + HOST + CLOSE,
}
#: What is a request, however odd.
ODD = {
    "a chunk extension": CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE)
    + b'1;a=b;c="d"\r\na\r\n0\r\n\r\n',
    "zeros before a chunk size": CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE)
    + b"0" * 30
    + b"1\r\na\r\n0\r\n\r\n",
    "two slashes": b"GET <P>//other/path HTTP/1.1\r\n" + HOST + CLOSE,
    "dots": b"GET <P>/a/../../b HTTP/1.1\r\n" + HOST + CLOSE,
    "encoded dots": b"GET <P>/%2e%2e/%2e%2e HTTP/1.1\r\n" + HOST + CLOSE,
    "encoded slashes": b"GET <P>/a%2Fb%2f%2e%2e%2F HTTP/1.1\r\n" + HOST + CLOSE,
    "a backslash": b"GET <P>/a%5cb HTTP/1.1\r\n" + HOST + CLOSE,
    "absolute form": b"GET http://LOCALHOST<P>/ HTTP/1.1\r\n" + HOST + CLOSE,
    "HTTP/1.0 without Host": b"GET <P>/ HTTP/1.0\r\n\r\n",
    "empty lines first": b"\r\n\r\n" + GET + CLOSE,
    "no value": GET + b"X-A:\r\n" + CLOSE,
    "bytes over 127 in a value": GET + b"X-A: \xff\xfe\r\n" + CLOSE,
    "500 headers": GET + b"".join(b"X-%d: a\r\n" % n for n in range(500)) + CLOSE,
    "the same header 500 times": GET + b"X-A: a\r\n" * 500 + CLOSE,
    "an unknown upgrade": GET + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n",
    "a trace id that is none": GET + b"X-Amzn-Trace-Id: \xff;;=;Root=\t\r\n" + CLOSE,
    "a long trace id": GET + b"X-Amzn-Trace-Id: Root=" + b"a" * 9000 + b"\r\n" + CLOSE,
    "a very long trace id": GET + b"X-Amzn-Trace-Id: Root=" + b"a" * 60_000 + b"\r\n" + CLOSE,
    "many parameters": b"GET <P>/?" + b"a&" * 4000 + b" HTTP/1.1\r\n" + HOST + CLOSE,
    "a foreign address": GET + b"X-Forwarded-For: \xe9, <>, ;,,\r\n" + CLOSE,
    "a cookie that is none": GET + b"Cookie: ;;=;\xff\r\n" + CLOSE,
}


every_door = pytest.mark.parametrize("door", [*DOORS, CLOUDFRONT], indirect=True)


@every_door
@pytest.mark.parametrize("data", REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_request_is_refused(door: Door, data: bytes) -> None:
    answer = send(door, data.replace(b"<P>", door.prefix.encode()))

    assert all(400 <= status < 500 for status in statuses(answer)), answer[:300]
    assert len(statuses(answer)) <= 1, "the rest was read as another request"


@pytest.mark.parametrize("data", REFUSED_WHERE_DECODED.values(), ids=list(REFUSED_WHERE_DECODED))
def test_what_cannot_be_decoded_is_refused(door: Door, data: bytes) -> None:
    answer = send(door, data.replace(b"<P>", door.prefix.encode()))

    assert statuses(answer) == [200 if door.kind == LOAD_BALANCER else 400], answer[:300]


@every_door
@pytest.mark.parametrize("data", ODD.values(), ids=list(ODD))
def test_an_odd_request_is_answered(door: Door, data: bytes) -> None:
    answer = send(door, data.replace(b"<P>", door.prefix.encode()))

    assert len(statuses(answer)) == 1, answer[:300]
    assert 200 <= statuses(answer)[0] < 500, answer[:300]


def test_a_header_that_cannot_be_sent_is_the_functions_fault(door: Door) -> None:
    answer = door.call("GET", "/?half=1")

    assert answer.status_code == (500 if door.kind == HTTP_API else 502)


# --- Requests that two servers could read differently


def shapes(prefix: str, a: str, b: str) -> dict[str, tuple[bytes, list[str], int]]:
    """Bytes of one write; what the function gets, one text for each request; and the responses.

    Args:
        prefix: Of the door.
        a: An id.
        b: Another one.
    """

    def post(body: str, *headers: str, length: bool = True, version: str = "1.1") -> bytes:
        lines = [f"POST {prefix}/ HTTP/{version}", "Host: localhost", *headers]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", body]).encode()

    inner = post(b).decode()
    last = post(b, "Connection: close")
    chunked = "Transfer-Encoding: chunked"
    hidden = f"0\r\n\r\n{inner}"
    hex_length = f"{len(inner):x}"
    return {
        "two requests": (post(a) + last, [a, b], 2),
        "a body that looks like a request": (
            post(inner, "Connection: close"),
            [b],
            1,
        ),
        "a GET with such a body": (
            post(a + inner, "Connection: close").replace(b"POST", b"GET", 1),
            [f"{a} {b}"],
            1,
        ),
        "a length of 0": (post("", "X-A: a") + last, [b], 2),
        "CL.TE": (post(hidden, chunked), [], 1),
        "TE.CL": (
            post(
                f"{hex_length}\r\n{inner}\r\n0\r\n\r\n", chunked, "Content-Length: 4", length=False
            ),
            [],
            1,
        ),
        "TE.TE": (post(hidden, chunked, "Transfer-Encoding: x", length=False), [], 1),
        "xchunked": (post(hidden, "Transfer-Encoding: xchunked", length=False), [], 1),
        "chunked, identity": (
            post(hidden, "Transfer-Encoding: chunked, identity", length=False),
            [],
            1,
        ),
        "quoted chunked": (post(hidden, 'Transfer-Encoding: "chunked"', length=False), [], 1),
        "a space in the name": (post(hidden, "Transfer-Encoding : chunked", length=False), [], 1),
        "a folded value": (post(hidden, "Transfer-Encoding:\r\n chunked", length=False), [], 1),
        "hidden by LF": (post(hidden, f"X-A: a\n{chunked}"), [], 1),
        "hidden by CR": (post(hidden, f"X-A: a\r{chunked}"), [], 1),
        "CL.CL": (post(inner, "Content-Length: 0"), [], 1),
        "chunks in HTTP/1.0": (post(hidden, chunked, length=False, version="1.0"), [], 1),
        "chunks, and a request": (
            post(f"{len(a):X};x=y\r\n{a}\r\n0\r\nX-T: {b}\r\n\r\n", chunked, length=False) + last,
            [a, b],
            2,
        ),
        "a request in a chunk": (
            post(
                f"{hex_length}\r\n{inner}\r\n0\r\n\r\n", chunked, "Connection: close", length=False
            ),
            [b],
            1,
        ),
        "a chunk that is too short": (
            post(f"2\r\n{a}\r\n{hidden}", chunked, length=False),
            [],
            1,
        ),
        "a chunk size that wraps": (
            post(f"10000000000000000\r\n\r\n{hidden}", chunked, length=False),
            [],
            1,
        ),
        "a request in an extension": (
            post(f"1;{inner}\r\nx\r\n0\r\n\r\n", chunked, length=False),
            [],
            1,
        ),
        "a request after the last": (post(a, "Connection: close") + last, [a], 1),
        "a request after HTTP/1.0": (post(a, version="1.0") + last, [a], 1),
        "HTTP/1.0 that goes on": (
            post(a, "Connection: keep-alive", version="1.0") + last,
            [a, b],
            2,
        ),
        "a request after an upgrade": (
            post(a, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings") + last,
            [a, b],
            2,
        ),
        "chunks after an upgrade": (
            post(
                f"{len(a):x}\r\n{a}\r\n0\r\n\r\n",
                *("Connection: Upgrade", "Upgrade: h2c", chunked),
                length=False,
            )
            + last,
            [a, b],
            2,
        ),
        "CONNECT": (post("", length=False).replace(b"POST", b"CONNECT") + last, [], 1),
        "a request that waits for 100": (post(a, "Expect: 100-continue") + last, [a, b], 2),
        "junk between": (post(a) + b"\0\0" + last, [a], 2),
        "an empty line between": (post(a) + b"\r\n" + last, [a, b], 2),
        "HEAD": (
            f"HEAD {prefix}/{a} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + last,
            [a, b],
            2,
        ),
        "20 requests": (post(a) * 20 + last, [a] * 20 + [b], 21),
    }


def test_nothing_is_smuggled(stack: Stack, door: Door) -> None:
    expected: list[str] = []
    for name in shapes("", "", ""):
        a, b = (f"id{secrets.token_hex(6)}" for _ in range(2))
        data, got, responses = shapes(door.prefix, a, b)[name]
        if door.kind == LOAD_BALANCER and "upgrade" in name:
            got, responses = [b], 2  # which it refuses
        answer = send(door, data)
        assert len(statuses(answer)) == responses, (name, answer)
        answered = [ids for ids in re.findall(r'"ids": ?"([^"]*)"', answer.decode()) if ids]
        wanted = got[1:] if name == "HEAD" else got
        assert answered == wanted, (name, answer)
        expected += got
    last = f"id{secrets.token_hex(6)}"
    assert door.call("POST", "/", data=last).status_code == 200

    lines = stack.messages(door.function, until=last)
    log = "".join(lines)
    seen = [ids for ids in re.findall(r"got ([0-9a-f id]+)\.", log) if ids != last]

    def all_seen() -> bool:
        text = "".join(stack.messages(door.function, until=last))
        found = re.findall(r"got ([0-9a-f id]+)\.", text)
        assert sorted(found) == sorted([*expected, last]), (set(found) ^ {*expected, last}, seen)
        return True

    eventually(all_seen)


def test_a_trailer_is_no_header(door: Door) -> None:
    trailers = b"Host: evil.example\r\nX-Trailer: a\r\nAuthorization: a\r\nCookie: a=b\r\n"
    data = CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE) + b"0\r\n" + trailers + b"\r\n"

    answer = send(door, data.replace(b"<P>", door.prefix.encode()))

    assert statuses(answer) == [200]
    assert b"x-trailer" not in answer
    assert b"authorization" not in answer
    assert b"cookie" not in answer


def test_a_body_after_an_upgrade_arrives(door: Door) -> None:
    """Java's HttpClient asks for ``h2c`` with its first request, whatever that is."""
    head = b"POST <P>/ HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings, close\r\n"
    head += b"Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nContent-Length: 5\r\n\r\n"
    with door.connect() as connection:
        for part in (head.replace(b"<P>", door.prefix.encode()), b"he", b"llo"):
            connection.sendall(part)
            time.sleep(0.02)  # so that they come one after the other
        answer = connection.makefile("rb").read()

    if door.kind == LOAD_BALANCER:
        assert statuses(answer) == [400]
    else:
        assert statuses(answer) == [200]
        assert b'"length": 5' in answer


# --- Random requests


def valid(door: Door) -> list[bytes]:
    """Requests that fuzzing begins with."""
    prefix = door.prefix.encode()
    get = b"GET " + prefix + b"/a/b%20c?x=1&y=%C3%BC HTTP/1.1\r\nHost: localhost\r\n"
    post = b"POST " + prefix + b"/ HTTP/1.1\r\nHost: localhost:80\r\n"
    presigned = b"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0 HTTP"
    return [
        get + b"\r\n",
        get + b"Cookie: a=1; b=2\r\nX-Forwarded-For: 192.0.2.1\r\nX-Amzn-Trace-Id: Root=1\r\n\r\n",
        get.replace(b"/1.1", b"/1.0") + b"Connection: keep-alive\r\n\r\n",
        post + b"Content-Type: application/json\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}',
        post + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
        post + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + get + b"\r\n",
        post + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",
        b"OPTIONS " + prefix + b"/ HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        b"Access-Control-Request-Method: POST\r\n\r\n",
        b"HEAD http://localhost" + prefix + b"/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        get.replace(b" HTTP", presigned, 1) + b"Authorization: AWS4-HMAC-SHA256 x\r\n\r\n",
    ]


TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%", b"%ff", b"%00", b"%2f", b"#", b"?"),
    *(b"&", b"=", b";", b",", b"//", b"/../", b"http://", b"[", b"]", b"@", b"\xff", b"\xc3\xbc"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: other\r\n"),
    *(b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"0\r\n\r\n", b"ffffffff\r\n", b"-1"),
    *(b"HTTP/1.0", b"HTTP/2.0", b"9" * 30, b"a" * 5000, b"Expect: 100-continue\r\n"),
]


def mutate(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        place = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0:
                changed[place:place] = rng.choice(TOKENS)
            case 1 if place < len(changed):
                changed[place] = rng.randrange(256)
            case 2:
                del changed[place : place + rng.randrange(1, 20)]
            case 3:
                del changed[place:]
            case 4:
                other = rng.randrange(len(changed) + 1)
                changed[place:place] = changed[other : other + rng.randrange(1, 60)]
            case _:
                changed[place : place + 4] = rng.choice(TOKENS)
    return bytes(changed)


def fuzz(door: Door, seed: int, seconds: float) -> int:
    """Send mutated requests from a few threads; how many.

    Raises:
        AssertionError: An answer is no response, or says that the server is at fault.
    """
    end = time.monotonic() + seconds

    def work(number: int) -> int:
        rng = random.Random(f"{seed}-{number}")
        requests, sent = valid(door), 0
        while time.monotonic() < end:
            data = mutate(rng, rng.choice(requests))
            answer = b""
            with suppress(ConnectionError, TimeoutError), door.connect(5) as connection:
                connection.sendall(data)
                if rng.random() < 0.5:
                    connection.settimeout(0.02)  # whatever is not answered yet is given up
                    answer = connection.recv(1 << 16)
                elif rng.random() < 0.5:
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(1 << 16)
            sent += 1
            assert not answer or answer.startswith(b"HTTP/1.1 "), (data, answer)
            assert all(status < 500 for status in statuses(answer)), (data, answer)
        return sent

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(work, range(4)))


def settle(process: psutil.Process, port: int) -> None:
    """Wait until the engine has no connection to a port any more."""

    def closed() -> bool:
        connections = process.net_connections("tcp")
        left = [one for one in connections if one.laddr.port == port and one.status != "LISTEN"]
        assert not left, (len(left), left[:3])
        return True

    eventually(closed)


def spare_descriptors(process: psutil.Process) -> int:
    """Descriptors of the engine beside the three that it has for each environment.

    A request whose client has gone keeps its environment busy, so that there may be some more.
    """
    environments = sum(len(zygote.children()) for zygote in process.children())
    return process.num_fds() - 3 * environments


@pytest.fixture(scope="module")
def warm(doors: dict[str, Door]) -> None:
    """Caches that have all that they will ever hold: the journal's takes some 40 MB."""
    for door in doors.values():
        fuzz(door, SEED + 1, WARM_SECONDS)


@pytest.mark.usefixtures("warm")
def test_random_requests_leave_nothing_behind(stack: Stack, door: Door) -> None:
    process = engine(stack)
    assert door.call("GET", "/").status_code == 200
    settle(process, door.port)
    descriptors, memory = spare_descriptors(process), process.memory_info().rss

    sent = fuzz(door, SEED, FUZZ_SECONDS)

    print(f"{door.kind}: {sent} requests, FUZZ_SEED={SEED}")
    assert sent > 500
    assert door.call("GET", "/").status_code == 200
    assert engine(stack).pid == process.pid
    assert "Traceback" not in stack.log, stack.log[-5000:]
    settle(process, door.port)
    assert spare_descriptors(process) <= descriptors + 10
    grown = process.memory_info().rss - memory
    assert grown < 24 * MEGABYTE, f"{grown / MEGABYTE:.0f} MB"


# --- Slow clients, idle ones, and ones that go away


def good(door: Door, seconds: float = 5) -> None:
    """A good request is answered in time."""
    started = time.monotonic()
    assert door.call("GET", "/", timeout=seconds).status_code == 200
    assert time.monotonic() - started < seconds


def test_a_byte_at_a_time(door: Door) -> None:
    data = CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE) + b"3\r\nabc\r\n0\r\n\r\n"
    with door.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data.replace(b"<P>", door.prefix.encode()):
            connection.sendall(bytes([byte]))
            time.sleep(0.001)  # so that they come one after the other
        answer = connection.makefile("rb").read()

    assert statuses(answer) == [200]
    assert b'"length": 3' in answer


def test_a_client_that_does_not_read_stops_nobody(door: Door) -> None:
    size = MEGABYTE - 1000 if door.kind == LOAD_BALANCER else 5 * MEGABYTE
    request = b"GET <P>/?large=%d HTTP/1.1\r\n" % size + HOST + CLOSE
    with ExitStack() as open_ones:
        connections = []
        for _ in range(4):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", door.port))
            connections.append(open_ones.enter_context(connection))
            connection.sendall(request.replace(b"<P>", door.prefix.encode()))
        for _ in range(5):
            good(door)
        answer = connections[0].makefile("rb").read()
    assert answer.endswith(b"x" * size)
    good(door)


@pytest.mark.parametrize("begun", [b"", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le"])
def test_1000_idle_connections_stop_nobody(stack: Stack, door: Door, begun: bytes) -> None:
    process = engine(stack)
    settle(process, door.port)
    before = process.num_fds()
    with ExitStack() as open_ones:
        for _ in range(1000):
            connection = open_ones.enter_context(door.connect())
            if begun:
                connection.sendall(begun)
        eventually(lambda: process.num_fds() >= before + 990)
        for _ in range(5):
            good(door, 2)
    settle(process, door.port)
    assert process.num_fds() <= before + 10


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@pytest.mark.parametrize(
    ("size", "accepting"),
    [
        (1_000_000, DOORS),
        (4 * MEGABYTE, [HTTP_API, REST_API, FUNCTION_URL]),
        (10 * MEGABYTE, []),
        (10 * MEGABYTE + 1, []),
    ],
)
def test_large_bodies(door: Door, size: int, accepting: list[str], chunked: bool) -> None:
    def parts() -> Iterator[bytes]:
        for begin in range(0, size, 1 << 16):
            yield b"x" * min(1 << 16, size - begin)

    answer = door.call(
        *("POST", "/"),
        data=parts() if chunked else b"x" * size,
        headers={"Content-Type": "text/plain"},
    )

    if door.kind in accepting:
        assert (answer.status_code, answer.json()["length"]) == (200, size)
    else:
        assert answer.status_code == 413


def reset(connection: socket.socket) -> None:
    """Close a connection so that the other side gets an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_clients_that_go_away_leave_nothing_behind(stack: Stack, door: Door) -> None:
    process = engine(stack)
    size = MEGABYTE - 1000 if door.kind == LOAD_BALANCER else 5 * MEGABYTE
    prefix = door.prefix.encode()
    large = (b"GET <P>/?large=%d HTTP/1.1\r\n" % size + HOST + b"\r\n").replace(b"<P>", prefix)
    half = b"POST <P>/ HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 50_000
    half = half.replace(b"<P>", prefix)
    leave: list[Callable[[socket.socket], None]] = [socket.socket.close, reset]

    def disturb(number: int) -> None:
        connection = door.connect()
        connection.sendall(half if number % 2 else large)
        if number % 4 == 0:
            connection.recv(1000)
        leave[number // 4 % 2](connection)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(disturb, range(60)))

    good(door, 20)
    settle(process, door.port)
    assert engine(stack).pid == process.pid
    assert "Traceback" not in stack.log, stack.log[-5000:]


def test_many_requests_in_one_write(door: Door) -> None:
    request = (GET + b"\r\n").replace(b"<P>", door.prefix.encode())

    answer = send(door, request * 2000 + request[:-2] + CLOSE, 30)

    assert statuses(answer) == [200] * 2001


def test_many_small_chunks(door: Door) -> None:
    """A body of many parts takes no more memory than it has bytes."""
    data = CHUNKED.replace(b"\r\n\r\n", b"\r\n" + CLOSE) + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    answer = send(door, data.replace(b"<P>", door.prefix.encode()))

    assert statuses(answer) == [200]
    assert b'"length": 100000' in answer


def test_many_clients_at_a_time(door: Door) -> None:
    """Good ones and bad ones together."""
    failures: list[BaseException] = []

    def bad() -> None:
        for data in list(REFUSED.values())[:20]:
            send(door, data.replace(b"<P>", door.prefix.encode()))

    threads = [threading.Thread(target=bad) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        try:
            good(door)
        except AssertionError as error:
            failures.append(error)
    for thread in threads:
        thread.join()
    assert not failures
