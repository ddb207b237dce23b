"""Operations of API Gateway that LocalStack refuses: the usage of a plan, a method's settings.

What: two handlers in the dispatch table of LocalStack's service: ``GetUsage`` asks the engine,
which counts; ``UpdateStage`` takes the settings of methods away that are to be removed.
Why: LocalStack answers 501 for ``GetUsage``, and removes the settings of ``*/*`` alone.
Until: LocalStack has both, and counts requests with API keys.
Test: ``tests/engine/test_rest_api_operations.py``;
``tests/unit/plugin/test_lambda_requests_patch.py`` fails when LocalStack has one of them.

AWS topics: API Gateway REST API Reference, "GetUsage"; Developer Guide, "Patch operations",
``UpdateStage``: ``remove`` of ``/{resourcePath}/{httpMethod}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from localstack.aws.api.apigateway import BadRequestException, NotFoundException
from localstack.services.apigateway.next_gen.execute_api.moto_helpers import get_usage_plans
from localstack.services.plugins import SERVICE_PLUGINS
from moto.apigateway.models import apigateway_backends

from trigger_stack.localstack.lambda_engine.control_plane import control_plane

_OF_METHOD: Final = re.compile(
    r"/((?!variables/)[^/]+/(?:ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|\*))"
)


def get_usage(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: for each key what it used and had left at the end of each day.

    AWS counts against a quota: a plan without one has no usage here.
    """
    plan_id = request["usagePlanId"]
    plans = get_usage_plans(context.account_id, context.region)
    if all(str(plan["id"]) != plan_id for plan in plans):
        raise NotFoundException("Invalid Usage Plan ID specified")
    try:
        first, last = (date.fromisoformat(request[name]) for name in ("startDate", "endDate"))
    except ValueError:
        raise BadRequestException("Invalid date: startDate and endDate are YYYY-MM-DD") from None
    reply, _ = control_plane().call(
        {"op": "usage", "plan": plan_id, "first": f"{first}", "last": f"{last}"}
    )
    wanted = request.get("keyId")
    items = {key: days for key, days in reply["usage"].items() if wanted in (None, key)}
    return {
        "usagePlanId": plan_id,
        "startDate": f"{first}",
        "endDate": f"{last}",
        "items": items,
    }


def update_stage(original: Any, context: Any, request: dict[str, Any]) -> Any:
    """The operation, in which settings of methods may be removed."""
    operations = request.get("patchOperations") or []
    removed = [match[1] for one in operations if (match := _removed(one))]
    if not removed:
        return original(context, request)
    backend = apigateway_backends[context.account_id][context.region]
    api = backend.apis.get(request["restApiId"])
    stage = api.stages.get(request["stageName"]) if api else None
    if api is None or stage is None:
        raise NotFoundException("Invalid Stage identifier specified")
    for key in removed:
        if key not in stage.method_settings:
            raise BadRequestException(
                f"Cannot remove method setting {key} because there is no method setting for this"
                " method "
            )
    rest = [one for one in operations if not _removed(one)]
    answer = original(context, {**request, "patchOperations": rest})
    changed = api.stages[request["stageName"]]  # LocalStack puts a copy in its place
    for key in removed:
        changed.method_settings.pop(key, None)
        answer.get("methodSettings", {}).pop(key, None)
    return answer


def _removed(operation: Mapping[str, Any]) -> re.Match[str] | None:
    is_removal = operation.get("op") == "remove"
    return _OF_METHOD.fullmatch(operation.get("path") or "") if is_removal else None


def install() -> None:
    """Put the handlers in place, once LocalStack's service is loaded. Idempotent."""
    service: Any = SERVICE_PLUGINS.get_service("apigateway")
    table = service.skeleton.dispatch_table
    if table.get("GetUsage") is get_usage:
        return
    original = table["UpdateStage"]
    table["GetUsage"] = get_usage
    table["UpdateStage"] = lambda context, request: update_stage(original, context, request)
