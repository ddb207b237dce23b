"""Operations of the Lambda API in which LocalStack does something else than AWS."""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, archive

CODE = "def handler(event, context):\n    return 'first'\n"
OTHER = archive({"app.py": "def handler(event, context):\n    return 'second'\n"})


def digest(package: bytes) -> str:
    return b64encode(hashlib.sha256(package).digest()).decode()


def published(stack: Stack, count: int) -> str:
    """A function with so many versions."""
    client, name = stack.client("lambda"), stack.create(CODE)
    for number in range(1, count + 1):
        client.update_function_configuration(FunctionName=name, Description=f"{number}")
        stack.wait_ready(name)
        assert client.publish_version(FunctionName=name)["Version"] == f"{number}"
    return name


def test_a_dry_run_of_new_code_changes_nothing(stack: Stack) -> None:
    """GIVEN a function WHEN its code is updated in a dry run THEN the old code runs on."""
    client, name = stack.client("lambda"), stack.create(CODE)
    before = client.get_function_configuration(FunctionName=name)

    said = client.update_function_code(FunctionName=name, ZipFile=OTHER, DryRun=True, Publish=True)

    after = client.get_function_configuration(FunctionName=name)
    assert said["CodeSha256"] == digest(OTHER)
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert stack.invoke(name).value == "first"
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [one["Version"] for one in versions] == ["$LATEST"]


def test_a_dry_run_with_code_from_a_bucket(stack: Stack) -> None:
    client, name, s3 = stack.client("lambda"), stack.create(CODE), stack.client("s3")
    s3.create_bucket(Bucket=f"dry-{name}")
    s3.put_object(Bucket=f"dry-{name}", Key="app.zip", Body=OTHER)

    said = client.update_function_code(
        FunctionName=name, S3Bucket=f"dry-{name}", S3Key="app.zip", DryRun=True
    )

    assert said["CodeSha256"] == digest(OTHER)
    assert stack.invoke(name).value == "first"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ZipFile": b"no archive"}, "InvalidParameterValueException"),
        ({"ZipFile": OTHER, "RevisionId": "another"}, "PreconditionFailedException"),
        ({"S3Bucket": "no-such-bucket-here", "S3Key": "x"}, "InvalidParameterValueException"),
    ],
)
def test_a_dry_run_says_what_is_wrong(stack: Stack, given: dict[str, Any], code: str) -> None:
    name = stack.create(CODE)
    with pytest.raises(ClientError) as raised:
        stack.client("lambda").update_function_code(FunctionName=name, DryRun=True, **given)
    assert raised.value.response["Error"]["Code"] == code


def test_a_version_that_an_alias_stands_for_is_not_deleted(stack: Stack) -> None:
    client, name = stack.client("lambda"), published(stack, 3)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(
        FunctionName=name, Name="canary", FunctionVersion="3", RoutingConfig=routing
    )

    for version, alias in (("1", "live"), ("2", "canary"), ("3", "canary")):
        with pytest.raises(ClientError) as raised:
            client.delete_function(FunctionName=name, Qualifier=version)
        error = raised.value.response["Error"]
        assert error["Code"] == "ResourceConflictException"
        assert error["Message"] == (
            f"Unable to delete version because the following aliases reference it: [{alias}]"
        )
    assert stack.invoke(name, Qualifier="live").value == "first"

    client.delete_alias(FunctionName=name, Name="live")
    client.delete_function(FunctionName=name, Qualifier="1")
    left = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [one["Version"] for one in left] == ["$LATEST", "2", "3"]


def test_versions_come_in_pages(stack: Stack) -> None:
    name = published(stack, 3)
    pages = stack.client("lambda").get_paginator("list_versions_by_function")

    found = list(pages.paginate(FunctionName=name, PaginationConfig={"PageSize": 2}))

    versions = [[one["Version"] for one in page["Versions"]] for page in found]
    assert versions == [["$LATEST", "1"], ["2", "3"]]
    assert [type(page.get("NextMarker")) for page in found] == [str, type(None)]


def test_the_kind_of_a_url_is_for_the_permission_of_the_url_alone(stack: Stack) -> None:
    with pytest.raises(ClientError, match="only supported for lambda:InvokeFunctionUrl action"):
        stack.client("lambda").add_permission(
            FunctionName=stack.create(CODE),
            StatementId="everybody",
            Action="lambda:InvokeFunction",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )


def test_layers_are_listed_by_what_they_are_for(stack: Stack) -> None:
    """GIVEN a layer of which no version is left THEN the list of the others is there."""
    client, name = stack.client("lambda"), f"layer-{secrets.token_hex(6)}"
    content = {"ZipFile": archive({"python/one.py": ""})}

    def publish(layer: str, *runtimes: str) -> int:
        made = client.publish_layer_version(
            LayerName=layer, Content=content, CompatibleRuntimes=list(runtimes)
        )
        return int(made["Version"])

    def newest(runtime: str) -> list[int]:
        layers = client.list_layers(CompatibleRuntime=runtime)["Layers"]
        return [
            one["LatestMatchingVersion"]["Version"] for one in layers if one["LayerName"] == name
        ]

    gone = f"{name}-gone"
    client.delete_layer_version(LayerName=gone, VersionNumber=publish(gone, "python3.13"))
    for runtime in ("python3.13", "python3.13", "nodejs22.x"):
        publish(name, runtime)

    assert (newest("python3.13"), newest("nodejs22.x"), newest("java21")) == ([2], [3], [])
    of_python = client.list_layer_versions(LayerName=name, CompatibleRuntime="python3.13")
    assert [one["Version"] for one in of_python["LayerVersions"]] == [2, 1]
    pages = client.get_paginator("list_layers").paginate(PaginationConfig={"PageSize": 1})
    listed = [one["LayerName"] for page in pages for one in page["Layers"]]
    assert name in listed
    assert gone not in listed


def test_a_new_function_has_its_code_signing_configuration(stack: Stack) -> None:
    client = stack.client("lambda")
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/mine/0123456789"
    made = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [profile]}
    )
    arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]

    name = stack.create(CODE, CodeSigningConfigArn=arn)

    found = client.get_function_code_signing_config(FunctionName=name)
    assert found["CodeSigningConfigArn"] == arn
    missing = f"{arn.rpartition('-')[0]}-{'0' * 17}"
    with pytest.raises(ClientError) as raised:
        stack.create(CODE, CodeSigningConfigArn=missing)
    assert raised.value.response["Error"]["Code"] == "CodeSigningConfigNotFoundException"


def test_the_policy_of_a_layer_names_the_organization(stack: Stack) -> None:
    client, arn = stack.client("lambda"), stack.layer({"python/one.py": ""})
    place = {"LayerName": arn.split(":")[6], "VersionNumber": 1}
    grant = {**place, "Action": "lambda:GetLayerVersion", "Principal": "*"}

    said = client.add_layer_version_permission(
        **grant, StatementId="ours", OrganizationId="o-a1b2c3d4e5"
    )
    client.add_layer_version_permission(**grant, StatementId="everybody")

    policy = json.loads(client.get_layer_version_policy(**place)["Policy"])
    found = {one["Sid"]: one.get("Condition") for one in policy["Statement"]}
    expected = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    assert found == {"ours": expected, "everybody": None}
    assert json.loads(said["Statement"])["Condition"] == expected
