"""A shop that a tool deployed to the stack: its triggers are fired, and what came is looked for."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import PYTHON, ROOT, Stack

HERE = Path(__file__).parent
TOOLS = ROOT / ".build/tools"
#: Of one command of a tool, on a busy machine.
COMMAND_SECONDS = 600


def install(script: str, *tools: str) -> None:
    """Install tools, unless they are there; a test whose tool cannot be installed fails."""
    command = ["sh", str(ROOT / "tests" / script), *tools]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{done.stdout}{done.stderr}", pytrace=False)


class Shop:
    """A copy of a tool's files, and the CloudFormation stack that the tool makes of them.

    Attributes:
        name: Random; of everything whose name the files choose.
        folder: Of the copy.
        outputs: Of the CloudFormation stack, once ``deployed`` was called.
    """

    def __init__(self, stack: Stack, files: str, folder: Path) -> None:
        self.stack = stack
        self.name = f"shop-{secrets.token_hex(4)}"
        self.folder = folder / files
        self.outputs: dict[str, str] = {}
        shutil.copytree(HERE / files, self.folder)

    def environment(self, **more: str) -> dict[str, str]:
        """As ``docs/tools.md`` says, and nothing of this machine's."""
        url = f"http://127.0.0.1:{self.stack.port}"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "CI": "1",
            "SHOP": self.name,
            "SHOP_RUNTIME": PYTHON,
            **more,
        }

    def run(self, *command: str | Path, **environment: str) -> None:
        """Run a tool's command in the folder.

        Raises:
            AssertionError: It failed; with its output and the end of the emulator's log.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        log = self.stack.log[-3000:]
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\nThe emulator's log:\n{log}"

    def deployed(self, name: str = "") -> None:
        """Read the outputs of the CloudFormation stack."""
        (made,) = self._stacks(name or self.name)
        assert made["StackStatus"].endswith("_COMPLETE"), made
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}

    def gone(self, name: str = "") -> bool:
        """Whether there is no such CloudFormation stack."""
        try:
            return not self._stacks(name or self.name)
        except ClientError as error:
            assert "does not exist" in str(error), error
            return True

    def _stacks(self, name: str) -> list[dict[str, Any]]:
        found = self.stack.client("cloudformation").describe_stacks(StackName=name)
        return list(found["Stacks"])

    # -- triggers ---------------------------------------------------------------

    def answers(self) -> list[str]:
        """What the HTTP API, the REST API and the function URL say."""
        urls = (
            f"{self.outputs['HttpUrl']}/http",
            f"{self.outputs['RestUrl'].rstrip('/')}/rest",
            self.outputs["FunctionUrl"],
        )
        return [requests.get(url, timeout=30).text for url in urls]

    def fire(self) -> dict[str, str]:
        """Fire all that is no HTTP request; what the function must have printed of each trigger."""
        client, outputs = self.stack.client, self.outputs
        client("sqs").send_message(QueueUrl=outputs["Queue"], MessageBody="a message")
        client("sns").publish(TopicArn=outputs["Topic"], Message="a notification")
        self.upload("in/picture")
        client("events").put_events(
            Entries=[
                {
                    "EventBusName": outputs["Bus"],
                    "Source": "shop",
                    "DetailType": "an event of a bus",
                    "Detail": "{}",
                }
            ]
        )
        client("dynamodb").put_item(TableName=outputs["Table"], Item={"id": {"S": "an item"}})
        data = b"a record"
        client("kinesis").put_record(StreamName=outputs["Stream"], PartitionKey="a", Data=data)
        logs, group = client("logs"), outputs["LogGroup"]
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        line = {"timestamp": int(time.time() * 1000), "message": "ERROR by hand"}
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[line])
        self.fire_route("events/rules", outputs["Hourly"])
        self.fire_route("scheduler/schedules/default", outputs["Daily"])
        return {
            "SQS": "a message",
            "SNS": "a notification",
            "S3": "in/picture",
            "EventBridge bus": "an event of a bus",
            "DynamoDB stream": "an item",
            "Kinesis": base64.b64encode(data).decode(),
            "CloudWatch Logs": '"awslogs"',
            "schedule": "a rule with a schedule",
            "EventBridge Scheduler": '"EventBridge Scheduler"',
        }

    def upload(self, key: str) -> None:
        """Put an object into the bucket."""
        self.stack.client("s3").put_object(Bucket=self.outputs["Bucket"], Key=key, Body=b"x")

    def fire_route(self, kind: str, name: str) -> None:
        """Have a rule or a schedule fire now."""
        url = f"http://127.0.0.1:{self.stack.port}/_trigger_stack/{kind}/{name}/fire"
        answer = requests.post(url, timeout=30)
        assert answer.ok, answer.text
