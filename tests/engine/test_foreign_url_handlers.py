"""Handlers of others run unchanged behind a function URL: Powertools' resolver, and ASGI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.engine.lambda_stack import Stack
from tests.engine.test_function_url import make_url

POWERTOOLS = """
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

app = LambdaFunctionUrlResolver()

@app.get("/brand/<brand_id>")
def get(brand_id):
    if brand_id == "none":
        raise NotFoundError("no such brand")
    return {"id": brand_id, "q": app.current_event.get_query_string_value("q")}

@app.post("/brand")
def post():
    return Response(status_code=201, content_type="application/json",
                    body=app.current_event.json_body, headers={"location": "/brand/x"})

def handler(event, context):
    return app.resolve(event, context)
"""


@pytest.fixture(scope="module")
def powertools(stack: Stack) -> str:
    import aws_lambda_powertools

    root = Path(aws_lambda_powertools.__file__).parent.parent
    files: dict[str, str | bytes] = {"app.py": POWERTOOLS}
    for package in ("aws_lambda_powertools", "jmespath"):
        for file in (root / package).rglob("*.py"):
            files[file.relative_to(root).as_posix()] = file.read_bytes()
    for name in ("typing_extensions.py",):
        files[name] = (root / name).read_bytes()
    return make_url(stack, files)


def test_powertools_routes(powertools: str) -> None:
    answer = requests.get(f"{powertools}brand/acme?q=1", timeout=20)

    assert (answer.status_code, answer.json()) == (200, {"id": "acme", "q": "1"})


def test_powertools_errors(powertools: str) -> None:
    answer = requests.get(f"{powertools}brand/none", timeout=20)

    assert answer.status_code == 404
    assert answer.json()["message"] == "no such brand"


def test_powertools_bodies_and_headers(powertools: str) -> None:
    answer = requests.post(f"{powertools}brand", json={"a": "ü"}, timeout=20)

    assert answer.status_code == 201
    assert answer.headers["location"] == "/brand/x"
    assert json.loads(answer.text) == {"a": "ü"}
