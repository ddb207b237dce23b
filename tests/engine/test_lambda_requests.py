"""What Lambda refuses of a request: through a running stack, as AWS words it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import PYTHON, ROLE, Stack, archive

CODE = "def handler(event, context):\n    return event\n"


def refusal(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    """Code and message of an answer that refuses."""
    with pytest.raises(ClientError) as raised:
        call(*arguments, **named)
    error = raised.value.response["Error"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def creation(**changed: Any) -> dict[str, Any]:
    """The request that makes a function, with what is changed; None: leave it out."""
    request = {
        "FunctionName": f"fn-{secrets.token_hex(6)}",
        "Runtime": PYTHON,
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": archive({"app.py": CODE})},
        **changed,
    }
    return {name: value for name, value in request.items() if value is not None}


@pytest.fixture(scope="module")
def function(stack: Stack) -> str:
    return stack.create(CODE)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"InvocationType": "Bogus"},
            "1 validation error detected: Value 'Bogus' at 'invocationType' failed to satisfy"
            " constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
        ),
        (
            {"LogType": "All"},
            "1 validation error detected: Value 'All' at 'logType' failed to satisfy constraint:"
            " Member must satisfy enum value set: [None, Tail]",
        ),
    ],
)
def test_an_invocation_of_an_unknown_kind_is_refused(
    stack: Stack, function: str, named: dict[str, str], message: str
) -> None:
    invoke = stack.client("lambda").invoke
    assert refusal(invoke, FunctionName=function, **named) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"Timeout": 0},
            "Value '0' at 'timeout' {} Member must have value greater than or equal to 1",
        ),
        (
            {"Timeout": 901},
            "Value '901' at 'timeout' {} Member must have value less than or equal to 900",
        ),
        (
            {"MemorySize": 127},
            "Value '127' at 'memorySize' {} Member must have value greater than or equal to 128",
        ),
        (
            {"EphemeralStorage": {"Size": 10241}},
            "Value '10241' at 'ephemeralStorage.size' {} Member must have value less than or equal"
            " to 10240",
        ),
        (
            {"Handler": "a b"},
            "Value 'a b' at 'handler' {} Member must satisfy regular expression pattern: [^\\s]+",
        ),
        (
            {"Environment": {"Variables": {"A-B": "x"}}},
            "Value at 'environment.variables' {} Map keys must satisfy constraint: [Member must"
            " satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        ),
        (
            {"TracingConfig": {"Mode": "On"}},
            "Value 'On' at 'tracingConfig.mode' {} Member must satisfy enum value set: [Active,"
            " PassThrough]",
        ),
        ({"Role": None}, "Value null at 'role' {} Member must not be null"),
        ({"FunctionName": None}, "Value null at 'functionName' {} Member must not be null"),
    ],
)
def test_a_member_out_of_its_range_is_refused(
    stack: Stack, changed: dict[str, Any], message: str
) -> None:
    expected = message.format("failed to satisfy constraint:")
    assert refusal(stack.client("lambda").create_function, **creation(**changed)) == (
        "ValidationException",
        f"1 validation error detected: {expected}",
    )


def test_all_findings_are_in_one_answer(stack: Stack) -> None:
    code, message = refusal(
        stack.client("lambda").create_function, **creation(Timeout=0, MemorySize=1)
    )
    assert code == "ValidationException"
    assert message.startswith("2 validation errors detected: ")
    assert "'timeout'" in message
    assert "'memorySize'" in message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"MemorySize": 10241},
            "'MemorySize' value failed to satisfy constraint: Member must have value less than or"
            " equal to 10240",
        ),
        (
            {"Handler": None},
            "Runtime and Handler are mandatory parameters for functions created with deployment"
            " packages.",
        ),
        ({"Code": {}}, "Please provide a source for function code."),
        (
            {"LoggingConfig": {"ApplicationLogLevel": "DEBUG"}},
            'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your'
            ' request or change the LogFormat to "JSON" and try again.',
        ),
    ],
)
def test_a_function_against_lambdas_own_rules_is_refused(
    stack: Stack, changed: dict[str, Any], message: str
) -> None:
    assert refusal(stack.client("lambda").create_function, **creation(**changed)) == (
        "InvalidParameterValueException",
        message,
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:000000000000:function:other",
        "arn:aws:sqs:us-east-1:000000000000:letters.fifo",
        "arn:aws:sns:us-east-1:000000000000:letters.fifo",
    ],
)
def test_dead_letters_go_to_a_standard_queue_or_topic_alone(
    stack: Stack, function: str, arn: str
) -> None:
    """GIVEN a target that never takes a letter THEN no function has it, so none is lost."""
    client, letters = stack.client("lambda"), {"TargetArn": arn}
    code, message = refusal(client.create_function, **creation(DeadLetterConfig=letters))
    assert code == "InvalidParameterValueException"
    assert arn in message
    update = client.update_function_configuration
    assert refusal(update, FunctionName=function, DeadLetterConfig=letters)[1] == message


def test_what_the_stack_cannot_do_is_refused_by_its_name(stack: Stack, function: str) -> None:
    client = stack.client("lambda")
    image = {"ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:latest"}
    made = creation(PackageType="Image", Code=image, Runtime=None, Handler=None)
    code, message = refusal(client.create_function, **made)
    assert code == "InvalidParameterValueException"
    assert "PackageType Image is not supported" in message
    assert refusal(client.update_function_code, FunctionName=function, **image)[1] == message
    point = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
    mounted = [{"Arn": point, "LocalMountPath": "/mnt/data"}]
    _, message = refusal(client.create_function, **creation(FileSystemConfigs=mounted))
    assert "FileSystemConfigs is not supported" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DurableConfig", {"ExecutionTimeout": 60}),
        ("TenancyConfig", {"TenantIsolationMode": "PER_TENANT"}),
    ],
)
def test_a_function_of_a_kind_that_the_stack_lacks_is_refused(
    stack: Stack, name: str, value: dict[str, Any]
) -> None:
    code, message = refusal(stack.client("lambda").create_function, **creation(**{name: value}))
    assert code == "InvalidParameterValueException"
    assert message.startswith(f"{name} is not supported by this stack")


def test_an_invocation_for_a_tenant_is_refused(stack: Stack, function: str) -> None:
    code, message = refusal(stack.client("lambda").invoke, FunctionName=function, TenantId="one")
    assert code == "InvalidParameterValueException"
    assert message.startswith("TenantId is not supported")


def test_an_update_without_code_is_refused(stack: Stack, function: str) -> None:
    assert refusal(stack.client("lambda").update_function_code, FunctionName=function) == (
        "InvalidParameterValueException",
        "Please provide a source for function code.",
    )


def test_the_name_of_a_layer_is_checked(stack: Stack) -> None:
    code, message = refusal(
        stack.client("lambda").publish_layer_version,
        LayerName="a b",
        Content={"ZipFile": archive({"one.py": ""})},
    )
    assert code == "ValidationException"
    assert "at 'layerName' failed to satisfy constraint" in message
