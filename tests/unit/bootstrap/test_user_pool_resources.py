"""Resources of Cognito: made once, left alone when they are as described, changed when not.

The AWS behind it is moto's, in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from bootstrap.services import RESOURCE_TYPES
from bootstrap.services.base import Context, Outcome, ReplacementError
from bootstrap.settings import Settings
from bootstrap.template import Physical

CREATED, CHANGED, UNCHANGED = Outcome.CREATED, Outcome.CHANGED, Outcome.UNCHANGED
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
POOL = "AWS::Cognito::UserPool"
CLIENT = "AWS::Cognito::UserPoolClient"
GROUP = "AWS::Cognito::UserPoolGroup"
USER = "AWS::Cognito::UserPoolUser"
MEMBER = "AWS::Cognito::UserPoolUserToGroupAttachment"
EXISTING = "Custom::CognitoUserPool"


class InMoto(Context):
    def client(self, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(name, region_name="us-east-1", **keys)


@pytest.fixture
def context() -> Iterator[Context]:
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield InMoto(Settings(4566, 8080, "us-east-1"), "shop")


def ensure(context: Context, kind: str, **properties: Any) -> tuple[Outcome, Physical]:
    assert RESOURCE_TYPES[kind].problem(properties) is None
    return RESOURCE_TYPES[kind].ensure(context, "Thing", properties)


def described(context: Context, pool: str) -> dict[str, Any]:
    found: dict[str, Any] = context.client("cognito-idp").describe_user_pool(UserPoolId=pool)
    return dict(found["UserPool"])


def test_a_pool(context: Context) -> None:
    wanted: dict[str, Any] = {
        "UserPoolName": "people",
        "AutoVerifiedAttributes": ["email"],
        "LambdaConfig": {"PreSignUp": f"{ARN}one"},
        "Policies": {"PasswordPolicy": {"MinimumLength": 12}},
        "Schema": [{"Name": "tier", "AttributeDataType": "String", "Mutable": True}],
    }

    outcome, pool = ensure(context, POOL, **wanted)

    assert outcome is CREATED
    assert pool.attributes["ProviderName"].endswith(f"/{pool.ref}")
    assert ensure(context, POOL, **wanted) == (UNCHANGED, pool)
    changed = wanted | {"LambdaConfig": {"PostConfirmation": f"{ARN}two"}}
    assert ensure(context, POOL, **changed)[0] is CHANGED
    after = described(context, pool.ref)
    assert after["LambdaConfig"] == {"PostConfirmation": f"{ARN}two"}
    assert after["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    more = [*wanted["Schema"], {"Name": "size", "AttributeDataType": "Number"}]
    assert ensure(context, POOL, **(changed | {"Schema": more}))[0] is CHANGED
    names = {one["Name"] for one in described(context, pool.ref)["SchemaAttributes"]}
    assert {"custom:tier", "custom:size"} <= names


def test_what_cannot_be_changed_of_a_pool(context: Context) -> None:
    ensure(context, POOL, UserPoolName="people", UsernameAttributes=["email"])

    with pytest.raises(ReplacementError, match="UsernameAttributes"):
        ensure(context, POOL, UserPoolName="people", UsernameAttributes=["phone_number"])


def test_a_pool_that_is_no_longer_described_loses_its_triggers(context: Context) -> None:
    _, pool = ensure(
        context,
        POOL,
        UserPoolName="people",
        AutoVerifiedAttributes=["email"],
        LambdaConfig={"PreSignUp": f"{ARN}one"},
    )
    remove, exists = RESOURCE_TYPES[POOL].remove, RESOURCE_TYPES[POOL].exists
    assert remove is not None
    assert exists is not None

    assert remove(context, {"Ref": pool.ref})
    assert not remove(context, {"Ref": pool.ref})
    assert described(context, pool.ref)["AutoVerifiedAttributes"] == ["email"]
    assert exists(context, {"Ref": pool.ref})


def test_triggers_of_a_pool_that_was_there(context: Context) -> None:
    iam, functions = context.client("iam"), context.client("lambda")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions.create_function(
        FunctionName="greet", Runtime="python3.12", Role=role, Handler="a.b", Code={"ZipFile": b"x"}
    )
    _, pool = ensure(
        context,
        POOL,
        UserPoolName="people",
        AutoVerifiedAttributes=["email"],
        LambdaConfig={"PostConfirmation": f"{ARN}other"},
    )
    wanted = {
        "FunctionName": "greet",
        "UserPoolName": "people",
        "UserPoolConfigs": [{"Trigger": "PreSignUp"}],
    }

    outcome, physical = ensure(context, EXISTING, **wanted)

    assert outcome is CHANGED
    config = {"PostConfirmation": f"{ARN}other", "PreSignUp": f"{ARN}greet"}
    after = described(context, pool.ref)
    assert after["LambdaConfig"] == config
    assert after["AutoVerifiedAttributes"] == ["email"]
    assert "cognito-idp.amazonaws.com" in functions.get_policy(FunctionName="greet")["Policy"]
    assert ensure(context, EXISTING, **wanted)[0] is UNCHANGED
    described_config = {"LambdaConfig": {"PostConfirmation": f"{ARN}other"}}
    same = {"UserPoolName": "people", "AutoVerifiedAttributes": ["email"]}
    assert ensure(context, POOL, **same, **described_config)[0] is UNCHANGED
    assert ensure(context, POOL, **same)[0] is CHANGED  # the file has no trigger any longer
    assert described(context, pool.ref)["LambdaConfig"] == {"PreSignUp": f"{ARN}greet"}
    assert ensure(context, POOL, **same, **described_config)[0] is CHANGED
    moved = wanted | {
        "UserPoolConfigs": [{"Trigger": "PreTokenGeneration", "LambdaVersion": "V2_0"}]
    }
    assert ensure(context, EXISTING, **moved)[0] is CHANGED
    assert "PreSignUp" not in described(context, pool.ref)["LambdaConfig"]
    kind = RESOURCE_TYPES[EXISTING]
    (key,) = kind.keys("Thing", wanted, physical)
    assert kind.remove is not None
    assert kind.remove(context, key)
    assert described(context, pool.ref)["LambdaConfig"] == {"PostConfirmation": f"{ARN}other"}


def test_a_pool_that_is_not_there_is_named(context: Context) -> None:
    with pytest.raises(RuntimeError, match="no user pool “people”"):
        ensure(
            context,
            EXISTING,
            FunctionName="greet",
            UserPoolName="people",
            UserPoolConfigs=[{"Trigger": "PreSignUp"}],
        )


def test_a_client(context: Context) -> None:
    _, pool = ensure(context, POOL, UserPoolName="people")
    wanted = {
        "UserPoolId": pool.ref,
        "ClientName": "web",
        "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH"],
    }

    outcome, client = ensure(context, CLIENT, **wanted)

    assert outcome is CREATED
    assert client.attributes["ClientId"] == client.ref
    assert ensure(context, CLIENT, **wanted) == (UNCHANGED, client)
    assert ensure(context, CLIENT, **wanted, AuthSessionValidity=5) == (CHANGED, client)
    with pytest.raises(ReplacementError, match="GenerateSecret"):
        ensure(context, CLIENT, **wanted, GenerateSecret=True)


def test_a_group_and_a_member(context: Context) -> None:
    _, pool = ensure(context, POOL, UserPoolName="people", UsernameAttributes=["email"])
    place = {"UserPoolId": pool.ref}
    group = {**place, "GroupName": "admins", "Description": "all"}
    email = {"Name": "email", "Value": "ann@example.com"}
    user = {**place, "Username": "ann@example.com", "UserAttributes": [email]}

    assert ensure(context, GROUP, **group)[0] is CREATED
    assert ensure(context, GROUP, **group)[0] is UNCHANGED
    assert ensure(context, GROUP, **(group | {"Description": "some"}))[0] is CHANGED
    outcome, made = ensure(context, USER, **user)
    assert outcome is CREATED
    assert ensure(context, USER, **user) == (UNCHANGED, made)
    member = {**place, "GroupName": "admins", "Username": made.ref}
    assert ensure(context, MEMBER, **member)[0] is CREATED
    assert ensure(context, MEMBER, **member)[0] is UNCHANGED
    remove = RESOURCE_TYPES[MEMBER].remove
    assert remove is not None
    assert remove(context, member)
    assert not remove(context, member)
