"""Environments: warm, concurrent, updated, provisioned, killed."""

from __future__ import annotations

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, alive, archive, nothing_left, start_stack
from tests.support.waiting import eventually

WHO = """
import os, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    time.sleep(event or 0)
    return [os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], calls]
"""


def test_an_environment_is_used_again(stack: Stack) -> None:
    name = stack.create(WHO)

    first, second = stack.invoke(name).value, stack.invoke(name).value

    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


MEETS = """
import os, socket
calls = 0
def handler(event, context):
    global calls
    calls += 1
    with socket.create_connection(("127.0.0.1", event)) as meeting:
        meeting.recv(1)
    return [os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], calls]
"""


def test_one_event_at_a_time_per_environment(stack: Stack) -> None:
    """No event ends before all five are being handled."""
    name = stack.create(MEETS, Timeout=60)
    with ExitStack() as opened, ThreadPoolExecutor(1) as pool:
        meeting = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        meeting.settimeout(60)
        port = meeting.getsockname()[1]

        invoked = pool.submit(stack.invoke_many, name, [port] * 5)
        for each in [opened.enter_context(meeting.accept()[0]) for _ in range(5)]:
            each.sendall(b"!")
        replies = invoked.result()

    assert len({reply.value[0] for reply in replies}) == 5
    assert {reply.value[1] for reply in replies} == {1}


def test_two_hundred_concurrent_invokes(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return event", Timeout=60)

    replies = stack.invoke_many(name, list(range(200)))

    assert [reply.error for reply in replies] == [None] * 200
    assert [reply.value for reply in replies] == list(range(200))


GARBAGE = """
import gc
gc.disable()
FOUND = sum(generation["collected"] for generation in gc.get_stats()) + gc.collect()
def handler(event, context):
    return FOUND
"""


def test_the_parent_leaves_its_children_no_garbage(stack: Stack) -> None:
    """It never collects: what it leaves from fork to fork makes each start slower than the last."""
    name = stack.create(WHO)
    before = stack.invoke(stack.create(GARBAGE)).value

    stack.invoke_many(name, [0.5] * 25)

    after = stack.invoke(stack.create(GARBAGE)).value
    assert after - before < 25, (before, after)


def test_new_code_and_new_configuration_take_effect(stack: Stack) -> None:
    name = stack.create("import os\ndef handler(e, c): return ['one', os.environ.get('COLOUR')]")
    client = stack.client("lambda")
    assert stack.invoke(name).value == ["one", None]

    client.update_function_code(
        FunctionName=name,
        ZipFile=archive(
            {"app.py": "import os\ndef handler(e, c): return ['two', os.environ.get('COLOUR')]"}
        ),
    )
    stack.wait_ready(name)
    assert stack.invoke(name).value == ["two", None]

    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "red"}}
    )
    stack.wait_ready(name)
    assert stack.invoke(name).value == ["two", "red"]


def test_an_update_lets_a_running_invoke_finish(stack: Stack) -> None:
    name = stack.create(
        "import time\ndef handler(event, context):\n    time.sleep(event)\n    return 'old'"
    )
    stack.invoke(name, 0)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(stack.invoke, name, 3)
        eventually(lambda: any("START" in e["message"] for e in stack.log_events(name)[3:]))
        stack.client("lambda").update_function_code(
            FunctionName=name, ZipFile=archive({"app.py": "def handler(e, c): return 'new'"})
        )
        stack.wait_ready(name)
        assert stack.invoke(name).value == "new"
        assert running.result().value == "old"


def test_versions_and_aliases(stack: Stack) -> None:
    name = stack.create("def handler(e, c): return ['one', c.function_version]")
    client = stack.client("lambda")
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    client.update_function_code(
        FunctionName=name,
        ZipFile=archive({"app.py": "def handler(e, c): return ['two', c.function_version]"}),
    )
    stack.wait_ready(name)

    assert stack.invoke(name).value == ["two", "$LATEST"]
    assert eventually(lambda: stack.invoke(name, Qualifier="live").value) == ["one", version]


