"""The engine is killed, at each moment: its callers hear of it, and what follows works."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, alive, engine, kill, nothing_left, start_stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.xdist_group("crash")

SLOW = """
    import os, time
    def handler(event, context):
        print("began", context.aws_request_id, flush=True)
        time.sleep(event)
        print("done", context.aws_request_id)
        return os.getpid()
"""


def test_an_idle_engine_is_replaced_and_knows_everything(own_stack: Stack) -> None:
    name = own_stack.create(SLOW)
    client = own_stack.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    before = own_stack.invoke(name, 0).value

    kill(engine(own_stack))

    assert own_stack.invoke(name, 0).value != before
    assert own_stack.invoke(name, 0, Qualifier="live").error is None
    eventually(lambda: not psutil.pid_exists(before))


def test_settings_hold_for_the_new_engine(own_stack: Stack) -> None:
    name = own_stack.create(SLOW)
    client = own_stack.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    kill(engine(own_stack))

    with pytest.raises(ClientError) as refused:
        own_stack.invoke(name, 0)
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"


def test_a_synchronous_caller_gets_a_service_error(own_stack: Stack) -> None:
    name = own_stack.create(SLOW)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(own_stack.invoke, name, 30)
        own_stack.messages(name, until="began")
        running = engine(own_stack)
        functions = [one for one in running.children(recursive=True) if alive(one)]
        kill(running)
        with pytest.raises(ClientError) as failed:
            call.result(20)

    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    nothing_left(functions)


def test_an_asynchronous_event_is_tried_again(own_stack: Stack) -> None:
    name = own_stack.create(SLOW)
    answer = own_stack.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=b"3"
    )
    assert answer["StatusCode"] == 202
    own_stack.messages(name, until="began")

    kill(engine(own_stack))

    lines = own_stack.messages(name, until="done")
    requests = {line.split()[1] for line in lines if line.startswith(("began", "done"))}
    assert len(requests) == 1, "a retry keeps its request id"


def test_the_engine_ends_with_localstack(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "state")
    try:
        name = stack.create(SLOW)
        pid = stack.invoke(name, 0).value
        running = engine(stack)

        os.kill(stack.process.pid, signal.SIGKILL)
        stack.process.wait(10)

        eventually(lambda: not alive(running) and not psutil.pid_exists(pid))
    finally:
        stack.process.kill()


def test_invocations_leave_nothing_behind(stack: Stack) -> None:
    """No thread, mapping or descriptor for an invocation: 32 000 of them once filled a limit."""
    name = stack.create("def handler(event, context): return event")
    emulator = psutil.Process(stack.process.pid)
    running = engine(stack)

    def used() -> tuple[int, int, int, int]:
        return (
            len(Path(f"/proc/{emulator.pid}/maps").read_text().splitlines()),
            emulator.num_fds(),
            len(Path(f"/proc/{running.pid}/maps").read_text().splitlines()),
            running.num_fds(),
        )

    for _ in range(50):
        stack.invoke(name, 1)
    before = used()
    for _ in range(300):
        stack.invoke(name, 1)
    after = used()

    grown = [late - early for early, late in zip(before, after, strict=True)]
    assert max(grown) < 60, f"maps and descriptors grew by {grown} in 300 invocations"
