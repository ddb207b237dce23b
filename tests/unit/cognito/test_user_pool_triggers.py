"""How a trigger's function is called: tries, errors, answers that are none, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from user_pool_fakes import PASSWORD, Stack

from trigger_stack.services.cognito.triggers import (
    TIMED_OUT,
    InvocationError,
    without_secrets,
)
from trigger_stack.services.errors import ServiceError


def problem(stack: Stack) -> tuple[str, str]:
    with pytest.raises(ServiceError) as caught:
        stack.sign_in()
    return caught.value.code, caught.value.message


@pytest.fixture
def pool(stack: Stack) -> Stack:
    stack.user()
    stack.trigger("PreAuthentication", lambda event: None)
    return stack


def timeout() -> InvocationError:
    return InvocationError(TIMED_OUT, may_help=True)


def test_two_tries_without_an_answer_are_forgiven(pool: Stack) -> None:
    pool.functions.fail_with = [timeout(), timeout()]

    assert "AuthenticationResult" in pool.sign_in()


def test_three_are_not(pool: Stack) -> None:
    pool.functions.fail_with = [timeout(), timeout(), timeout()]

    assert problem(pool) == (
        "UnexpectedLambdaException",
        "PreAuthentication invocation failed due to error Socket timeout while invoking Lambda"
        " function.",
    )
    assert not pool.functions.fail_with


def test_a_missing_permission_is_not_tried_again(pool: Stack) -> None:
    pool.functions.fail_with = [InvocationError("AccessDeniedException", may_help=False)] * 2

    assert problem(pool) == (
        "UnexpectedLambdaException",
        "PreAuthentication invocation failed due to error AccessDeniedException.",
    )
    assert len(pool.functions.fail_with) == 1


def test_an_error_of_the_function_is_not_tried_again(pool: Stack) -> None:
    def fail(event: dict[str, Any]) -> None:
        raise ValueError("closed on Sundays")

    pool.trigger("PreAuthentication", fail)

    assert problem(pool) == (
        "UserLambdaValidationException",
        "PreAuthentication failed with error closed on Sundays.",
    )
    assert len(pool.functions.events) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"null", "Unrecognizable lambda output"),
        (b"[]", "Unrecognizable lambda output"),
        (b'{"response": []}', "Unrecognizable lambda output"),
        (b"{", "Invalid lambda function output : Invalid JSON"),
        (b"\xff", "Invalid lambda function output : Invalid JSON"),
        (b"[" * 100_000, "Invalid lambda function output : Invalid JSON"),
    ],
)
def test_answers_that_are_none(pool: Stack, answer: bytes, message: str) -> None:
    pool.trigger("PreAuthentication", lambda event: answer)

    assert problem(pool) == ("InvalidLambdaResponseException", message)


def test_a_response_of_another_type_is_refused(stack: Stack) -> None:
    stack.trigger("PreSignUp", lambda event: event["response"].update(autoConfirmUser="yes"))

    with pytest.raises(ServiceError, match="Unrecognizable lambda output"):
        stack("SignUp", Username="ann", Password=PASSWORD)


def test_no_secret_is_recorded(stack: Stack) -> None:
    def migrate(event: dict[str, Any]) -> None:
        event["response"]["userAttributes"] = {"email": "ann@example.com"}

    stack.trigger("UserMigration", migrate)

    stack.sign_in("ann", "from-elsewhere")

    assert stack.functions.events[0]["request"]["password"] == "from-elsewhere"
    assert "from-elsewhere" not in stack.functions.recorded[0]


def test_what_is_hidden_of_an_event() -> None:
    event = {
        "request": {
            "privateChallengeParameters": {"code": "123456"},
            "challengeAnswer": "123456",
            "session": [{"challengeName": "CUSTOM_CHALLENGE", "challengeMetadata": "123456"}],
            "userAttributes": {"email": "ann@example.com"},
        },
        "response": {"answerCorrect": None, "challengeMetadata": None},
    }

    shown = without_secrets(event)

    assert "123456" not in str(shown)
    assert shown["request"]["userAttributes"] == {"email": "ann@example.com"}
    assert shown["request"]["privateChallengeParameters"] == {"code": "***"}
    assert shown["response"]["challengeMetadata"] is None
    assert event["request"]["challengeAnswer"] == "123456"  # what the function gets
