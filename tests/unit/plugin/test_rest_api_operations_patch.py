"""Each fails when LocalStack does what the stack does in its place."""

from __future__ import annotations

import inspect

from localstack.aws.api.apigateway import ApigatewayApi
from localstack.services.apigateway.next_gen.provider import ApigatewayNextGenProvider


def test_localstack_still_empties_no_cache() -> None:
    for name in ("flush_stage_authorizers_cache", "flush_stage_cache"):
        assert getattr(ApigatewayNextGenProvider, name) is getattr(ApigatewayApi, name)


def test_localstack_still_takes_any_time_out() -> None:
    for name in ("put_integration", "update_integration"):
        assert "29000 ms" not in inspect.getsource(getattr(ApigatewayNextGenProvider, name))
