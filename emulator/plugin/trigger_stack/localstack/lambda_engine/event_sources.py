"""Event source mappings: one whose function or source is gone can be disabled, and lists of them.

What: handlers for ``UpdateEventSourceMapping`` and ``ListEventSourceMappings``, which
``operations.py`` puts into the dispatch table of LocalStack's Lambda service.
Why: LocalStack checks function and source for each update, also for one that only disables the
mapping: it can then only be deleted. It lists for ``FunctionName`` the mappings of each function
whose ARN has that text in it, ``orders`` for ``order``.
Until: LocalStack does as AWS.
Test: ``tests/delivery/test_mappings_without_source.py``;
``tests/unit/plugin/test_mapping_operations_patch.py`` fails when LocalStack does it.

AWS topics: AWS Lambda API Reference, "UpdateEventSourceMapping" (``Enabled``: "to pause polling and
invocation") and "ListEventSourceMappings" (a page has at most 100 mappings).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from localstack.aws.api import CommonServiceException, ServiceException
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.plugins import SERVICE_PLUGINS
from localstack.utils.collections import PaginatedList

from trigger_stack.services.constraints import violations

type _Handler = Callable[[Any, dict[str, Any]], Any]

_MOST_IN_PAGE: Final = 100
_ALL: Final = 10_000


def update(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; a mapping that is only disabled needs neither function nor source."""
    try:
        return original(context, request)
    except ServiceException:
        answer = _disabled(context, request) if _only_disables(request) else None
        if answer is None:
            raise
        return answer


def _only_disables(request: Mapping[str, Any]) -> bool:
    given = {name for name, value in request.items() if value is not None}
    return given == {"UUID", "Enabled"} and request["Enabled"] is False


def _disabled(context: Any, request: Mapping[str, Any]) -> Any:
    """The mapping, which takes nothing more; None when there is none."""
    uuid = request["UUID"]
    known: Any = lambda_stores[context.account_id][context.region].event_source_mappings
    worker = SERVICE_PLUGINS.require("lambda")._provider.esm_workers.get(uuid)
    if uuid not in known or worker is None:
        return None
    if worker.current_state != EsmState.DISABLED:
        worker.stop()
        return {**known[uuid], "State": EsmState.DISABLING}
    return dict(known[uuid])


def list_mappings(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation: the mappings of a function, by its whole name."""
    shape = context.operation.input_shape
    if problem := violations(shape, request, frozenset(("FunctionName",))):
        raise CommonServiceException("ValidationException", problem, sender_fault=True)
    function = request.get("FunctionName")
    every = {**request, "MaxItems": _ALL}
    for name in ("FunctionName", "Marker"):
        every.pop(name, None)
    found = original(context, every)["EventSourceMappings"]
    if function:
        found = [one for one in found if is_of(one["FunctionArn"], function)]
    pages: Any = PaginatedList(found)
    size = min(request.get("MaxItems") or _MOST_IN_PAGE, _MOST_IN_PAGE)
    page, marker = pages.get_page(lambda one: one["UUID"], request.get("Marker"), size)
    return {"EventSourceMappings": page, "NextMarker": marker}


def is_of(arn: str, function: str) -> bool:
    """Whether a mapping to an ARN is one of a function.

    Args:
        arn: Of the function of the mapping, with a version or alias or without.
        function: Name, ARN or a part of the ARN; what it does not name is not compared.
    """
    parts = function_locators_from_arn(arn)
    wanted = function_locators_from_arn(function)
    return wanted[0] is not None and all(
        part is None or part == of_mapping for part, of_mapping in zip(wanted, parts, strict=True)
    )
