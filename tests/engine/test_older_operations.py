"""Operations of the Lambda API that LocalStack lacks, and code that AWS refuses."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, archive
from tests.engine.test_asynchronous import Journal
from tests.engine.test_lambda_requests import creation, refusal

CODE = "def handler(event, context):\n    return event\n"
FAIL = "def handler(event, context):\n    raise ValueError(event)\n"
RUNTIME = "arn:aws:lambda:us-east-1::runtime:" + "0" * 64


# -- InvokeAsync -------------------------------------------------------------------------------


def test_an_older_asynchronous_invocation_is_in_the_journal(stack: Stack) -> None:
    name = stack.create("def handler(event, context):\n    print('got', event['id'])\n")
    event = {"id": secrets.token_hex(8)}

    answer = stack.client("lambda").invoke_async(FunctionName=name, InvokeArgs=json.dumps(event))

    assert answer["Status"] == answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    stack.messages(name, until=f"got {event['id']}")
    Journal(stack).wait_for(answer["ResponseMetadata"]["RequestId"], "done")


def test_an_older_asynchronous_invocation_is_retried_and_its_failure_kept(stack: Stack) -> None:
    queue = stack.client("sqs").create_queue(QueueName=f"dlq-{secrets.token_hex(4)}")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:000000000000:{queue.rpartition('/')[2]}"
    name = stack.create(FAIL, DeadLetterConfig={"TargetArn": arn})
    stack.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=1
    )
    event = {"id": secrets.token_hex(8)}

    answer = stack.client("lambda").invoke_async(FunctionName=name, InvokeArgs=json.dumps(event))

    identifier = answer["ResponseMetadata"]["RequestId"]
    journal = Journal(stack)
    journal.wait_for(identifier, "dead-letter")
    assert journal.outcomes(identifier) == ["function error"] * 2
    (message,) = stack.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"]) == event


def test_an_older_asynchronous_invocation_of_what_is_no_json_is_refused(stack: Stack) -> None:
    client, name = stack.client("lambda"), stack.create(CODE)

    found = refusal(client.invoke_async, FunctionName=name, InvokeArgs="{")

    assert found[0] == "InvalidRequestContentException"
    with pytest.raises(ClientError) as raised:
        client.invoke_async(FunctionName=f"fn-{secrets.token_hex(6)}", InvokeArgs="{}")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


# -- runtime management ------------------------------------------------------------------------


def managed(client: Any, name: str, **more: Any) -> dict[str, Any]:
    answer = client.get_runtime_management_config(FunctionName=name, **more)
    return {key: answer.get(key) for key in ("UpdateRuntimeOn", "RuntimeVersionArn", "FunctionArn")}


def test_the_management_of_a_runtime_is_kept_for_each_version(stack: Stack) -> None:
    client, name = stack.client("lambda"), stack.create(CODE)
    client.publish_version(FunctionName=name)
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    auto = {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": None}
    manual = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": RUNTIME}
    assert managed(client, name) == {**auto, "FunctionArn": arn}

    put = client.put_runtime_management_config(FunctionName=name, Qualifier="1", **manual)

    assert {key: put[key] for key in manual} == manual
    assert put["FunctionArn"] == f"{arn}:1"
    assert managed(client, name, Qualifier="1") == {**manual, "FunctionArn": f"{arn}:1"}
    assert managed(client, name) == {**auto, "FunctionArn": arn}
    client.put_runtime_management_config(
        FunctionName=name, Qualifier="1", UpdateRuntimeOn="FunctionUpdate"
    )
    found = managed(client, name, Qualifier="1")
    assert (found["UpdateRuntimeOn"], found["RuntimeVersionArn"]) == ("FunctionUpdate", None)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"UpdateRuntimeOn": "Manual"}, "InvalidParameterValueException"),
        ({"UpdateRuntimeOn": "Never"}, "ValidationException"),
        ({"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "python3.13"}, "ValidationException"),
        ({}, "ValidationException"),
    ],
)
def test_a_management_of_a_runtime_that_is_none_is_refused(
    stack: Stack, given: dict[str, Any], code: str
) -> None:
    client, name = stack.client("lambda"), stack.create(CODE)

    assert refusal(client.put_runtime_management_config, FunctionName=name, **given)[0] == code
    with pytest.raises(ClientError) as raised:
        client.get_runtime_management_config(FunctionName=name, Qualifier="7")
    assert raised.value.response["Error"]["Code"] == "ResourceNotFoundException"


# -- code --------------------------------------------------------------------------------------


def test_a_bucket_without_an_object_is_refused(stack: Stack) -> None:
    client, name = stack.client("lambda"), stack.create(CODE)
    code = {"S3Bucket": "packages"}
    expected = (
        "InvalidParameterValueException",
        "S3Bucket needs S3Key: the name of the object in the bucket that is the deployment"
        " package.",
    )

    assert refusal(client.create_function, **creation(Code=code)) == expected
    assert refusal(client.update_function_code, FunctionName=name, **code) == expected
    layer = f"layer-{secrets.token_hex(4)}"
    assert refusal(client.publish_layer_version, LayerName=layer, Content=code) == expected


def test_a_layer_without_content_is_refused(stack: Stack) -> None:
    client, layer = stack.client("lambda"), f"layer-{secrets.token_hex(4)}"

    found = refusal(client.publish_layer_version, LayerName=layer, Content={})

    assert found[0] == "InvalidParameterValueException"
    assert "ZipFile" in found[1]
    assert refusal(client.publish_layer_version, LayerName=layer)[0] == "ValidationException"


def test_code_is_refused_where_signatures_are_enforced(stack: Stack) -> None:
    client = stack.client("lambda")
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/0123456789"
    publishers = {"AllowedPublishers": {"SigningProfileVersionArns": [profile]}}
    enforce, warn = (
        client.create_code_signing_config(
            **publishers, CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy}
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        for policy in ("Enforce", "Warn")
    )
    name = stack.create(CODE, CodeSigningConfigArn=warn)
    new = creation(CodeSigningConfigArn=enforce)

    code, text = refusal(client.create_function, **new)

    assert code == "CodeVerificationFailedException"
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{new['FunctionName']}"
    assert text.endswith(f"Check the provided signature for {arn}.")
    with pytest.raises(ClientError):
        client.get_function(FunctionName=new["FunctionName"])
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=enforce)
    package = archive({"app.py": CODE})
    found = refusal(client.update_function_code, FunctionName=name, ZipFile=package)
    assert found[0] == "CodeVerificationFailedException"
    assert stack.invoke(name, {"still": "there"}).value == {"still": "there"}
    client.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=warn)
    client.update_function_code(FunctionName=name, ZipFile=package)
