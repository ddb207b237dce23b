"""``InvokeAsync``, the older operation for asynchronous invocations.

What: ``operations.py`` puts it into the dispatch table of LocalStack's Lambda service. It goes the
way of ``Invoke`` with ``InvocationType`` ``Event``: checks, queue, journal, retries, destinations.
Why: LocalStack answers 501 for it.
Until: LocalStack has it.
Test: ``tests/engine/test_older_operations.py``;
``tests/unit/plugin/test_older_operations_patch.py`` fails when LocalStack has it.

AWS topic: AWS Lambda API Reference, "InvokeAsync".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from localstack.aws.api.lambda_ import InvocationType
from localstack.services.lambda_.api_utils import get_account_and_region, get_name_and_qualifier
from localstack.services.lambda_.provider import LambdaProvider

_ACCEPTED: Final = 202


def invoke(provider: LambdaProvider, context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: ``Status`` 202 once the event is accepted."""
    account, region = get_account_and_region(request["FunctionName"], context)
    name, qualifier = get_name_and_qualifier(request["FunctionName"], None, context)
    provider.lambda_service.invoke(
        function_name=name,
        qualifier=qualifier,
        region=region,
        account_id=account,
        invocation_type=InvocationType.Event,
        client_context=None,
        request_id=context.request_id,
        trace_context=context.trace_context,
        payload=request["InvokeArgs"].read(),
        user_agent=context.request.user_agent.string,
    )
    return {"Status": _ACCEPTED}
