"""Resource-based policies that let an HTTP API invoke a function."""

from __future__ import annotations

from typing import Any

import pytest

from trigger_stack_engine.front_doors.core.execution_policy import allows_invoke, source_arn

ACCOUNT = "000000000000"
ARN = source_arn(
    region="us-east-1",
    account_id=ACCOUNT,
    api_id="abc",
    stage="$default",
    method="GET",
    route_path="/brand/{brandId}",
)


def statement(condition: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    made = {
        "Effect": "Allow",
        "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
    }
    return made | ({"Condition": condition} if condition else {}) | changes


def like(pattern: str) -> dict[str, Any]:
    return {"ArnLike": {"AWS:SourceArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{pattern}"}}


def allowed(*statements: dict[str, Any]) -> bool:
    return allows_invoke(statements, arn=ARN, account_id=ACCOUNT)


def test_source_arn_names_stage_method_and_route() -> None:
    assert f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abc/$default/GET/brand/{{brandId}}" == ARN


def test_source_arn_of_the_default_route_has_no_method() -> None:
    arn = source_arn(
        region="us-east-1",
        account_id=ACCOUNT,
        api_id="abc",
        stage="dev",
        method="GET",
        route_path="$default",
    )
    assert arn == f"arn:aws:execute-api:us-east-1:{ACCOUNT}:abc/dev/$default"


@pytest.mark.parametrize(
    "pattern",
    ["abc/*", "abc/*/*", "abc/*/*/brand/{brandId}", "abc/*/GET/brand/*", "abc/$default/*", "ab?/*"],
)
def test_patterns_that_tools_write_allow(pattern: str) -> None:
    assert allowed(statement(like(pattern)))


@pytest.mark.parametrize("pattern", ["xyz/*", "abc/dev/*", "abc/*/PUT/brand/*", "abc", "ab./*"])
def test_other_patterns_do_not(pattern: str) -> None:
    assert not allowed(statement(like(pattern)))


def test_no_statement_allows_nothing() -> None:
    assert not allowed()


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Action": "lambda:InvokeFunctionUrl"},
        {"Effect": "Deny"},
    ],
)
def test_statements_for_others_do_not_apply(changes: dict[str, Any]) -> None:
    assert not allowed(statement(**changes))


@pytest.mark.parametrize(
    "principal", ["*", {"AWS": "*"}, {"Service": ["apigateway.amazonaws.com"]}]
)
def test_principals_that_include_api_gateway(principal: Any) -> None:
    assert allowed(statement(Principal=principal))


def test_source_account_is_compared() -> None:
    assert allowed(statement({"StringEquals": {"AWS:SourceAccount": ACCOUNT}}))
    assert not allowed(statement({"StringEquals": {"AWS:SourceAccount": "111111111111"}}))


def test_all_conditions_must_hold() -> None:
    both = like("abc/*") | {"StringEquals": {"AWS:SourceAccount": "111111111111"}}
    assert not allowed(statement(both))


def test_a_condition_that_cannot_hold_for_api_gateway_does_not_apply() -> None:
    assert not allowed(statement({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))


def test_deny_beats_allow() -> None:
    assert not allowed(statement(), statement(like("abc/*"), Effect="Deny"))
