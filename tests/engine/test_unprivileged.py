"""LocalStack as an ordinary user: with user namespaces where the kernel has them, and without."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.engine.lambda_stack import Stack, alive, nothing_left, start_stack
from tests.support.waiting import eventually

USER = 1000 if os.geteuid() == 0 else os.geteuid()
AS_USER = Path(__file__).with_name("as_user.py")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces and /proc"),
    pytest.mark.xdist_group("unprivileged"),
]


@dataclass
class Unprivileged:
    """A LocalStack of a user, and whether functions have a view of their own."""

    stack: Stack
    namespaces: bool


@pytest.fixture(scope="module", params=["auto", "none"])
def user(request: pytest.FixtureRequest) -> Iterator[Unprivileged]:
    folder = Path(tempfile.mkdtemp(prefix="unprivileged-"))  # pytest's own is closed to others
    command: list[str] = []
    if os.geteuid() == 0:
        os.chown(folder, USER, USER)
        command = [sys.executable, str(AS_USER), str(USER)]
    running = start_stack(
        folder / "state", command, owner=USER, LAMBDA_PROCESS_ISOLATION=request.param
    )
    try:
        isolated = "own view of the file system" in running.log
        assert "memory limit sampled every 50 ms" in running.log
        assert isolated == (request.param == "auto" and user_namespaces()), running.log
        yield Unprivileged(running, isolated)
        assert "Traceback (most recent call last)" not in running.log, running.log
        children = running.processes()
        running.stop(signal.SIGKILL)
        nothing_left(children)
    finally:
        running.process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def user_namespaces() -> bool:
    """Whether the kernel lets an ordinary user make one."""
    return subprocess.run(["unshare", "--user", "true"], user=USER, check=False).returncode == 0


def test_code_layers_and_tmp(user: Unprivileged) -> None:
    layer = user.stack.layer({"python/brand.py": "colour = 'red'", "bin/tool": "#!/bin/sh\necho x"})
    name = user.stack.create(
        """
        import brand, os, subprocess, tempfile
        def handler(event, context):
            tmp = tempfile.gettempdir()
            before = os.listdir(tmp)
            open(os.path.join(tmp, "kept"), "w").write("x")
            try: open(os.path.join(os.getcwd(), "new"), "w"); wrote = True
            except OSError: wrote = False
            return {
                "colour": brand.colour, "tool": subprocess.check_output(["tool"], text=True),
                "cwd": os.getcwd(), "tmp": tmp, "before": before, "wrote": wrote,
                "uid": os.getuid(), "root": os.environ["LAMBDA_TASK_ROOT"],
                "volume": os.path.exists(event),
            }
        """,
        Layers=[layer],
    )

    event = str(user.stack.folder / "volume")
    first, second = (user.stack.invoke(name, event).value for _ in range(2))

    assert (first["colour"], first["tool"]) == ("red", "x\n")
    assert (first["before"], second["before"]) == ([], ["kept"])
    assert first["uid"] == USER
    assert first["cwd"] == first["root"]
    if user.namespaces:
        assert (first["cwd"], first["tmp"]) == ("/var/task", "/tmp")
        assert not first["wrote"]
        assert not first["volume"]
    else:
        assert str(user.stack.folder) in first["cwd"]
        assert str(user.stack.folder) in first["tmp"]


def test_tmp_is_limited(user: Unprivileged) -> None:
    name = user.stack.create(
        """
        import os, tempfile
        def handler(event, context):
            path = os.path.join(tempfile.gettempdir(), "big")
            try:
                with open(path, "wb") as file:
                    for _ in range(event): file.write(bytes(1 << 20)); file.flush()
            except OSError as error: return error.strerror
            finally: os.remove(path)
            return "all written"
        """
    )

    assert user.stack.invoke(name, 100).value == "all written"
    assert user.stack.invoke(name, 600).value in ("No space left on device", "File too large")


def test_memory_is_limited(user: Unprivileged) -> None:
    name = user.stack.create(
        "def handler(event, context): return len([b'x' * (1 << 20) for _ in range(event)])",
        MemorySize=128,
    )

    assert user.stack.invoke(name, 40).value == 40
    reply = user.stack.invoke(name, 2000)
    assert reply.value["errorType"] == "Runtime.ExitError"
    assert reply.value["errorMessage"].endswith("Runtime exited with error: signal: killed")


def test_a_time_out_ends_every_process(user: Unprivileged) -> None:
    name = user.stack.create(
        """
        import os, time
        def handler(event, context):
            if not event: return os.getpid()
            if os.fork() == 0:
                os.setsid()
                if os.fork(): os._exit(0)
                time.sleep(300)
            print("left", flush=True)
            time.sleep(30)
        """,
        Timeout=1,
    )
    before = {process.pid for process in user.stack.begun()}
    pid = user.stack.invoke(name, False).value
    assert psutil.Process(pid).uids().real == USER

    assert user.stack.invoke(name, True).value["errorType"] == "Sandbox.Timedout"

    def nothing_new() -> bool:
        left = [p for p in user.stack.begun() if p.pid not in before and alive(p)]
        assert not left, left
        return True

    eventually(nothing_new)
    assert user.stack.invoke(name, False).value != pid


@pytest.mark.parametrize("runtime", ["nodejs20.x", "provided.al2023"])
def test_other_runtimes(user: Unprivileged, runtime: str) -> None:
    bootstrap = """\
        #!/bin/sh
        api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
        while id=$(curl -sD - -o /dev/null $api/invocation/next | tr -d '\\r' |
                   sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p'); do
            curl -s -d '"well"' $api/invocation/$id/response > /dev/null
        done
        """
    node = "exports.handler = async () => 'well'"
    program = "node" if runtime.startswith("nodejs") else "curl"
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine")
    name = user.stack.create({"app.js": node, "bootstrap": bootstrap}, runtime=runtime)

    assert user.stack.invoke(name).value == "well"
