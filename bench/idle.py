"""The stack at rest: ``python -m bench.idle [--environments N] [--mappings N]``.

Printed: memory (PSS) and CPU of all processes without functions, with 50 event source mappings of
idle queues, and with many warm environments of one trivial function.
"""

from __future__ import annotations

import argparse
import secrets
import time
from typing import Any

from bench.servers import Server, client, create_function, trigger_stack

_WATCH_S = 30.0
_SILENT = "def handler(event, context):\n    return event\n"


def at_rest(server: Server, what: str) -> None:
    """Print memory, and CPU over half a minute."""
    time.sleep(2)  # what has just been done comes to its end
    before, began = server.cpu_seconds(), time.monotonic()
    time.sleep(_WATCH_S)
    used = (server.cpu_seconds() - before) / (time.monotonic() - began) * 100
    print(f"{what:36} {server.memory_mb():6.0f} MB  {used:5.2f} % of a core", flush=True)


def add_mappings(server: Server, count: int) -> None:
    """A function with event source mappings of so many empty queues."""
    create_function(server.edge, "idle", _SILENT)
    sqs, functions = client(server.edge, "sqs"), client(server.edge, "lambda")
    for _ in range(count):
        url = sqs.create_queue(QueueName=f"q-{secrets.token_hex(4)}")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        functions.create_event_source_mapping(
            EventSourceArn=attributes["Attributes"]["QueueArn"], FunctionName="idle"
        )


def warm(server: Server, count: int) -> tuple[float, str]:
    """Have so many environments of a function warm; seconds that it took, and its version."""
    create_function(server.edge, "many", _SILENT)
    functions: Any = client(server.edge, "lambda")
    version = functions.publish_version(FunctionName="many")["Version"]
    functions.get_waiter("published_version_active").wait(FunctionName="many", Qualifier=version)
    which = {"FunctionName": "many", "Qualifier": version}
    began = time.monotonic()
    functions.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=count)
    while functions.get_provisioned_concurrency_config(**which)["Status"] == "IN_PROGRESS":
        time.sleep(0.1)
    return time.monotonic() - began, version


def invoke(server: Server, version: str) -> float:
    """Milliseconds of an invocation, the mean of 200."""
    functions: Any = client(server.edge, "lambda")
    began = time.perf_counter()
    for _ in range(200):
        functions.invoke(FunctionName="many", Qualifier=version)["Payload"].read()
    return (time.perf_counter() - began) * 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--environments", type=int, default=1000)
    parser.add_argument("--mappings", type=int, default=50)
    options = parser.parse_args()
    with trigger_stack() as server:
        at_rest(server, "no functions")
        add_mappings(server, options.mappings)
        at_rest(server, f"{options.mappings} mappings of idle queues")
    for count in (10, options.environments):
        limits = {
            "LAMBDA_LIMITS_CONCURRENT_EXECUTIONS": "5000",
            "LAMBDA_PROCESS_MAX_ENVIRONMENTS": "5000",  # else as many as memory surely allows
        }
        with trigger_stack(**limits) as server:
            took, version = warm(server, count)
            environments = len(server.process.children(recursive=True))
            print(
                f"{count} environments ({environments} processes) after {took:.1f} s;"
                f" an invocation takes {invoke(server, version):.1f} ms"
            )
            at_rest(server, f"{count} warm environments")


if __name__ == "__main__":
    main()
