"""Servers that the benches start: this project's, and the ones beside it."""

from __future__ import annotations

import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".build/peers"
START_SECONDS = 90
PYTHON = f"python3.{sys.version_info[1]}"
ROLE = "arn:aws:iam::000000000000:role/bench"


@dataclass(frozen=True)
class Server:
    """One server that answers.

    Attributes:
        name: As it is printed.
        port: Where its HTTP API answers.
        host: The ``Host`` to send.
        edge: Where its AWS API answers, 0 when it has none.
        process: Its first process.
    """

    name: str
    port: int
    host: str
    edge: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU seconds that it and all its processes have used so far."""
        total = 0.0
        for one in [self.process, *self.process.children(recursive=True)]:
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def memory_mb(self) -> float:
        """Unshared and its share of shared memory of all its processes."""
        total = 0
        for one in [self.process, *self.process.children(recursive=True)]:
            try:
                total += one.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def client(edge: int, service: Any) -> Any:
    """A boto3 client."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{edge}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  what every emulator takes
        config=Config(read_timeout=60, retries={"total_max_attempts": 1}),
    )


def package(code: str, name: str = "app.py") -> bytes:
    """A deployment package."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o644 << 16
        file.writestr(info, code)
    return archive.getvalue()


def create_function(edge: int, name: str, code: str, *, node: bool = False) -> str:
    """Create a function and wait until it can be invoked; returns its ARN."""
    functions = client(edge, "lambda")
    arn: str = functions.create_function(
        FunctionName=name,
        Runtime="nodejs20.x" if node else PYTHON,
        Handler="app.handler",
        Role=ROLE,
        MemorySize=256,
        Code={"ZipFile": package(code, "app.js" if node else "app.py")},
    )["FunctionArn"]
    waiter = functions.get_waiter("function_active_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return arn


@contextmanager
def running(command: list[str], log: Path, folder: Path, **env: str) -> Iterator[psutil.Process]:
    """Run ``command`` in ``folder``."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int, path: str, log: Path, host: str = "localhost") -> None:
    """Wait until ``GET path`` is answered with 200. Raises SystemExit with the log's end."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}:\n{log.read_text()[-2000:]}")


@contextmanager
def trigger_stack(**more: str) -> Iterator[Server]:
    """This project, with more settings."""
    edge, port = free_port(), free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        log = folder / "log"
        settings = {
            "GATEWAY_LISTEN": f"127.0.0.1:{edge}",
            "GATEWAY_SERVER": "interface",
            "HTTP_API_PORT": str(port),
            "SMTP_PORT": "",
            "FILESYSTEM_ROOT": name,
            "OVERRIDE_IN_DOCKER": "0",
            "TMPDIR": name,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
            "LAMBDA_PROCESS_PYTHON_RUNTIMES": str(ROOT / ".build/python-runtime"),
            "LAMBDA_RUNTIME_EXECUTOR": "process",
            "PROVIDER_OVERRIDE_DYNAMODB": "v2",
            "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "DISABLE_EVENTS": "1",
            "LS_LOG": "warn",
            **more,
        }
        command = [sys.executable, "-m", "trigger_stack.localstack.serve"]
        with running(command, log, ROOT, **settings) as process:
            wait_for(edge, "/_localstack/health", log)
            yield Server("trigger-stack", port, "localhost", edge, process)


@contextmanager
def ministack() -> Iterator[Server]:
    """MiniStack."""
    edge = free_port()
    settings = {"GATEWAY_PORT": str(edge), "BIND_HOST": "127.0.0.1", "LAMBDA_EXECUTOR": "local"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        log = Path(name) / "log"
        command = [str(PEERS / "python/bin/ministack")]
        with running(command, log, Path(name), **settings) as process:
            wait_for(edge, "/_ministack/health", log)
            yield Server("ministack", edge, "", edge, process)


@contextmanager
def serverless_offline(code: str) -> Iterator[Server]:
    """``serverless-offline`` under ``osls``."""
    port, second = free_port(), free_port()
    with tempfile.TemporaryDirectory(dir=PEERS / "offline", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "app.py").write_text(code)
        (folder / "serverless.yml").write_text(
            "service: bench\n"
            "provider: {name: aws, runtime: python3.12, memorySize: 256}\n"
            "plugins: [serverless-offline]\n"
            "functions:\n  f: {handler: app.handler, events: [{httpApi: 'GET /x'}]}\n"
        )
        log = folder / "log"
        program = str(PEERS / "offline/node_modules/.bin/osls")
        ports = ["--httpPort", str(port), "--lambdaPort", str(second)]
        # It starts a program named python3.12; what this bench runs in stands for it.
        (folder / "python3.12").symlink_to(sys.executable)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        with running([program, "offline", *ports], log, folder, PATH=path) as process:
            wait_for(port, "/x", log)
            yield Server("serverless-offline", port, "localhost", 0, process)


@contextmanager
def uvicorn(code: str) -> Iterator[Server]:
    """The floor: uvicorn with the handler in its own process."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "app.py").write_text(code)
        (folder / "server.py").write_text(
            "from app import handler\n"
            "async def app(scope, receive, send):\n"
            "    if scope['type'] != 'http': return\n"
            "    result = handler({}, None)\n"
            "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
            "    await send({'type': 'http.response.body', 'body': result['body'].encode()})\n"
        )
        log = folder / "log"
        command = [str(PEERS / "python/bin/python"), "-m", "uvicorn", "server:app"]
        command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
        with running(command, log, folder) as process:
            wait_for(port, "/x", log)
            yield Server("uvicorn (floor)", port, "localhost", 0, process)
