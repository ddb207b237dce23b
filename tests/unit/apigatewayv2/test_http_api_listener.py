"""The extra port over real sockets: framing, limits and hostile bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.loop import LoopThread
from tests.support.waiting import eventually
from trigger_stack.services.apigatewayv2.models import Api
from trigger_stack.services.apigatewayv2.settings import InvalidSettingError, Settings
from trigger_stack_engine.front_doors.core.limits import MAX_BODY_BYTES
from trigger_stack_engine.front_doors.core.message import HttpRequest, HttpResponse
from trigger_stack_engine.front_doors.core.server import HttpServer, ListenError
from trigger_stack_engine.front_doors.http_api.api import LOCAL_PORT_TAG, Stage, select_api
from trigger_stack_engine.front_doors.http_api.door import HttpApis, listen
from trigger_stack_engine.front_doors.http_api.execute import DataPlane
from trigger_stack_engine.front_doors.http_api.http_proxy import HttpProxy
from trigger_stack_engine.front_doors.http_api.refusals import refuse

DEADLINE_SECONDS = 20


class Echo:
    """A function that returns its event; ``/slow`` waits until it is released."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.running = threading.Event()

    async def invoke(self, uri: str, payload: bytes, **_: Any) -> bytes:
        event = json.loads(payload)
        if event["rawPath"] == "/slow":
            self.running.set()
            await asyncio.to_thread(self.release.wait, DEADLINE_SECONDS)
        if event["rawPath"] == "/cookies":
            return json.dumps({"statusCode": 200, "cookies": ["a=é", "b=2"]}).encode()
        if event["rawPath"] == "/half":  # half a character, as Node.js can write it
            return rb'{"statusCode": 200, "headers": {"x-half": "\ud800"}}'
        return payload


def make_api(api_id: str = "abc", age: int = 0, tags: dict[str, str] | None = None) -> Api:
    created = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=age)
    api = Api("0" * 12, "us-east-1", {"ApiId": api_id, "CreatedDate": created, "Tags": tags or {}})
    api.integrations["i"] = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": "arn:aws:lambda:us-east-1:000000000000:function:echo",
        "PayloadFormatVersion": "2.0",
        "TimeoutInMillis": 30_000,
    }
    api.routes["r"] = {"RouteId": "r", "RouteKey": "$default", "Target": "integrations/i"}
    short = api.integrations["i"] | {"TimeoutInMillis": 50}
    api.integrations["s"] = short
    api.routes["s"] = {"RouteId": "s", "RouteKey": "GET /slow", "Target": "integrations/s"}
    api.stages["$default"] = Stage({"StageName": "$default"}, api.freeze())
    return api


