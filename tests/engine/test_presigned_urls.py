"""Presigned URLs: a signature in the query string counts for one request and for its time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
import requests
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.engine.front_doors import (
    FUNCTION_URL,
    HTTP_API,
    LOAD_BALANCER,
    REST_API,
    Door,
    open_door,
)
from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import ECHO

KINDS = [HTTP_API, REST_API, FUNCTION_URL]
PATH = "/a%2Fb?x=1&y=%20z"


def protected(stack: Stack, kind: str) -> Door:
    """A door that asks for signatures."""
    door = open_door(stack, kind, ECHO)
    if kind == HTTP_API:
        client = stack.client("apigatewayv2")
        (route,) = client.get_routes(ApiId=door.resource)["Items"]
        client.update_route(
            ApiId=door.resource, RouteId=route["RouteId"], AuthorizationType="AWS_IAM"
        )
    elif kind == REST_API:
        client = stack.client("apigateway")
        for resource in client.get_resources(restApiId=door.resource)["items"]:
            client.update_method(
                restApiId=door.resource,
                resourceId=resource["id"],
                httpMethod="ANY",
                patchOperations=[
                    {"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"}
                ],
            )
        client.create_deployment(restApiId=door.resource, stageName="live")
    else:
        stack.client("lambda").update_function_url_config(
            FunctionName=door.function, AuthType="AWS_IAM"
        )
    return door


@pytest.fixture(scope="module")
def doors(stack: Stack) -> dict[str, Door]:
    assert LOAD_BALANCER not in KINDS, "it knows no signatures"
    with ThreadPoolExecutor(len(KINDS)) as pool:
        made = pool.map(lambda kind: protected(stack, kind), KINDS)
        return dict(zip(KINDS, made, strict=True))


@pytest.fixture(params=KINDS)
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    return doors[request.param]


def presign(
    door: Door,
    path: str = PATH,
    *,
    method: str = "GET",
    secret: str = "test",
    token: str | None = None,
    region: str = "us-east-1",
    service: str | None = None,
    expires: object = 60,
    ago: float = 0,
    headers: dict[str, str] | None = None,
) -> str:
    """A URL that botocore has signed ``ago`` seconds ago."""
    name = service or ("lambda" if door.kind == FUNCTION_URL else "execute-api")
    request = AWSRequest(method, door.url + path, headers=headers or {})
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    auth = SigV4QueryAuth(Credentials("test", secret, token), name, region, expires)
    with mock.patch(
        "botocore.auth.get_current_datetime",
        lambda remove_tzinfo=True: moment.replace(tzinfo=None if remove_tzinfo else UTC),
    ):
        auth.add_auth(request)
    return str(request.url)


def ask(url: str, method: str = "GET", **options: object) -> requests.Response:
    return requests.request(method, url, timeout=60, **options)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("token", [None, "a/token+="])
def test_a_presigned_url_is_answered_and_its_signer_named(door: Door, token: str | None) -> None:
    answer = ask(presign(door, token=token))

    assert answer.status_code == 200, answer.text
    event = answer.json()
    context = event["requestContext"]
    identity = context["identity"] if door.kind == REST_API else context["authorizer"]["iam"]
    assert (identity["accessKey"], identity["accountId"]) == ("test", "000000000000")
    assert event["queryStringParameters"]["x"] == "1"
    assert event["queryStringParameters"]["y"] == " z"


@pytest.mark.parametrize(("expires", "ago"), [(1000, 900), (604_800, 604_000), (60, -200)])
def test_it_counts_for_its_time(door: Door, expires: int, ago: float) -> None:
    assert ask(presign(door, expires=expires, ago=ago)).status_code == 200


@pytest.mark.parametrize(
    ("expires", "ago"),
    [(60, 61), (1, 3), (60, -600), (604_801, 0), (0, 0), (-1, 0), ("a", 0), ("", 0), ("1e3", 0)],
)
def test_and_for_no_other_time(door: Door, expires: object, ago: float) -> None:
    refused(door, ask(presign(door, expires=expires, ago=ago)))


def refused(door: Door, answer: requests.Response) -> None:
    assert answer.status_code == 403, answer.text
    ((name, text),) = answer.json().items()
    # A function URL says with a capital letter that there is no signature at all.
    assert name == "message" or (door.kind == FUNCTION_URL and name == "Message"), answer.text
    assert text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/a%2Fb", "/a/b"),
        ("x=1", "x=2"),
        ("x=1", "x=1&x=1"),
        ("x=1&", ""),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=60"),
        ("X-Amz-Expires=60", "x=x"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1"),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders="),
        ("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=x-a"),
        ("X-Amz-Credential=test", "X-Amz-Credential=other"),
        ("X-Amz-Date=2", "X-Amz-Date=3"),
        ("X-Amz-Date=2", "X=2"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Signature=", "x-amz-signature="),
        ("X-Amz-Signature=", "X-Amz-Signature=&X-Amz-Signature="),
    ],
)
def test_what_was_changed_is_forbidden(door: Door, old: str, new: str) -> None:
    url = presign(door)
    assert old in url

    refused(door, ask(url.replace(old, new, 1)))


def test_it_counts_for_its_method_and_body_only(door: Door) -> None:
    url = presign(door)

    refused(door, ask(url, "POST"))
    refused(door, ask(url, data=b"a body"))
    assert ask(presign(door, method="POST"), "POST").status_code == 200


@pytest.mark.parametrize(
    "more", [{"secret": "other"}, {"region": "eu-west-1"}, {"service": "s3"}], ids=str
)
def test_what_is_signed_otherwise_is_forbidden(door: Door, more: dict[str, str]) -> None:
    refused(door, ask(presign(door, **more)))  # type: ignore[arg-type]  # all are texts


def test_signed_headers_must_be_there(door: Door) -> None:
    url = presign(door, headers={"X-Kind": "a"})

    refused(door, ask(url))
    refused(door, ask(url, headers={"X-Kind": "b"}))
    assert ask(url, headers={"X-Kind": "a"}).status_code == 200


def test_there_is_one_signature(door: Door) -> None:
    refused(door, ask(presign(door), headers={"Authorization": "AWS4-HMAC-SHA256 x"}))
