"""A LocalStack of its own for the tests of HTTP APIs, and ways to call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config

from tests.support.booting import BOOT_SECONDS, provide_index
from tests.support.folders import temporary_folder

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

ROOT = Path(__file__).parents[2]
ACCOUNT, REGION = "000000000000", "us-east-1"


@dataclass
class Emulator:
    """A running LocalStack.

    :ivar edge: port of the AWS API
    :ivar port: the HTTP API's own port
    """

    edge: int
    port: int
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload] # the stubs want a literal
            endpoint_url=f"http://127.0.0.1:{self.edge}",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )


def start_emulator(folder: Path, edge: int, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HTTP_API_", "SMTP_"))},
        "GATEWAY_LISTEN": f"127.0.0.1:{edge}",
        "HTTP_API_PORT": str(port),
        "FILESYSTEM_ROOT": str(folder),
        "OVERRIDE_IN_DOCKER": "0",  # LocalStack uses the folder above outside containers only
        # All LocalStacks of a machine share both otherwise, and each clears them at its start.
        "TMPDIR": str(temporary_folder(folder)),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "LOCALSTACK_VOLUME_DIR": str(folder / "volume"),
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "GATEWAY_SERVER": "interface",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DISABLE_EVENTS": "1",
    }
    provide_index(folder)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "trigger_stack.localstack.serve"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(emulator: Emulator) -> None:
    """Wait for LocalStack's ready line.

    :raises RuntimeError: with the log, when it ends or takes too long
    """
    deadline = time.monotonic() + BOOT_SECONDS
    while "\nReady." not in emulator.log:
        if emulator.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"LocalStack did not start:\n{emulator.log}")
        time.sleep(0.05)


def stop_emulator(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class HttpApi:
    """An API of one test, called by path on the edge port."""

    api_id: str
    client: ApiGatewayV2Client = field(repr=False)
    edge: int

    def route(self, key: str, function_arn: str, version: str = "2.0", **integration: Any) -> None:
        made = self.client.create_integration(
            ApiId=self.api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            PayloadFormatVersion=version,
            **integration,
        )
        self.client.create_route(
            ApiId=self.api_id, RouteKey=key, Target=f"integrations/{made['IntegrationId']}"
        )

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.url}{path}", timeout=60, **options)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.edge}/_aws/execute-api/{self.api_id}"

    def event(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self.call(method, path, **options)
        assert response.status_code == 200, response.text
        event: dict[str, Any] = json.loads(response.content)
        return event
