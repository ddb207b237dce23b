"""The server of port 4566, over real sockets and with applications of the tests' own."""

from __future__ import annotations

import errno
import gzip
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.parsers import ResponseParserFactory
from botocore.session import Session
from requests.structures import CaseInsensitiveDict

from tests.support.waiting import eventually
from trigger_stack.wsgi_server import connection as connection_module
from trigger_stack.wsgi_server import server as server_module
from trigger_stack.wsgi_server.before_response import Form, NotDoneError, wait_before_response
from trigger_stack.wsgi_server.connection import State
from trigger_stack.wsgi_server.server import WsgiServer

SECONDS = 20
GET = b"GET /a%20b?c=%20d HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nx-a: 2\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """What the application got, as JSON."""
    seen = {key: value for key, value in environ.items() if isinstance(value, str)}
    seen["body"] = environ["wsgi.input"].read().decode("latin-1")
    seen["raw"] = [[n.decode(), v.decode("latin-1")] for n, v in environ["rolo.headers"]]
    data = json.dumps(seen).encode()
    start_response("200 OK", [("X-Case", "kept"), ("Content-Length", str(len(data)))])
    return [data]


class Running:
    """A server and what was taken over from it."""

    def __init__(self, application: Any) -> None:
        self.foreign: list[socket.socket] = []
        self.server = WsgiServer(application, self.foreign.append)
        self.server.listen("127.0.0.1", 0)
        self.port = self.server.addresses[0][1]
        self.server.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def send(self, data: bytes) -> bytes:
        """Send bytes, and read until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def until(connection: socket.socket, text: bytes) -> bytes:
    """What comes up to ``text``."""
    received = b""
    while text not in received:
        part = connection.recv(65536)
        assert part, f"ended with {received!r}"
        received += part
    return received


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Running]]:
    with ExitStack() as stack:

        def start(application: Any) -> Running:
            running = Running(application)
            stack.callback(running.server.close, 0)
            return running

        yield start


def test_the_application_gets_the_request_as_it_was_sent(serve):
    with serve(echo).connect() as connection:
        connection.sendall(GET)
        answer = until(connection, b"}")

    seen = body_of(answer)
    assert seen["PATH_INFO"] == "/a b"
    assert seen["QUERY_STRING"] == "c=%20d"
    assert seen["RAW_URI"] == seen["REQUEST_URI"] == "/a%20b?c=%20d"
    assert seen["raw"] == [["Host", "h:1"], ["X-A", "1"], ["x-a", "2"]]
    assert (seen["HTTP_X_A"], seen["SERVER_NAME"]) == ("1,2", "h")
    assert seen["REMOTE_ADDR"] == "127.0.0.1"
    assert b"\r\nX-Case: kept\r\n" in answer
    assert b"\r\ndate: " in answer


def test_requests_of_a_connection_are_answered_in_their_order(serve):
    posts = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nb%d" % (n, n) for n in range(9)
    )

    answer = serve(echo).send(posts + LAST)

    found = [json.loads(part.partition(b"}")[0] + b"}") for part in answer.split(b"\r\n\r\n")[1:]]
    assert [one["RAW_URI"] for one in found] == [f"/{n}" for n in range(9)] + ["/last"]
    assert [one["body"] for one in found] == [f"b{n}" for n in range(9)] + [""]


def test_a_request_in_single_bytes(serve):
    with serve(echo).connect() as connection:
        for byte in b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n":
            connection.sendall(bytes([byte]))
        connection.sendall(b"2\r\nde\r\n0\r\n\r\n")

        assert body_of(until(connection, b"}"))["body"] == "abcde"