def test_the_weights_of_an_alias_change(stack: Stack) -> None:
    name = stack.create("def handler(e, c): return c.function_version")
    client = stack.client("lambda")
    first = client.publish_version(FunctionName=name)["Version"]
    client.update_function_configuration(FunctionName=name, Description="other")
    stack.wait_ready(name)
    second = client.publish_version(FunctionName=name)["Version"]
    alias = {"FunctionName": name, "Name": "live"}
    client.create_alias(**alias, FunctionVersion=first)

    def weights(**each: float) -> dict[str, float]:
        routing = {"AdditionalVersionWeights": {key[1:]: value for key, value in each.items()}}
        updated = client.update_alias(**alias, RoutingConfig=routing)
        return dict(updated.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))

    def seen() -> set[str]:
        with ThreadPoolExecutor(4) as pool:
            return set(pool.map(lambda _: stack.invoke(name, Qualifier="live").value, range(40)))

    assert weights(**{f"v{second}": 0.5}) == {second: 0.5}
    assert eventually(lambda: seen() == {first, second})
    for wrong, why in (
        ({f"v{first}": 0.5}, "already included"),
        ({"v9": 0.5}, "not found"),
        ({f"v{second}": 0.5, "v9": 0.1}, "cannot be greater than 1"),
    ):
        with pytest.raises(ClientError, match=why):
            weights(**wrong)
    assert weights() == {}
    assert eventually(lambda: seen() == {first})


def test_reserved_concurrency_throttles(stack: Stack) -> None:
    name = stack.create(WHO)
    client = stack.client("lambda")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)

    def throttled() -> bool:
        with ThreadPoolExecutor() as pool:
            calls = [pool.submit(stack.invoke, name, 0.5) for _ in range(3)]
            errors = [call.exception() for call in calls]
        codes = [
            error.response["Error"]["Code"] for error in errors if isinstance(error, ClientError)
        ]
        assert codes.count("TooManyRequestsException") == len(codes) == 2, errors
        return True

    assert throttled()
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        stack.invoke(name)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429


def provisioned(stack: Stack, name: str, count: int, *, until: str) -> tuple[str, dict[str, Any]]:
    """A new version with ``count`` provisioned environments, and their state once it is so."""
    client = stack.client("lambda")
    version: str = client.publish_version(FunctionName=name)["Version"]
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=count
    )

    def state() -> dict[str, Any]:
        seen: dict[str, Any] = client.get_provisioned_concurrency_config(
            FunctionName=name, Qualifier=version
        )
        assert seen["Status"] == until, seen
        return seen

    return version, eventually(state)


def test_provisioned_concurrency_is_there_before_the_invoke(stack: Stack) -> None:
    name = stack.create(
        "import os\nprint('init')\n"
        "def handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']"
    )
    version, _ = provisioned(stack, name, 2, until="READY")
    stack.messages(name, until="init", count=2)
    assert stack.invoke(name, Qualifier=version).value == "provisioned-concurrency"


