"""CloudWatch Logs → `alert_on_error`: errors of functions become mails; failures; no loop."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bootstrap.commands.load import load_template
from bootstrap.project import OWN
from tests.e2e.running import bootstrap
from tests.support.waiting import eventually

ALERTS = "alerts@brand-platform.example"
FAILS = """
def handler(event, context):
    raise ValueError("broken on purpose")
"""


@pytest.fixture
def alert_arn(aws) -> str:
    functions = aws("lambda")
    found = functions.get_function(FunctionName="alert_on_error")["Configuration"]
    return str(found["FunctionArn"])


@pytest.fixture
def subscribed(aws, cleanup, alert_arn) -> Callable[[str], str]:
    """``subscribed(function)``: its log group, with the pattern of the platform's own filters."""
    logs = aws("logs")
    (own,) = logs.describe_subscription_filters(logGroupName="/aws/lambda/put_brand")[
        "subscriptionFilters"
    ]

    def subscribe(function: str) -> str:
        group = f"/aws/lambda/{function}"
        logs.create_log_group(logGroupName=group)
        cleanup.callback(logs.delete_log_group, logGroupName=group)
        logs.put_subscription_filter(
            logGroupName=group,
            filterName="errors",
            filterPattern=own["filterPattern"],
            destinationArn=alert_arn,
        )
        return group

    return subscribe


@pytest.fixture
def mails_about(mails) -> Callable[[str], list[dict[str, Any]]]:
    def about(function: str) -> list[dict[str, Any]]:
        return [one for one in mails(ALERTS) if f" {function} " in one["Subject"]]

    return about


def test_a_function_that_fails_is_one_mail_of_a_minute(
    aws, function, subscribed, mails_about, journal
):
    name = f"test-{uuid.uuid4().hex[:10]}"
    subscribed(name)
    function(FAILS, name)

    for _ in range(3):
        answer = aws("lambda").invoke(FunctionName=name, Payload=b"{}")
        assert answer["FunctionError"] == "Unhandled"

    def settled() -> list[dict[str, Any]]:
        found = journal.find(source=f"log-group:/aws/lambda/{name}")
        assert found
        assert all(one["state"] == "done" for one in found), found
        return found

    eventually(lambda: mails_about(name))
    eventually(settled)
    minutes = {one["Subject"].rpartition(" ")[2] for one in mails_about(name)}
    assert len(mails_about(name)) == len(minutes) <= 2, mails_about(name)
    text = mails_about(name)[0]["Body"]["text_part"]
    assert "[ERROR] ValueError: broken on purpose" in text


@pytest.mark.parametrize(
    ("line", "alerts"),
    [
        ('{"level":"ERROR","message":"x"}', True),
        ("[ERROR] ValueError: x", True),
        ("2026-01-01T00:00:00.000Z id Task timed out after 3.00 seconds", True),
        ('{"level":"WARNING","message":"an ERROR of somebody else"}', False),
    ],
)
def test_lines_by_hand(subscribed, mails_about, line, alerts):
    name = f"test-{uuid.uuid4().hex[:10]}"
    group = subscribed(name)

    fired = bootstrap("fire-log", group, "--message", line)

    assert fired.returncode == 0, fired.stdout + fired.stderr
    said = " ".join(fired.stdout.split())
    assert ("does not match errors" in said) is not alerts, said
    if not alerts:  # what comes behind it shows that it has passed
        bootstrap("fire-log", group, "--message", "[ERROR] behind it")
    (mail,) = eventually(lambda: mails_about(name))
    assert (line in mail["Body"]["text_part"]) is alerts


def test_what_is_no_log_data_ends_in_alert_on_error_dlq(aws, dead_letters):
    needle = uuid.uuid4().hex
    aws("lambda").invoke(
        FunctionName="alert_on_error",
        InvocationType="Event",
        Payload=json.dumps({"awslogs": {"data": f"garbage {needle}"}}),
    )

    letter = dead_letters("alert-on-error-dlq", needle)

    context = json.loads(letter["Body"])["requestContext"]
    assert context["condition"] == "RetriesExhausted"
    assert context["approximateInvokeCount"] == 3


def test_every_function_but_itself_is_watched(aws):
    logs, functions = aws("logs"), aws("lambda")
    own = {
        resource.properties["FunctionName"]
        for resource in load_template(OWN).resources.values()
        if resource.type == "AWS::Lambda::Function"
    }
    groups = [
        f"/aws/lambda/{one['FunctionName']}"
        for page in functions.get_paginator("list_functions").paginate()
        for one in page["Functions"]
        if one["FunctionName"] in own
    ]

    watched = {
        group
        for group in groups
        if any(
            one["destinationArn"].endswith(":alert_on_error")
            for one in logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
        )
    }

    assert set(groups) - watched == {"/aws/lambda/alert_on_error"}


def test_its_own_errors_fire_nothing(aws, journal):
    began = int(time.time() * 1000)
    aws("lambda").invoke(FunctionName="alert_on_error", Payload=b'{"awslogs": {}}')

    def logged() -> bool:
        found = aws("logs").filter_log_events(
            logGroupName="/aws/lambda/alert_on_error",
            filterPattern='"[ERROR]"',
            startTime=began - 1000,
        )["events"]
        return bool(found)

    eventually(logged)
    assert journal.find(source="log-group:/aws/lambda/alert_on_error") == []
