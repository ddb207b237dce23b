"""What counts as a change, and for how long the emulator believes a run of the bootstrap."""

from __future__ import annotations

import inspect
import threading
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from trigger_stack.localstack import changes as counting
from trigger_stack.services.changes.counter import Changes
from trigger_stack.services.changes.operations import DATA, may_change


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> Changes:
    made = Changes()
    monkeypatch.setattr(counting, "_CHANGES", made)
    return made


def test_what_a_run_leaves_is_believed_until_something_changes(changes: Changes) -> None:
    changes.count()
    assert changes.kept("shop") == (1, None)

    assert changes.keep("shop", {"a": 1}, since=1, run="r")

    assert changes.kept("shop") == (1, {"a": 1})
    assert changes.kept("other") == (1, None)
    changes.count("r")
    assert changes.kept("shop") == (2, None)


def test_a_runs_own_changes_are_no_reason_not_to_believe_it(changes: Changes) -> None:
    for _ in range(3):
        changes.count("r")
    assert changes.keep("shop", "known", since=0, run="r")
    assert changes.kept("shop") == (3, "known")


@pytest.mark.parametrize("other", ["", "another run"])
def test_changes_of_others_meanwhile_are(changes: Changes, other: str) -> None:
    changes.keep("shop", "old", since=0, run="before")
    changes.count("r")
    changes.count(other)

    assert not changes.keep("shop", "known", since=0, run="r")

    assert changes.kept("shop") == (2, None)


def test_of_many_runs_and_projects_the_oldest_are_forgotten(changes: Changes) -> None:
    changes.count("first")
    for number in range(100):
        changes.count(f"run {number}")
        changes.keep(str(number), number, since=changes.number, run="new")
    assert not changes.keep("shop", "known", since=changes.number - 101, run="first")
    assert changes.keep("shop", "known", since=changes.number - 1, run="run 99")


def test_counting_is_safe_for_threads(changes: Changes) -> None:
    threads = [
        threading.Thread(target=lambda: [changes.count("r") for _ in range(500)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert changes.number == 4000
    assert changes.keep("shop", "known", since=0, run="r")


@pytest.mark.parametrize("service", DATA)
def test_every_operation_on_data_is_one_of_its_service(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)

    # Browsers' uploads are an operation of LocalStack's model alone.
    assert DATA[service] - set(model.operation_names) <= {"PostObject"}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "changes_something"),
    [
        ("sqs", "CreateQueue", {}, True),
        ("sqs", "GetQueueAttributes", {}, False),
        ("sqs", "SendMessage", {}, False),
        ("cognito-idp", "AdminGetUser", {}, False),
        ("cognito-idp", "AdminDeleteUser", {}, True),
        ("dynamodb", "UpdateTimeToLive", {}, True),
        ("lambda", "Invoke", {}, False),
        ("lambda", "PutObject", {}, True),
        ("no-such-service", "PutObject", {}, True),
        ("no-such-service", "Unknown", {}, True),
        ("logs", "PutLogEvents", {"logGroupName": "/aws/lambda/f"}, False),
        ("logs", "PutLogEvents", {"logGroupName": "/trigger-stack/shop-test"}, True),
        ("logs", "PutLogEvents", {}, True),
    ],
)
def test_what_may_change_something(
    service: str, operation: str, request_: dict[str, str], changes_something: bool
) -> None:
    assert may_change(service, operation, request_) is changes_something


def context(
    operation: str = "",
    *,
    method: str = "POST",
    path: str = "/",
    agent: str = "",
    account: str = "1",
) -> Any:
    request = SimpleNamespace(method=method, path=path, headers={"User-Agent": agent})
    return SimpleNamespace(
        request=request,
        service=SimpleNamespace(service_name="sqs") if operation else None,
        operation=SimpleNamespace(name=operation) if operation else None,
        service_request=None,
        account_id=account,
    )


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (context("CreateQueue"), 1),
        (context("ListQueues"), 0),
        (context("CreateQueue", method="GET"), 1),
        (context("CreateQueue", account="949334387222"), 1),
        (context("CreateBucket", account="949334387222"), 0),
        (context(path="/_localstack/health", method="GET"), 0),
        (context(path="/_localstack/health"), 1),
        (context(path="/_trigger_stack/clock"), 1),
        (context(path="/_trigger_stack/changes/shop-test", method="PUT"), 0),
    ],
)
def test_calls_are_counted(changes: Changes, call: Any, count: int) -> None:
    counting.count_calls(None, call, None)

    assert changes.number == count


def test_a_call_says_which_run_it_belongs_to(changes: Changes) -> None:
    counting.count_calls(None, context("CreateQueue", agent="Boto3/1 trigger-stack-run/abc"), None)

    assert not changes.keep("shop", "known", since=0, run="other")
    assert changes.keep("shop", "known", since=0, run="abc")


def test_the_work_of_a_stack_counts_when_it_is_done(
    changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LocalStack still starts it there, and answers before it is done."""
    from localstack.services.cloudformation.v2 import provider

    started: list[Any] = []
    monkeypatch.setattr(provider, "start_worker_thread", started.append)
    call = context("CreateStack")
    call.service.service_name = "cloudformation"
    for _ in range(2):
        counting.count_stacks(None, call, None)

    provider.start_worker_thread(lambda *_: None)

    assert changes.number == 0
    (work,) = started
    work()
    assert changes.number == 1
    assert "start_worker_thread(_run)" in inspect.getsource(provider)
