"""Lambda's ``Invoke`` through boto3, with MiniStack beside it: ``python -m bench.invoke``.

Warm invocations are printed beside ``sts get-caller-identity`` on the same port, which costs the
request path alone; cold starts are first invocations of fresh functions. Memory is the proportional
share (PSS) of all processes when idle.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.servers import Server, client, create_function, ministack, trigger_stack

TRIVIAL = "def handler(event, context):\n    print('called')\n    return event\n"
BOTO3 = "import boto3\nsqs = boto3.client('sqs')\n" + TRIVIAL
PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"
BOTO3_CLIENT = "import boto3\ndynamodb = boto3.client('dynamodb')\n"
_EVENTS = 2000


class FunctionFailedError(Exception):
    """A function could not run here, for example because it lacks boto3."""


def timed(call: Callable[[], object], runs: int) -> tuple[float, float]:
    """p50 and p95 of ``call`` in milliseconds."""
    taken = []
    for _ in range(runs):
        before = time.perf_counter()
        call()
        taken.append((time.perf_counter() - before) * 1000)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.95)]


def row(server: Server, what: str, figures: tuple[float, float]) -> None:
    """Print one line."""
    print(
        f"{server.name:14} {what:32} p50 {figures[0]:8.2f} ms  p95 {figures[1]:8.2f} ms", flush=True
    )


def cold(server: Server, code: str, runs: int) -> tuple[float, float]:
    """First invocations of ``runs`` functions."""
    functions = client(server.edge, "lambda")
    functions.list_functions()  # the connection is there
    names = [f"cold-{secrets.token_hex(4)}" for _ in range(runs)]
    for name in names:
        create_function(server.edge, name, code)
    rest = iter(names)
    return timed(lambda: invoke(functions, next(rest)), runs)


def invoke(functions: Any, name: str) -> None:
    """One invocation."""
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    answer["Payload"].read()
    if "FunctionError" in answer:
        raise FunctionFailedError(name)


def asynchronous(server: Server) -> float:
    """Seconds until 2000 asynchronous events of 50 ms have all been handled."""
    name = "slow"
    create_function(
        server.edge, name, "import time\ndef handler(event, context):\n    time.sleep(0.05)\n"
    )
    functions, logs = client(server.edge, "lambda"), client(server.edge, "logs")
    before = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        for _ in range(_EVENTS):
            pool.submit(functions.invoke, FunctionName=name, InvocationType="Event", Payload=b"{}")
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}", filterPattern="REPORT"
        )
        if sum(len(page["events"]) for page in pages) >= _EVENTS:
            return time.perf_counter() - before
        time.sleep(0.5)


def private_mb(server: Server, code: str) -> float:
    """Private memory of a warm environment, in MB; the handler returns its process id."""
    name = f"memory-{secrets.token_hex(4)}"
    create_function(server.edge, name, code)
    functions = client(server.edge, "lambda")
    for _ in range(3):
        pid = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=300, help="warm invocations")
    parser.add_argument("--cold", type=int, default=20, help="cold starts of each kind")
    options = parser.parse_args()
    for make in (trigger_stack, ministack):
        with make() as server:
            create_function(server.edge, "warm", TRIVIAL)
            functions, sts = client(server.edge, "lambda"), client(server.edge, "sts")
            for _ in range(30):
                invoke(functions, "warm")
                sts.get_caller_identity()
            row(server, "sts get-caller-identity", timed(sts.get_caller_identity, options.runs))
            row(server, "Invoke, warm", timed(lambda: invoke(functions, "warm"), options.runs))  # noqa: B023  called at once
            row(server, "Invoke, cold, trivial", cold(server, TRIVIAL, options.cold))
            try:
                row(server, "Invoke, cold, boto3 client", cold(server, BOTO3, options.cold))
            except FunctionFailedError:
                print(f"{server.name:14} {'Invoke, cold, boto3 client':32} failed")
            print(f"{server.name:14} {'memory':32} {server.memory_mb():9.0f} MB")
            if make is trigger_stack:
                for kind, code in (("trivial", PID), ("boto3 client", f"{BOTO3_CLIENT}{PID}")):
                    what = f"private memory, warm, {kind}"
                    print(f"{server.name:14} {what:32} {private_mb(server, code):9.1f} MB")
                seconds = asynchronous(server)
                print(f"{server.name:14} {_EVENTS} asynchronous events of 50 ms: {seconds:.1f} s")


if __name__ == "__main__":
    main()
