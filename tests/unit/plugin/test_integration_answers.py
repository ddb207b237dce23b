"""Which integration response an answer gets, and that LocalStack still chooses another."""

from __future__ import annotations

from typing import Any

import pytest
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
)
from localstack.services.apigateway.next_gen.execute_api.handlers.integration_response import (
    IntegrationResponseHandler,
)

from trigger_stack.localstack.apigateway.integration_answers import select

RESPONSES = {
    "200": {"statusCode": "200"},
    "400": {"statusCode": "400", "selectionPattern": "bad"},
    "404": {"statusCode": "404", "selectionPattern": ".*not found"},
    "500": {"statusCode": "500", "selectionPattern": r"5\d{2}"},
}


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("bad", "400"),
        ("bad thing", "200"),
        ("a bad", "200"),
        ("brand not found", "404"),
        ("503", "500"),
        ("5031", "200"),
        ("", "200"),
        ("first\nnot found", "200"),
    ],
)
def test_a_pattern_is_for_the_whole_text(value: str, status: str) -> None:
    assert select(value, RESPONSES)["statusCode"] == status


def test_without_a_response_that_fits_it_is_an_error() -> None:
    with pytest.raises(ApiConfigurationError):
        select("other", {"400": RESPONSES["400"]})


def test_localstack_still_takes_the_begin_of_a_text() -> None:
    found: Any = IntegrationResponseHandler.select_integration_response(
        "bad thing",
        RESPONSES,  # type: ignore[arg-type]  # it looks at two members
    )
    assert found["statusCode"] == "400"
