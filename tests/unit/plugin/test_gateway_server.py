"""The server behind port 4566: it listens where it was told to, and says why when it cannot."""

from __future__ import annotations

import inspect
import json
import socket

import pytest
from localstack.runtime.server.twisted import TwistedRuntimeServer

from tests.support.fresh import Fresh
from tests.support.ports import free_port
from trigger_stack.localstack import gateway_server as module

#: Registers the server named first on the addresses after it, and prints where it listens.
LISTEN = """
import json, select, sys
from rolo.gateway import Gateway
from localstack import config
server_class, addresses = sys.argv[1], sys.argv[2:]
if server_class == "ours without epoll":
    del select.epoll
if server_class.startswith("ours"):
    from trigger_stack.localstack.gateway_server import InterfaceRuntimeServer as Server
else:
    from localstack.runtime.server.twisted import TwistedRuntimeServer as Server
server = Server()
server.register(Gateway(), [config.HostAndPort.parse(a, "127.0.0.1", 0) for a in addresses])
if server_class == "ours":
    print(json.dumps(server._server.addresses))
    print("twisted" in sys.modules)
    raise SystemExit
from twisted.internet import reactor
def report():
    ports = [r.getHost() for r in reactor.getReaders() if hasattr(r, "getHost")]
    print(json.dumps([[p.host, p.port] for p in ports]))
    reactor.stop()
reactor.callWhenRunning(report)
reactor.run(installSignalHandlers=False)
"""


#: Serves nothing; a thread that is not the first one gets the signal that ends it.
SIGNAL = """
import os, signal, sys, threading, time
from trigger_stack.localstack.gateway_server import InterfaceRuntimeServer
server, main = InterfaceRuntimeServer(), threading.get_ident()
signal.signal(signal.SIGTERM, lambda *_: server.shutdown())
def other():
    blocked = 0  # how often in a row: it is no longer on its way there
    while blocked < 10:
        time.sleep(0.01)
        waits = sys._current_frames()[main].f_code.co_name == "wait"
        blocked = blocked + 1 if waits else 0
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(20)
    os._exit(3)
threading.Thread(target=other, daemon=True).start()
server.run()
print("ended")
"""


def test_a_signal_that_another_thread_gets_ends_it(fresh: Fresh) -> None:
    done = fresh.run(SIGNAL)

    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


@pytest.mark.parametrize("server", ["ours", "ours without epoll"])
def test_only_the_address_that_was_named(fresh: Fresh, server: str) -> None:
    port = free_port()

    done = fresh.run(LISTEN, server, f"127.0.0.1:{port}")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0]) == [["127.0.0.1", port]]


def test_it_does_not_import_what_hardly_any_connection_needs(fresh: Fresh) -> None:
    done = fresh.run(LISTEN, "ours", f"127.0.0.1:{free_port()}")

    assert done.stdout.splitlines()[1] == "False"


def test_every_address_that_was_named(fresh: Fresh) -> None:
    ports = sorted({free_port(), free_port()})

    done = fresh.run(LISTEN, "ours", *[f"127.0.0.1:{port}" for port in ports])

    assert sorted(json.loads(done.stdout.splitlines()[0])) == [["127.0.0.1", p] for p in ports]


@pytest.mark.parametrize("server", ["ours", "ours without epoll"])
def test_a_port_that_is_taken_is_a_sentence_and_1(fresh: Fresh, server: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = fresh.run(LISTEN, server, f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in done.stderr
    assert "GATEWAY_PORT in .env" in done.stderr
    assert "Traceback" not in done.stderr


def test_localstack_still_ignores_the_interface(fresh: Fresh) -> None:
    """When this fails, LocalStack listens where it is told to: this server may go."""
    port = free_port()

    done = fresh.run(LISTEN, "localstacks", f"127.0.0.1:{port}")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [["0.0.0.0", port]]


@pytest.mark.parametrize("method", ["register", "run", "shutdown"])
def test_it_still_is_a_server_of_localstacks(method: str) -> None:
    ours = inspect.signature(getattr(module.InterfaceRuntimeServer, method))
    theirs = inspect.signature(getattr(TwistedRuntimeServer, method))

    assert list(ours.parameters) == list(theirs.parameters)
