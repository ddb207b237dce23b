"""Metrics of Lambda invocations are published together, and none is lost."""

from __future__ import annotations

import inspect
from typing import Any

from localstack.services.lambda_.invocation import metrics as localstack_metrics

from trigger_stack.cloudwatch.lambda_metrics import LambdaMetrics

ACCOUNT, REGION = "000000000000", "us-east-1"


class Recorded:
    """Stands for CloudWatch."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, list[dict[str, Any]]]] = []
        self.down = False

    def __call__(self, account: str, region: str, data: list[dict[str, Any]]) -> None:
        if self.down:
            raise ConnectionError("CloudWatch is down")
        self.sent.append((account, region, data))

    def counts(self) -> dict[tuple[str, str], float]:
        return {
            (entry["Dimensions"][0]["Value"], entry["MetricName"]): entry["Counts"][0]
            for _, _, data in self.sent
            for entry in data
        }


def test_invocations_of_one_second_are_one_request():
    cloudwatch = Recorded()
    metrics = LambdaMetrics(cloudwatch)
    for _ in range(5):
        metrics.invocation("get_brand", ACCOUNT, REGION)
    metrics.error("put_brand", ACCOUNT, REGION)

    metrics.flush()

    assert len(cloudwatch.sent) == 1
    assert cloudwatch.counts() == {
        ("get_brand", "Invocations"): 5,
        ("put_brand", "Invocations"): 1,
        ("put_brand", "Errors"): 1,
    }


def test_accounts_and_regions_are_kept_apart():
    cloudwatch = Recorded()
    metrics = LambdaMetrics(cloudwatch)
    metrics.invocation("f", ACCOUNT, REGION)
    metrics.invocation("f", ACCOUNT, "eu-west-1")
    metrics.flush()
    assert {(a, r) for a, r, _ in cloudwatch.sent} == {(ACCOUNT, REGION), (ACCOUNT, "eu-west-1")}


def test_what_could_not_be_published_is_published_later():
    cloudwatch = Recorded()
    metrics = LambdaMetrics(cloudwatch)
    metrics.invocation("f", ACCOUNT, REGION)
    cloudwatch.down = True
    metrics.flush()
    metrics.invocation("f", ACCOUNT, REGION)
    cloudwatch.down = False
    metrics.flush()
    assert cloudwatch.counts() == {("f", "Invocations"): 2}


def test_localstack_still_makes_one_request_an_invocation():
    source = inspect.getsource(localstack_metrics.record_cw_metric_invocation)
    assert "publish_lambda_metric" in source, "LocalStack batches by itself: drop the patch"
