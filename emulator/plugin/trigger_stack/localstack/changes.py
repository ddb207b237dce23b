"""Counts what may have changed a resource, so that a run with nothing to do need not look.

``GET /_trigger_stack/changes/<name>`` answers ``{"number", "content"}``: how many changes there
were since the emulator started, and what a run has left, if there was none since; else null.
``PUT`` takes ``{"since", "run", "content"}`` and answers ``{"kept"}``.

What: handlers in ``run_custom_response_handlers`` and ``serve_custom_service_request_handlers``,
LocalStack's own lists; a route at its router; the worker threads of CloudFormation
(``start_worker_thread``) count when they are done. ``mapping_worker.py`` and
``scheduler/provider.py`` count what they change after the answer of an operation.
Why: reading the state of a stack takes hundreds of calls; LocalStack does not know whether anything
was changed. A stack's exports are there only after its last call.
Until: as long as the bootstrap asks.
Test: ``tests/delivery/test_unchanged.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from localstack import config
from localstack.aws.handlers import (
    run_custom_response_handlers,
    serve_custom_service_request_handlers,
)
from localstack.http import Request, Response, route
from localstack.runtime import hooks
from localstack.services.edge import ROUTER

from trigger_stack.services.changes.counter import Changes
from trigger_stack.services.changes.operations import may_change

PATH: Final = "/_trigger_stack/changes/"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
#: How the bootstrap's clients say which run they belong to.
_RUN: Final = re.compile(r"trigger-stack-run/(\w+)")
#: LocalStack makes a bucket of its own, if it is not there, for the package of each function.
_PACKAGES: Final = (config.INTERNAL_RESOURCE_ACCOUNT, "CreateBucket")
_CHANGES: Final = Changes()


def changes() -> Changes:
    """The changes of this emulator."""
    return _CHANGES


class ChangeRoutes:
    """Routes on the gateway."""

    @route(f"{PATH}<name>", methods=["GET", "PUT"])
    def changes(self, request: Request, name: str) -> Response:
        """Say what a run has left, or take it."""
        if request.method == "GET":
            number, content = _CHANGES.kept(name)
            return _json({"number": number, "content": content})
        try:
            body = json.loads(request.get_data())
            since, run, content = int(body["since"]), str(body["run"]), body["content"]
        except (ValueError, KeyError, TypeError):
            return _json("The body must be JSON with since, run and content.", 400)
        return _json({"kept": _CHANGES.keep(name, content, since=since, run=run)})


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status=status, mimetype="application/json")


def count_calls(chain: Any, context: Any, response: Any) -> None:
    """Response handler: what a call changed is counted once it has taken effect."""
    del chain, response
    if context.operation is None:
        if context.request.method in _SAFE or context.request.path.startswith(PATH):
            return
    elif (
        not may_change(
            context.service.service_name, context.operation.name, context.service_request or {}
        )
        or (context.account_id, context.operation.name) == _PACKAGES
    ):
        return
    run = _RUN.search(context.request.headers.get("User-Agent") or "")
    _CHANGES.count(run[1] if run else "")


def count_stacks(chain: Any, context: Any, response: Any) -> None:
    """Request handler: a stack's worker threads count, from the first operation on stacks."""
    del chain, response
    if context.service is not None and context.service.service_name == "cloudformation":
        from localstack.services.cloudformation.v2 import provider

        if not hasattr(provider.start_worker_thread, "counted"):
            provider.start_worker_thread = _counted(provider.start_worker_thread)


def _counted(start: Callable[..., Any]) -> Callable[..., Any]:
    """``start_worker_thread`` whose work counts when it is done."""

    def start_counted(method: Callable[..., Any], *args: Any, **named: Any) -> Any:
        return start(_then_count(method), *args, **named)

    start_counted.counted = True  # type: ignore[attr-defined]  # so that it is done once
    return start_counted


def _then_count(work: Callable[..., Any]) -> Callable[..., Any]:
    def working(*args: Any, **named: Any) -> Any:
        try:
            return work(*args, **named)
        finally:
            _CHANGES.count()

    return working


@hooks.on_infra_start(priority=800)
def count_changes() -> None:
    """Count from the first call on."""
    run_custom_response_handlers.handlers.insert(0, count_calls)
    serve_custom_service_request_handlers.append(count_stacks)
    ROUTER.add(ChangeRoutes())
