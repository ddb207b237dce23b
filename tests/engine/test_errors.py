"""Errors as AWS words them: handlers, imports, time-outs, exits, sizes."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import PYTHON, Stack
from tests.support.waiting import eventually


def test_a_result_comes_back(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return {'got': event}")

    reply = stack.invoke(name, {"key": "välue"})

    assert (reply.status, reply.error) == (200, None)
    assert reply.value == {"got": {"key": "välue"}}


def test_the_context_knows_the_invocation(stack: Stack) -> None:
    name = stack.create(
        """
        def handler(event, context):
            return [context.get_remaining_time_in_millis(), context.aws_request_id,
                    context.invoked_function_arn, context.memory_limit_in_mb]
        """,
        Timeout=9,
    )

    reply = stack.invoke(name)

    left, request_id, arn, memory = reply.value
    assert 0 < left <= 9000
    assert request_id == reply.request_id
    assert arn.endswith(f":function:{name}")
    assert memory == "128"


def test_an_exception_is_unhandled_and_keeps_the_environment_warm(stack: Stack) -> None:
    name = stack.create(
        """
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            if event: raise LookupError("no such brand")
            return calls
        """
    )

    reply = stack.invoke(name, True)

    assert (reply.status, reply.error) == (200, "Unhandled")
    assert reply.value["errorType"] == "LookupError"
    assert reply.value["errorMessage"] == "no such brand"
    assert reply.value["requestId"] == reply.request_id
    assert '/var/task/app.py", line 6' in reply.value["stackTrace"][0] or "app.py" in str(
        reply.value["stackTrace"]
    )
    assert stack.invoke(name, False).value == 2


@pytest.mark.parametrize(
    ("code", "handler", "kind"),
    [
        ("import nothing_of_that_name", "app.handler", "Runtime.ImportModuleError"),
        ("def handler(event, context) return 1", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("other = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("other = 1", "app", "Runtime.MalformedHandlerName"),
        ("raise RuntimeError('at import')", "app.handler", "RuntimeError"),
    ],
)
def test_a_failed_init_is_the_answer_of_every_invoke(
    stack: Stack, code: str, handler: str, kind: str
) -> None:
    name = stack.create(code, handler=handler)

    for _ in range(2):
        reply = stack.invoke(name)
        assert reply.error == "Unhandled"
        assert reply.value["errorType"] == kind


def test_a_failed_init_is_tried_again(stack: Stack) -> None:
    name = stack.create(
        """
        import os
        marker = os.path.join(os.environ.get("TMPDIR", "/tmp"), "tries")
        open(marker, "a").write("x")
        if os.path.getsize(marker) < 3: raise RuntimeError("not yet")
        def handler(event, context): return os.path.getsize(marker)
        """
    )

    assert stack.invoke(name).error == "Unhandled"
    # /tmp outlives the process, as on AWS.
    assert stack.invoke(name).value == 3


def test_a_time_out_kills_and_the_next_invoke_starts_afresh(stack: Stack) -> None:
    name = stack.create(
        """
        import time
        calls = 0
        def handler(event, context):
            global calls
            calls += 1
            print("before", flush=True)
            time.sleep(event)
            return calls
        """,
        Timeout=1,
    )

    assert stack.invoke(name, 0).value == 1
    reply = stack.invoke(name, 30)

    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == "Sandbox.Timedout"
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {reply.request_id}"
        r" Task timed out after 1\.00 seconds",
        reply.value["errorMessage"],
    )
    assert "before\n" in reply.tail
    assert "Status: timeout" in reply.tail
    assert stack.invoke(name, 0).value == 1


def test_a_time_out_while_ignoring_sigterm_and_closing_stdout(stack: Stack) -> None:
    name = stack.create(
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def handler(event, context):
            os.close(1); os.close(2)
            time.sleep(30)
        """,
        Timeout=1,
    )

    assert stack.invoke(name).value["errorType"] == "Sandbox.Timedout"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(7)", "Runtime exited with error: exit status 7"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("os.abort()", "Runtime exited with error: signal: aborted"),
        ("ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
def test_the_end_of_the_process_is_an_exit_error(stack: Stack, statement: str, reason: str) -> None:
    name = stack.create(
        f"""
        import ctypes, os, sys
        def handler(event, context):
            print("last words", end="", flush=True)
            if event: {statement}
            return "well"
        """
    )

    reply = stack.invoke(name, True)

    assert reply.error == "Unhandled"
    assert reply.value == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {reply.request_id} Error: {reason}",
    }
    assert "last words" in reply.tail
    assert stack.invoke(name, False).value == "well"


