"""Operations of API Gateway that LocalStack lacks: usage of a plan, settings of a method."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import ECHO, make_api


def test_the_usage_of_a_plan_is_counted_by_day(stack: Stack) -> None:
    """GIVEN a key with a quota WHEN it makes two requests THEN the plan's usage shows them."""
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function, apiKeyRequired=True)
    api.let_call(function)
    api.deploy()
    value = secrets.token_hex(20)
    used, unused = (
        api.client.create_api_key(name="k", value=text, enabled=True)["id"]
        for text in (value, secrets.token_hex(20))
    )
    plan = api.client.create_usage_plan(
        name="p",
        apiStages=[{"apiId": api.api_id, "stage": "live"}],
        quota={"limit": 10, "period": "MONTH"},
    )["id"]
    for key in (used, unused):
        api.client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

    for _ in range(2):
        assert api.call("GET", "/", headers={"X-Api-Key": value}).status_code == 200
    today = datetime.now(UTC).date()
    days = {"startDate": f"{today - timedelta(days=1)}", "endDate": f"{today}"}
    found = api.client.get_usage(usagePlanId=plan, **days)
    one = api.client.get_usage(usagePlanId=plan, keyId=used, **days)

    assert found["items"] == {used: [[0, 10], [2, 8]], unused: [[0, 10], [0, 10]]}
    assert {name: found[name] for name in days} == days
    assert one["items"] == {used: found["items"][used]}


def test_the_usage_of_a_plan_that_is_not_there(stack: Stack) -> None:
    api = make_api(stack)
    with pytest.raises(ClientError, match="Invalid Usage Plan ID specified") as raised:
        api.client.get_usage(usagePlanId="none", startDate="2026-01-01", endDate="2026-01-02")
    assert raised.value.response["Error"]["Code"] == "NotFoundException"


def test_the_settings_of_one_method_are_removed(stack: Stack) -> None:
    """GIVEN a method with a rate of its own WHEN it is removed THEN the stage's holds again."""
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/slow", function)
    api.let_call(function)
    api.deploy()
    path, stage = "/~1slow/GET", {"restApiId": api.api_id, "stageName": "live"}

    def patch(*operations: dict[str, str]) -> dict[str, object]:
        changed = api.client.update_stage(**stage, patchOperations=list(operations))
        return dict(changed.get("methodSettings", {}))

    patch(
        {"op": "replace", "path": f"{path}/throttling/rateLimit", "value": "0.01"},
        {"op": "replace", "path": f"{path}/throttling/burstLimit", "value": "1"},
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "500"},
    )
    before = [api.call("GET", "/slow").status_code for _ in range(2)]
    left = patch({"op": "remove", "path": path})

    assert before == [200, 429]
    assert set(left) == {"*/*"}
    assert set(api.client.get_stage(**stage)["methodSettings"]) == {"*/*"}
    assert [api.call("GET", "/slow").status_code for _ in range(2)] == [200, 200]
    with pytest.raises(ClientError, match="there is no method setting for this method"):
        patch({"op": "remove", "path": path})
