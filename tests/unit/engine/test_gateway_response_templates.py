"""Templates of gateway responses: which part of them is a variable."""

from __future__ import annotations

import pytest

from trigger_stack_engine.front_doors.rest_api.gateway_responses import (
    GatewayError,
    gateway_response,
)


@pytest.mark.parametrize(
    ("template", "body"),
    [
        # What PutGatewayResponse stores when it gets no template.
        ('{"message":$context.error.messageString}', b'{"message":"Too Many Requests"}'),
        ('{"m":"$context.error.message"}', b'{"m":"Too Many Requests"}'),
        ("${context.error.responseType}!", b"THROTTLED!"),
        ("{$context.error.responseType}", b"{THROTTLED}"),
        ("$context.stage.$stageVariables.a", b"live.red"),
        ("$context.none|$other", b"|$other"),
    ],
)
def test_variables_are_replaced_and_braces_stay(template: str, body: bytes) -> None:
    configured = {"THROTTLED": {"responseTemplates": {"application/json": template}}}
    known = {"context.stage": "live", "stageVariables.a": "red"}

    response = gateway_response(GatewayError("THROTTLED"), configured, known.get)

    assert response.body == body


def test_access_denied_has_a_capital_letter_also_where_only_headers_are_set() -> None:
    settings = {
        "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        "responseTemplates": {"application/json": '{"message":$context.error.messageString}'},
    }

    response = gateway_response(
        GatewayError("ACCESS_DENIED", "no"), {"DEFAULT_4XX": settings}, {}.get
    )

    assert response.body == b'{"Message":"no"}'
    assert ("Access-Control-Allow-Origin", "*") in response.headers


def test_a_header_of_the_settings_is_instead_of_the_templates_media_type() -> None:
    settings = {
        "responseParameters": {"gatewayresponse.header.Content-Type": "'text/html'"},
        "responseTemplates": {"text/plain": "no"},
    }

    response = gateway_response(GatewayError("THROTTLED"), {"THROTTLED": settings}, {}.get)

    assert dict(response.headers) == {
        "x-amzn-errortype": "TooManyRequestsException",
        "Content-Type": "text/html",
    }
