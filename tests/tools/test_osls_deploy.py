"""``osls deploy`` (Serverless Framework): every trigger fires; ``osls remove`` leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.lambda_stack import ROOT, Stack
from tests.tools.shop import Shop, install

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("osls-deploy")]
OSLS = ("node", ROOT / ".build/osls/node_modules/osls/bin/serverless.js")


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    install("osls/install.sh")
    shop = Shop(stack, "osls", tmp_path_factory.mktemp("tools"))
    shop.run(*OSLS, "deploy", SLS_AWS_MONITORING_FREQUENCY="1000")
    shop.deployed(f"{shop.name}-test")
    shop.outputs |= {
        "HttpUrl": shop.outputs["HttpApiUrl"],
        "RestUrl": shop.outputs["ServiceEndpoint"],
        "FunctionUrl": shop.outputs["HelloLambdaFunctionUrl"],
        "Bucket": f"{shop.name}-uploads",
        "Bus": f"{shop.name}-bus",
        "Topic": f"arn:aws:sns:us-east-1:000000000000:{shop.name}-news",
        "Hourly": f"{shop.name}-hourly",
        "Daily": f"{shop.name}-daily",
    }
    return shop


def test_the_front_doors_that_osls_deployed_answer(shop: Shop) -> None:
    assert shop.answers() == ["hello from osls"] * 3


def test_every_trigger_that_osls_deployed_fires(shop: Shop) -> None:
    for mark in shop.fire().values():
        shop.stack.messages(shop.outputs["Hello"], until=mark)


def test_osls_deploys_a_change_and_removes_all(shop: Shop) -> None:
    handler = shop.folder / "app.py"
    handler.write_text(handler.read_text().replace("hello", "changed"))
    shop.run(*OSLS, "deploy", SLS_AWS_MONITORING_FREQUENCY="1000")
    assert shop.answers() == ["changed from osls"] * 3

    bucket = shop.outputs["Bucket"]
    shop.stack.client("s3").delete_object(Bucket=bucket, Key="in/picture")
    shop.run(*OSLS, "remove", SLS_AWS_MONITORING_FREQUENCY="1000")

    assert shop.gone(f"{shop.name}-test")
