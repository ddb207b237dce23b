"""Rules that a definition writes in one of its less usual forms: each fires its function."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from bootstrap.builds import prepare
from bootstrap.commands.load import load_template
from bootstrap.deploy import apply, plan
from bootstrap.services.base import Context
from bootstrap.settings import Settings
from tests.engine.lambda_stack import PYTHON, Stack

HANDLER = """
import json

def handler(event, context):
    print("SEEN " + json.dumps(event))
"""
DEFINITION = f"""
service: NAME
provider: {{ name: aws, stage: test, runtime: {PYTHON} }}
functions:
  older:
    handler: app.handler
    events:
      - cloudwatchEvent:
          event: {{ source: [NAME], detail: {{ number: [1.0] }} }}
          input: {{ whole: 1.0 }}
  both:
    handler: app.handler
    events:
      - eventBridge:
          pattern: {{ source: [NAME], resources: [!GetAtt Queue.Arn] }}
          schedule: rate(1 day)
resources:
  Resources:
    Queue: {{ Type: AWS::SQS::Queue, Properties: {{ QueueName: NAME, DelaySeconds: null }} }}
"""


def seen(stack: Stack, function: str) -> dict[str, Any]:
    """The event that a function got."""
    texts = stack.messages(function, until="SEEN")
    event: dict[str, Any] = json.loads(next(t for t in texts if "SEEN" in t).partition("SEEN ")[2])
    return event


def test_each_form_fires(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"forms-{secrets.token_hex(4)}"
    (tmp_path / "app.py").write_text(HANDLER)
    file = tmp_path / "serverless.yml"
    file.write_text(DEFINITION.replace("NAME", name))
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("GATEWAY_PORT", str(stack.port))
    template = load_template(file)
    prepare(template, quiet=True)
    apply(template, Context(Settings.from_environment(), name), lambda *_: None)

    sent = stack.client("events").put_events(
        Entries=[
            {
                "Source": name,
                "DetailType": "any",
                "Detail": '{"number": 1}',
                "Resources": [f"arn:aws:sqs:us-east-1:000000000000:{name}"],
            }
        ]
    )

    assert sent["FailedEntryCount"] == 0
    assert seen(stack, f"{name}-test-older") == {"whole": 1}
    assert seen(stack, f"{name}-test-both")["source"] == name
    assert plan(template, Context(Settings.from_environment(), name)).changes_nothing
