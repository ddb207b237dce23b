"""`make init`, then `make up APP=…`: a project of one's own on the running stack, and its end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.commands import outputs
from bootstrap.commands.load import load_template
from bootstrap.deploy import apply, plan
from bootstrap.plan import Action
from bootstrap.services.base import Context, Outcome
from bootstrap.settings import Settings
from tests.e2e.running import bootstrap
from tests.support.waiting import eventually

#: Not http: the local port serves the HTTP API of the project that came up last.
TRIGGERS = "url,sqs,sns"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A new project, which is taken away again with all it made."""
    folder = tmp_path / f"own-{uuid.uuid4().hex[:8]}"
    done = bootstrap("init", str(folder), "--triggers", TRIGGERS)
    assert done.returncode == 0, done.stderr
    yield folder
    file = folder / "serverless.yml"
    head, _, _ = file.read_text().partition("functions:\n")
    file.write_text(head)
    apply(load_template(file), context_of(file), lambda one, outcome: None, prune=True)


def context_of(file: Path) -> Context:
    return Context(Settings.from_environment(), load_template(file).service)


@pytest.mark.long
def test_a_project_of_ones_own_runs_where_it_is(project: Path) -> None:
    settings = Settings.from_environment()
    file = project / "serverless.yml"
    before = sorted(project.rglob("*"))

    up = bootstrap("up", APP=str(project))

    assert up.returncode == 0, up.stderr
    resources = len(load_template(file).resources)
    assert f"plan: {resources} to create" in up.stdout
    assert sorted(project.rglob("*")) == before
    again = bootstrap("up", APP=str(project))
    assert f"no changes, all {resources} resources" in again.stdout, again.stdout
    name = f"{project.name}-local"

    answer = settings.client("lambda").invoke(FunctionName=f"{name}-url", Payload=b"{}")
    assert json.loads(json.loads(answer["Payload"].read())["body"]) == {"greeting": "Hello, world."}
    sqs = settings.client("sqs")
    queue = sqs.get_queue_url(QueueName=f"{name}-orders")["QueueUrl"]
    token = uuid.uuid4().hex
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"order": token}))
    eventually(lambda: seen(settings, f"{name}-sqs", token))

    # Drift by hand is shown, and mended.
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "99"})
    template, context = load_template(file), context_of(file)
    planned = plan(template, context).everything
    (step,) = (one for one in planned if one.action is not Action.NONE)
    assert (step.logical_id, step.action) == ("Orders", Action.CHANGE)
    assert step.details == ("Attributes.VisibilityTimeout: 99 → 60",)
    deployment = apply(template, context, lambda one, outcome: None)
    assert deployment.count(Outcome.CHANGED) == 1
    again_planned = plan(template, context)
    assert again_planned.changes_nothing
    shown = outputs.values(template, again_planned.physical, settings, context.pseudo)
    assert shown["OrdersQueueUrl"] == queue
    assert shown["UrlFunctionName"] == f"{name}-url"


def seen(settings: Settings, function: str, text: str) -> bool:
    """Whether a function has printed a text."""
    logs = settings.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    assert any(text in event["message"] for event in events), events[-5:]
    return True
