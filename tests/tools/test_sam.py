"""The AWS SAM CLI deploys a template: its triggers fire, and failures land where it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.lambda_stack import PYTHON, Stack
from tests.support.waiting import eventually
from tests.tools.shop import TOOLS, Shop, install

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("sam")]
SAM = TOOLS / "sam/bin/sam"


def deploy(shop: Shop, **parameters: str) -> None:
    parameters = {"BucketName": f"{shop.name}-uploads", "Runtime": PYTHON, **parameters}
    shop.run(
        *(SAM, "deploy", "--stack-name", shop.name, "--resolve-s3", "--no-progressbar"),
        *("--capabilities", "CAPABILITY_IAM", "--parameter-overrides"),
        *(f"{name}={value}" for name, value in parameters.items()),
        SAM_CLI_POLL_DELAY="1",
        SAM_CLI_TELEMETRY="0",
    )
    shop.deployed()


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    install("tools/install.sh", "sam")
    shop = Shop(stack, "sam", tmp_path_factory.mktemp("tools"))
    deploy(shop)
    shop.outputs |= {"Hourly": f"{shop.name}-hourly", "Daily": f"{shop.name}-daily"}
    yield shop
    bucket = f"{shop.name}-uploads"
    for one in stack.client("s3").list_objects_v2(Bucket=bucket).get("Contents", []):
        stack.client("s3").delete_object(Bucket=bucket, Key=one["Key"])
    stack.client("cloudformation").delete_stack(StackName=shop.name)
    eventually(shop.gone)


def test_the_front_doors_of_a_sam_template_answer(shop: Shop) -> None:
    assert shop.answers() == ["hello from a layer"] * 3


def test_every_trigger_of_a_sam_template_fires(shop: Shop) -> None:
    marks = shop.fire()
    shop.stack.client("cognito-idp").sign_up(
        ClientId=shop.outputs["Client"], Username="ada", Password="Correct-horse-1"
    )
    marks["Cognito"] = "PreSignUp_SignUp"
    for mark in marks.values():
        shop.stack.messages(shop.outputs["Work"], until=mark)


@pytest.mark.parametrize("function", ["ToQueue", "ToDestination"])
def test_a_failure_lands_where_the_sam_template_says(shop: Shop, function: str) -> None:
    name = shop.outputs[function]
    shop.stack.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=f'{{"to": "{function}"}}'
    )

    def landed() -> bool:
        sqs, url = shop.stack.client("sqs"), shop.outputs["Failed"]
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        assert found
        (message,) = found
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return function in message["Body"]

    eventually(landed)


def test_a_second_deploy_changes_what_fires(shop: Shop) -> None:
    """A new version is behind the alias; whatever changes with its function stays in its place."""
    source = shop.folder / "src/app.py"
    source.write_text(source.read_text().replace("GOT", "NOW"))
    layer = shop.folder / "layer/python/shared.py"
    layer.write_text(layer.read_text().replace("hello", "changed"))
    deploy(shop, Prefix="new/", MaxAge="600")

    assert shop.answers() == ["changed from a layer"] * 3
    shop.upload("in/ignored")
    shop.upload("new/picture")
    shop.stack.messages(shop.outputs["Work"], until="new/picture")
    texts = shop.stack.messages(shop.outputs["Work"], until="NOW")
    assert not any("in/ignored" in text for text in texts)
    config = shop.stack.client("lambda").get_function_event_invoke_config(
        FunctionName=shop.outputs["ToDestination"]
    )
    assert config["MaximumEventAgeInSeconds"] == 600
    assert config["DestinationConfig"]["OnFailure"]["Destination"]
