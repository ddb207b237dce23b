"""Refuses what a web page may have sent to port 4566.

What: a handler in ``preprocess_request``, LocalStack's own list, in front of everything that acts.
Why: LocalStack checks ``Origin`` of some requests only, and ``Host`` of none: a page of any site
can create stacks, upload objects and, by DNS rebinding, read what is stored.
Until: LocalStack refuses these requests.
Test: ``tests/apigatewayv2/test_http_api_browser_guard.py``.
"""

from __future__ import annotations

import json
from typing import Any

from localstack.aws.handlers import preprocess_request
from localstack.runtime.hooks import on_infra_start

from trigger_stack_engine.front_doors.core.browser_guard import GuardSettings, refusal

# After the HTTP APIs' handler: they have CORS configurations of their own.
_AFTER_HTTP_APIS = 900


@on_infra_start(priority=_AFTER_HTTP_APIS)
def guard_the_gateway() -> None:
    """Put the handler in place."""
    settings = GuardSettings.from_environment()

    def guard(chain: Any, context: Any, response: Any) -> None:
        headers = context.request.headers
        reason = refusal(headers.get, settings)
        if reason is None:
            return
        response.status_code = 403
        response.headers["Content-Type"] = "application/json"
        response.set_data(json.dumps({"message": reason}))
        chain.terminate()

    preprocess_request.append(guard)
