"""Hot reload, debugging and following logs, as the make targets use them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually


def tool(stack: Stack, name: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            f"trigger_stack_engine.commands.{name}",
            "--endpoint",
            f"http://127.0.0.1:{stack.port}",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_saved_file_takes_effect_at_the_next_invoke(stack: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "functions" / "greet"
    folder.mkdir(parents=True)
    (folder / "handler.py").write_text("def handler(e, c): return 'one'")
    name = stack.create(
        {"functions/greet/handler.py": "def handler(e, c): return 'deployed'"},
        handler="functions/greet/handler.handler",
    )
    assert stack.invoke(name).value == "deployed"
    watching = tool(stack, "watch", "--root", str(tmp_path))
    try:
        eventually(lambda: stack.invoke(name).value == "one")
        (folder / "handler.py").write_text("from . import new\ndef handler(e, c): return new.word")
        (folder / "new.py").write_text("word = 'two'")
        assert stack.invoke(name).value == "two"
        (folder / "handler.py").write_text("def handler(e, c) oops")
        assert stack.invoke(name).value["errorType"] == "Runtime.UserCodeSyntaxError"
        (folder / "handler.py").write_text("def handler(e, c): return 'three'")
        assert stack.invoke(name).value == "three"
    finally:
        watching.send_signal(signal.SIGINT)
        said = watching.communicate(timeout=20)[0]
    assert "changed: functions/greet/handler.py" in said
    assert stack.invoke(name).value == "deployed"


@pytest.mark.parametrize("body", ["", "[]", "{", '{"root": 1}', '{"root": "relative"}', "\x00"])
def test_a_bad_hot_reload_request_is_refused(stack: Stack, body: str) -> None:
    stack.client("lambda").list_functions()
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/lambda/hot-reload"

    assert requests.post(url, data=body, timeout=60).status_code == 400


def test_debugging(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    name = stack.create("def handler(e, c):\n    answer = 42\n    return answer", Timeout=1)
    assert stack.invoke(name).value == 42

    asked = tool(stack, "debug", name, "--port", str(port))
    said = asked.communicate(timeout=20)[0]
    assert asked.returncode == 0, said
    assert f"127.0.0.1:{port}" in said

    pool = ThreadPoolExecutor()
    call = pool.submit(stack.invoke, name)
    # Longer than the function's time-out: nothing runs until somebody attaches. To connect only to
    # see whether it listens would be taken for a debugger.
    listener = eventually(lambda: listening(stack, port))
    assert not call.done()
    try:
        with attached(port):
            assert call.result(20).value == 42
    finally:
        listener.kill()
        pool.shutdown(wait=False)


def listening(stack: Stack, port: int) -> psutil.Process | None:
    """The process of ``stack`` that listens on ``port``."""
    for process in stack.processes():
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return process
    return None


@contextlib.contextmanager
def attached(port: int) -> Iterator[None]:
    """A debugger: it attaches, sets no breakpoint and lets the function run.

    Speaks the Debug Adapter Protocol as far as that needs.
    """
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        stream = connection.makefile("rwb")

        def send(number: int, command: str, **arguments: object) -> None:
            request = {"seq": number, "type": "request", "command": command, "arguments": arguments}
            body = json.dumps(request).encode()
            stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            stream.flush()

        def wait_for(kind: str, name: str) -> None:
            while True:
                length = 0
                while line := stream.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                message = json.loads(stream.read(length))
                if message["type"] == kind and name in (
                    message.get("event"),
                    message.get("command"),
                ):
                    return

        send(1, "initialize", adapterID="test", clientID="test")
        wait_for("response", "initialize")
        send(2, "attach", justMyCode=False)
        wait_for("event", "initialized")
        send(3, "configurationDone")
        wait_for("response", "configurationDone")
        yield


def test_debugging_a_function_that_is_not_there(stack: Stack) -> None:
    asked = tool(stack, "debug", "nothing-of-that-name")

    said = asked.communicate(timeout=20)[0]
    assert asked.returncode == 2
    assert "There is no function 'nothing-of-that-name'" in said


def test_following_logs(stack: Stack) -> None:
    name = stack.create("def handler(event, context): print('said', event)")
    other = stack.create("def handler(event, context): print('said', event)")
    first = stack.invoke(name, "first")
    stack.invoke(other, "elsewhere")
    stack.messages(name, until="REPORT")
    following = tool(stack, "logs", "--function", name)
    try:
        assert following.stdout is not None
        lines = [following.stdout.readline() for _ in range(5)]
        assert "INIT_START Runtime Version: python:3." in lines[0]
        assert "said first" in lines[2]
        stack.invoke(name, "second")
        lines += [following.stdout.readline() for _ in range(4)]
        assert "said second" in lines[6]
        assert not any("elsewhere" in line for line in lines)
        assert not any("\033[" in line for line in lines), "no colours into a pipe"
    finally:
        following.send_signal(signal.SIGINT)
        following.wait(60)

    one = tool(stack, "logs", "--no-follow", "--request-id", first.request_id)
    printed = one.communicate(timeout=30)[0].splitlines()
    assert [line.split()[2] for line in printed] == ["START", "said", "END", "REPORT"], printed


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A tool that ends by itself; it may print no traceback whatever it is given."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("arguments", [["logs"], ["logs", "--function", "any"], ["debug", "any"]])
def test_nothing_answers(arguments: list[str]) -> None:
    name, *rest = arguments
    done = run(
        f"trigger_stack_engine.commands.{name}", *rest, AWS_ENDPOINT_URL="http://127.0.0.1:9"
    )

    assert done.returncode == 1
    assert "LocalStack does not answer at http://127.0.0.1:9" in done.stderr
    assert done.stdout == ""


def test_watch_when_nothing_answers(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    done = run(
        "trigger_stack_engine.commands.watch", "--root", str(tmp_path),
        "--endpoint", "http://127.0.0.1:9",
    )  # fmt: skip

    assert done.returncode == 1
    assert "does not answer" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["debug"], "required: function"),
        (["debug", ""], "it is empty; give a name"),
        (["debug", "any", "--port", "80"], "'80': write a number from 1024 to 65535"),
        (["debug", "any", "--port", "many"], "'many': write a number"),
        (["debug", "any", "--endpoint", "nowhere"], "'nowhere' is no URL"),
        (["logs", "--function", " "], "it is empty; give a name"),
        (["logs", "--request-id", ""], "it is empty; give a name"),
        (["logs", "--since", "nan"], "'nan': write minutes"),
        (["logs", "--since", "-1"], "'-1': write minutes"),
        (["logs", "--endpoint", "http://127.0.0.1:port"], "is no URL"),
        (["logs", "any"], "unrecognized arguments: any"),
        (["watch", "--root", "/nothing/of/that/name"], "no folder '/nothing/of/that/name'"),
        (["watch", "nothing-of-that-name"], "There is no folder 'nothing-of-that-name'"),
        (["watch", "--endpoint", ""], "'' is no URL"),
    ],
)
def test_wrong_use(arguments: list[str], sentence: str) -> None:
    name, *rest = arguments
    done = run(f"trigger_stack_engine.commands.{name}", *rest)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["debug"], ["logs", "--no-follow", "--function"]])
def test_an_unknown_function_is_wrong_use(stack: Stack, arguments: list[str]) -> None:
    name, *rest = arguments
    there = stack.create("def handler(event, context): return 1")
    done = run(
        f"trigger_stack_engine.commands.{name}", "--endpoint", f"http://127.0.0.1:{stack.port}",
        *rest, "nothing-of-that-name",
    )  # fmt: skip

    assert done.returncode == 2
    assert "There is no function 'nothing-of-that-name'; functions: " in done.stderr
    assert there in done.stderr
    assert done.stdout == ""


def test_the_log_of_a_deleted_function_can_be_read(stack: Stack) -> None:
    name = stack.create("def handler(event, context): print('was here')")
    stack.invoke(name)
    stack.messages(name, until="REPORT")
    stack.client("lambda").delete_function(FunctionName=name)

    printed, _ = tool(stack, "logs", "--no-follow", "--function", name).communicate(timeout=30)

    assert "was here" in printed


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal to write to")
@pytest.mark.parametrize(("setting", "coloured"), [(None, True), ("1", False), ("", True)])
def test_colours_on_a_terminal_unless_no_color(
    stack: Stack, setting: str | None, coloured: bool
) -> None:
    name = stack.create("def handler(event, context): print('said')")
    stack.invoke(name)
    stack.messages(name, until="REPORT")
    environment = {key: text for key, text in os.environ.items() if key != "NO_COLOR"}
    if setting is not None:
        environment["NO_COLOR"] = setting
    ours, theirs = os.openpty()
    try:
        printing = subprocess.Popen(
            [
                sys.executable, "-m", "trigger_stack_engine.commands.logs", "--no-follow",
                "--endpoint", f"http://127.0.0.1:{stack.port}", "--function", name,
            ],
            env=environment, stdout=theirs, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert printing.wait(30) == 0
        text = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "said" in text
    assert ("\033[" in text) is coloured
