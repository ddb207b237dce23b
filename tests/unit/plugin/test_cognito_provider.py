"""User pools over moto's control plane, and what moto would do without that."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import jwt
import pytest
from localstack.aws.api import CommonServiceException
from localstack.aws.forwarder import create_aws_request_context
from localstack.aws.spec import load_service
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID

from trigger_stack.localstack.cognito import provider
from trigger_stack.services.cognito.triggers import Reply

PASSWORD = "Correct-Horse-1"
ARN = f"arn:aws:lambda:us-east-1:{DEFAULT_ACCOUNT_ID}:function:f"


class UserPools:
    """The plugin's service, called as LocalStack's gateway calls it."""

    def __init__(self) -> None:
        self.table = provider.create_service().skeleton.dispatch_table

    def __call__(self, operation: str, **parameters: Any) -> dict[str, Any]:
        model = load_service("cognito-idp")
        context = create_aws_request_context(
            service_name="cognito-idp",
            action=operation,
            protocol=model.protocol,
            parameters=parameters,
            region="us-east-1",
        )
        context.account_id = DEFAULT_ACCOUNT_ID
        context.partition = "aws"
        answer: dict[str, Any] = self.table[operation](context, parameters)
        return answer or {}


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pools whose functions were called; each function returns its event."""
    seen: list[str] = []

    class Functions:
        def invoke(self, arn: str, event: bytes, recorded: bytes, pool: str, limit: float) -> Reply:
            seen.append(pool)
            return Reply(False, event)

    monkeypatch.setattr(provider, "LocalFunctions", Functions)
    return seen


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was mailed."""
    bodies: list[str] = []

    class Post:
        def mail(self, pool: Any, address: str, subject: str, body: str) -> None:
            bodies.append(body)

    monkeypatch.setattr(provider, "LocalPost", Post)
    return bodies


@pytest.fixture
def pools(called: list[str], posted: list[str]) -> UserPools:
    return UserPools()


@pytest.fixture
def pool(pools: UserPools) -> Iterator[dict[str, Any]]:
    made = pools(
        "CreateUserPool",
        PoolName=f"test-{uuid.uuid4().hex[:8]}",
        AutoVerifiedAttributes=["email"],
        LambdaConfig={"PreSignUp": ARN},
    )["UserPool"]
    yield made
    pools("DeleteUserPool", UserPoolId=made["Id"])


@pytest.fixture
def client(pools: UserPools, pool: dict[str, Any]) -> str:
    made = pools(
        "CreateUserPoolClient",
        UserPoolId=pool["Id"],
        ClientName="web",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"],
    )
    return str(made["UserPoolClient"]["ClientId"])


def test_users_of_the_data_plane_are_in_the_control_plane(
    pools: UserPools, pool: dict[str, Any], client: str, called: list[str], posted: list[str]
) -> None:
    email = [{"Name": "email", "Value": "ann@example.com"}]
    pools("SignUp", ClientId=client, Username="ann", Password=PASSWORD, UserAttributes=email)

    assert called == [pool["Arn"]]
    (user,) = pools("ListUsers", UserPoolId=pool["Id"])["Users"]
    assert user["UserStatus"] == "UNCONFIRMED"
    code = "".join(c for c in posted[0] if c.isdigit())
    pools("ConfirmSignUp", ClientId=client, Username="ann", ConfirmationCode=code)
    got = pools("AdminGetUser", UserPoolId=pool["Id"], Username="ann")
    assert got["UserStatus"] == "CONFIRMED"
    pools("CreateGroup", UserPoolId=pool["Id"], GroupName="admins")
    named = {"UserPoolId": pool["Id"], "Username": "ann"}
    pools("AdminAddUserToGroup", **named, GroupName="admins")
    answer = pools(
        "InitiateAuth",
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": PASSWORD},
    )
    token = answer["AuthenticationResult"]["IdToken"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["cognito:groups"] == ["admins"]
    pools("AdminDisableUser", **named)
    with pytest.raises(CommonServiceException, match="User is disabled"):
        pools("GetUser", AccessToken=answer["AuthenticationResult"]["AccessToken"])


def test_every_pool_signs_with_a_key_of_its_own(pools: UserPools) -> None:
    names = [f"test-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    made = [pools("CreateUserPool", PoolName=name)["UserPool"]["Id"] for name in names]
    tokens = provider.UserPools(
        provider.MotoDirectory(), provider.LocalFunctions(), provider.LocalPost(), lambda: 0.0
    ).core.tokens

    first, second = (tokens.jwks(one)["keys"][0]["n"] for one in made)

    assert first != second
    for one in made:
        pools("DeleteUserPool", UserPoolId=one)


def test_what_is_not_part_of_the_stack_is_refused(pools: UserPools, pool: dict[str, Any]) -> None:
    for operation, parameters in (
        ("CreateUserPool", {"PoolName": "x", "MfaConfiguration": "ON"}),
        ("SetUserPoolMfaConfig", {"UserPoolId": pool["Id"], "MfaConfiguration": "OPTIONAL"}),
        ("AdminSetUserMFAPreference", {"UserPoolId": pool["Id"], "Username": "ann"}),
    ):
        with pytest.raises(CommonServiceException) as caught:
            pools(operation, **parameters)
        assert caught.value.code == "UnsupportedFeature"


@pytest.mark.parametrize(
    "changed",
    [
        {"Username": None},
        {"Username": ["ann"]},
        {"Username": ""},
        {"Password": 12345678},
        {"UserAttributes": [{}]},
        {"ClientMetadata": {"a": ["b"]}},
        {"Password": "\ud800"},
    ],
)
def test_a_request_of_another_shape_is_refused(
    pools: UserPools, client: str, changed: dict[str, Any]
) -> None:
    request = {"ClientId": client, "Username": "ann", "Password": PASSWORD} | changed

    with pytest.raises(CommonServiceException) as caught:
        pools("SignUp", **request)

    assert caught.value.code == "InvalidParameterException"


# -- what moto would do -----------------------------------------------------------------------


@pytest.fixture
def moto() -> Iterator[Callable[..., Any]]:
    with mock_aws():
        yield boto3.client("cognito-idp", region_name="us-east-1")


def test_moto_still_calls_no_trigger_and_takes_every_code(moto: Any) -> None:
    """When this fails, see whether moto's sign-up will do."""
    config = {"PreSignUp": ARN.replace(":f", ":not-there")}
    pool = moto.create_user_pool(PoolName="p", LambdaConfig=config)["UserPool"]["Id"]
    client = moto.create_user_pool_client(UserPoolId=pool, ClientName="c")["UserPoolClient"]
    named = {"ClientId": client["ClientId"], "Username": "ann"}

    moto.sign_up(**named, Password=PASSWORD)
    moto.confirm_sign_up(**named, ConfirmationCode="not a code")


def test_moto_still_signs_every_pools_tokens_with_one_published_key(moto: Any) -> None:
    """When this fails, see whether moto's tokens will do."""
    from moto.cognitoidp.models import cognitoidp_backends

    for name in ("p", "q"):
        moto.create_user_pool(PoolName=name)
    backend = cognitoidp_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]

    one, other = (pool.json_web_key.as_dict() for pool in backend.user_pools.values())
    assert one["n"] == other["n"]