def test_provisioned_concurrency_of_a_broken_function_fails(stack: Stack) -> None:
    name = stack.create("import nothing_of_that_name")
    _, state = provisioned(stack, name, 1, until="FAILED")
    assert state["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"


PID = """
import os, time
def handler(event, context):
    print("busy", os.getpid(), flush=True)
    time.sleep(event)
    return os.getpid()
"""


def newest_pid(stack: Stack, name: str, count: int = 1) -> int:
    lines = [line for line in stack.messages(name, until="busy", count=count) if "busy" in line]
    return int(lines[-1].split()[1])


def test_kill_9_of_a_busy_child_is_an_error_to_the_caller(stack: Stack) -> None:
    name = stack.create(PID)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stack.invoke, name, 10)
        os.kill(newest_pid(stack, name), signal.SIGKILL)
        reply = call.result(5)

    assert reply.error == "Unhandled"
    assert reply.value["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert stack.invoke(name, 0).error is None


def test_kill_9_of_an_idle_child_is_no_error(stack: Stack) -> None:
    name = stack.create(PID)
    pid = stack.invoke(name, 0).value
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    # A signal is not the end yet: a process that still takes an event is a busy one.
    eventually(lambda: not alive(process))

    reply = stack.invoke(name, 0)

    assert reply.error is None
    assert reply.value != pid


def test_kill_9_of_a_child_that_has_not_read_its_event_is_no_error(stack: Stack) -> None:
    """Idle when it is killed, but nobody knows it before the event is on its way to it."""
    name = stack.create(PID)
    pid = stack.invoke(name, 0).value
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stack.invoke, name, 0)
        stack.messages(name, until="START RequestId", count=2)
        os.kill(pid, signal.SIGKILL)
        reply = call.result()

    assert reply.error is None
    assert reply.value != pid
    starts = [
        line
        for line in stack.messages(name, until="REPORT", count=2)
        if line.startswith("START RequestId")
    ]
    assert len(starts) == 2, "one per event"


def test_kill_9_of_a_busy_child_of_an_asynchronous_event_is_retried(stack: Stack) -> None:
    name = stack.create(
        """
        import os, tempfile
        def handler(event, context):
            marker = os.path.join(tempfile.gettempdir(), "tried")
            print("try", context.aws_request_id, flush=True)
            if not os.path.exists(marker):
                open(marker, "w").close()
                os.kill(os.getpid(), 9)
            print("done", context.aws_request_id)
        """
    )

    answer = stack.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")

    assert answer["StatusCode"] == 202
    lines = stack.messages(name, until="done ")
    tries = [line.split()[1] for line in lines if line.startswith(("try ", "done "))]
    assert len(tries) == 3
    assert len(set(tries)) == 1, "a retry keeps its request id"


def test_kill_9_of_the_zygote_costs_one_error_at_most(stack: Stack) -> None:
    name = stack.create(PID)
    pid = stack.invoke(name, 0).value
    parent = psutil.Process(pid).parent()
    assert parent is not None
    parent.send_signal(signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid))

    assert stack.invoke(name, 0).error is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_emulator(tmp_path: Path, how: signal.Signals) -> None:
    stack = start_stack(tmp_path / "state")
    try:
        name = stack.create(
            """
            import subprocess, time
            def handler(event, context):
                subprocess.Popen(["sleep", "300"])
                print("busy 0", flush=True)
                time.sleep(event)
            """
        )
        stack.invoke(name, 0)
        with ThreadPoolExecutor() as pool:
            call = pool.submit(stack.invoke, name, 30)
            stack.messages(name, until="busy", count=2)
            children = stack.processes()
            assert len(children) >= 4, children
            stack.stop(how)
            assert call.exception(40) is not None or call.result().error
        nothing_left(children)
    finally:
        stack.process.kill()


