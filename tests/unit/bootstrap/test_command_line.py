"""``python -m bootstrap check`` as users run it: exit codes, and sentences without tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import FUNCTION, PROVIDER, Project

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GATEWAY_"))}
    return subprocess.run(
        [sys.executable, "-m", "bootstrap", *arguments],
        cwd=cwd,
        env=inherited | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


QUEUE = PROVIDER + "resources:\n  Resources:\n    Q:\n      Type: {}\n      Properties: {}\n"
CASES = {
    "malformed": (
        "service: [shop\nprovider: x\n",
        "serverless.yml:2:9: error TS001 is not valid YAML: expected ',' or ']'",
    ),
    "not a mapping": (
        "- a\n",
        "serverless.yml: error TS001 must be a mapping with the keys",
    ),
    "unknown event type": (
        FUNCTION + "    events:\n      - kafka: {topic: x}\n",
        "serverless.yml:10:9: error TS001 functions.greet: the event type “kafka” is not",
    ),
    "bad bucket name": (
        FUNCTION + "    events:\n      - s3: My_Bucket\n",
        "serverless.yml:10:9: error TS001 the bucket name “My_Bucket” may have lower-case letters",
    ),
    "wrong runtime": (
        FUNCTION.replace("python3.13", "python2.8"),
        "serverless.yml:5:3: error TS001 provider.runtime: “python2.8” is not a Lambda runtime.",
    ),
    "markup in a name": (
        PROVIDER + "'[red]x[/blue]': 1\n",
        "serverless.yml:6:1: error TS001 [red]x[/blue]: is not supported here.",
    ),
}


#: What a file that can be read says wrong: findings, with the line and the column.
FINDINGS = {
    "unknown resource type": (
        QUEUE.format("AWS::Thing::Other", "{}"),
        "serverless.yml:9:7: error TS003 Q (AWS::Thing::Other): the resource type is not supported",
    ),
    "unknown property": (
        QUEUE.format("AWS::SQS::Queue", "{QueueName: q, Colour: red}"),
        "serverless.yml:10:34: error TS003 Q (AWS::SQS::Queue): the property Colour is not",
    ),
    "missing handler": (
        FUNCTION.replace("app.handler", "app.run"),
        "serverless.yml:8:5: error TS002 functions.greet: app.py has no function “run”",
    ),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_findings_end_with_1_and_stand_at_their_place(project: Project, case: str) -> None:
    text, sentence = FINDINGS[case]
    project.write(text)

    done = run("check", cwd=project.root)

    assert (done.returncode, done.stderr) == (1, ""), done
    assert done.stdout.startswith(sentence), done.stdout


@pytest.mark.parametrize("case", CASES)
def test_wrong_input_ends_with_2_and_stands_at_its_place(project: Project, case: str) -> None:
    text, sentence = CASES[case]
    project.write(text)

    done = run("check", cwd=project.root)

    assert (done.returncode, done.stderr) == (2, ""), done
    assert done.stdout.startswith(sentence), done.stdout
    assert done.stdout.endswith("serverless.yml: 1 error\n")


def test_a_good_file_ends_with_0(project: Project) -> None:
    project.write(FUNCTION + "    events:\n      - httpApi: GET /\n")

    done = run("check", "--file", "serverless.yml", cwd=project.root)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("serverless.yml: fine, ")


def test_other_endings(project: Project) -> None:
    project.write(FUNCTION)
    free = "1"  # nothing of ours listens on the lowest port
    commands = {
        "a file that is not there": ("check", "--file", "other.yml"),
        "a command that is not there": ("chek",),
        "a format that is not there": ("check", "--format", "xml"),
        "no stack": ("up",),
        "a wrong port": ("status",),
    }
    environment = {
        "no stack": {"GATEWAY_PORT": free},
        "a wrong port": {"GATEWAY_PORT": "http"},
    }
    with ThreadPoolExecutor(4) as pool:
        done = {
            name: pool.submit(run, *command, cwd=project.root, **environment.get(name, {}))
            for name, command in commands.items()
        }
    endings = {name: future.result() for name, future in done.items()}

    assert {name: ending.returncode for name, ending in endings.items()} == {
        "a file that is not there": 2,
        "a command that is not there": 2,
        "a format that is not there": 2,
        "no stack": 1,
        "a wrong port": 2,
    }, endings
    assert "error other.yml: not found in" in endings["a file that is not there"].stderr
    assert "Nothing answers at http://localhost:1." in endings["no stack"].stderr
    assert "GATEWAY_PORT=http: must be a port number" in endings["a wrong port"].stderr
    assert all("Traceback" not in ending.stderr for ending in endings.values())


@pytest.mark.parametrize(
    "command", [["dlq"], ["redrive", "some-dlq"], ["fire-schedule", "hourly"]], ids=lambda c: c[0]
)
def test_without_a_running_stack_a_command_says_how_to_start_it(
    tmp_path: Path, command: list[str]
) -> None:
    done = run(*command, cwd=tmp_path, GATEWAY_PORT="4998")

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error Nothing answers at http://localhost:4998. Start the stack with: make up"
    ]
