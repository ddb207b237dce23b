"""A function sees and changes only its own files and processes, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.engine.lambda_stack import PYTHON, Stack, nothing_left, runtimes_dir
from tests.support.waiting import eventually

LINUX_ROOT = sys.platform == "linux" and os.geteuid() == 0

DOCUMENTED = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "LANG", "PATH", "LD_LIBRARY_PATH", "TZ",
    "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT", "PWD", "SHLVL", "PYTHONPATH",
}  # fmt: skip
LOCAL = {"AWS_ENDPOINT_URL", "LOCALSTACK_HOSTNAME", "EDGE_PORT", "TMPDIR"}


def test_only_documented_variables(stack: Stack) -> None:
    name = stack.create(
        "import os\ndef handler(event, context): return dict(os.environ)",
        Environment={"Variables": {"MINE": "yes"}},
    )

    variables = stack.invoke(name).value

    assert variables.pop("MINE") == "yes"
    assert set(variables) <= DOCUMENTED | LOCAL, set(variables) - DOCUMENTED - LOCAL
    assert set(variables) >= DOCUMENTED - {"_X_AMZN_TRACE_ID"}
    assert variables["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{stack.port}"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_inherited_descriptors(stack: Stack) -> None:
    name = stack.create(
        """
        import os
        def handler(event, context):
            files = {}
            for fd in os.listdir("/proc/self/fd"):
                try: files[fd] = os.readlink(f"/proc/self/fd/{fd}")
                except OSError: pass
            return {"pid": os.getpid(), "files": files}
        """
    )

    value = stack.invoke(name).value

    files = value["files"]
    assert files["0"] == "/dev/null"
    assert files["1"] == files["2"] == files["3"], "output, errors and telemetry share a pipe"
    others = {target for fd, target in files.items() if int(fd) > 3}
    parents = psutil.Process(value["pid"]).parents()[:2]
    inherited = {
        str(link.readlink())
        for parent in parents
        for link in Path(f"/proc/{parent.pid}/fd").iterdir()
    }
    # The rest belongs to the runtime client.
    assert not others & (inherited - {"anon_inode:[eventpoll]", "/dev/null"}), files


@pytest.mark.skipif(not LINUX_ROOT, reason="only root can give a function a user of its own")
def test_the_functions_user_has_a_name_and_a_home(stack: Stack) -> None:
    """Libraries look for both, for example the AWS SDK for JavaScript for its settings."""
    name = stack.create(
        """
        import getpass, os
        def handler(event, context):
            return [getpass.getuser(), os.path.expanduser("~"), os.path.exists("/etc/passwd")]
        """
    )

    assert stack.invoke(name).value == ["sbx_user1051", "/home/sbx_user1051", True]


def test_code_is_read_only_and_tmp_is_its_own(stack: Stack) -> None:
    code = """
        import os, tempfile
        def handler(event, context):
            try: open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "new"), "w"); wrote = True
            except OSError: wrote = False
            before = sorted(os.listdir(tempfile.gettempdir()))
            open(os.path.join(tempfile.gettempdir(), context.function_name), "w").write("x")
            return {"wrote": wrote, "before": before, "uid": os.getuid()}
        """
    one, two = stack.create(code), stack.create(code)

    first, second = stack.invoke(one).value, stack.invoke(two).value

    assert first["before"] == second["before"] == []
    assert stack.invoke(one).value["before"] == [one]
    if LINUX_ROOT:
        assert not first["wrote"]
        assert first["uid"] != 0
        assert first["uid"] != second["uid"]


@pytest.mark.skipif(not LINUX_ROOT, reason="needs a user per environment")
def test_one_function_cannot_read_anothers_credentials_or_the_emulators_files(stack: Stack) -> None:
    sleeper = stack.create("import os, time\ndef handler(event, context): return os.getpid()")
    victim = stack.invoke(sleeper).value
    spy = stack.create(
        """
        import os
        def handler(event, context):
            seen = {}
            for path in (f"/proc/{event['pid']}/environ", f"/proc/{event['pid']}/mem"):
                try: seen[path] = len(open(path, "rb").read(10))
                except OSError as error: seen[path] = type(error).__name__
            try: os.kill(event["pid"], 9); seen["kill"] = True
            except OSError as error: seen["kill"] = type(error).__name__
            seen["volume"] = os.path.exists(event["volume"])
            return seen
        """
    )

    seen = stack.invoke(spy, {"pid": victim, "volume": str(stack.folder / "volume")}).value

    assert seen.pop("volume") is False
    assert set(seen.values()) <= {"PermissionError", "ProcessLookupError"}, seen
    assert stack.invoke(sleeper).value == victim


def test_tmp_is_limited(stack: Stack) -> None:
    name = stack.create(
        """
        import os, tempfile
        def handler(event, context):
            path = os.path.join(tempfile.gettempdir(), "big")
            try:
                with open(path, "wb") as file:
                    for _ in range(event): file.write(bytes(1 << 20)); file.flush()
            except OSError as error:
                return error.strerror
            finally:
                os.remove(path)
            return "all written"
        """
    )

    assert stack.invoke(name, 400).value == "all written"
    assert stack.invoke(name, 600).value in ("No space left on device", "File too large")


def test_files_in_tmp_are_no_memory_of_the_function(stack: Stack) -> None:
    """A control group would count them: docs/decisions/memory-limit.md."""
    name = stack.create(
        """
        import os, tempfile
        def handler(event, context):
            path = os.path.join(tempfile.gettempdir(), "large")
            with open(path, "wb") as file:
                for _ in range(event):
                    file.write(bytes(1 << 20))
            return os.path.getsize(path) >> 20
        """,
        MemorySize=128,
    )

    reply = stack.invoke(name, 300)

    assert (reply.error, reply.value) == (None, 300), reply.tail


@pytest.mark.parametrize(
    "escape", ["pass", "os.setsid()", "os.setsid(); os.fork() and os._exit(0)"]
)
def test_children_that_a_function_leaves_end_with_it(stack: Stack, escape: str) -> None:
    name = stack.create(
        f"""
        import os, sys, time
        def handler(event, context):
            if os.fork() == 0:
                {escape}
                time.sleep(300)
                os._exit(0)
            if event: time.sleep(30)
            return "left one"
        """,
        Timeout=2,
    )
    before = {process.pid for process in stack.begun()}
    assert stack.invoke(name, False).value == "left one"
    left = [process for process in stack.begun() if process.pid not in before]
    assert len(left) >= 2, left

    assert stack.invoke(name, True).value["errorType"] == "Sandbox.Timedout"

    nothing_left(left)


def test_layers_are_under_opt_for_their_function_only(stack: Stack) -> None:
    first = stack.layer({"python/brand.py": "colour = 'first'", "python/only_first.py": "x = 1"})
    second = stack.layer(
        {"python/brand.py": "colour = 'second'", "bin/tool": "#!/bin/sh\necho tool"}
    )
    code = """
        import os, subprocess
        def handler(event, context):
            try: import brand, only_first
            except ImportError: return "no layer"
            return [brand.colour, only_first.x, subprocess.check_output(["tool"], text=True)]
        """
    with_layers = stack.create(code, Layers=[first, second])
    without = stack.create(code)

    assert stack.invoke(with_layers).value == ["second", 1, "tool\n"]
    assert stack.invoke(without).value == "no layer"


def test_preloaded_packages_are_only_for_functions_that_bring_them(stack: Stack) -> None:
    code = """
        def handler(event, context):
            try: import aws_lambda_powertools as powertools
            except ImportError: return None
            return powertools.__version__ if hasattr(powertools, "__version__") else powertools.mine
        """
    assert stack.invoke(stack.create(code)).value is None
    own = {"app.py": code, "aws_lambda_powertools/__init__.py": "mine = 'of the package'"}
    assert stack.invoke(stack.create(own)).value == "of the package"


def test_a_layer_with_another_version_of_powertools_wins(stack: Stack) -> None:
    info = "aws_lambda_powertools-0.0.1.dist-info"
    files = {
        "aws_lambda_powertools/__init__.py": "from .logging import Logger",
        "aws_lambda_powertools/logging.py": "class Logger:\n    version = '0.0.1'",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: aws-lambda-powertools\nVersion: 0.0.1\n",
        f"{info}/RECORD": "aws_lambda_powertools/__init__.py,,\n",
    }
    code = """
        import importlib.metadata, sys
        import boto3, aws_lambda_powertools
        from aws_lambda_powertools import Logger
        def handler(event, context):
            return {
                "version": importlib.metadata.version("aws-lambda-powertools"),
                "ours": getattr(Logger, "version", None),
                "file": aws_lambda_powertools.__file__,
                "strangers": [name for name, module in sys.modules.items()
                              if name.startswith("aws_lambda_powertools.metrics")],
            }
        """
    same = {
        f"python/{file.relative_to(folder)}": file.read_bytes()
        for folder in [runtimes_dir() / PYTHON / ".preload"]
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    for prefix in ("python", f"python/lib/{PYTHON}/site-packages"):
        layer = stack.layer({f"{prefix}/{name}": text for name, text in files.items()})
        # Beside it functions run whose layer is the preloaded one: they do not meet.
        seen = stack.invoke(stack.create(code, Layers=[layer])).value
        assert seen["version"] == seen["ours"] == "0.0.1"
        assert prefix in seen["file"]
        assert seen["strangers"] == []
    theirs = stack.invoke(stack.create(code, Layers=[stack.layer(same)])).value
    assert theirs["ours"] is None
    assert theirs["version"] != "0.0.1"


def test_a_functions_own_boto3_wins(stack: Stack) -> None:
    name = stack.create(
        {
            "app.py": "import boto3\ndef handler(event, context): return boto3.mine",
            "boto3/__init__.py": "mine = True",
        }
    )

    assert stack.invoke(name).value is True


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info[:2] not in ((3, 12), (3, 13)),
    reason="where the parent's objects can be made immortal, and /proc says what came of it",
)
def test_an_idle_environment_shares_most_of_its_memory(stack: Stack) -> None:
    name = stack.create(
        """
        import gc, os, boto3
        client = boto3.client("dynamodb")
        def handler(event, context):
            gc.collect()
            return os.getpid()
        """
    )

    pid = stack.invoke(name).value

    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private_kb = sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    assert private_kb <= 8 * 1024, lines


@pytest.mark.skipif(not LINUX_ROOT, reason="needs a user per environment")
def test_a_daemon_that_closed_its_descriptors_ends_with_its_environment(stack: Stack) -> None:
    name = stack.create(
        """
        import os, time
        def handler(event, context):
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork():
                    os._exit(0)
                os.write(writer, str(os.getpid()).encode())
                os.closerange(0, 1024)
                while True:
                    time.sleep(1)
            return [os.getpid(), int(os.read(reader, 20))]
        """
    )
    main, daemon = stack.invoke(name).value
    assert psutil.pid_exists(daemon)

    os.kill(main, signal.SIGKILL)

    eventually(lambda: not psutil.pid_exists(daemon))


@pytest.mark.skipif(not LINUX_ROOT, reason="needs mount namespaces")
def test_only_tmp_can_be_written_to(stack: Stack) -> None:
    name = stack.create(
        """
        def handler(event, context):
            try:
                open(event + "/file", "w").write("x")
            except OSError as error:
                return error.strerror
            return "written"
        """
    )

    assert stack.invoke(name, "/dev/shm").value == "Read-only file system"
    assert stack.invoke(name, "/var/tmp").value == "Read-only file system"
    assert stack.invoke(name, "/tmp").value == "written"


@pytest.mark.skipif(not LINUX_ROOT, reason="needs mount namespaces")
def test_empty_files_in_tmp_are_limited(stack: Stack) -> None:
    name = stack.create(
        """
        def handler(event, context):
            for number in range(1_000_000):
                try:
                    open(f"/tmp/{number}", "w").close()
                except OSError as error:
                    return [number, error.strerror]
        """,
        Timeout=60,
    )

    number, reason = stack.invoke(name).value

    assert reason == "No space left on device"
    assert number < 40_000