@dataclass
class Server:
    port: int
    function: Echo
    apis: HttpApis

    def send(self, data: bytes) -> bytes:
        """Send bytes, and read until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as connection:
            connection.sendall(data)
            received = b""
            while chunk := connection.recv(65_536):
                received += chunk
            return received

    def get(self, path: str = "/", *headers: str, method: str = "GET") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))


def parsed(reply: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    return int(status.split(" ")[1]), headers, body


@pytest.fixture
def server(loop: LoopThread) -> Iterator[Server]:
    function = Echo()
    apis = HttpApis(DataPlane(function, HttpProxy()))
    apis.replace([make_api().document()])
    started = loop.run(listen(apis.answer_local, "127.0.0.1", 0))
    yield Server(started.port, function, apis)
    function.release.set()
    loop.call(started.close)


def test_a_request_becomes_an_event(server: Server) -> None:
    status, headers, body = parsed(
        server.get("/a%20b?q=1&q=2", "X-A: 1", "x-a: 2", "Cookie: c=1; d=2", "User-Agent: ua")
    )
    event = json.loads(body)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["apigw-requestid"] == event["requestContext"]["requestId"]
    assert "date" in headers
    assert event["rawPath"] == "/a b"
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert event["headers"]["x-a"] == "1,2"
    assert event["headers"]["x-forwarded-port"] == str(server.port)
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["requestContext"]["domainName"] == "localhost"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["requestContext"]["http"]["userAgent"] == "ua"


def test_a_client_that_reads_nothing_loses_its_connection(loop: LoopThread) -> None:
    """After the time for idle ones; as long as it reads something, it keeps the connection."""
    size = 64 * 1024 * 1024

    async def answer(request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, [], b"x" * size)

    server = HttpServer(answer, refuse)
    loop.run(server.start("127.0.0.1", 0))

    def look() -> int:
        for connection in list(server.connections):
            connection.close_if_idle(time.monotonic())
        return len(server.connections)

    with socket.socket() as client:
        client.settimeout(DEADLINE_SECONDS)
        # Else the kernel may keep the whole rest of the response for the client: net.ipv4.tcp_rmem.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        response = client.makefile("rb")
        for _ in range(3):
            response.read(16 * 1024 * 1024)
            assert loop.call(look) == 1
        eventually(lambda: loop.call(look) == 0)
        with contextlib.suppress(ConnectionError):
            assert len(response.read()) < size - 3 * 16 * 1024 * 1024
    loop.call(server.close)


def test_a_header_that_cannot_be_encoded_is_the_functions_fault(server: Server) -> None:
    status, _, body = parsed(server.get("/half"))

    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_chunked_bodies_are_joined(server: Server) -> None:
    _, _, body = parsed(
        server.send(
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: text/plain\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        )
    )
    event = json.loads(body)
    assert event["body"] == "hello world"
    assert event["headers"]["content-length"] == "11"


def test_forms_are_not_parsed_by_the_server(server: Server) -> None:
    body = b"a=1&b=2"
    reply = server.send(
        b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 7\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\n" + body
    )
    event = json.loads(parsed(reply)[2])
    assert (event["body"], event["isBase64Encoded"]) == ("YT0xJmI9Mg==", True)


def test_connections_are_reused(server: Server) -> None:
    request = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    reply = server.send(request % 1 + request % 2 + last)
    assert reply.count(b"HTTP/1.1 200") == 3
    assert [reply.index(b'"rawPath":"/%d"' % n) for n in (1, 2, 3)] == sorted(
        reply.index(b'"rawPath":"/%d"' % n) for n in (1, 2, 3)
    )


def test_head_has_the_headers_and_no_body(server: Server) -> None:
    status, headers, body = parsed(server.get(method="HEAD"))
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_set_cookie_is_repeated(server: Server) -> None:
    reply = server.get("/cookies")
    assert reply.lower().count(b"set-cookie: ") == 2
    assert "a=é".encode() in reply


def test_without_an_api_the_reply_says_so(server: Server) -> None:
    server.apis.replace([])
    status, _, body = parsed(server.get())
    assert status == 404
    assert "There is no HTTP API yet" in json.loads(body)["message"]


def test_time_out_is_503_while_others_are_served(server: Server) -> None:
    replies: list[bytes] = []
    slow = threading.Thread(target=lambda: replies.append(server.get("/slow")))
    slow.start()
    assert server.function.running.wait(DEADLINE_SECONDS)
    assert parsed(server.get("/quick"))[0] == 200
    slow.join(DEADLINE_SECONDS)
    status, _, body = parsed(replies[0])
    assert (status, json.loads(body)) == (503, {"message": "Service Unavailable"})


def test_a_client_that_goes_away_disturbs_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        assert server.function.running.wait(DEADLINE_SECONDS)
    server.function.release.set()
    assert parsed(server.get())[0] == 200


@pytest.mark.parametrize("announced", [True, False], ids=["content-length", "chunked"])
def test_a_body_over_10_mb_is_413(server: Server, announced: bool) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    if announced:
        framing = b"Content-Length: %d\r\n\r\n" % len(body)
    else:
        framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body)
    reply = server.send(b"POST / HTTP/1.1\r\nHost: h\r\n" + framing + body)
    assert parsed(reply)[0] == 413
    assert parsed(server.get())[0] == 200


def test_a_large_body_is_announced_and_refused_before_it_is_sent(server: Server) -> None:
    reply = server.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n")
    status, _, body = parsed(reply)
    assert (status, json.loads(body)) == (413, {"message": "Request Entity Too Large"})


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\nConnection: close\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /%c3%28 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /?a=%f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /a%00b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET /" + b"x" * 11_000 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Big: " + b"x" * 12_000 + b"\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Huge: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0"
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX-A: a\nb\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-A: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_hostile_bytes_get_a_4xx_and_the_server_lives_on(server: Server, data: bytes) -> None:
    reply = server.send(data)
    assert reply.startswith(b"HTTP/1.1 4"), reply[:200]
    _, headers, body = parsed(reply)
    assert set(json.loads(body)) == {"message"}
    assert headers["apigw-requestid"]
    assert parsed(server.get())[0] == 200


def test_a_taken_port_is_one_sentence_with_the_way_out(loop: LoopThread) -> None:
    apis = HttpApis(DataPlane(Echo(), HttpProxy()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as error:
            loop.run(listen(apis.answer_local, "127.0.0.1", port))
    assert str(error.value) == (
        f"Port {port} on 127.0.0.1 (local HTTP API) is taken by another program. "
        "Free it, or choose another one with HTTP_API_PORT."
    )


def test_which_api_the_port_serves() -> None:
    old, new = make_api("old", age=2), make_api("new", age=1)
    tagged = make_api("tagged", tags={LOCAL_PORT_TAG: "true"})
    untagged = make_api("untagged", tags={LOCAL_PORT_TAG: "false"})
    assert select_api([], None) is None
    assert select_api([old, new, untagged], None) is old
    assert select_api([old, new, tagged], None) is tagged
    assert select_api([old, new, tagged], "NEW") is new
    assert select_api([old], "other") is None


def test_settings_and_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LISTEN", "ID"):
        monkeypatch.delenv(f"HTTP_API_{name}", raising=False)
    assert Settings.from_environment(4566) == Settings("127.0.0.1", 8080, None)
    assert Settings.from_environment(4999).port == 0
    monkeypatch.setenv("HTTP_API_PORT", "9000")
    monkeypatch.setenv("HTTP_API_ID", "abc")
    assert Settings.from_environment(4999) == Settings("127.0.0.1", 9000, "abc")


@pytest.mark.parametrize("value", ["http", "-1", "65536", "8080x", "٣"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HTTP_API_PORT", value)
    with pytest.raises(InvalidSettingError, match=f"HTTP_API_PORT={value} is not a number from"):
        Settings.from_environment(4566)
