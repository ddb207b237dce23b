"""Each patch of LocalStack is still needed: these fail when LocalStack does it itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.services.lambda_.provider import LambdaProvider

from trigger_stack.localstack.lambda_engine import patches
from trigger_stack.localstack.lambda_engine.versions import EngineVersionManager


@pytest.fixture(autouse=True)
def no_traceback() -> None:
    """These tests start no LocalStack."""


def original(owner: type, name: str) -> str:
    function: Any = getattr(owner, name)
    return inspect.getsource(getattr(function, "_trigger_stack_original", function))


def test_versions_are_run_by_the_engine() -> None:
    """LocalStack still makes the managers itself, and by that name."""
    for maker in ("create_function_version", "publish_version"):
        assert "version_manager = LambdaVersionManager(" in original(LambdaService, maker)


def test_an_invocation_still_starts_a_thread_for_its_metric() -> None:
    assert "start_thread(" in original(LambdaVersionManager, "invoke")


def test_asynchronous_events_go_to_the_engine() -> None:
    """LocalStack still makes the managers itself, and by that name."""
    assert "LambdaEventManager(" in original(LambdaService, "update_version_state")


def test_payloads_are_still_unchecked() -> None:
    source = original(LambdaService, "invoke")
    assert "json.loads" not in source
    assert "RequestEntityTooLarge" not in source


def test_a_bucket_is_still_refused_as_a_destination() -> None:
    assert '"s3"' not in original(LambdaProvider, "_validate_destination_config")


def test_applying_twice_changes_nothing() -> None:
    patches.apply()
    once = LambdaService.invoke
    patches.apply()
    assert LambdaService.invoke is once
    assert vars(lambda_service)["LambdaVersionManager"] is EngineVersionManager


def test_a_version_still_gets_its_state_without_the_functions_lock() -> None:
    assert "function.lock" not in original(LambdaService, "update_version_state")
    assert "function.lock" in original(LambdaProvider, "tag_resource")
