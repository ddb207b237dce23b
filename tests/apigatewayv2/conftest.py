"""Fixtures of the tests of HTTP APIs: one LocalStack for all, functions and APIs of their own."""

from __future__ import annotations

import io
import secrets
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from http_api_emulator import (
    ACCOUNT,
    REGION,
    Emulator,
    HttpApi,
    start_emulator,
    stop_emulator,
    wait_until_ready,
)

from tests.support.booting import boot_turn
from tests.support.ports import free_port

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_lambda import LambdaClient

ACTIVE_SECONDS = 30
HANDLERS = Path(__file__).with_name("handlers.py")


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("localstack")
    edge, port = free_port(), free_port()
    with ExitStack() as turn:
        turn.enter_context(boot_turn())
        process = start_emulator(folder, edge, port)
        running = Emulator(edge, port, folder, process)
        try:
            wait_until_ready(running)
            turn.close()
            yield running
        finally:
            stop_emulator(process)


@pytest.fixture(scope="session")
def apigatewayv2(emulator: Emulator) -> ApiGatewayV2Client:
    client: ApiGatewayV2Client = emulator.client("apigatewayv2")
    return client


def wait_until_active(client: LambdaClient, name: str) -> None:
    """boto3's waiter looks once a second at best; a function is ready in milliseconds."""
    deadline = time.monotonic() + ACTIVE_SECONDS
    while (state := client.get_function(FunctionName=name)["Configuration"])["State"] != "Active":
        assert time.monotonic() < deadline, state
        time.sleep(0.02)


@pytest.fixture(scope="session")
def functions(emulator: Emulator) -> Callable[..., str]:
    """Create a function of ``handlers.py`` once, with API Gateway's permission; its ARN."""
    client: LambdaClient = emulator.client("lambda")
    made: dict[tuple[str, bool], str] = {}

    def create(handler: str, *, permission: bool = True) -> str:
        if (handler, permission) not in made:
            name = f"{handler}-{secrets.token_hex(4)}"
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as package:
                package.write(HANDLERS, "handlers.py")
            arn = client.create_function(
                FunctionName=name,
                Runtime="python3.13" if sys.version_info >= (3, 13) else "python3.12",
                Handler=f"handlers.{handler}",
                Role=f"arn:aws:iam::{ACCOUNT}:role/test",
                Code={"ZipFile": archive.getvalue()},
                Timeout=60,
            )["FunctionArn"]
            wait_until_active(client, name)
            if permission:
                client.add_permission(
                    FunctionName=name,
                    StatementId="api",
                    Action="lambda:InvokeFunction",
                    Principal="apigateway.amazonaws.com",
                    SourceArn=f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*",
                )
            made[handler, permission] = arn
        return made[handler, permission]

    return create


@pytest.fixture
def make_api(
    emulator: Emulator, apigatewayv2: ApiGatewayV2Client
) -> Iterator[Callable[..., HttpApi]]:
    made: list[str] = []

    def make(stage: str | None = "$default", **attributes: Any) -> HttpApi:
        api = apigatewayv2.create_api(
            Name=f"test-{secrets.token_hex(4)}", ProtocolType="HTTP", **attributes
        )
        made.append(api["ApiId"])
        if stage is not None and "Target" not in attributes:
            apigatewayv2.create_stage(ApiId=api["ApiId"], StageName=stage, AutoDeploy=True)
        return HttpApi(api["ApiId"], apigatewayv2, emulator.edge)

    yield make
    for api_id in made:
        apigatewayv2.delete_api(ApiId=api_id)
