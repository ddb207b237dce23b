"""Fixtures around a running stack. Every test makes its own names, so that tests run together."""

from __future__ import annotations

import io
import json
import os
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import requests

from bootstrap import dotenv
from bootstrap.settings import Settings
from tests.support.journal import Journal
from tests.support.permissions import permit
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
dotenv.load(ROOT / ".env")
dotenv.load(ROOT / ".build" / "env")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for path, of_file in groupby(items, lambda item: item.path):
        if path.is_relative_to(Path(__file__).parent):
            for item in of_file:
                item.add_marker(pytest.mark.e2e)
    # One that begins last would keep all but one worker waiting.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.from_environment()


@pytest.fixture(scope="session")
def aws(settings: Settings) -> Callable[[str], Any]:
    """``aws("sqs")``: a client for the running stack."""
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = settings.client(service)
        return clients[service]

    health = requests.get(f"{settings.endpoint_url}/_localstack/health", timeout=60)
    assert health.ok, "the stack does not run: make test-e2e starts it"
    return client


@pytest.fixture(scope="session")
def journal(settings: Settings) -> Journal:
    """Where every accepted event of the stack is."""
    return Journal(settings.endpoint_url)


@pytest.fixture(scope="session")
def api(settings: Settings) -> str:
    """Base URL of the local HTTP API."""
    return settings.http_api_url


@pytest.fixture
def brand_id() -> str:
    return f"brand-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """Call-backs that run after the test, last one first, whatever the test did."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def brand_body() -> dict[str, Any]:
    return {
        "name": "Acme",
        "contactEmail": f"{uuid.uuid4().hex[:10]}@acme.example",
        "colors": {"primary": "#0b5fff"},
    }


@pytest.fixture
def put_brand(api: str) -> Callable[..., requests.Response]:
    def put(brand_id: str, body: Any, **named: Any) -> requests.Response:
        return requests.put(f"{api}/brand/{brand_id}", json=body, timeout=30, **named)

    return put


@pytest.fixture
def bus_events(aws: Callable[[str], Any], cleanup: ExitStack) -> Callable[[str], Any]:
    """From now on, what is returned for a brand lists its events on the bus.

    A rule and a queue of the test's own, as a deployed subscriber would have.
    """

    def subscribe(brand_id: str) -> Callable[[], list[dict[str, Any]]]:
        events, sqs = aws("events"), aws("sqs")
        name = f"test-{uuid.uuid4().hex[:12]}"
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        cleanup.callback(sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        bus = "brand-platform-bus"
        events.put_rule(
            Name=name,
            EventBusName=bus,
            EventPattern=json.dumps({"detail": {"brandId": [brand_id]}}),
        )
        cleanup.callback(events.delete_rule, Name=name, EventBusName=bus)
        target = {"Id": "test", "Arn": arn["Attributes"]["QueueArn"]}
        permit(aws, target["Arn"])
        events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
        cleanup.callback(events.remove_targets, Rule=name, EventBusName=bus, Ids=["test"])
        received: list[dict[str, Any]] = []

        def seen() -> list[dict[str, Any]]:
            while messages := sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0
            ).get("Messages"):
                for message in messages:
                    received.append(json.loads(message["Body"]))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return received

        return seen

    return subscribe


@pytest.fixture
def function(aws: Callable[[str], Any], cleanup: ExitStack) -> Callable[..., str]:
    """Makes Lambda functions from source text, gone afterwards; returns the ARN."""

    def create(source: str, name: str = "", **configuration: Any) -> str:
        client = aws("lambda")
        name = name or f"test-{uuid.uuid4().hex[:12]}"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("handler.py", source)
        role = aws("iam").get_role(RoleName="brand-platform-local-us-east-1-lambdaRole")
        runtime = os.environ.get("LAMBDA_PYTHON_RUNTIME") or (
            f"python{sys.version_info.major}.{sys.version_info.minor}"
        )
        arn = client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="handler.handler",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": buffer.getvalue()},
            **configuration,
        )["FunctionArn"]
        cleanup.callback(client.delete_function, FunctionName=name)
        client.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        return str(arn)

    return create


@pytest.fixture
def role(aws: Callable[[str], Any], cleanup: ExitStack) -> Callable[[str], str]:
    """``role("pipes")``: ARN of a role that the service may assume, and that may do everything."""

    def create(service: str) -> str:
        iam, name = aws("iam"), f"test-{uuid.uuid4().hex[:12]}"
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        version = {"Version": "2012-10-17"}
        made = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]})
        )
        cleanup.callback(iam.delete_role, RoleName=name)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        document = json.dumps({**version, "Statement": [everything]})
        own = {"RoleName": name, "PolicyName": "everything"}
        iam.put_role_policy(**own, PolicyDocument=document)
        cleanup.callback(iam.delete_role_policy, **own)
        return str(made["Role"]["Arn"])

    return create


@pytest.fixture
def dead_letters(aws: Callable[[str], Any]) -> Callable[[str, str], dict[str, Any]]:
    """``dead_letters(queue, needle)``: waits for the message with ``needle``, and takes it."""

    def take(queue: str, needle: str, seconds: float = 30) -> dict[str, Any]:
        sqs = aws("sqs")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]

        def find() -> dict[str, Any] | None:
            # Other tests use the same queue: what is not ours is given back at once.
            messages = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=2,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            mine = None
            for message in messages:
                if mine is None and needle in message["Body"]:
                    mine = message
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                else:
                    sqs.change_message_visibility(
                        QueueUrl=url,
                        ReceiptHandle=message["ReceiptHandle"],
                        VisibilityTimeout=0,
                    )
            return mine

        return eventually(find, seconds=seconds)  # type: ignore[return-value]  # truthy: a message

    return take


@pytest.fixture
def invalidated(aws: Callable[[str], Any]) -> Callable[[], list[str]]:
    """What is returned lists every path of the assets that was invalidated, once for each time."""
    function = aws("lambda").get_function_configuration(FunctionName="invalidate_cdn")
    distribution = function["Environment"]["Variables"]["DISTRIBUTION_ID"]
    read: dict[str, list[str]] = {}

    def paths() -> list[str]:
        cloudfront = aws("cloudfront")
        listed = cloudfront.list_invalidations(DistributionId=distribution)["InvalidationList"]
        for one in listed.get("Items", []):
            if one["Id"] not in read:
                found = cloudfront.get_invalidation(DistributionId=distribution, Id=one["Id"])
                read[one["Id"]] = found["Invalidation"]["InvalidationBatch"]["Paths"]["Items"]
        return [path for found in read.values() for path in found]

    return paths


@pytest.fixture
def mails(settings: Settings) -> Callable[[str], list[dict[str, Any]]]:
    """``mails(address)``: what was mailed there, as LocalStack's ``/_aws/ses`` shows it."""

    def sent_to(address: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{settings.endpoint_url}/_aws/ses", timeout=60)
        return [
            mail
            for mail in answer.json()["messages"]
            if address in mail.get("Destination", {}).get("ToAddresses", [])
        ]

    return sent_to


@pytest.fixture
def logs_of(aws: Callable[[str], Any]) -> Callable[[str, str], list[str]]:
    """``logs_of(function, text)``: log lines of a function that contain ``text``."""

    def lines(name: str, text: str) -> list[str]:
        logs = aws("logs")
        found: list[str] = []
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
        try:
            for page in pages:
                found += [event["message"] for event in page["events"] if text in event["message"]]
        except logs.exceptions.ResourceNotFoundException:  # it comes with the first line
            return []
        return found

    return lines
