"""Why the engine answers for function URLs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from localstack.http import Request
from localstack.services.lambda_ import urlrouter

CONFIG = SimpleNamespace(
    url_id="abc",
    auth_type="AWS_IAM",
    function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
)


def test_localstack_still_lets_everybody_call_a_function_url() -> None:
    """Unsigned, and no policy allows it."""
    function = SimpleNamespace(function_url_configs={"$LATEST": CONFIG})
    store = SimpleNamespace(functions={"f": function})
    result = SimpleNamespace(is_error=False, payload=b'"called"', request_id="id")
    service: Any = SimpleNamespace(invoke=lambda **_: result)
    stores = {"000000000000": {"us-east-1": store}}

    with mock.patch.object(urlrouter, "lambda_stores", stores):
        router = urlrouter.FunctionUrlRouter(mock.Mock(), service)
        answer = router.handle_lambda_url_invocation(
            Request("GET", "/", headers={"Host": "abc.lambda-url.us-east-1.localhost"}),
            "abc",
            "us-east-1",
        )

    assert (answer.status_code, answer.get_data()) == (200, b"called")
