"""Routes below ``/_trigger_stack/pipes`` for what has no AWS operation.

``POST …/<pipe>/deliver`` gives records to a pipe again that it has given up (redrive).

What: routes at LocalStack's router, and the start hook that adds them.
Why: EventBridge Pipes has no operation for it.
Until: AWS has one.
Test: ``tests/e2e/test_pipe_to_bus.py``.
"""

from __future__ import annotations

import json
from typing import Any

from localstack.constants import AWS_REGION_US_EAST_1, DEFAULT_AWS_ACCOUNT_ID
from localstack.http import Request, Response, route
from localstack.runtime import hooks
from localstack.services.edge import ROUTER

from trigger_stack.services.errors import ServiceError


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


class PipeRoutes:
    """Routes on the gateway."""

    @route("/_trigger_stack/pipes/<name>/deliver", methods=["POST"])
    def deliver(self, request: Request, name: str) -> Response:
        """Take ``{"Records": [as a function gets them]}``; 502 with why when it fails again."""
        from trigger_stack.localstack.pipes.provider import pipes
        from trigger_stack.localstack.pipes.runner import deliver

        account = request.args.get("account", DEFAULT_AWS_ACCOUNT_ID)
        region = request.args.get("region", AWS_REGION_US_EAST_1)
        body = request.get_data()
        try:
            records = json.loads(body)["Records"]
            settings = pipes().settings(f"arn:aws:pipes:{region}:{account}:pipe/{name}")
        except (ValueError, KeyError, TypeError):
            return _json("The body must be JSON with Records.", 400)
        except ServiceError as error:
            return _json(error.message, error.status)
        if not isinstance(records, list) or not records:
            return _json("Records must be a list with a record or more.", 400)
        try:
            problem = deliver(settings, body, len(records))
        except Exception as error:  # the caller keeps the dead letter and reads why
            problem = f"{type(error).__name__}: {error}"
        return _json(problem, 502) if problem else _json({"delivered": len(records)})


@hooks.on_infra_start(priority=800)
def route_pipes() -> None:
    """Add the routes."""
    ROUTER.add(PipeRoutes())
