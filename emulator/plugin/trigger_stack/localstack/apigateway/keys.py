"""API keys from a file, a list of those with a name, and what is left of a key's quota.

What: ``ImportApiKeys``, ``GetApiKeys`` and ``UpdateUsage`` for ``operations.py``; the engine
counts.
Why: LocalStack reads a file of keys as JSON, and fails. It cannot look for a name when a key has
none. It has no ``UpdateUsage``.
Until: LocalStack has them.
Test: ``tests/engine/test_rest_api_keys.py``, ``tests/unit/plugin/test_api_key_files.py``;
``tests/unit/plugin/test_rest_api_operations_patch.py`` fails when LocalStack has one of them.

AWS topics: API Gateway Developer Guide, "API Gateway API key file format"; REST API Reference,
"ImportApiKeys", "GetApiKeys" and "UpdateUsage".
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from localstack.aws.api.apigateway import BadRequestException, NotFoundException
from localstack.utils.collections import PaginatedList
from localstack.utils.strings import md5, to_str
from moto.apigateway.models import apigateway_backends

from trigger_stack.localstack.lambda_engine.control_plane import control_plane

type _Handler = Callable[[Any, dict[str, Any]], Any]
type Row = dict[str, str]

_KEY_LENGTHS: Final = range(20, 129)
_MOST_NAME: Final = 1024
_MOST_LISTED: Final = 500
_SINGLE_QUOTED: Final = re.compile(r"(?:(?<=,)|(?<=^))'([^'\"\n]*)'(?=,|\r?$)", re.MULTILINE)


def import_api_keys(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: a key that is there with the same value is replaced."""
    if request.get("format") != "csv":
        raise BadRequestException("Unsupported format: API keys are imported as csv")
    backend = apigateway_backends[context.account_id][context.region]
    rows = list(read_rows(to_str(request["body"].read())))
    warnings = [why for row in rows if (why := _problem(row, backend))]
    if warnings and request.get("failOnWarnings"):
        raise BadRequestException("; ".join(warnings))
    ids = [_put(backend, row) for row in rows if _problem(row, backend) is None]
    return {"ids": ids, "warnings": warnings}


def read_rows(text: str) -> Iterator[Row]:
    """The keys of a file, by the names of their columns in small letters.

    Raises:
        BadRequestException: It has no columns of names and keys.
    """
    lines = io.StringIO(_SINGLE_QUOTED.sub(r'"\1"', text.removeprefix("\ufeff")))
    reader = csv.reader(lines, skipinitialspace=True)
    columns = [name.strip().lower() for name in next(reader, [])]
    if not {"name", "key"} <= set(columns):
        raise BadRequestException("The file must contain the Name and Key columns")
    for cells in reader:
        if any(cell.strip() for cell in cells):
            values = [cell.strip() for cell in cells] + [""] * len(columns)
            yield dict(zip(columns, values, strict=False))


def _problem(row: Row, backend: Any) -> str | None:
    if len(row["key"]) not in _KEY_LENGTHS:
        return f"The key of {row['name']!r} must have between 20 and 128 characters"
    if len(row["name"]) > _MOST_NAME:
        return f"The name {row['name'][:40]!r}... must not have more than {_MOST_NAME} characters"
    missing = [plan for plan in _plans(row) if plan not in backend.usage_plans]
    return f"The key of {row['name']!r} names no usage plan: {missing[0]}" if missing else None


def _plans(row: Row) -> list[str]:
    return [plan for one in row.get("usageplanids", "").split(",") if (plan := one.strip())]


def _put(backend: Any, row: Row) -> str:
    enabled = row.get("enabled", "").lower() != "false"
    description = row.get("description", "")
    known = next((key for key in backend.keys.values() if key.value == row["key"]), None)
    if known is None:
        known = backend.create_api_key({"value": row["key"]})
    known.name, known.description, known.enabled = row["name"], description, enabled
    for plan in _plans(row):
        backend.create_usage_plan_key(plan, {"keyId": known.id, "keyType": "API_KEY"})
    return str(known.id)


def get_api_keys(original: _Handler, context: Any, request: dict[str, Any]) -> Any:
    """The operation; keys may have no name, and then no name of theirs begins with anything."""
    if not request.get("nameQuery"):
        return original(context, request)
    backend = apigateway_backends[context.account_id][context.region]
    found = [key.to_json() for key in reversed(backend.get_api_keys(request["nameQuery"]))]
    if not request.get("includeValues"):
        for key in found:
            key.pop("value")
    limit = request.get("limit") or 0
    size = limit if 0 < limit <= _MOST_LISTED else None
    pages: Any = PaginatedList(found)
    page, position = pages.get_page(lambda key: md5(key["id"]), request.get("position"), size)
    return {"items": page, "position": position}


def update_usage(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """The operation: how many requests are left to a key until its quota begins anew."""
    plan, key = request["usagePlanId"], request["keyId"]
    backend = apigateway_backends[context.account_id][context.region]
    if plan not in backend.usage_plans:
        raise NotFoundException("Invalid Usage Plan ID specified")
    if key not in backend.usage_plan_keys.get(plan, {}):
        raise NotFoundException("Invalid API Key identifier specified")
    reply, _ = control_plane().call(
        {"op": "usage", "plan": plan, "key": key, "remaining": _remaining(request)}
    )
    day = reply["day"]
    if day is None:
        raise BadRequestException(f"Usage plan {plan} has no quota")
    usage, _ = control_plane().call({"op": "usage", "plan": plan, "first": day, "last": day})
    items = {name: days for name, days in usage["usage"].items() if name == key}
    return {"usagePlanId": plan, "startDate": day, "endDate": day, "items": items}


def _remaining(request: Mapping[str, Any]) -> int:
    value: Any = None
    for operation in request.get("patchOperations") or []:
        if (operation.get("op"), operation.get("path")) != ("replace", "/remaining"):
            raise BadRequestException(
                f"Invalid patch path {operation.get('path')}: replace of /remaining is supported"
            )
        value = operation.get("value")
    if value is None or not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise BadRequestException(f"Invalid value of /remaining: {value}")
    return int(value)