def test_too_much_memory_ends_the_process(stack: Stack) -> None:
    name = stack.create(
        """
        def handler(event, context):
            kept = []
            for _ in range(event): kept.append(b"x" * (1 << 20))
            return len(kept)
        """,
        MemorySize=128,
    )

    assert stack.invoke(name, 40).value == 40
    reply = stack.invoke(name, 2000)

    assert reply.value["errorType"] == "Runtime.ExitError"
    assert reply.value["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "Error Type: Runtime.OutOfMemory" in reply.tail


@pytest.mark.parametrize("mapped", [False, True])
def test_memory_in_anonymous_files_counts_once(stack: Stack, mapped: bool) -> None:
    """A file of memfd_create(2) is memory, mapped or not."""
    name = stack.create(
        f"""
        import mmap, os, time
        def handler(event, context):
            file = os.memfd_create("big")
            os.truncate(file, event * 1024 * 1024)
            view = mmap.mmap(file, 0) if {mapped} else None
            for megabyte in range(event):
                os.pwrite(file, b"x" * 1024 * 1024, megabyte * 1024 * 1024)
                if view:
                    view[megabyte * 1024 * 1024]
            time.sleep(1)
            return event
        """,
        MemorySize=256,
    )

    assert stack.invoke(name, 120).value == 120
    reply = stack.invoke(name, 400)
    assert reply.error and "Runtime.OutOfMemory" in reply.tail, reply


def test_memory_of_child_processes_counts(stack: Stack) -> None:
    name = stack.create(
        """
        import subprocess, sys
        def handler(event, context):
            code = "import time; x = b'x' * (400 << 20); time.sleep(30)"
            subprocess.run([sys.executable, "-c", code])
        """,
        MemorySize=256,
    )

    assert "signal: killed" in stack.invoke(name).value["errorMessage"]


def test_payload_quotas(stack: Stack) -> None:
    name = stack.create(
        "def handler(event, context): return 'x' * event if isinstance(event, int) else len(event)"
    )
    client = stack.client("lambda")
    full = 6 * 1024 * 1024

    assert stack.invoke(name, "x" * (full - 2)).value == full - 2
    with pytest.raises(ClientError) as too_large:
        stack.invoke(name, "x" * (full - 1))
    assert too_large.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert too_large.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    with pytest.raises(ClientError) as too_large:
        client.invoke(
            FunctionName=name, InvocationType="Event", Payload=b'"' + b"x" * (1 << 20) + b'"'
        )
    assert too_large.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413

    assert len(stack.invoke(name, full - 10).value) == full - 10
    reply = stack.invoke(name, full + 200)
    assert reply.error == "Unhandled"
    assert reply.value["errorType"] == "Function.ResponseSizeTooLarge"
    assert stack.invoke(name, 3).value == "xxx"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"nul", b"[" * 100_000])
def test_a_payload_that_is_no_json_is_refused(stack: Stack, body: bytes) -> None:
    name = stack.create("def handler(event, context): return event")

    with pytest.raises(ClientError) as refused:
        stack.client("lambda").invoke(FunctionName=name, Payload=body)

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert refused.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_a_missing_payload_is_an_empty_object(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return event")

    assert stack.client("lambda").invoke(FunctionName=name)["Payload"].read() == b"{}"


def test_a_result_that_is_no_json_is_a_marshal_error(stack: Stack) -> None:
    name = stack.create("def handler(event, context): return object()")

    assert stack.invoke(name).value["errorType"] == "Runtime.MarshalError"


def test_a_runtime_that_cannot_run_here_is_named_with_what_to_do(stack: Stack) -> None:
    name = stack.create("def handler(event, context): pass", runtime="python3.8", wait=False)
    functions = stack.client("lambda")

    def failed() -> bool:
        return bool(functions.get_function_configuration(FunctionName=name)["State"] == "Failed")

    assert eventually(failed)
    with pytest.raises(functions.exceptions.ResourceConflictException) as refused:
        functions.invoke(FunctionName=name)

    assert "currently in the following state: Failed" in str(refused.value)
    assert (
        "runtime python3.8 cannot run here: functions run with python3.9 to python3.13; set one"
        in str(refused.value)
    )


def test_a_function_that_cannot_run_here_is_updated_and_deleted(stack: Stack) -> None:
    code = "def handler(event, context): return 'runs now'"
    name = stack.create(code, runtime="python3.8", wait=False)
    functions = stack.client("lambda")

    def failed() -> bool:
        return bool(functions.get_function_configuration(FunctionName=name)["State"] == "Failed")

    assert eventually(failed)
    functions.update_function_configuration(FunctionName=name, Runtime=PYTHON)
    stack.wait_ready(name)
    assert stack.invoke(name).value == "runs now"

    other = stack.create(code, runtime="python3.8", wait=False)
    eventually(
        lambda: functions.get_function_configuration(FunctionName=other)["State"] == "Failed"
    )
    functions.delete_function(FunctionName=other)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        eventually(lambda: functions.get_function_configuration(FunctionName=other) is None)
