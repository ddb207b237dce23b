"""A service that is not part of the stack is refused by name."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize(
    ("service", "operation", "missing"),
    [
        ("firehose", "list_delivery_streams", "its Python package amazon_kclpy is not installed"),
        ("stepfunctions", "list_state_machines", "its Python package antlr4 is not installed"),
        ("rds", "describe_db_instances", "neither LocalStack's open release"),
    ],
)
def test_a_service_that_is_no_part_of_the_stack(aws, service, operation, missing):
    with pytest.raises(ClientError) as caught:
        getattr(aws(service), operation)()

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    error = caught.value.response["Error"]
    assert error["Code"] == "InternalFailure"
    assert f"The service {service} is not part of this stack" in error["Message"]
    assert missing in error["Message"]