def test_a_large_body_is_all_there_and_can_be_unpacked(serve):
    data = gzip.compress(bytes(range(256)) * 40_000, compresslevel=0)  # 10 MB

    def unpack(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with gzip.open(environ["wsgi.input"]) as file:  # takes over a file's mode
            size = len(file.read())
        start_response("200 OK", [("Content-Length", str(len(str(size))))])
        return [str(size).encode()]

    running = serve(unpack)
    for framed in (data, data[:100]):
        head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        answer = running.send(head % len(framed) + framed)
        ok = answer.endswith(b"\r\n\r\n10240000")
        assert ok if framed is data else answer.startswith(b"HTTP/1.1 500"), answer


def test_100_continue_before_the_body(serve):
    with serve(echo).connect() as connection:
        connection.sendall(
            b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        assert until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"x")

        assert body_of(until(connection, b"}"))["body"] == "x"


def test_a_body_of_unknown_length_comes_in_chunks_as_it_is_made(serve):
    more = threading.Event()

    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        assert more.wait(SECONDS)
        yield b""
        yield b"second"

    with serve(stream).connect() as connection:
        connection.sendall(GET)
        head = until(connection, b"5\r\nfirst\r\n")
        assert b"\r\ntransfer-encoding: chunked\r\n" in head
        more.set()
        assert until(connection, b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"
        connection.sendall(GET)
        assert b"first" in until(connection, b"first\r\n"), "the connection is still of use"


def test_http_1_0_has_no_chunks(serve):
    def stream(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ab", b"cd"]

    answer = serve(stream).send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"abcd"
    assert b"chunked" not in head


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none(serve, status):
    def nothing(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [] if environ["RAW_URI"] == "/last" else [b"must not be sent"]

    answer = serve(nothing).send(GET + LAST)

    assert answer.count(b"HTTP/1.1 " + status.encode()) == 2
    assert b"must not" not in answer
    assert b"chunked" not in answer


def test_head_has_the_headers_only(serve):
    answer = serve(echo).send(GET.replace(b"GET", b"HEAD", 1) + LAST.replace(b"GET", b"HEAD"))

    assert answer.count(b"Content-Length: ") == 2
    assert b"{" not in answer


def test_an_application_that_raises_is_a_500(serve):
    def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise OSError("not the client's connection")

    answer = serve(broken).send(GET)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert body_of(answer) == {"message": "Internal Server Error"}


def test_what_raises_half_way_breaks_the_connection(serve):
    def half(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"half"
        raise ValueError("no more")

    answer = serve(half).send(GET)

    assert b"half" in answer
    assert not answer.endswith(b"0\r\n\r\n"), "the client would take it for whole"


def test_a_response_is_sent_when_what_it_promises_is_done(serve):
    returned, done = threading.Event(), threading.Event()

    def promising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        wait_before_response(lambda: done.wait(SECONDS))
        start_response("200 OK", [("Content-Length", "2")])
        returned.set()
        return [b"ok"]

    with serve(promising).connect() as connection:
        connection.sendall(GET)
        assert returned.wait(SECONDS)
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        done.set()
        connection.settimeout(SECONDS)

        assert until(connection, b"\r\n\r\nok").startswith(b"HTTP/1.1 200 ")


class Operation:
    """An operation of a service whose protocol has errors in one form."""

    def __init__(self, service: str, name: str) -> None:
        model = Session().get_service_model(service)
        self.shape = model.operation_model(name).output_shape
        self.parser = ResponseParserFactory().create_parser(model.metadata["protocol"])

    def error(self, response: bytes) -> Any:
        """What a client of AWS reads from a response."""
        head, _, body = response.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = CaseInsensitiveDict(line.split(": ", 1) for line in lines)
        given = {"status_code": int(status.split()[1]), "headers": headers, "body": body}
        return self.parser.parse(given, self.shape)["Error"]


@pytest.mark.parametrize(
    ("operation", "form"),
    [
        (("lambda", "Invoke"), Form.JSON),
        (("events", "PutEvents"), Form.JSON),
        (("sns", "Publish"), Form.QUERY),
        (("s3", "PutObject"), Form.REST_XML),
    ],
)
def test_what_was_not_done_is_an_error_of_the_service(
    serve, operation: tuple[str, str], form: Form
):
    def promising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        wait_before_response(lambda: refuse(environ["PATH_INFO"]))
        return echo(environ, start_response)

    def refuse(path: str) -> None:
        if path != "/last":
            raise NotDoneError("ServiceException", "<the disk> is full", form)

    refused, begin, last = serve(promising).send(GET + LAST).rpartition(b"HTTP/1.1 ")

    assert refused.startswith(b"HTTP/1.1 500 ")
    error = Operation(*operation).error(refused)
    assert (error["Code"], error["Message"]) == ("ServiceException", "<the disk> is full")
    assert (begin + last).startswith(b"HTTP/1.1 200 "), "the connection goes on"


def test_everything_is_waited_for_whatever_goes_wrong(serve, caplog):
    waited: list[str] = []

    def fail(name: str) -> None:
        waited.append(name)
        raise OSError(name)

    def promising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for name in ("first", "second", "third"):
            wait_before_response(lambda one=name: fail(one))
        raise ValueError("the application fails, too")

    answer = serve(promising).send(GET)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert waited == ["first", "second", "third"]
    wait_before_response(lambda: waited.append("no request here"))
    assert waited[-1] == "no request here"


def test_the_first_that_was_not_done_is_the_answer(serve):
    waited: list[str] = []

    def refuse(code: str) -> None:
        waited.append(code)
        raise NotDoneError(code, "the disk is full")

    def promising(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/last":
            for code in ("First", "Second", "Third"):
                wait_before_response(lambda one=code: refuse(one))
        return echo(environ, start_response)

    refused, _, last = serve(promising).send(GET + LAST).partition(b"}")

    assert refused.startswith(b"HTTP/1.1 500 ")
    assert b"\r\nx-amzn-errortype: First\r\n" in refused
    assert waited == ["First", "Second", "Third"]
    assert last.startswith(b"HTTP/1.1 200 "), "the connection goes on"


def test_a_body_that_is_shorter_than_announced_ends_the_connection(serve):
    def short(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "10")])
        return [b"short"]

    answer = serve(short).send(GET + GET)

    assert answer.endswith(b"short")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["no host", "two hosts", "bare LF", "identity", "5000 digits", "CONNECT", "nonsense"],
)
def test_what_is_refused_is_answered_after_what_came_before(serve, data):
    answer = serve(echo).send(GET + data + GET)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 2, "nothing after it is read"
    assert b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n" in answer


def test_requests_that_wait_do_not_keep_others_waiting(serve):
    together = threading.Barrier(40, timeout=SECONDS)

    def meet(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        together.wait()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    running = serve(meet)
    with ExitStack() as stack:
        connections = [stack.enter_context(running.connect()) for _ in range(40)]
        for connection in connections:
            connection.sendall(GET)
        assert all(until(one, b"ok").startswith(b"HTTP/1.1 200") for one in connections)


def test_when_no_thread_can_be_started_requests_wait_and_are_answered(serve, monkeypatch, caplog):
    begun, more = threading.Semaphore(0), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.release()
        assert more.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    running = serve(slow)
    monkeypatch.setattr(server_module.threading.Thread, "start", refuse)
    with ExitStack() as stack:
        connections = [stack.enter_context(running.connect()) for _ in range(12)]
        for connection in connections:
            connection.sendall(GET)
        for _ in range(8):  # the spare threads
            assert begun.acquire(timeout=SECONDS)
        eventually(lambda: "can't start new thread" in caplog.text)
        more.set()
        assert all(until(one, b"ok").startswith(b"HTTP/1.1 200") for one in connections)


def test_a_thousand_idle_connections_take_no_thread(serve):
    running = serve(echo)
    before = threading.active_count()
    with ExitStack() as stack:
        connections = [stack.enter_context(running.connect()) for _ in range(1000)]
        for connection in connections[::10]:
            connection.sendall(GET[:30])  # the rest does not come
        assert b"last" in running.send(LAST)
        assert threading.active_count() - before < 20


def test_an_idle_connection_is_closed(serve, monkeypatch):
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.5)
    running = serve(echo)
    with running.connect() as connection:
        connection.sendall(GET)
        until(connection, b"}")

        assert rest(connection) == b""


def test_a_refused_client_that_goes_on_sending_is_dropped(serve, monkeypatch):
    monkeypatch.setattr(server_module, "LINGER_SECONDS", 0.5)
    with serve(echo).connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert until(connection, b"}").startswith(b"HTTP/1.1 400")

        def dropped() -> bool:
            try:
                connection.sendall(b"more")
            except OSError:
                return True
            return False

        assert eventually(dropped)


def test_a_client_that_reads_nothing_is_dropped(serve, monkeypatch):
    monkeypatch.setattr(connection_module, "WRITE_SECONDS", 1)
    closed = threading.Event()

    def endless(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            closed.set()

    with serve(endless).connect() as connection:
        connection.sendall(GET)

        assert closed.wait(SECONDS)


def test_a_client_that_goes_away_ends_its_stream(serve):
    closed, more = threading.Event(), threading.Event()

    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            yield b"first"
            assert more.wait(SECONDS)
            while True:
                yield b"x" * 10_000
        finally:
            closed.set()

    with serve(stream).connect() as connection:
        connection.sendall(GET)
        until(connection, b"first")
    more.set()

    assert closed.wait(SECONDS)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["TLS", "HTTP/2", "WebSocket"],
)
def test_another_protocol_is_handed_over_unread(serve, data):
    running = serve(echo)
    with running.connect() as connection:
        connection.sendall(data)
        eventually(lambda: running.foreign)
        with running.foreign[0] as taken:
            assert taken.recv(1000) == data
            taken.sendall(b"by another")
        assert rest(connection) == b"by another"
    assert running.send(LAST).startswith(b"HTTP/1.1 200"), "its descriptor is of use again"


def test_close_waits_for_what_is_being_answered(serve):
    begun, more = threading.Event(), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        assert more.wait(SECONDS)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    running = serve(slow)
    with running.connect() as connection:
        connection.sendall(GET)
        assert begun.wait(SECONDS)
        closing = threading.Thread(target=running.server.close, args=(SECONDS,))
        closing.start()

        def refused() -> bool:
            try:
                running.connect().close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # it was in the listener's queue when that was closed
                return False
            return False

        eventually(refused)
        more.set()
        assert until(connection, b"done").startswith(b"HTTP/1.1 200")
        closing.join(SECONDS)
        assert not closing.is_alive()


def test_it_accepts_again_after_there_were_no_descriptors(serve, caplog):
    running = serve(echo)
    [(descriptor, listener)] = running.server._listeners.items()

    class Without:
        """A listener at the limit of its process."""

        def accept(self) -> Any:
            running.server._listeners[descriptor] = listener
            raise OSError(errno.EMFILE, "Too many open files")

        def close(self) -> None:
            listener.close()

    running.server._listeners[descriptor] = Without()  # type: ignore[assignment]  # a stand-in

    assert running.send(LAST).startswith(b"HTTP/1.1 200")
    assert "Too many open files" in caplog.text


def test_an_idle_connection_with_a_request_in_it_is_not_idle():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, address = listener.accept()
        with client, accepted:
            one = connection_module.Connection(accepted, address, echo)
            one.active -= 100
            assert one.is_idle(60)
            assert not one.is_idle(1000)
            client.sendall(b"G")
            select.select([accepted], [], [], SECONDS)
            assert not one.is_idle(60)
            assert one.state is State.OPEN
