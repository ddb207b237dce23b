"""Forms of the framework in a project of one's own, fired.

Shared REST APIs, mapping templates, buckets that are there already, dead-letter queues.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from bootstrap.builds import prepare, prepare_runtimes
from bootstrap.checks import check
from bootstrap.commands.load import load_template
from bootstrap.deploy import apply, plan
from bootstrap.errors import DefinitionError, WrongUseError
from bootstrap.runtime.choice import in_container
from bootstrap.services.base import Context
from bootstrap.settings import Settings
from tests.support.waiting import eventually
from trigger_stack_engine.environments.interpreters import find

SHARED = """
service: NAME-shared
provider: { name: aws }
resources:
  Resources:
    Api:
      Type: AWS::ApiGateway::RestApi
      Properties: { Name: NAME }
  Outputs:
    Id: { Value: !Ref Api, Export: { Name: "NAME:id" } }
    Root: { Value: !GetAtt Api.RootResourceId, Export: { Name: "NAME:root" } }
"""
OWN = """
service: NAME
provider:
  name: aws
  runtime: python3.13
  iam:
    role:
      statements: [{ Effect: Allow, Action: sqs:SendMessage, Resource: "*" }]
  apiGateway:
    restApiId: !ImportValue NAME:id
    restApiRootResourceId: !ImportValue NAME:root
functions:
  shop:
    handler: app.handler
    events:
      - http: { path: plain, method: post, integration: lambda }
      - http: { path: later, method: post, async: true }
      - http:
          path: orders/{id}
          method: get
          integration: lambda
          request:
            parameters: { paths: { id: true } }
            template: { application/json: '{"order": "$input.params(''id'')"}' }
          response:
            headers: { Content-Type: "'text/html'" }
            template: <b>$input.path('$.order')</b>
            statusCodes:
              "200": { pattern: "" }
              "404":
                pattern: ".*missing.*"
                template: "no $input.path('$.errorMessage')"
  stores:
    handler: app.stores
    events:
      - s3: { bucket: NAME-theirs, existing: true, rules: [{ suffix: .txt }] }
  fails:
    handler: app.fails
    maximumRetryAttempts: 0
    onError: !GetAtt Failed.Arn
resources:
  Resources:
    Failed:
      Type: AWS::SQS::Queue
      Properties: { QueueName: NAME-failed }
"""
HANDLERS = """
def handler(event, context):
    print(event)
    if event.get("order") == "none":
        raise LookupError("missing")
    return event


def stores(event, context):
    print([record["s3"]["object"]["key"] for record in event["Records"]])


def fails(event, context):
    raise ValueError("always")
"""
#: A project with a handler in TypeScript, of two files.
NODE = """
service: NAME
provider: { name: aws }
functions:
  typed:
    handler: typed.handler
    runtime: nodejs22.x
"""
#: Functions of older Pythons; which of them this machine has is asked by the test.
OLDER = """
service: NAME
provider: { name: aws, runtime: RUNTIME }
functions:
  older:
    handler: older.handler
    timeout: '10'
"""
VERSION = """
import sys

import boto3

def handler(event, context):
    return [list(sys.version_info[:2]), boto3.client("s3").list_buckets()["Owner"] is not None]
"""
TYPED = """
import { doubled } from "./doubled";

