"""API keys from a file, what is left of a quota, authorizers that are tried, and refusals."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import ECHO, Api, invocation_uri, make_api
from tests.support.refusals import refused

AUTHORIZER = """
def handler(event, context):
    token = event.get("authorizationToken") or (event.get("headers") or {}).get("X-Token")
    if token == "broken":
        raise ValueError("broken")
    if token == "nobody":
        raise Exception("Unauthorized")
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if token == "ok" else "Deny",
        "Resource": event["methodArn"],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "me", "policyDocument": document}
"""


def limited(stack: Stack, limit: int) -> tuple[Api, str]:
    """An API that asks for keys, and a plan that counts them."""
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function, apiKeyRequired=True)
    api.let_call(function)
    api.deploy()
    plan = api.client.create_usage_plan(
        name=secrets.token_hex(4),
        apiStages=[{"apiId": api.api_id, "stage": "live"}],
        quota={"limit": limit, "period": "DAY"},
    )["id"]
    return api, plan


def test_keys_of_a_file_may_call(stack: Stack) -> None:
    api, plan = limited(stack, 5)
    values = [secrets.token_hex(20) for _ in range(3)]
    lines = [
        "Name,key,description,Enabled,usageplanIds,Other",
        f"First,{values[0]},of a file,TRUE,{plan},x",
        f"Second,{values[1]},,false,'{plan}',x",
        f"Third,{values[2]},,,,x",
        "Short,abc,,,,",
    ]

    answer = api.client.import_api_keys(body="\n".join(lines).encode(), format="csv")

    assert len(answer["ids"]) == 3
    assert len(answer["warnings"]) == 1 and "'Short'" in answer["warnings"][0]
    keys = [api.client.get_api_key(apiKey=one, includeValue=True) for one in answer["ids"]]
    shown = [(key["name"], key["value"], key["enabled"]) for key in keys]
    names = ("First", "Second", "Third")
    assert shown == list(zip(names, values, (True, False, True), strict=True))
    assert keys[0]["description"] == "of a file"
    calls = [api.call("GET", "/", headers={"X-Api-Key": value}).status_code for value in values]
    assert calls == [200, 403, 403]


def test_a_key_that_is_imported_again_is_replaced(stack: Stack) -> None:
    client, value = stack.client("apigateway"), secrets.token_hex(20)
    file = f"name,key\nOld,{value}\n"
    (first,) = client.import_api_keys(body=file.encode(), format="csv")["ids"]

    (second,) = client.import_api_keys(body=file.replace("Old", "New").encode(), format="csv")[
        "ids"
    ]

    assert first == second
    assert client.get_api_key(apiKey=first)["name"] == "New"


def test_a_file_that_is_none_is_refused(stack: Stack) -> None:
    call = stack.client("apigateway").import_api_keys
    warned = b"name,key\nShort,abc\n"

    assert refused(call, body=b"zz", format="csv")[:2] == (400, "BadRequestException")
    assert refused(call, body=warned, format="json")[:2] == (400, "BadRequestException")
    assert refused(call, body=warned, format="csv", failOnWarnings=True)[0] == 400


def test_keys_are_found_by_their_names(stack: Stack) -> None:
    client, name = stack.client("apigateway"), secrets.token_hex(6)
    client.create_api_key(enabled=True)  # it has no name
    wanted = client.create_api_key(name=f"{name}-a")["id"]

    found = client.get_api_keys(nameQuery=name)["items"]

    assert [one["id"] for one in found] == [wanted]
    assert "value" not in found[0]


def test_what_is_left_of_a_quota_is_changed(stack: Stack) -> None:
    api, plan = limited(stack, 1)
    value = secrets.token_hex(20)
    key = api.client.create_api_key(name="k", value=value, enabled=True)["id"]
    api.client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

    def statuses(count: int) -> list[int]:
        headers = {"X-Api-Key": value}
        return [api.call("GET", "/", headers=headers).status_code for _ in range(count)]

    assert statuses(2) == [200, 429]
    more = [{"op": "replace", "path": "/remaining", "value": "2"}]

    answer = api.client.update_usage(usagePlanId=plan, keyId=key, patchOperations=more)

    today = f"{datetime.now(UTC).date()}"
    assert answer["items"] == {key: [[1, 2]]}
    assert (answer["usagePlanId"], answer["startDate"], answer["endDate"]) == (plan, today, today)
    assert statuses(3) == [200, 200, 429]


def test_a_quota_that_is_not_there_is_not_changed(stack: Stack) -> None:
    api, plan = limited(stack, 1)
    key = api.client.create_api_key(name="k", enabled=True)["id"]
    call = api.client.update_usage
    more = [{"op": "replace", "path": "/remaining", "value": "2"}]

    for ids in ({"usagePlanId": "none", "keyId": key}, {"usagePlanId": plan, "keyId": key}):
        assert refused(call, **ids, patchOperations=more)[:2] == (404, "NotFoundException")
    api.client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    less = [{"op": "replace", "path": "/remaining", "value": "-1"}]
    assert refused(call, usagePlanId=plan, keyId=key, patchOperations=less)[0] == 400
    assert refused(call, usagePlanId=plan, keyId=key)[0] == 400


@pytest.fixture(scope="module")
def guarded(stack: Stack) -> tuple[Api, str, str]:
    """An API with a TOKEN and a REQUEST authorizer; their ids."""
    api = make_api(stack)
    function = stack.create(AUTHORIZER)
    api.let_call(function)
    ids = [
        api.client.create_authorizer(
            restApiId=api.api_id,
            name=kind,
            type=kind,
            authorizerUri=invocation_uri(function),
            identitySource=f"method.request.header.{header}",
        )["id"]
        for kind, header in (("TOKEN", "Authorization"), ("REQUEST", "X-Token"))
    ]
    return api, ids[0], ids[1]


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize(("token", "effect"), [("ok", "Allow"), ("no", "Deny")])
def test_an_authorizer_is_tried(
    guarded: tuple[Any, ...], kind: int, token: str, effect: str
) -> None:
    api, header = guarded[0], {1: "Authorization", 2: "X-Token"}[kind]

    answer = api.client.test_invoke_authorizer(
        restApiId=api.api_id, authorizerId=guarded[kind], headers={header: token}
    )

    assert (answer["clientStatus"], answer["principalId"]) == (0, "me")
    statement = json.loads(answer["policy"])["Statement"][0]
    assert statement["Effect"] == effect
    assert statement["Resource"].endswith(f":{api.api_id}/ESTestInvoke-stage/GET/")
    assert answer["latency"] >= 0 and answer["log"].startswith("Execution log for request ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "nobody"}, 401), ({"Authorization": "broken"}, 500)],
)
def test_an_authorizer_that_decides_nothing(
    guarded: tuple[Any, ...], headers: dict[str, str], status: int
) -> None:
    api = guarded[0]

    answer = api.client.test_invoke_authorizer(
        restApiId=api.api_id, authorizerId=guarded[1], headers=headers
    )

    assert answer["clientStatus"] == status
    assert "policy" not in answer


def test_an_authorizer_that_is_not_there(guarded: tuple[Any, ...]) -> None:
    api = guarded[0]
    call = api.client.test_invoke_authorizer

    for ids in (
        {"restApiId": api.api_id, "authorizerId": "none"},
        {"restApiId": "none", "authorizerId": guarded[1]},
    ):
        assert refused(call, **ids)[:2] == (404, "NotFoundException")


def test_a_policy_that_is_no_json_is_refused(stack: Stack) -> None:
    """GIVEN a refused policy THEN the APIs can be listed still."""
    api = make_api(stack)
    patch = [{"op": "replace", "path": "/policy", "value": "{"}]

    made = refused(api.client.create_rest_api, name="p", policy="no policy")
    changed = refused(api.client.update_rest_api, restApiId=api.api_id, patchOperations=patch)

    assert made[:2] == changed[:2] == (400, "BadRequestException")
    assert made[2] == changed[2]
    assert made[2].startswith("Invalid policy document.")
    assert api.client.get_rest_apis(limit=1)["items"]


@pytest.mark.parametrize("body", [b"{}", b"[]", b"text", b""])
def test_a_document_that_is_none_is_refused(stack: Stack, body: bytes) -> None:
    call = stack.client("apigateway").import_rest_api

    assert refused(call, body=body)[:2] == (400, "BadRequestException")


def test_what_an_api_does_not_have_is_not_there(stack: Stack) -> None:
    api = make_api(stack)
    api.method("GET", "/other", integration={"type": "MOCK"})
    api.deploy()
    api.method("GET", "/")
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "GET"}
    patch = [{"op": "replace", "path": "/timeoutInMillis", "value": "100"}]

    for answer in (
        refused(api.client.update_integration, **place, patchOperations=patch),
        refused(
            api.client.update_integration_response,
            **place,
            statusCode="200",
            patchOperations=[{"op": "replace", "path": "/selectionPattern", "value": "x"}],
        ),
        refused(api.client.get_deployment, restApiId=api.api_id, deploymentId="none"),
    ):
        assert answer[:2] == (404, "NotFoundException")
    export = {"restApiId": api.api_id, "stageName": "live"}
    for asked in ({"exportType": "none"}, {"exportType": "oas30", "accepts": "text/plain"}):
        found = refused(api.client.get_export, **export, **asked)
        assert found[:2] == (400, "BadRequestException")


def test_what_this_stack_does_not_have_is_named(stack: Stack) -> None:
    api = make_api(stack)

    for operation, request in (
        ("get_sdk_types", {}),
        ("get_sdk", {"restApiId": api.api_id, "stageName": "s", "sdkType": "javascript"}),
        ("get_model_template", {"restApiId": api.api_id, "modelName": "m"}),
    ):
        status, _, said = refused(getattr(api.client, operation), **request)
        assert status == 501
        assert ": this stack " in said
