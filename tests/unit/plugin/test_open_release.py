"""Services that the open release of LocalStack lacks and the plugin has."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import distribution

import pytest

from trigger_stack.localstack.unsupported_services import LEFT_OUT

GROUP = "localstack.aws.provider"


def providers(name: str) -> set[str]:
    """The services that a distribution has providers for."""
    return {
        entry_point.name.partition(":")[0]
        for entry_point in distribution(name).entry_points
        if entry_point.group == GROUP
    }


@pytest.mark.parametrize("service", ["apigatewayv2", "cloudfront", "elbv2", "rekognition"])
def test_the_open_release_still_lacks(service: str) -> None:
    """When this fails, see what the service of the plugin still adds."""
    assert service in providers("trigger-stack-localstack")
    assert "lambda" in providers("localstack-core"), "LocalStack keeps its providers elsewhere"
    assert service not in providers("localstack-core")


@pytest.mark.parametrize(
    ("service", "module"),
    [
        ("firehose", "localstack.services.firehose.provider"),
        ("stepfunctions", "localstack.services.stepfunctions.provider"),
    ],
)
def test_localstack_still_needs_other_packages(service: str, module: str) -> None:
    """When this fails, the service can be offered: remove it from ``LEFT_OUT``."""
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(module)
    assert caught.value.name == LEFT_OUT[service]


def test_localstack_still_forwards_no_change_of_a_table() -> None:
    """When this fails, see whether the operation can be offered: remove it from ``_NOT_DONE``."""
    provider = importlib.import_module("localstack.services.dynamodb.v2.provider")
    assert "streaming_destinations" in inspect.getsource(provider)
    assert "put_record" not in inspect.getsource(provider)
