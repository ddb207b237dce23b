"""What AWS's runtimes find in their environment, recorded there."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import PYTHON, Stack
from tests.engine.test_isolation import LINUX_ROOT

PRINT = "import os, sys\ndef handler(event, context): return [dict(os.environ), sys.path]"

pytestmark = pytest.mark.skipif(not LINUX_ROOT, reason="the folders are elsewhere otherwise")


def test_of_a_python_function(stack: Stack) -> None:
    variables, path = stack.invoke(stack.create(PRINT)).value

    assert variables["PWD"] == "/var/task"
    assert variables["SHLVL"] == "0"
    assert variables["PYTHONPATH"] == "/var/runtime"
    assert variables["TZ"] == ":UTC"
    assert path[0] == "/var/task"


def test_a_functions_own_pythonpath_comes_first(stack: Stack) -> None:
    name = stack.create(PRINT, Environment={"Variables": {"PYTHONPATH": "/opt/mine"}})

    variables, path = stack.invoke(name).value

    assert variables["PYTHONPATH"] == "/opt/mine"
    assert path[:2] == ["/opt/mine", "/var/task"]


def test_of_a_node_function(stack: Stack) -> None:
    name = stack.create(
        {"index.mjs": "export const handler = async () => process.env.NODE_PATH"},
        runtime="nodejs20.x",
        handler="index.handler",
    )

    assert stack.invoke(name).value.split(":") == [
        "/opt/nodejs/node20/node_modules",
        "/opt/nodejs/node_modules",
        "/var/runtime/node_modules",
        "/var/runtime",
        "/var/task",
    ]


WRAPPER = """#!/bin/sh
export WRAPPED="$#"
exec "$@"
"""


@pytest.mark.parametrize("runtime", [PYTHON, "nodejs20.x"])
def test_a_wrapper_script_runs_the_runtime(stack: Stack, runtime: str) -> None:
    files = {
        "app.py": "import os\ndef handler(event, context): return os.environ['WRAPPED']",
        "app.mjs": "export const handler = async () => process.env.WRAPPED",
        "wrapper": WRAPPER,
    }
    name = stack.create(
        files,
        runtime=runtime,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )

    assert int(stack.invoke(name).value) >= 2


def test_a_missing_wrapper_is_exit_status_127(stack: Stack) -> None:
    name = stack.create(
        PRINT, Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/nothing"}}
    )

    reply = stack.invoke(name)

    assert reply.value["errorType"] == "Runtime.ExitError"
    assert reply.value["errorMessage"].endswith("exit status 127")


def test_a_segmentation_fault_is_named(stack: Stack) -> None:
    name = stack.create("import ctypes\ndef handler(event, context): ctypes.string_at(0)")

    reply = stack.invoke(name)

    assert reply.value["errorType"] == "Runtime.ExitError"
    assert reply.value["errorMessage"].endswith("signal: segmentation fault")
    assert "OutOfMemory" not in reply.tail


def test_a_variable_that_lambda_sets_itself_is_refused(stack: Stack) -> None:
    name = stack.create(PRINT, Environment={"Variables": {"AWS_REGIONS": "not reserved"}})
    wanted = {"Variables": {"AWS_REGION": "eu-west-1", "OWN": "1", "LAMBDA_TASK_ROOT": "/x"}}

    for call in (
        lambda: stack.create(PRINT, Environment=wanted),
        lambda: stack.client("lambda").update_function_configuration(
            FunctionName=name, Environment=wanted
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
        assert refused.value.response["Error"]["Message"] == (
            "Lambda was unable to configure your environment variables because the environment"
            " variables you have provided contains reserved keys that are currently not supported"
            " for modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
        )
