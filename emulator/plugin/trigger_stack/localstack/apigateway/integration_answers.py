"""Which integration response an answer gets.

What: the step of LocalStack's chain that chooses an integration response asks a selection pattern
for the whole text, as Java's ``matches`` does.
Why: LocalStack takes a pattern that the text only begins with, so that ``4`` is for every 4xx.
Until: LocalStack does as AWS.
Test: ``tests/engine/test_rest_api_answers.py``, ``tests/unit/plugin/test_integration_answers.py``.

AWS topic: API Gateway Developer Guide, "Handle Lambda errors in API Gateway": Java's regular
expressions, for the ``errorMessage`` of a function or the status of another endpoint.
"""

from __future__ import annotations

from typing import Any, Final

from localstack.services.apigateway.next_gen.execute_api import handlers
from localstack.services.apigateway.next_gen.execute_api.handlers.integration_response import (
    IntegrationResponseHandler,
)

from trigger_stack.services.apigateway import java_values

_select: Final = IntegrationResponseHandler.select_integration_response


def install() -> None:
    """Put the choice into LocalStack's chain. Idempotent."""
    setattr(  # noqa: B010  mypy knows a static method there
        handlers.integration_response_handler, "select_integration_response", select
    )


def select(value: str, responses: dict[str, Any]) -> Any:
    """The integration response for a status or an error message.

    Raises:
        BaseGatewayException: None fits, and none is the default.
    """
    default = {}
    for status, response in (responses or {}).items():
        pattern = response.get("selectionPattern")
        if not pattern:
            default[status] = response
        elif java_values.call(value, "matches", [pattern]):
            return response
    return _select(value, default)
