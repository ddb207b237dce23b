"""The keys of an assumed role count with their session token alone, as on AWS."""

from __future__ import annotations

import secrets

import pytest
import requests
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.engine.lambda_stack import ROLE, Stack
from tests.engine.rest_apis import ECHO

REASON = {"message": "The security token included in the request is invalid."}


@pytest.fixture(scope="module")
def url(stack: Stack) -> str:
    """A function URL that asks for signatures."""
    name = stack.create(ECHO)
    client = stack.client("lambda")
    made = client.create_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    return str(made["FunctionUrl"])


@pytest.fixture(scope="module")
def keys(stack: Stack) -> Credentials:
    """The keys of a role that was assumed."""
    stack.role(ROLE)
    session = secrets.token_hex(6)
    assumed = stack.client("sts").assume_role(RoleArn=ROLE, RoleSessionName=session)["Credentials"]
    return Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])


def signed(url: str, keys: Credentials, *, presigned: bool = False) -> requests.Response:
    request = AWSRequest("GET", url)
    (SigV4QueryAuth if presigned else SigV4Auth)(keys, "lambda", "us-east-1").add_auth(request)
    sent = request.prepare()
    return requests.get(sent.url, headers=dict(sent.headers.items()), timeout=30)


@pytest.mark.parametrize("presigned", [False, True], ids=["header", "query"])
def test_the_keys_of_a_role_count_with_their_token(
    url: str, keys: Credentials, presigned: bool
) -> None:
    answer = signed(url, keys, presigned=presigned)

    assert answer.status_code == 200, answer.text
    iam = answer.json()["requestContext"]["authorizer"]["iam"]
    assert ":assumed-role/test/" in iam["userArn"]


@pytest.mark.parametrize("token", [None, "another"])
@pytest.mark.parametrize("presigned", [False, True], ids=["header", "query"])
def test_without_their_token_or_with_another_they_do_not(
    url: str, keys: Credentials, token: str | None, presigned: bool
) -> None:
    other = Credentials(keys.access_key, keys.secret_key, token)

    answer = signed(url, other, presigned=presigned)

    assert (answer.status_code, answer.json()) == (403, REASON)
    assert answer.headers["x-amzn-errortype"] == "UnrecognizedClientException"
