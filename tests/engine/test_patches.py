"""Each patch of LocalStack is still needed: these fail when LocalStack does it itself.

They call LocalStack's own code, with the patches taken off.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.aws.api.lambda_ import (
    InvalidParameterValueException,
    InvocationType,
    LastUpdateStatus,
    State,
)
from localstack.services.lambda_.invocation import lambda_service
from localstack.services.lambda_.invocation.lambda_models import VersionState
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.lambda_.provider import LambdaProvider

from trigger_stack.localstack.lambda_engine import patches
from trigger_stack.localstack.lambda_engine.versions import EngineVersionManager

ACCOUNT, REGION, NAME = "000000000000", "us-east-1", "patched"
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}:$LATEST"


@pytest.fixture(autouse=True)
def no_traceback() -> None:
    """These tests start no LocalStack."""


def original(owner: type, name: str) -> Any:
    """A method as LocalStack has it."""
    method: Any = getattr(owner, name)
    return getattr(method, "_trigger_stack_original", method)


@dataclass
class Config:
    """The settings of a version that LocalStack looks at."""

    runtime: str = "python3.13"
    package_type: str = "Zip"
    capacity_provider_config: Any = None
    state: Any = None
    last_update: Any = None


@dataclass
class Version:
    """A version in LocalStack's store."""

    id: Any = field(
        default_factory=lambda: SimpleNamespace(
            account=ACCOUNT,
            region=REGION,
            function_name=NAME,
            qualifier="$LATEST",
            qualified_arn=lambda: ARN,
        )
    )
    config: Config = field(default_factory=Config)
    qualified_arn: str = ARN


class Service:
    """The attributes of LocalStack's service that its methods use."""

    def __init__(self, manager: Any = None) -> None:
        self.lambda_version_manager_lock = threading.RLock()
        self.lambda_starting_versions: dict[str, Any] = {ARN: manager} if manager else {}
        self.lambda_running_versions: dict[str, Any] = {}
        self.event_managers: dict[str, Any] = {}
        self.counting_service = self.assignment_service = None
        self.task_executor = SimpleNamespace(submit=lambda *_: None)
        self.started: list[Any] = []

    def _start_lambda_version(self, manager: Any) -> None:
        self.started.append(manager)

    def get_lambda_version_manager(self, _: str) -> Any:
        def invoke(*, invocation: Any) -> Any:
            return SimpleNamespace(is_error=False, payload=invocation.payload)

        return SimpleNamespace(invoke=invoke)

    def get_lambda_event_manager(self, _: str) -> Any:
        return SimpleNamespace(enqueue_event=lambda *, invocation: invocation)


@pytest.fixture
def function() -> Iterator[Any]:
    """A function in LocalStack's store."""
    made = SimpleNamespace(versions={"$LATEST": Version()}, aliases={}, lock=threading.RLock())
    functions: Any = lambda_stores[ACCOUNT][REGION].functions
    functions[NAME] = made
    yield made
    del functions[NAME]


@pytest.mark.parametrize("maker", ["create_function_version", "publish_version"])
def test_versions_are_run_by_the_engine(
    maker: str, function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LocalStack still makes the managers itself, and by that name."""
    made: list[str] = []

    def manager(function_arn: str, **_: Any) -> Any:
        made.append(function_arn)
        return SimpleNamespace()

    monkeypatch.setattr(lambda_service, "LambdaVersionManager", manager)

    original(LambdaService, maker)(Service(), Version())

    assert made == [ARN]


def test_asynchronous_events_go_to_the_engine(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LocalStack still makes the managers itself, and by that name."""
    made: list[Any] = []

    def manager(version_manager: Any) -> Any:
        made.append(version_manager)
        return SimpleNamespace(start=lambda: None)

    monkeypatch.setattr(lambda_service, "LambdaEventManager", manager)
    version_manager = SimpleNamespace(state=None)

    update = original(LambdaService, "update_version_state")
    update(Service(version_manager), Version(), VersionState(state=State.Active))

    assert made == [version_manager]
    assert function.versions["$LATEST"].config.last_update.status == LastUpdateStatus.Successful


@pytest.mark.parametrize(
    "payload",
    [b"no json", b'"' + b"x" * 7 * 1024 * 1024 + b'"'],
    ids=["no JSON", "over the quota"],
)
@pytest.mark.parametrize("kind", [InvocationType.RequestResponse, InvocationType.Event])
def test_payloads_are_still_unchecked(function: Any, payload: bytes, kind: InvocationType) -> None:
    """LocalStack hands on what Lambda refuses: no JSON, and more than its quota."""
    handed_on = original(LambdaService, "invoke")(
        Service(), NAME, None, REGION, ACCOUNT, kind, None, "request", payload
    )

    assert handed_on.payload == payload


def test_a_bucket_is_still_refused_as_a_destination() -> None:
    config = {"OnFailure": {"Destination": "arn:aws:s3:::letters"}}

    with pytest.raises(InvalidParameterValueException):
        original(LambdaProvider, "_validate_destination_config")(None, None, NAME, config)


def _itself(version_manager: Any) -> Any:
    """An event manager that does nothing."""
    return version_manager


def test_a_version_still_gets_its_state_without_the_functions_lock(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads, changes and stores the version under that lock is overtaken."""
    monkeypatch.setattr(
        lambda_service, "LambdaEventManager", lambda version_manager: version_manager
    )
    manager = SimpleNamespace(state=None, start=lambda: None)
    update = original(LambdaService, "update_version_state")
    arguments = (Service(manager), Version(), VersionState(state=State.Active))
    with function.lock:
        other = threading.Thread(target=update, args=arguments, daemon=True)
        other.start()
        other.join(30)

        assert not other.is_alive(), "it waits for the lock now"
        assert function.versions["$LATEST"].config.last_update.status == LastUpdateStatus.Successful


def test_with_the_patch_a_state_waits_for_the_functions_lock(
    function: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        lambda_service, "LambdaEventManager", lambda version_manager: version_manager
    )
    update = patches._locked(original(LambdaService, "update_version_state"))
    manager = SimpleNamespace(state=None, start=lambda: None)
    arguments = (Service(manager), Version(), VersionState(state=State.Active))
    with function.lock:
        other = threading.Thread(target=update, args=arguments, daemon=True)
        other.start()
        other.join(0.2)
        assert function.versions["$LATEST"].config.last_update is None
    other.join(30)

    assert function.versions["$LATEST"].config.last_update.status == LastUpdateStatus.Successful


def test_applying_twice_changes_nothing() -> None:
    patches.apply()
    once = LambdaService.invoke
    patches.apply()
    assert LambdaService.invoke is once
    assert vars(lambda_service)["LambdaVersionManager"] is EngineVersionManager


def test_localstack_still_cannot_stop_a_version_that_never_started() -> None:
    service = SimpleNamespace(
        event_managers={}, lambda_running_versions={}, lambda_starting_versions={}
    )
    with pytest.raises(ValueError, match="Unable to find version manager"):
        original(LambdaService, "stop_version")(service, "arn")
    with pytest.raises(ValueError, match="cannot be updated if an old one is not running"):
        original(LambdaService, "update_version")(service, Version())


def test_localstack_still_takes_reserved_environment_variables() -> None:
    original(LambdaProvider, "_verify_env_variables")({"AWS_REGION": "eu-west-1"})


def test_localstack_still_updates_an_alias_without_the_version_of_its_weights() -> None:
    source = inspect.getsource(original(LambdaProvider, "update_alias"))

    assert "_create_routing_config_model(routing_config_dict)" in source
