"""A brand's history: for members of the group alone, the newest change first, page by page."""

# ruff: noqa: N803  The arguments are spelled as boto3 spells them.

from __future__ import annotations

import json
from typing import Any

import pytest
from function_fakes import holds

from functions.get_brand_audit import handler as audit
from functions.get_brand_audit.audit import groups_of


class FakeHistory:
    """Entries of one brand, by `changeId`."""

    def __init__(self, count: int) -> None:
        self.ids = [f"{number:040d}" for number in range(1, count + 1)]

    def query(
        self, *, KeyConditionExpression: Any, ScanIndexForward: bool, Limit: int
    ) -> dict[str, Any]:
        assert ScanIndexForward is False
        items = [{"brandId": "acme", "changeId": one, "what": "changed"} for one in self.ids]
        parts = KeyConditionExpression.get_expression()
        brand, after = KeyConditionExpression, None
        if parts["operator"] == "AND":
            brand, less = parts["values"]
            after = less.get_expression()["values"][1]
        found = [
            one
            for one in reversed(items)
            if holds(brand, one) and (after is None or one["changeId"] < after)
        ]
        return {"Items": found[:Limit]}


@pytest.fixture
def ask(monkeypatch, event, context):
    def get(brand_id="acme", query="", groups="[brand-admins]", count=3):
        monkeypatch.setattr(audit, "history", FakeHistory(count))
        request = event("http-api-get-brand")
        request["rawPath"] = f"/admin/brands/{brand_id}/audit"
        request["rawQueryString"] = query
        request["pathParameters"] = {"brandId": brand_id}
        claims = {"cognito:groups": groups} if groups else {}
        request["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        answer = audit.handler(request, context)
        return answer["statusCode"], json.loads(answer["body"])

    return get


def test_the_newest_change_comes_first(ask):
    status, body = ask()

    assert status == 200
    assert [int(one["changeId"]) for one in body["changes"]] == [3, 2, 1]
    assert body["nextBefore"] is None


def test_pages_have_every_change_once(ask):
    seen, query = [], ""
    while True:
        _, body = ask(query=query, count=45)
        seen += [int(one["changeId"]) for one in body["changes"]]
        if body["nextBefore"] is None:
            break
        query = f"before={body['nextBefore']}"

    assert seen == list(range(45, 0, -1))


@pytest.mark.parametrize("groups", [None, "", "[]", "[writers]", "[brand-admins-not]"])
def test_who_is_no_member_reads_nothing(ask, groups):
    status, body = ask(groups=groups)

    assert status == 403
    assert "changes" not in body


@pytest.mark.parametrize(
    "query", ["before=", "before=x", "before=1&before=2", "before=" + "٣" * 40]
)
def test_a_page_that_is_none(ask, query):
    status, _ = ask(query=query)

    assert status == 400


def test_a_path_that_names_no_brand(ask):
    assert ask(brand_id="../x")[0] == 404


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({"cognito:groups": "[a b]"}, ["a", "b"]),
        ({"cognito:groups": ["a", "b"]}, ["a", "b"]),
        ({"cognito:groups": "a,b"}, ["a", "b"]),
        ({}, []),
    ],
)
def test_groups_of_a_token(claims, groups):
    assert groups_of(claims) == groups
