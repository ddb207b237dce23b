"""A service of ours behind LocalStack's dispatch table."""

from __future__ import annotations

from typing import Any

import pytest
from localstack.aws.api import CommonServiceException, RequestContext
from localstack.http import Request

from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Caller, operation


class Greeter:
    """A service with two operations."""

    @operation("SayHello")
    def say_hello(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        return {"Greeting": f"{request['Name']} of {caller.account_id} in {caller.region}"}

    @operation("Fail")
    def fail(self, caller: Caller, request: dict[str, Any]) -> None:
        raise ServiceError("NoGreetingException", "nothing to say", request["Status"])

    def helper(self) -> None:
        """No operation."""


def context() -> RequestContext:
    made = RequestContext(Request())
    made.account_id, made.region = "111111111111", "eu-west-1"
    return made


def test_marked_methods_are_operations_and_nothing_else_is() -> None:
    assert sorted(dispatch_table(Greeter())) == ["Fail", "SayHello"]


def test_an_operation_learns_who_calls() -> None:
    answer = dispatch_table(Greeter())["SayHello"](context(), {"Name": "Ada"})

    assert answer == {"Greeting": "Ada of 111111111111 in eu-west-1"}


@pytest.mark.parametrize(("status", "sender_fault"), [(404, True), (501, False)])
def test_an_error_has_code_message_and_status(status: int, sender_fault: bool) -> None:
    with pytest.raises(CommonServiceException) as raised:
        dispatch_table(Greeter())["Fail"](context(), {"Status": status})

    error = raised.value
    assert (error.code, error.message) == ("NoGreetingException", "nothing to say")
    assert (error.status_code, error.sender_fault) == (status, sender_fault)
