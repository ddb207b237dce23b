"""How a call of LocalStack's end fails says whether the engine may have acted on it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from trigger_stack_engine.wire import (
    HEAD,
    ConnectionLostError,
    Header,
    Message,
    NotSentError,
    ThreadedPeer,
)


@pytest.fixture
def ends() -> Iterator[tuple[ThreadedPeer, socket.socket, threading.Event]]:
    """A peer, the other end of its connection, and an event: the peer knows that it has ended."""
    ours, theirs = socket.socketpair()
    lost = threading.Event()

    def refuse(header: Header, body: bytes) -> Message:
        raise AssertionError

    peer = ThreadedPeer(ours, refuse, lost.set)
    yield peer, theirs, lost
    peer.close()
    theirs.close()


type Ends = tuple[ThreadedPeer, socket.socket, threading.Event]


def test_a_call_after_the_end_was_not_sent(ends: Ends) -> None:
    peer, other, lost = ends
    other.close()
    assert lost.wait(10)

    with pytest.raises(NotSentError):
        peer.call({"op": "pid"}, timeout_s=10)


def test_a_call_of_which_a_part_was_sent_was_not_sent(ends: Ends) -> None:
    """The other end closes while it is being sent: a part of a frame has no effect."""
    peer, other, _ = ends
    call = threading.Thread(target=lambda: other.recv(1000) and other.close())
    call.start()

    with pytest.raises(NotSentError):
        peer.call({"op": "pid"}, bytes(32 * 1024 * 1024), timeout_s=10)
    call.join()


def test_a_call_that_was_sent_may_have_had_an_effect(ends: Ends) -> None:
    peer, other, _ = ends
    future = peer.submit({"op": "pid"})
    assert len(other.recv(1000)) > HEAD.size
    other.close()

    with pytest.raises(ConnectionLostError) as failed:
        future.result(10)
    assert not isinstance(failed.value, NotSentError)
