"""Each fails when LocalStack does what the stack does in its place."""

from __future__ import annotations

import inspect

from localstack.aws.api.apigateway import ApigatewayApi
from localstack.services.apigateway.next_gen.provider import ApigatewayNextGenProvider


def test_localstack_still_empties_no_cache() -> None:
    for name in ("flush_stage_authorizers_cache", "flush_stage_cache"):
        assert getattr(ApigatewayNextGenProvider, name) is getattr(ApigatewayApi, name)


def test_localstack_still_tries_no_authorizer_and_changes_no_usage() -> None:
    for name in ("test_invoke_authorizer", "update_usage", "import_api_keys"):
        assert getattr(ApigatewayNextGenProvider, name) is getattr(ApigatewayApi, name)


def test_localstack_still_looks_for_names_that_keys_do_not_have() -> None:
    source = inspect.getsource(ApigatewayNextGenProvider.get_api_keys)
    assert 'item["name"].startswith(name_query)' in source


def test_localstack_still_checks_neither_policy_nor_deployment_nor_export() -> None:
    for name, word in (
        ("create_rest_api", "Invalid policy document"),
        ("get_deployment", "Invalid Deployment identifier"),
        ("get_export", "No API exporter"),
    ):
        assert word not in inspect.getsource(getattr(ApigatewayNextGenProvider, name))


def test_localstack_still_takes_any_time_out() -> None:
    for name in ("put_integration", "update_integration"):
        assert "29000 ms" not in inspect.getsource(getattr(ApigatewayNextGenProvider, name))
