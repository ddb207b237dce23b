"""Speed and memory of the process executor, with plain awslambdaric and MiniStack beside it.

``python bench/executor.py [--runs N]``. All is measured in one run on this machine. Inside the
emulator: the executor is driven directly, so that only it is timed. Through the API: the whole way
of a boto3 call, the same for this stack and for MiniStack (PyPI), which is installed into
``.build/peers/ministack`` with `uv` when it is not there yet.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = f"python3.{sys.version_info.minor}"
TRIVIAL = "import time\ndef handler(event, context):\n    return time.monotonic_ns()\n"
REAL = (
    "import time, boto3\n"
    "from aws_lambda_powertools import Logger\n"
    "logger = Logger(service='bench')\n"
    "table = boto3.client('dynamodb')\n"
    "@logger.inject_lambda_context\n"
    "def handler(event, context):\n"
    "    logger.info('hello')\n"
    "    return time.monotonic_ns()\n"
)
# Through the API a handler prints a line: MiniStack takes 50 ms longer for one that prints nothing.
PRINTING = TRIVIAL.replace("    return", "    print('called')\n    return")
WITH_BOTO3 = PRINTING.replace("import time", "import time, boto3")


@dataclass
class Row:
    """One line of the table; ``values`` in ``unit``."""

    what: str
    values: list[float]
    unit: str = "ms"
    target: float | None = None
    note: str = ""

    def text(self) -> str:
        if not self.values:
            return f"{self.what:<58} {self.note}"
        values = sorted(self.values)
        p50 = statistics.median(values)
        p95 = values[min(len(values) - 1, round(0.95 * len(values)))]
        goal = f"{self.target:g}" if self.target is not None else ""
        met = "" if self.target is None else (" ok" if p50 <= self.target else " MISSED")
        return (
            f"{self.what:<58} {p50:>8.2f} {p95:>8.2f} {self.unit:<3} {len(values):>4}"
            f" {goal:>6}{met} {self.note}"
        )


@dataclass
class Function:
    """Code on disk, in the shape in which LocalStack hands it to the executor."""

    folder: Path
    layers: list[Any] = field(default_factory=list)
    memory: int = 512

    def prepare_for_execution(self) -> None:
        """It is on disk already."""

    def get_unzipped_code_location(self) -> Path:
        return self.folder

    def version(self) -> Any:
        config = SimpleNamespace(
            code=self,
            layers=self.layers,
            runtime=RUNTIME,
            memory_size=self.memory,
            ephemeral_storage=SimpleNamespace(size=512),
            environment={},
            logging_config={},
            timeout=30,
        )
        return SimpleNamespace(config=config)


class Direct:
    """Drives environments without LocalStack's API in front."""

    def __init__(self, work: Path, runtimes_dir: Path, *, zygote: bool) -> None:
        from trigger_stack_engine.environments.runtimes import Runtimes
        from trigger_stack_engine.settings import Settings

        os.environ["LAMBDA_PROCESS_PYTHON_RUNTIMES"] = str(runtimes_dir)
        os.environ["LAMBDA_PROCESS_ZYGOTE"] = "1" if zygote else "0"
        self.settings = Settings.from_environment(str(work))
        self.runtimes = Runtimes(self.settings, sys.executable)
        self.runtimes.warm_up(RUNTIME, [])
        self.log: list[str] = []

    def environment(self, function: Function) -> Any:
        from trigger_stack_engine.environments.environment import Environment
        from trigger_stack_engine.environments.launch import Launch

        launch = Launch(function.version(), secrets.token_hex(16), self.runtimes)
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{RUNTIME}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_REGION": "us-east-1",
            "AWS_SECRET_ACCESS_KEY": "test",
            "PATH": os.defpath,
            "_HANDLER": "app.handler",
        }
        environment = Environment(
            lambda api: launch.job({**variables, "AWS_LAMBDA_RUNTIME_API": api}, function.folder),
            lambda event: self.log.append(event.message),
            memory_limit_kb=512 * 1024,
        )
        environment.clean_up = launch.clean_up
        return environment

    def invoke(self, environment: Any) -> int:
        """One event; returns the handler's entry on the monotonic clock, in nanoseconds."""
        from trigger_stack_engine.environments.runtime_api import Event

        arn = "arn:aws:lambda:us-east-1:000000000000:function:bench"
        event = Event(str(uuid.uuid4()), b"{}", arn, time.time_ns() // 1_000_000 + 30_000)
        answer = environment.invoke(event, 30)
        assert not answer.is_error, answer.payload
        return int(answer.payload)

    def started(self, function: Function) -> Any:
        environment = self.environment(function)
        environment.start(30)
        assert environment.alive, (environment.exit, environment.setup_error, self.log[-9:])
        return environment

    def end(self, environment: Any) -> None:
        environment.close()
        environment.clean_up()

    def cold(self, function: Function, runs: int) -> list[float]:
        values = []
        for _ in range(runs + 2):
            begin = time.perf_counter()
            environment = self.started(function)
            self.invoke(environment)
            values.append((time.perf_counter() - begin) * 1000)
            self.end(environment)
        return values[2:]

    def warm(self, function: Function, runs: int) -> list[float]:
        environment = self.started(function)
        values = []
        for _ in range(runs + 20):
            entered = self.invoke(environment)
            values.append((time.monotonic_ns() - entered) / 1e6)
        self.end(environment)
        return values[20:]

    def memory(self, function: Function, count: int) -> list[float]:
        environments = [self.started(function) for _ in range(count)]
        for environment in environments:
            self.invoke(environment)
        values = [private_mb(environment.pid) for environment in environments]
        for environment in environments:
            self.end(environment)
        return values

    def at_once(self, function: Function, count: int) -> float:
        environments = [self.environment(function) for _ in range(count)]

        def run(environment: Any) -> None:
            environment.start(60)
            assert environment.alive, (environment.exit, environment.setup_error, self.log[-9:])
            self.invoke(environment)

        begin = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(run, environments))
        seconds = time.perf_counter() - begin
        for environment in environments:
            self.end(environment)
        return seconds

    def close(self) -> None:
        self.runtimes.close()


