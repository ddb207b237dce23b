"""Measures the local HTTP API: ``python bench/http_api.py [--requests N] [--clients N]``.

Starts an emulator of its own, puts a trivial function behind an HTTP API, and prints the latency
of ``GET`` through the API's port, that of the same invocation without the API, and the requests a
second that several clients get. With MiniStack installed in ``.build/peers/ministack`` (``uv venv``
there, ``uv pip install ministack``) its HTTP API is measured beside it.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parents[1]
MINISTACK = ROOT / ".build/peers/ministack/bin/ministack"
# It prints a line, since MiniStack takes 50 ms longer for a function that prints nothing.
CODE = """
def handler(event, context):
    print("called")
    return {"statusCode": 200, "body": "ok"}
"""
START_SECONDS = 90


@dataclass(frozen=True)
class Target:
    """Where one emulator serves the benchmark's API."""

    name: str
    port: int
    path: str
    host: str
    invoke: Callable[[], object]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(url_port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", url_port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit(f"nothing answers on port {url_port}:\n{log.read_text()[-2000:]}")


def deploy(edge: int) -> tuple[str, Callable[[], object]]:
    """Create function and API; returns the API's id and a direct invocation."""

    def client(service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{edge}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - what every emulator takes
            config=Config(read_timeout=60),
        )

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", CODE)
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName="bench",
        Runtime=f"python3.{sys.version_info[1]}",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/bench",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="bench", WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName="bench",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    apis = client("apigatewayv2")
    api_id = apis.create_api(Name="bench", ProtocolType="HTTP")["ApiId"]
    integration = apis.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=arn,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    apis.create_route(
        ApiId=api_id, RouteKey="GET /brand/{brandId}", Target=f"integrations/{integration}"
    )
    apis.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)

    def invoke() -> None:
        functions.invoke(FunctionName="bench", Payload=b"{}")["Payload"].read()

    return api_id, invoke


def latencies(call: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of each call, one after the other."""
    taken = []
    for _ in range(count):
        before = time.perf_counter()
        call()
        taken.append((time.perf_counter() - before) * 1000)
    return taken


def getter(target: Target) -> Callable[[], object]:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)

    def get() -> None:
        connection.request("GET", target.path, headers={"Host": target.host})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise SystemExit(f"{target.name} answered {response.status}: {body[:200]!r}")

    return get


def throughput(target: Target, clients: int, count: int) -> float:
    """Requests a second of several clients, each with one connection."""
    getters = [getter(target) for _ in range(clients)]
    for get in getters:
        get()
    threads = [threading.Thread(target=latencies, args=(get, count // clients)) for get in getters]
    before = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * (count // clients) / (time.perf_counter() - before)


def report(target: Target, count: int, clients: int) -> None:
    get = getter(target)
    latencies(get, 20)
    for name, call in (("GET", get), ("lambda invoke", target.invoke)):
        taken = sorted(latencies(call, count))
        median, high = statistics.median(taken), taken[int(len(taken) * 0.95)]
        print(f"{target.name:14} {name:14} p50 {median:7.2f} ms   p95 {high:7.2f} ms")
    rate = throughput(target, clients, count)
    print(f"{target.name:14} {f'{clients} clients':14} {rate:11.0f} requests/s")


def trigger_stack(folder: Path, count: int, clients: int) -> None:
    edge, port, log = free_port(), free_port(), folder / "log"
    environment = {
        "GATEWAY_LISTEN": f"127.0.0.1:{edge}",
        "HTTP_API_PORT": str(port),
        "FILESYSTEM_ROOT": str(folder),
        "OVERRIDE_IN_DOCKER": "0",  # LocalStack uses the folder above outside containers only
        "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
    }
    with running([sys.executable, "-m", "localstack.runtime.main"], environment, log):
        wait_for(edge, "/_localstack/health", log)
        _, invoke = deploy(edge)
        report(Target("trigger-stack", port, "/brand/acme", "localhost", invoke), count, clients)


def ministack(folder: Path, count: int, clients: int) -> None:
    if not MINISTACK.exists():
        print("ministack      not measured: it is not installed in .build/peers/ministack")
        return
    edge, log = free_port(), folder / "log"
    environment = {
        "GATEWAY_PORT": str(edge),
        "BIND_HOST": "127.0.0.1",
        "LAMBDA_EXECUTOR": "local",
    }
    with running([str(MINISTACK)], environment, log):
        wait_for(edge, "/_ministack/health", log)
        api_id, invoke = deploy(edge)
        host = f"{api_id}.execute-api.localhost:{edge}"
        report(Target("ministack", edge, "/brand/acme", host, invoke), count, clients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    print(json.dumps({"python": sys.version.split()[0], "cpus": os.cpu_count()}))
    for measure in (trigger_stack, ministack):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), options.requests, options.clients)


if __name__ == "__main__":
    main()
