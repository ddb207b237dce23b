"""The AWS CDK: ``cdk deploy`` makes an app whose triggers fire; ``cdk destroy`` leaves nothing."""

from __future__ import annotations

import json

import pytest

from tests.engine.lambda_stack import Stack
from tests.support.waiting import eventually
from tests.tools.shop import TOOLS, Shop, install

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("cdk")]
CDK = TOOLS / "cdk/node_modules/.bin/cdk"
QUIET = ("--no-notices", "--no-version-reporting", "--progress", "events")


def cdk(shop: Shop, *arguments: str, prefix: str = "in/") -> None:
    """Without the CDK's own check of the template, which takes longer than all the rest."""
    quick = {"CDK_VALIDATION": "false", "CDK_DISABLE_CLI_TELEMETRY": "1"}
    shop.run(CDK, *arguments, *QUIET, SHOP_PREFIX=prefix, **quick)


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    install("tools/install.sh", "cdk")
    shop = Shop(stack, "cdk", tmp_path_factory.mktemp("tools"))
    (shop.folder / "node_modules").symlink_to(TOOLS / "cdk/node_modules")
    cdk(shop, "bootstrap", "aws://000000000000/us-east-1")
    cdk(shop, "deploy", "--require-approval", "never")
    shop.deployed()
    return shop


def test_the_front_doors_of_an_app_of_the_cdk_answer(shop: Shop) -> None:
    assert shop.answers() == ["hello from the cdk"] * 3


def test_every_trigger_of_an_app_of_the_cdk_fires(shop: Shop) -> None:
    marks = shop.fire()
    shop.stack.client("sqs").send_message(QueueUrl=shop.outputs["Fed"], MessageBody="by a pipe")
    marks["pipe"] = "by a pipe"
    for mark in marks.values():
        shop.stack.messages(shop.outputs["Hello"], until=mark)


def test_a_rule_writes_to_a_log_group_whose_policy_a_custom_resource_makes(shop: Shop) -> None:
    client, group = shop.stack.client, shop.outputs["Kept"]
    entry = {"Source": "shop", "DetailType": "kept", "Detail": "{}"}
    sent = client("events").put_events(Entries=[entry | {"EventBusName": shop.outputs["Bus"]}])
    assert sent["FailedEntryCount"] == 0

    def stored() -> bool:
        found = client("logs").filter_log_events(logGroupName=group)["events"]
        return any(json.loads(one["message"])["detail-type"] == "kept" for one in found)

    eventually(stored)


def test_a_function_in_javascript_sends_to_the_url_that_its_queue_has(shop: Shop) -> None:
    reply = shop.stack.invoke(shop.outputs["Send"], {"body": "from JavaScript"})
    assert reply.error is None, reply.text
    shop.stack.messages(shop.outputs["Hello"], until="from JavaScript")


def test_the_cdk_deploys_a_change_and_destroys_all(shop: Shop) -> None:
    """The custom resource of the bucket's notifications is changed, and the bucket emptied."""
    cdk(shop, "deploy", "--require-approval", "never", prefix="new/")
    shop.upload("in/ignored")
    shop.upload("new/picture")
    texts = shop.stack.messages(shop.outputs["Hello"], until="new/picture")
    assert not any("in/ignored" in text for text in texts)

    cdk(shop, "destroy", "--force", "--app", "cdk.out")

    assert shop.gone()
    assert shop.stack.client("logs").describe_resource_policies()["resourcePolicies"] == []
