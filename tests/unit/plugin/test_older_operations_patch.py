"""Each fails when LocalStack does what the stack does in its place."""

from __future__ import annotations

import inspect

from localstack.aws.api.lambda_ import LambdaApi
from localstack.services.lambda_.provider import LambdaProvider


def test_localstack_still_lacks_older_asynchronous_invocations() -> None:
    assert "raise NotImplementedError" in inspect.getsource(LambdaProvider.invoke_async)


def test_localstack_still_lacks_the_management_of_runtimes() -> None:
    for name in ("put_runtime_management_config", "get_runtime_management_config"):
        assert getattr(LambdaProvider, name) is getattr(LambdaApi, name)


def test_localstack_still_takes_code_that_is_not_signed() -> None:
    for operation in (LambdaProvider.create_function, LambdaProvider.update_function_code):
        assert "CodeVerificationFailed" not in inspect.getsource(operation)