def test_at_the_limit_idle_environments_make_room_and_busy_ones_throttle(tmp_path: Path) -> None:
    stack = start_stack(
        tmp_path / "state", LAMBDA_PROCESS_MAX_ENVIRONMENTS="2", LAMBDA_KEEPALIVE_MS="600000"
    )
    try:
        names = [stack.create(PID) for _ in range(3)]
        for name in names:
            assert stack.invoke(name, 0).error is None
        # The first one's process made room for the third; it starts again when it is needed.
        assert stack.invoke(names[0], 0).error is None

        with ThreadPoolExecutor() as pool:
            calls = [pool.submit(stack.invoke, names[0], 10) for _ in range(4)]
            errors = [call.exception() for call in calls]
        refused = [error for error in errors if error is not None]
        assert len(refused) == 2, errors
        assert all(
            isinstance(error, ClientError)
            and error.response["Error"]["Code"] == "TooManyRequestsException"
            for error in refused
        ), refused
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_idle_environments_end_and_a_plain_start_works(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "state", LAMBDA_KEEPALIVE_MS="300", LAMBDA_PROCESS_ZYGOTE="0")
    try:
        name = stack.create(PID)
        pid = stack.invoke(name, 0).value
        eventually(lambda: not psutil.pid_exists(pid))
        assert stack.invoke(name, 0).value != pid
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_an_init_over_its_limit(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "state", LAMBDA_PROCESS_INIT_TIMEOUT="3")
    try:
        always = stack.create(
            "import time\nprint('importing', flush=True)\ntime.sleep(60)", Timeout=5
        )
        once = stack.create(
            """
            import os, time
            marker = os.path.join(os.environ.get("TMPDIR", "/tmp"), "tries")
            open(marker, "a").write("x")
            if os.path.getsize(marker) == 1: time.sleep(6)
            def handler(event, context): return "well"
            """,
            Timeout=30,
        )
        with ThreadPoolExecutor() as pool:
            call = pool.submit(stack.invoke, once)
            reply = stack.invoke(always)
            # Init runs again as part of the invoke, within the function's own time-out.
            assert call.result().value == "well"

        assert reply.error == "Unhandled"
        assert reply.value["errorType"] == "Sandbox.Timedout"
        assert reply.value["errorMessage"].endswith(
            f"{reply.request_id} Task timed out after 5.00 seconds"
        )
        messages = stack.messages(always, until="REPORT RequestId")
        reports = [text for text in messages if text.startswith("INIT_REPORT")]
        for text, phase, seconds in zip(reports, ("init", "invoke"), (3, 5), strict=True):
            assert f"\tPhase: {phase}\tStatus: timeout" in text, reports
            assert float(text.split("Init Duration: ")[1].split(" ")[0]) >= seconds * 1000
            assert "Error Type" not in text
        assert messages.count("importing\n") == 2
        assert "\tStatus: timeout" in messages[-1]
        first, second = (
            [text for text in stack.messages(once, until="REPORT R") if key in text]
            for key in ("INIT_REPORT", "REPORT R")
        )
        assert len(first) == 1
        assert "Status" not in second[0]
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_provisioned_concurrency_has_a_longer_init(tmp_path: Path) -> None:
    """AWS: 130 s or the function's time-out; neither the 10 s of on demand nor LocalStack's 20."""
    stack = start_stack(
        tmp_path / "state",
        LAMBDA_PROCESS_INIT_TIMEOUT="1",
        LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT="2",
    )
    try:
        name = stack.create("import time\ntime.sleep(4)\ndef handler(e, c): return 'well'")
        version, _ = provisioned(stack, name, 1, until="READY")
        assert stack.invoke(name, Qualifier=version).value == "well"
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_without_isolation(tmp_path: Path) -> None:
    stack = start_stack(tmp_path / "state", LAMBDA_PROCESS_ISOLATION="none")
    try:
        layer = stack.layer({"python/brand.py": "colour = 'red'"})
        name = stack.create(
            "import brand, os, tempfile\n"
            "def handler(e, c): return [brand.colour, tempfile.gettempdir(), os.getcwd()]",
            Layers=[layer],
        )
        colour, tmp, cwd = stack.invoke(name).value
        assert colour == "red"
        assert str(stack.folder) in tmp
        assert str(stack.folder) in cwd
        assert "Traceback" not in stack.log
    finally:
        stack.stop(signal.SIGKILL)


def test_a_function_that_is_tagged_while_it_is_updated_does_not_stay_in_progress(
    stack: Stack,
) -> None:
    name = stack.create("def handler(event, context): return 1")
    client = stack.client("lambda")
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    for number in range(30):
        client.update_function_configuration(FunctionName=name, Description=str(number))
        client.tag_resource(Resource=arn, Tags={"n": str(number)})
        client.untag_resource(Resource=arn, TagKeys=["n"])
        stack.wait_ready(name)

    assert client.get_function_configuration(FunctionName=name)["Description"] == "29"
