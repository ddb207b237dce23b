"""Connections to DynamoDB Local: kept, seen to have ended, and never a request twice."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pytest

from trigger_stack.services.dynamodb_local import warm_up as warm_up_module
from trigger_stack.services.dynamodb_local.client import Client, NoAnswerError
from trigger_stack.services.dynamodb_local.warm_up import warm_up

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Amz-Crc32: 7\r\n\r\n{}"


class Server:
    """Answers each request by ``reply``, which gets its socket and the request."""

    def __init__(self) -> None:
        self.reply: Callable[[socket.socket, bytes], None] = lambda sock, _: sock.sendall(OK)
        self.requests: list[bytes] = []
        self.connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def _begin(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                self.connections.append(connection)
                self._begin(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as lines:
            while head := _head(lines):
                size = int(head.partition(b"Content-Length: ")[2].split(b"\r")[0])
                self.requests.append(head + lines.read(size))
                self.reply(connection, self.requests[-1])

    def close(self) -> None:
        for one in (self._listener, *self.connections):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:  # one that goes on would slow down all tests of this process
            thread.join(60)
            assert not thread.is_alive()


def _head(lines: BinaryIO) -> bytes:
    """The lines of a request before its body; nothing when the client has ended the connection."""
    head = b""
    while (line := lines.readline()) not in (b"", b"\r\n"):
        head += line
    return head


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def test_a_connection_stays(server: Server) -> None:
    client = Client("127.0.0.1", server.port)

    answers = [client.send(b'{"n": 1}', {"X-Amz-Target": "a"}) for _ in range(3)]

    assert [(one.status, one.body, one.headers["x-amz-crc32"]) for one in answers] == [
        (200, b"{}", "7")
    ] * 3
    assert len(server.connections) == 1
    assert server.requests[0].startswith(b"POST / HTTP/1.1\r\n")
    assert server.requests[0].endswith(b'\r\nX-Amz-Target: a\r\n{"n": 1}')


def test_two_answers_are_waited_for_at_once(server: Server) -> None:
    client = Client("127.0.0.1", server.port)

    first, second = client.begin(b"1", {}), client.begin(b"2", {})

    assert (second.answer().status, first.answer().status) == (200, 200)
    assert len(server.connections) == 2


def test_a_connection_that_ended_meanwhile_is_replaced(server: Server) -> None:
    client = Client("127.0.0.1", server.port)
    client.send(b"1", {})

    server.connections[0].shutdown(socket.SHUT_RDWR)

    assert client.send(b"2", {}).status == 200
    assert len(server.connections) == 2


def test_an_answer_that_ends_the_connection(server: Server) -> None:
    client = Client("127.0.0.1", server.port)
    server.reply = lambda sock, _: sock.sendall(OK.replace(b"X-", b"Connection: close\r\nX-"))

    assert [client.send(b"1", {}).status for _ in range(2)] == [200, 200]
    assert len(server.connections) == 2


@pytest.mark.parametrize("sent", [b"", OK[:-1], b"no HTTP\r\n\r\n"], ids=["none", "part", "other"])
def test_a_request_without_answer_is_not_sent_again(server: Server, sent: bytes) -> None:
    def reply(connection: socket.socket, _: bytes) -> None:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_RDWR)

    server.reply = reply

    with pytest.raises(NoAnswerError):
        Client("127.0.0.1", server.port).send(b"1", {})
    assert len(server.requests) == 1


def test_an_answer_may_not_come(server: Server) -> None:
    server.reply = lambda sock, _: None

    with pytest.raises(NoAnswerError):
        Client("127.0.0.1", server.port, 0.05).send(b"1", {})


def test_the_warm_up_leaves_no_table(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {
        "TableDescription": {"LatestStreamArn": "a"},
        "StreamDescription": {"Shards": [{"ShardId": "s"}]},
        "ShardIterator": "i",
        "NextShardIterator": "i",
    }
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    server.reply = lambda sock, _: sock.sendall(head + body)
    monkeypatch.setattr(warm_up_module, "_ROUNDS", 1)

    warm_up("127.0.0.1", server.port, pause_s=0)

    names = [one.partition(b"_20120810.")[2].split(b"\r")[0].decode() for one in server.requests]
    assert names[1:3] == ["CreateTable", "DescribeStream"]
    assert {"PutItem", "UpdateItem", "GetItem", "GetRecords"} < set(names)
    assert names[-1] == "DeleteTable"
    assert all(b"Credential=warmup/" in one for one in server.requests)


def test_the_warm_up_ends_with_its_server(server: Server) -> None:
    server.reply = lambda sock, _: sock.shutdown(socket.SHUT_RDWR)
    wanted = iter([True, True, False])

    warm_up("127.0.0.1", server.port, lambda: next(wanted, False), pause_s=0)
