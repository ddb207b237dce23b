"""``make up APP=…`` in containers: a project outside this folder, on a stack of its own.

The stack is started from a copy of this repository, under a project name and on ports of its own,
beside the one that the other tests of containers look at. Needs that one, for its engine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from bootstrap.init.write import run as write_project
from tests.docker.test_containers import container_id, docker
from tests.support.ports import free_block, free_port
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
UP_SECONDS = 600  # the image is built anew where the builder's cache is gone


class Project:
    """A project that ``make init`` wrote, and a copy of this repository to start it from."""

    def __init__(self, folder: Path) -> None:
        self.name = f"shop-{uuid.uuid4().hex[:8]}"
        self.folder = folder / self.name
        self.stack = folder / "stack"
        first = free_block()
        self.gateway, self.http = free_port(), free_port()
        self.settings = {
            "COMPOSE_PROJECT_NAME": self.name,
            "GATEWAY_PORT": str(self.gateway),
            "HTTP_API_PORT": str(self.http),
            "SMTP_PORT": str(free_port()),
            "LOAD_BALANCER_PORTS": f"{first}-{first + 2}",
            "CLOUDFRONT_PORTS": f"{first + 3}-{first + 5}",
            "RUNTIME": "docker",
            "APP": str(self.folder),
        }
        # What git knows: neither what was built here nor this stack's state.
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in names.splitlines():
            if (ROOT / name).exists():
                (self.stack / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.stack / name, follow_symlinks=False)

    def make(self, *arguments: str, most_seconds: float = 120) -> str:
        """Run make in the copy; its output."""
        done = subprocess.run(
            ["make", *arguments],
            cwd=self.stack,
            env=os.environ | self.settings,
            capture_output=True,
            text=True,
            timeout=most_seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, service: str) -> Any:
        """A boto3 client of its stack."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.gateway}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project, live."""
    if not container_id():
        pytest.skip("the stack does not run with RUNTIME=docker")
    made = Project(tmp_path_factory.mktemp("other-project"))
    write_project(str(made.folder), "http,sqs")
    try:
        made.make("up", most_seconds=UP_SECONDS)
        yield made
    finally:
        made.make("down")
        docker("image", "rm", "--force", f"{made.name}-localstack")
    left = docker("ps", "--all", "--quiet", "--filter", f"name={made.name}")
    assert left == ""


def test_its_http_api_answers(project: Project) -> None:
    answer = requests.get(
        f"http://127.0.0.1:{project.http}/hello", params={"name": "you"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"greeting": "Hello, you."}


def test_its_queue_fires_its_function(project: Project) -> None:
    text = uuid.uuid4().hex
    sqs = project.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{project.name}-local-orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(text))

    def received() -> bool:
        group = f"/aws/lambda/{project.name}-local-sqs"
        events = project.client("logs").filter_log_events(logGroupName=group)["events"]
        messages = [event["message"] for event in events]
        assert any(f"received {text}" in message for message in messages), messages
        return True

    assert eventually(received)


def test_its_files_are_code_that_counts(project: Project) -> None:
    handler = project.folder / "handlers/http.py"
    handler.write_text(handler.read_text().replace("Hello,", "Good day,"))
    project.make("up", most_seconds=UP_SECONDS)
    answer = requests.get(f"http://127.0.0.1:{project.http}/hello", timeout=60)
    assert answer.json() == {"greeting": "Good day, world."}


def test_its_folder_is_not_written_to(project: Project) -> None:
    files = {str(path.relative_to(project.folder)) for path in project.folder.rglob("*")}
    assert {name for name in files if "__pycache__" not in name} == {
        "README.md",
        "handlers",
        "handlers/http.py",
        "handlers/sqs.py",
        "serverless.yml",
    }
