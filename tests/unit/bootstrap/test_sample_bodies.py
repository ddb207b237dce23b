"""``make fire`` sends what a project's ``samples/`` say, and something of its own without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.commands.fire import _of_resources
from bootstrap.commands.load import load_template
from bootstrap.commands.status import triggers
from bootstrap.definition.model import parse_service
from bootstrap.errors import WrongUseError
from bootstrap.settings import Settings
from tests.unit.bootstrap.conftest import FUNCTION, Project, events_of

ROOT = Path(__file__).parents[3]
SETTINGS = Settings(4566, 8080, "us-east-1")
EVENTS = """
- sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:orders'}
- stream: {type: kinesis, arn: 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'}
- httpApi: {path: '/order/{id}', method: PUT, authorizer: {name: staff}}
- http: {path: 'order/{id}', method: PUT}
- s3: {bucket: uploads, rules: [{prefix: in/}, {suffix: .png}]}
- eventBridge: {name: paid, pattern: {source: [shop], detail: {a: [{exists: true}]}}}
"""
AUTHORIZER = """\
  httpApi:
    authorizers:
      staff: {identitySource: $request.header.X, issuerUrl: 'https://x.test', audience: [a]}
functions:
"""
SAMPLES = {
    "orders": {"total": 5, "of": "André's"},
    "clicks": {"page": "/"},
    "paid": {"a": "b"},
    "objects": {"uploads": "2026/mine"},
    "requests": {
        "parameters": {"id": "17"},
        "bodies": {"/order/{id}": {"total": 6}},
        "authorization": {"staff": "$(cat token)"},
    },
}


def commands(project: Project, samples: dict[str, Any]) -> dict[str, str]:
    """The command that fires each trigger, by its words' first."""
    (project.root / "samples").mkdir()
    for name, content in samples.items():
        (project.root / f"samples/{name}.json").write_text(json.dumps(content), encoding="utf-8")
    text = FUNCTION.replace("functions:\n", AUTHORIZER) + events_of(EVENTS)
    service = parse_service(project.compile(text).document)
    found = triggers(service, SETTINGS)
    return {" ".join(words.split()[:2]): command for _, words, command in found}


def test_a_project_has_its_own(project: Project) -> None:
    found = commands(project, SAMPLES)

    assert """--message-body '{"total": 5, "of": "André'"'"'s"}'""" in found["SQS orders"]
    assert """--data '{"page": "/"}'""" in found["Kinesis clicks"]
    assert """/order/17 -H""" in found["HTTP API"]
    assert """-d '{"total": 6}'""" in found["HTTP API"]
    assert '-H "Authorization: $(cat token)" ' in found["HTTP API"]
    assert """/order/17 -d '{"total": 6}'""" in found["REST API"]
    assert "s3://uploads/in/2026/mine.png" in found["S3 uploads/in/*.png"]
    assert r'"Detail": "{\"a\": \"b\"}"' in found["bus rule"]


def test_without_samples_there_is_something_to_send(project: Project) -> None:
    found = commands(project, {})

    assert "--message-body '{}'" in found["SQS orders"]
    assert "--data '{}'" in found["Kinesis clicks"]
    assert "/order/id -H" in found["HTTP API"]
    assert "-d '{}'" in found["HTTP API"]
    assert "-H 'X: …'" in found["HTTP API"]
    assert "s3://uploads/in/example.png" in found["S3 uploads/in/*.png"]
    assert r'"Detail": "{\"a\": \"example\"}"' in found["bus rule"]


@pytest.mark.parametrize("content", ["{", "\0", "[" * 100_000, '"\udce4"'])
def test_a_file_that_is_no_json_is_named(project: Project, content: str) -> None:
    (project.root / "samples").mkdir()
    file = project.root / "samples/orders.json"
    file.write_bytes(content.encode(errors="surrogateescape"))
    events = events_of("- sqs: {arn: 'arn:aws:sqs:us-east-1:000000000000:orders'}")
    service = parse_service(project.compile(FUNCTION + events).document)

    with pytest.raises(WrongUseError, match=r"samples/orders\.json is not a sample: "):
        triggers(service, SETTINGS)


@pytest.mark.parametrize("content", [[], "text", 3, {"parameters": []}, {"bodies": 3}])
def test_a_file_of_another_shape_says_nothing(project: Project, content: Any) -> None:
    found = commands(project, {"requests": content, "objects": content})

    assert "/order/id -H" in found["HTTP API"]


def test_each_sample_of_the_brand_platform_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMBDA_PYTHON_RUNTIME", "python3.13")
    service = parse_service(load_template(ROOT / "serverless.yml").document)
    sent = "\n".join(
        command for _, _, command in (*triggers(service, SETTINGS), *_of_resources(service))
    )

    samples = {file.stem for file in (ROOT / "samples").glob("*.json")} - {"requests", "objects"}
    assert len(samples) >= 8
    for name in samples:
        body = service.samples.body(name)
        assert body is not None
        assert body in sent or json.dumps(body) in sent, name
    for text in service.samples._all_requests["authorization"].values():
        assert text in sent
