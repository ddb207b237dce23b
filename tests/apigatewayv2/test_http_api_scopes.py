"""Scopes are for routes that ask for tokens; others would never look at them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.apigatewayv2.test_http_api_access_logs import MakeApi
from tests.apigatewayv2.test_http_api_authorizers import protect

MESSAGE = (
    "Invalid Route authorization type specified. Authorization Scopes are only valid for"
    " COGNITO_USER_POOLS and JWT authorization types"
)


@pytest.mark.parametrize("kind", ["NONE", "AWS_IAM"])
def test_scopes_of_a_route_without_tokens_are_refused(make_api: MakeApi, kind: str) -> None:
    api = make_api()
    with pytest.raises(ClientError) as raised:
        api.client.create_route(
            ApiId=api.api_id,
            RouteKey="GET /made",
            AuthorizationType=kind,
            AuthorizationScopes=["read"],
        )
    error = raised.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("BadRequestException", MESSAGE)


def test_neither_is_a_route_changed_to_have_them(make_api: MakeApi) -> None:
    api = make_api()
    api.client.create_route(ApiId=api.api_id, RouteKey="GET /x")
    with pytest.raises(ClientError, match="Authorization Scopes are only valid for"):
        protect(api, "GET /x", None, "AWS_IAM", AuthorizationScopes=["read"])
    (route,) = api.client.get_routes(ApiId=api.api_id)["Items"]
    assert "AuthorizationScopes" not in route
