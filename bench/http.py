"""Requests through the local HTTP API, with ``wrk``, beside what else serves such an API.

``python -m bench.http [--seconds N] [--rounds N]``. One run measures this project,
serverless-offline under osls, MiniStack, and uvicorn with the handler in its own process as the
floor, each with a handler that prints nothing and one that prints a line, with 1, 8 and 64
connections; this project's function URL, too. All servers run at the same time and take turns, so
that what else the machine does meets all of them; printed is each one's median. CPU is that of all
of a server's processes together, in seconds for 1000 requests.
"""

from __future__ import annotations

import argparse
import http.client
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from bench.servers import (
    PEERS,
    Server,
    client,
    create_function,
    ministack,
    serverless_offline,
    trigger_stack,
    uvicorn,
)

HANDLERS = {
    "silent": "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n",
    "printing": (
        "def handler(event, context):\n"
        "    print('called')\n"
        "    return {'statusCode': 200, 'body': 'ok'}\n"
    ),
}
CONNECTIONS = (1, 8, 64)
_WARM_UP_S = 2
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Measured(NamedTuple):
    """What one load has shown.

    Attributes:
        p50: In ms.
        p99: In ms.
        rate: Requests a second.
        cpu: CPU seconds for 1000 requests.
        wrong: What went wrong.
    """

    p50: float
    p99: float
    rate: float
    cpu: float
    wrong: str

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """All but the last."""
        return self[:4]


class Door(NamedTuple):
    """What is measured: a server's name for it, and the path."""

    name: str
    server: Server
    path: str = "/x"


def deploy(server: Server, code: str, methods: Sequence[str] = ("GET",)) -> str:
    """Put a function behind an HTTP API; returns the API's id."""
    arn = create_function(server.edge, "bench", code)
    client(server.edge, "lambda").add_permission(
        FunctionName="bench",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    apis = client(server.edge, "apigatewayv2")
    api_id: str = apis.create_api(Name="bench", ProtocolType="HTTP")["ApiId"]
    integration = apis.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=arn,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    for method in methods:
        target = f"integrations/{integration}"
        apis.create_route(ApiId=api_id, RouteKey=f"{method} /x", Target=target)
    apis.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    return api_id


def milliseconds(text: str) -> float:
    """A time as wrk prints it."""
    match = re.fullmatch(r"([\d.]+)([a-z]+)", text)
    assert match, text
    return float(match[1]) * _UNITS[match[2]]


def load(
    server: Server, path: str, connections: int, seconds: int, headers: Sequence[str] = ()
) -> Measured:
    """Send requests for so many seconds over so many connections."""
    before = server.cpu_seconds()
    done = subprocess.run(
        [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency",
            *(part for header in headers for part in ("-H", header)),
            "-H", f"Host: {server.host}", f"http://127.0.0.1:{server.port}{path}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    used = server.cpu_seconds() - before
    text = done.stdout
    found = {name: re.search(rf"^ +{name}% +(\S+)", text, re.MULTILINE) for name in ("50", "99")}
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    socket_errors = re.search(r"Socket errors: (.*)", text)
    assert found["50"] and found["99"] and requests and rate, text
    wrong = [f"{bad[1]} bad answers"] if bad else []
    wrong += [socket_errors[1]] if socket_errors else []
    return Measured(
        milliseconds(found["50"][1]),
        milliseconds(found["99"][1]),
        float(rate[1]),
        used / max(int(requests[1]), 1) * 1000,
        "; ".join(wrong),
    )


def settle(server: Server, path: str = "/x", headers: Sequence[str] = ()) -> None:
    """Wait until a server has worked off what it was sent: a minute for one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    more = dict(header.split(": ", 1) for header in headers)
    connection.request("GET", path, headers={"Host": server.host} | more)
    connection.getresponse().read()
    connection.close()


@contextmanager
def ours(code: str) -> Iterator[Server]:
    """This project with the handler behind an API."""
    with trigger_stack() as server:
        deploy(server, code)
        functions = client(server.edge, "lambda")
        functions.create_function_url_config(FunctionName="bench", AuthType="NONE")
        for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
            functions.add_permission(
                FunctionName="bench",
                StatementId=action.rpartition(":")[2],
                Action=action,
                Principal="*",
            )
        yield server


@contextmanager
def theirs(code: str) -> Iterator[Server]:
    """MiniStack with the handler behind an API."""
    with ministack() as server:
        host = f"{deploy(server, code)}.execute-api.localhost:{server.port}"
        yield Server(server.name, server.port, host, server.edge, server.process)


def doors_of(code: str, stack: ExitStack) -> Iterator[Door]:
    """Start every server with the handler; each is warm."""
    for make in (ours, serverless_offline, theirs, uvicorn):
        if make is serverless_offline and not (PEERS / "offline/node_modules").is_dir():
            continue
        server = stack.enter_context(make(code))
        load(server, "/x", CONNECTIONS[-1], _WARM_UP_S)  # the environments are there
        settle(server)
        yield Door(server.name, server)
        if make is ours:
            yield Door("  function URL", server, "/_function-url/bench/x")


def main() -> None:
    """Measure and print; ends with code 1 when ``wrk`` is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=2, help="length of each measurement")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each server")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Install it, for example: apt-get install wrk")
    print("handler   server             conn   p50 ms   p99 ms   req/s CPU s/1000")
    for kind, code in HANDLERS.items():
        with ExitStack() as stack:
            doors = list(doors_of(code, stack))
            for connections in CONNECTIONS:
                measured: dict[str, list[Measured]] = {door.name: [] for door in doors}
                for _ in range(options.rounds):
                    for name, server, path in doors:
                        measured[name].append(load(server, path, connections, options.seconds))
                        settle(server)
                for name, rounds in measured.items():
                    p50, p99, rate, cpu = (
                        statistics.median(column)
                        for column in zip(*(one.numbers for one in rounds), strict=True)
                    )
                    wrong = "; ".join(dict.fromkeys(one.wrong for one in rounds if one.wrong))
                    print(
                        f"{kind:9} {name:18} {connections:4} {p50:8.2f} {p99:8.2f} {rate:7.0f}"
                        f" {cpu:6.2f}  {wrong}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