def private_mb(pid: int) -> float:
    """Memory that is this process's alone."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kb = sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))
    return kb / 1024


def package(code: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", code)
    return buffer.getvalue()


def through_api(port: int, code: str, runs: int, warm_runs: int) -> tuple[list[float], list[float]]:
    """Cold and warm invoke times of a boto3 client, in ms."""
    client = boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  any will do here
        config=Config(retries={"total_max_attempts": 1}),
    )
    cold: list[float] = []
    warm: list[float] = []
    for number in range(runs + 1):
        name = f"bench-{uuid.uuid4().hex[:10]}"
        client.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role="arn:aws:iam::000000000000:role/bench",
            Handler="app.handler",
            Timeout=30,
            Code={"ZipFile": package(code)},
        )
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}
        )
        cold.append(timed(client, name))
        if number == runs:
            for _ in range(warm_runs):
                warm.append(timed(client, name))
        client.delete_function(FunctionName=name)
    return cold[1:], warm


def timed(client: Any, name: str) -> float:
    begin = time.perf_counter()
    answer = client.invoke(FunctionName=name, Payload=b"{}")
    body = answer["Payload"].read()
    assert "FunctionError" not in answer, body
    return (time.perf_counter() - begin) * 1000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], folder: Path, port: int, **settings: str) -> Iterator[int]:
    """A server process that answers on ``port`` of 127.0.0.1 while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def localstack(folder: Path, runtimes_dir: Path) -> contextlib.AbstractContextManager[int]:
    port = free_port()
    (folder / "tmp").mkdir(parents=True)
    return server(
        [sys.executable, "-m", "localstack.runtime.main"],
        folder,
        port,
        DISABLE_EVENTS="1",
        DNS_ADDRESS="0",
        FILESYSTEM_ROOT=str(folder),
        OVERRIDE_IN_DOCKER="0",
        GATEWAY_LISTEN=f"127.0.0.1:{port}",
        LAMBDA_PROCESS_PYTHON_RUNTIMES=str(runtimes_dir),
        LAMBDA_RUNTIME_EXECUTOR="process",
        LOCALSTACK_HOST=f"127.0.0.1:{port}",
        LOCALSTACK_VOLUME_DIR=str(folder / "volume"),
        LS_LOG="warn",
        SKIP_SSL_CERT_DOWNLOAD="1",
        TMPDIR=str(folder / "tmp"),
    )


