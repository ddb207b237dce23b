"""Which mappings are a function's, and that LocalStack still lists those of others."""

from __future__ import annotations

import inspect

import pytest
from localstack.services.lambda_.provider import LambdaProvider

from trigger_stack.localstack.lambda_engine.event_sources import is_of

ARN = "arn:aws:lambda:us-east-1:000000000000:function:order"


def test_localstack_still_looks_for_a_part_of_the_arn() -> None:
    """When this fails, LocalStack compares names."""
    source = inspect.getsource(LambdaProvider.list_event_source_mappings)

    assert 'function_name in e["FunctionArn"]' in source


def test_localstack_still_checks_the_function_of_a_mapping_that_is_disabled() -> None:
    """When this fails, LocalStack disables a mapping whose function is gone."""
    source = inspect.getsource(LambdaProvider.update_event_source_mapping_v2)

    assert source.index("self.validate_event_source_mapping(") < source.index('get("Enabled")')


@pytest.mark.parametrize(
    ("named", "it_is"),
    [
        ("order", True),
        (ARN, True),
        ("000000000000:function:order", True),
        ("order:live", False),
        ("orders", False),
        ("ord", False),
        ("function", False),
        (ARN.replace("us-east-1", "eu-west-1"), False),
        ("", False),
    ],
)
def test_a_mapping_is_of_its_function(named: str, it_is: bool) -> None:
    assert is_of(ARN, named) is it_is


def test_a_mapping_to_an_alias_is_of_its_function_and_of_its_alias() -> None:
    assert is_of(f"{ARN}:live", "order")
    assert is_of(f"{ARN}:live", "order:live")
    assert not is_of(f"{ARN}:live", "order:other")
