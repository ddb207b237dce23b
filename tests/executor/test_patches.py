"""Each patch of LocalStack is still needed: these fail when LocalStack does it itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from localstack.services.lambda_.invocation import execution_environment
from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager

from lambda_process_executor import localstack_patches


def original(owner: type, name: str) -> str:
    function: Any = getattr(owner, name)
    return inspect.getsource(getattr(function, "_lambda_process_executor_original", function))


def test_client_context_is_still_dropped() -> None:
    assert "client_context" not in original(ExecutionEnvironment, "invoke")


def test_a_throttle_at_start_is_still_an_internal_error() -> None:
    source = original(AssignmentService, "start_environment")
    assert "ServiceException" not in source
    assert "raise AssignmentException(message) from e" in source


def test_logs_are_still_stored_by_the_service() -> None:
    assert "add_logs" in original(LambdaVersionManager, "store_logs")


def test_starts_are_still_limited_by_a_constant() -> None:
    source = original(ExecutionEnvironment, "_get_startup_timeout_seconds")
    assert source.splitlines()[1:] == ["        return STARTUP_TIMEOUT_SEC"]


def test_payloads_are_still_unchecked() -> None:
    source = original(LambdaService, "invoke")
    assert "json.loads" not in source
    assert "RequestEntityTooLarge" not in source


def test_timers_are_still_no_daemons() -> None:
    assert ".daemon = True" not in inspect.getsource(execution_environment)


@pytest.fixture(autouse=True)
def no_traceback() -> None:
    """These tests start no LocalStack."""


def test_applying_twice_changes_nothing() -> None:
    localstack_patches.apply()
    once = ExecutionEnvironment.invoke
    localstack_patches.apply()
    assert ExecutionEnvironment.invoke is once