export const handler = async (event: { number: number }) => doubled(event.number);
"""
DOUBLED = "export const doubled = (number: number): number => 2 * number;"


#: Objects of the bucket; the second one fires a function.
KEYS = ("a.png", "a.txt")


@pytest.fixture
def name(tmp_path: Path, aws: Callable[[str], Any]) -> Iterator[str]:
    """Two projects, one that makes the API and one that uses it, and a bucket of neither."""
    name = f"forms-{uuid.uuid4().hex[:8]}"
    aws("s3").create_bucket(Bucket=f"{name}-theirs")
    (tmp_path / "app.py").write_text(HANDLERS)
    for number, text in enumerate((SHARED, OWN)):
        file = tmp_path / f"{number}.yml"
        file.write_text(text.replace("NAME", name))
        template = load_template(file)
        prepare(template)
        apply(template, Context(Settings.from_environment(), template.service), lambda *_: None)
    yield name
    for service in (name, f"{name}-shared"):  # the one that uses the API first
        nothing = tmp_path / "serverless.yml"
        nothing.write_text(f"service: {service}\nprovider: {{ name: aws }}\n")
        context = Context(Settings.from_environment(), service)
        apply(load_template(nothing), context, lambda *_: None, prune=True)
    for key in KEYS:
        aws("s3").delete_object(Bucket=f"{name}-theirs", Key=key)
    aws("s3").delete_bucket(Bucket=f"{name}-theirs")


@pytest.fixture
def url(name: str, settings: Settings) -> str:
    return f"{settings.http_api_url}/_rest-api/{name}/dev"


def logged(aws: Callable[[str], Any], function: str, text: str) -> bool:
    events = aws("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    assert any(text in event["message"] for event in events), events[-5:]
    return True


def test_forms_of_other_projects(
    name: str, url: str, aws: Callable[[str], Any], tmp_path: Path
) -> None:
    # What the framework's own template makes of a request.
    answer = requests.post(f"{url}/plain?q=1", json={"it's": ["a", 1]}, timeout=60)
    assert answer.status_code == 200, answer.text
    event = answer.json()
    assert event["body"] == {"it's": ["a", 1]}
    assert event["method"] == "POST"
    assert event["query"] == {"q": "1"}
    assert event["stage"] == "dev"
    assert event["requestPath"] == "/plain"
    assert event["headers"]["Content-Type"] == "application/json"
    form = requests.post(f"{url}/plain", data={"a": "b c", "d": ""}, timeout=60)
    assert form.json()["body"] == {"a": "b c", "d": ""}, form.text

    # Templates of one's own, and the status code that a pattern chooses.
    page = requests.get(f"{url}/orders/7", timeout=60)
    assert (page.status_code, page.text) == (200, "<b>7</b>")
    assert page.headers["Content-Type"] == "text/html"
    missing = requests.get(f"{url}/orders/none", timeout=60)
    assert (missing.status_code, missing.text) == (404, "no missing")

    # An asynchronous invocation is answered before the function has run.
    token = uuid.uuid4().hex
    later = requests.post(f"{url}/later", json={"token": token}, timeout=60)
    assert later.status_code == 200, later.text
    eventually(lambda: logged(aws, f"{name}-dev-shop", token))

    # A bucket of somebody else's.
    for key in KEYS:
        aws("s3").put_object(Bucket=f"{name}-theirs", Key=key, Body=b"")
    eventually(lambda: logged(aws, f"{name}-dev-stores", "a.txt"))

    # What failed for good.
    aws("lambda").invoke(
        FunctionName=f"{name}-dev-fails",
        InvocationType="Event",
        Payload=json.dumps({"token": token}),
    )
    sqs = aws("sqs")
    queue = sqs.get_queue_url(QueueName=f"{name}-failed")["QueueUrl"]
    eventually(lambda: received(sqs, queue, token))

    template = load_template(tmp_path / "1.yml")
    again = plan(template, Context(Settings.from_environment(), template.service))
    assert again.changes_nothing, again.everything


def received(sqs: Any, queue: str, text: str) -> bool:
    messages = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0).get("Messages", [])
    assert any(text in message["Body"] for message in messages), messages
    return True


def test_a_handler_in_typescript(
    tmp_path: Path, aws: Callable[[str], Any], cleanup: ExitStack
) -> None:
    name = f"typed-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "serverless.yml"
    file.write_text(NODE.replace("NAME", name))
    (tmp_path / "typed.ts").write_text(TYPED)
    (tmp_path / "doubled.ts").write_text(DOUBLED)
    template = load_template(file)
    if in_container():
        with pytest.raises(WrongUseError, match=r"typed\.ts: .* needs Node\.js.* RUNTIME=native"):
            prepare(template)
        return

    prepare(template)
    apply(template, Context(Settings.from_environment(), name), lambda *_: None)
    cleanup.callback(aws("lambda").delete_function, FunctionName=f"{name}-dev-typed")

    answer = aws("lambda").invoke(FunctionName=f"{name}-dev-typed", Payload=b'{"number": 21}')
    assert json.loads(answer["Payload"].read()) == 42


@pytest.mark.parametrize("runtime", ["python3.9", "python3.10", "python3.11"])
def test_a_function_of_an_older_python(
    aws: Callable[[str], Any], cleanup: ExitStack, tmp_path: Path, runtime: str
) -> None:
    name = f"older-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "serverless.yml"
    file.write_text(OLDER.replace("NAME", name).replace("RUNTIME", runtime))
    (tmp_path / "older.py").write_text(VERSION)
    template = load_template(file)
    if in_container():
        with pytest.raises(DefinitionError, match=f"runtime {runtime} .* RUNTIME=native runs what"):
            check(template)
        return
    if find(runtime) is None:
        pytest.skip(f"this machine has no {runtime} on PATH, of pyenv or of uv")

    prepare_runtimes(template)
    prepare(template)
    apply(template, Context(Settings.from_environment(), name), lambda *_: None)
    cleanup.callback(aws("lambda").delete_function, FunctionName=f"{name}-dev-older")

    answer = aws("lambda").invoke(FunctionName=f"{name}-dev-older", Payload=b"{}")
    version = [int(part) for part in runtime.removeprefix("python").split(".")]
    assert json.loads(answer["Payload"].read()) == [version, True]
