"""Versions of functions in stacks of CloudFormation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.delivery.stacks import Stacks
from tests.engine.lambda_stack import Stack

CODE = "def handler(event, context):\n    return 1\n"


def version(function: str) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": function}}


def test_a_second_version_of_unchanged_code_fails_as_on_aws(stack: Stack) -> None:
    """As AWS has it: nothing is made, and the version that there is stays."""
    stacks, client = Stacks(stack), stack.client("lambda")
    function = stack.create(CODE)
    first = {"First": version(function)}
    given = stacks.deploy(first, Version={"Fn::GetAtt": ["First", "Version"]})
    assert given == {"Version": "1"}

    with pytest.raises(AssertionError) as failed:
        stacks.deploy({**first, "Second": version(function)})
    assert "A version for this Lambda function exists ( 1 )." in str(failed.value)
    listed = client.list_versions_by_function(FunctionName=function)["Versions"]
    assert [one["Version"] for one in listed] == ["$LATEST", "1"]

    client.update_function_configuration(FunctionName=function, MemorySize=256)
    client.get_waiter("function_updated_v2").wait(FunctionName=function)
    third = {**first, "Third": version(function)}
    given = stacks.deploy(third, Version={"Fn::GetAtt": ["Third", "Version"]})
    assert given == {"Version": "2"}
