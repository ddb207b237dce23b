"""`make clock`: tokens, codes and JWT authorizers go by the clock of the stack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack, engine, kill, start_stack
from tests.support.waiting import eventually

# One emulator, and not one in each worker that has a test of these.
pytestmark = pytest.mark.xdist_group("clock of tokens")

PASSWORD = "Correct-Horse-1"
SERVICES = "apigateway,apigatewayv2,cloudwatch,cognito-idp,iam,lambda,logs,ses,sqs,sts"
FUNCTION = "def handler(event, context): return {'statusCode': 200, 'body': 'in'}"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An emulator of the module's own: its clock is moved."""
    folder: Path = tmp_path_factory.mktemp("clock") / "stack"
    folder.mkdir()
    stack = start_stack(folder, SERVICES=SERVICES)
    yield stack
    stack.stop()


@pytest.fixture(autouse=True)
def real(own: Stack) -> Iterator[None]:
    yield
    move(own, "real")


def move(stack: Stack, to: timedelta | str) -> None:
    url = f"http://127.0.0.1:{stack.port}/_trigger_stack/clock"
    if isinstance(to, timedelta):
        to = (datetime.fromisoformat(requests.get(url, timeout=60).json()["now"]) + to).isoformat()
    assert requests.post(url, json={"at": to}, timeout=60).status_code == 200


class Members:
    """A user pool with one member, and an API that lets members in."""

    def __init__(self, stack: Stack) -> None:
        self.api = stack.client("cognito-idp")
        self.pool = self.api.create_user_pool(PoolName="members", AutoVerifiedAttributes=["email"])[
            "UserPool"
        ]["Id"]
        self.client = self.api.create_user_pool_client(
            UserPoolId=self.pool,
            ClientName="web",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )["UserPoolClient"]["ClientId"]
        own = {"UserPoolId": self.pool, "Username": "ann"}
        self.api.admin_create_user(**own, MessageAction="SUPPRESS")
        self.api.admin_set_user_password(**own, Password=PASSWORD, Permanent=True)
        self.url = f"http://127.0.0.1:{stack.port}/_aws/execute-api/{self._api(stack)}/in"

    def _api(self, stack: Stack) -> str:
        functions, name = stack.client("lambda"), stack.create(FUNCTION)
        arn = functions.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
        functions.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        apis = stack.client("apigatewayv2")
        api: str = apis.create_api(Name="members", ProtocolType="HTTP")["ApiId"]
        issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{self.pool}"
        authorizer = apis.create_authorizer(
            ApiId=api,
            Name="members",
            AuthorizerType="JWT",
            IdentitySource=["$request.header.Authorization"],
            JwtConfiguration={"Audience": [self.client], "Issuer": issuer},
        )["AuthorizerId"]
        integration = apis.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn,
            PayloadFormatVersion="2.0",
        )["IntegrationId"]
        apis.create_route(
            ApiId=api,
            RouteKey="GET /in",
            Target=f"integrations/{integration}",
            AuthorizationType="JWT",
            AuthorizerId=authorizer,
        )
        apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        return api

    def auth(self, flow: str, **parameters: str) -> dict[str, str]:
        found: dict[str, str] = self.api.initiate_auth(
            AuthFlow=flow, ClientId=self.client, AuthParameters=parameters
        )["AuthenticationResult"]
        return found

    def sign_in(self) -> dict[str, str]:
        return self.auth("USER_PASSWORD_AUTH", USERNAME="ann", PASSWORD=PASSWORD)

    def answer(self, token: str) -> requests.Response:
        return requests.get(self.url, headers={"Authorization": token}, timeout=60)


@pytest.fixture(scope="module")
def members(own: Stack) -> Members:
    return Members(own)


def read(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_token_expires_when_the_clock_passes_it(own: Stack, members: Members) -> None:
    tokens = members.sign_in()
    assert members.answer(tokens["IdToken"]).text == "in"

    move(own, timedelta(minutes=61))

    refused = members.answer(tokens["IdToken"])
    assert refused.status_code == 401
    assert "the token has expired" in refused.headers["www-authenticate"]
    with pytest.raises(ClientError, match="Access Token has expired"):
        members.api.get_user(AccessToken=tokens["AccessToken"])

    again = members.auth("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=tokens["RefreshToken"])
    assert read(again["IdToken"])["iat"] >= read(tokens["IdToken"])["iat"] + 3660
    assert members.answer(again["IdToken"]).text == "in"
    assert members.api.get_user(AccessToken=again["AccessToken"])["Username"] == "ann"

    move(own, "real")
    early = members.answer(again["IdToken"])
    assert early.status_code == 401
    assert "not yet valid" in early.headers["www-authenticate"]
    assert members.answer(tokens["IdToken"]).text == "in"


def test_a_new_engine_knows_the_clock(own: Stack, members: Members) -> None:
    tokens = members.sign_in()
    move(own, timedelta(hours=2))

    kill(engine(own))

    def refused() -> bool:
        assert members.answer(tokens["IdToken"]).status_code == 401
        return True

    eventually(refused)


def test_a_code_and_a_lock_end_by_the_clock(own: Stack, members: Members) -> None:
    api, client = members.api, members.client
    email = [{"Name": "email", "Value": "bob@example.com"}]
    api.sign_up(ClientId=client, Username="bob", Password=PASSWORD, UserAttributes=email)
    confirm = {"ClientId": client, "Username": "bob", "ConfirmationCode": "no-one"}
    with pytest.raises(ClientError, match="CodeMismatchException"):
        api.confirm_sign_up(**confirm)
    move(own, timedelta(hours=25))
    with pytest.raises(ClientError, match="ExpiredCodeException"):
        api.confirm_sign_up(**confirm)

    for _ in range(6):
        with pytest.raises(ClientError, match="NotAuthorizedException"):
            members.auth("USER_PASSWORD_AUTH", USERNAME="ann", PASSWORD="wrong")
    with pytest.raises(ClientError, match="Password attempts exceeded"):
        members.sign_in()
    move(own, timedelta(minutes=16))
    assert members.sign_in()["IdToken"]