def ministack_program() -> Path | None:
    """MiniStack's program, installed when it is not; ``None`` when that is not possible."""
    venv = ROOT / ".build" / "peers" / "ministack"
    program = venv / "bin" / "ministack"
    uv = shutil.which("uv", path=f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}")
    complete = program.exists() and any(venv.glob("lib/python*/site-packages/boto3"))
    if not complete and uv:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            [uv, "venv", "--clear", "--python", sys.executable, venv], check=False, **quiet
        )
        subprocess.run(
            [uv, "pip", "install", "--python", venv / "bin" / "python", "ministack", "boto3"],
            check=False,
            **quiet,
        )
    return program if program.exists() else None


def runtimes() -> Path:
    """The runtimes of the clone's set-up, made when they are not there."""
    folder = ROOT / ".build" / "python-runtime"
    if not (folder / RUNTIME / ".digest").exists():
        script = ROOT / "emulator" / "python-runtime" / "install.sh"
        interpreter = Path(sys.executable).resolve()
        subprocess.run([script, ROOT / ".venv" / "bin" / "uv", interpreter, folder], check=True)
    return folder


def measure(runs: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-executor-", ignore_cleanup_errors=True) as name:
        work = Path(name)
        work.chmod(0o755)
        runtimes_dir = runtimes()
        functions = {}
        for label, code in (("trivial", TRIVIAL), ("real", REAL)):
            folder = work / "code" / label
            folder.mkdir(parents=True)
            (folder / "app.py").write_text(code)
            functions[label] = Function(folder)
        layer = work / "layer"
        shutil.copytree(runtimes_dir / RUNTIME / ".preload", layer / "python")
        functions["real"].layers = [
            SimpleNamespace(layer_version_arn="bench:1", code=Function(layer))
        ]
        yield from inside(work, runtimes_dir, functions, runs)
        yield from outside(work, runtimes_dir, runs)


def inside(
    work: Path, runtimes_dir: Path, functions: dict[str, Function], runs: int
) -> Iterator[Row]:
    trivial, real = functions["trivial"], functions["real"]
    forked = Direct(work / "forked", runtimes_dir, zygote=True)
    try:
        yield Row("cold start, trivial", forked.cold(trivial, runs), target=15)
        yield Row("cold start, boto3 client + Powertools", forked.cold(real, runs), target=60)
        yield Row("warm: handler entry to result", forked.warm(trivial, runs * 10), target=1)
        if sys.platform == "linux":
            yield Row("private memory idle, trivial", forked.memory(trivial, runs), "MB", 8)
            yield Row("private memory idle, boto3 + Powertools", forked.memory(real, runs), "MB", 8)
        seconds = [forked.at_once(trivial, 100) for _ in range(runs)]
        yield Row("100 environments at once", seconds, "s", 2, f"on {os.cpu_count()} cores")
    finally:
        forked.close()
    plain = Direct(work / "plain", runtimes_dir, zygote=False)
    try:
        yield Row("plain python -m awslambdaric: cold, trivial", plain.cold(trivial, runs))
        yield Row("plain python -m awslambdaric: cold, boto3 + Powertools", plain.cold(real, runs))
        yield Row("plain python -m awslambdaric: warm", plain.warm(trivial, runs * 10))
    finally:
        plain.close()


def outside(work: Path, runtimes_dir: Path, runs: int) -> Iterator[Row]:
    with localstack(work / "localstack", runtimes_dir) as port:
        yield from api_rows("this stack", port, runs)
    program = ministack_program()
    if program is None:
        yield Row("MiniStack", [], note="peer not installed")
        return
    port = free_port()
    folder = work / "ministack"
    settings = {
        "GATEWAY_PORT": str(port),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "TMPDIR": str(work),
    }
    try:
        with server([str(program)], folder, port, **settings):
            yield from api_rows("MiniStack", port, runs)
    except (RuntimeError, AssertionError) as error:
        yield Row("MiniStack", [], note=f"peer does not run it: {str(error)[-200:]}")


def api_rows(who: str, port: int, runs: int) -> Iterator[Row]:
    cold, warm = through_api(port, PRINTING, runs, runs * 4)
    yield Row(f"through the API, {who}: cold, trivial", cold)
    yield Row(f"through the API, {who}: warm, trivial", warm)
    cold, _ = through_api(port, WITH_BOTO3, runs, 0)
    yield Row(f"through the API, {who}: cold, imports boto3", cold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=50, help="runs of each measurement")
    runs = parser.parse_args().runs
    print(f"{'':<58} {'p50':>8} {'p95':>8} {'':<3} {'runs':>4} {'target':>6}")
    for row in measure(runs):
        print(row.text(), flush=True)


if __name__ == "__main__":
    main()
