"""``http`` events: what `make up` makes of them answers, changes, and goes."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.definition.model import parse_service
from bootstrap.deploy import apply
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from tests.e2e.conftest import ROOT

CODE = """
import json
def handler(event, context):
    return {"statusCode": 200, "body": json.dumps(event)}
def guard(event, context):
    if event["authorizationToken"] != "let me in":
        raise Exception("Unauthorized")
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": event["methodArn"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "p", "policyDocument": document}
"""


class Project:
    """A serverless.yml of the test's own, applied through the bootstrap."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.name = f"rest-{secrets.token_hex(4)}"
        (folder / "app.py").write_text(CODE)
        self.base = f"{settings.http_api_url}/_rest-api/dev-{self.name}/dev"

    def up(self, events: list[Any], **provider: Any) -> set[Outcome]:
        """Apply the definition; what was done."""
        handler = {"package": {"patterns": ["app.py"]}}
        definition = {
            "service": self.name,
            "provider": {
                "name": "aws",
                "runtime": os.environ["LAMBDA_PYTHON_RUNTIME"],
                **provider,
            },
            "package": {"individually": True, "patterns": ["!**", "app.py"]},
            "functions": {
                "echo": {"handler": "app.handler", **handler, "events": events},
                "guard": {"handler": "app.guard", **handler},
            },
        }
        file = self.folder / "serverless.yml"
        file.write_text(yaml.safe_dump(definition))
        template = load_template(file)
        context = Context(self.settings, self.name)
        return set(apply(template, context, lambda *_: None).outcomes.values())

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, f"{self.base}{path}", timeout=30, **more)


@pytest.fixture
def project(tmp_path: Path, settings: Settings) -> Iterator[Project]:
    made = Project(tmp_path, settings)
    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)
    gateway, functions = settings.client("apigateway"), settings.client("lambda")
    for api in gateway.get_rest_apis(limit=500)["items"]:
        if api["name"].endswith(made.name):
            gateway.delete_rest_api(restApiId=api["id"])
    for key in ("echo", "guard"):
        functions.delete_function(FunctionName=f"{made.name}-dev-{key}")


def test_the_printed_urls_read_and_write_a_brand(settings, brand_id, brand_body, journal):
    service = parse_service(load_template(ROOT / "serverless.yml").document)
    printed = [command for _, kind, command in triggers(service, settings) if "REST API" in kind]
    get, put = (part for part in printed if "/brand/" in part)
    url = get.split()[-1].replace("acme", brand_id)
    assert url in put.replace("acme", brand_id)

    written = requests.put(url, json=brand_body, timeout=30)
    read = requests.get(url, timeout=30)

    assert written.status_code == 201, written.text
    assert read.status_code == 200, read.text
    assert read.json()["name"] == brand_body["name"]
    missing = requests.get(f"{url}-none", timeout=30)
    assert missing.status_code == 404
    assert requests.delete(url.rpartition("/")[0], timeout=30).status_code == 403


def test_methods_come_change_and_go(project: Project) -> None:
    everything = [
        {"http": "GET /items/{id}"},
        {"http": {"path": "guarded", "method": "get", "authorizer": "guard"}},
        {"http": {"path": "page", "method": "get", "cors": True}},
        {
            "http": {
                "path": "checked",
                "method": "post",
                "request": {"schemas": {"application/json": {"required": ["a"]}}},
            }
        },
    ]

    first, second = project.up(everything), project.up(everything)

    assert Outcome.UNCHANGED not in first
    assert second == {Outcome.UNCHANGED}
    assert project.call("GET", "/items/7").json()["pathParameters"] == {"id": "7"}
    assert project.call("GET", "/guarded").status_code == 401
    token = {"Authorization": "let me in"}
    assert project.call("GET", "/guarded", headers=token).status_code == 200
    page = {"Origin": "https://any.example", "Access-Control-Request-Method": "GET"}
    assert project.call("OPTIONS", "/page", headers=page).headers[
        "access-control-allow-origin"
    ] == "*"  # fmt: skip
    assert project.call("POST", "/checked", json={}).status_code == 400
    assert project.call("POST", "/checked", json={"a": 1}).status_code == 200

    changed = project.up([{"http": "GET /items/{id}"}, {"http": "GET /guarded"}])

    assert Outcome.CHANGED in changed
    assert project.call("GET", "/guarded").status_code == 200
    assert project.call("GET", "/page").status_code == 403
    assert project.call("POST", "/checked", json={"a": 1}).status_code == 403
    assert project.up([{"http": "GET /items/{id}"}, {"http": "GET /guarded"}]) == {
        Outcome.UNCHANGED
    }


def test_api_keys_and_usage_plans(project: Project) -> None:
    value = secrets.token_hex(16)
    key = {"name": f"key-{project.name}", "value": value}
    events = [{"http": {"path": "private", "method": "get", "private": True}}]
    plan = {"quota": {"limit": 2, "period": "DAY"}}

    project.up(events, apiGateway={"apiKeys": [key], "usagePlan": plan})
    again = project.up(events, apiGateway={"apiKeys": [key], "usagePlan": plan})

    assert again == {Outcome.UNCHANGED}
    assert project.call("GET", "/private").status_code == 403
    statuses = [
        project.call("GET", "/private", headers={"x-api-key": value}).status_code for _ in range(3)
    ]
    assert statuses == [200, 200, 429]
    plan["quota"]["limit"] = 5
    assert Outcome.CHANGED in project.up(events, apiGateway={"apiKeys": [key], "usagePlan": plan})
    answer = project.call("GET", "/private", headers={"x-api-key": value})
    assert answer.status_code == 200
