"""Request validators.

AWS topics: API Gateway Developer Guide, "Request validation for REST APIs in API Gateway" and "Data
models for REST APIs" (JSON schema draft 4). Required parameters must be there and not empty; a body
must fit the model of its content type. A content type without a model is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from trigger_stack_engine.front_doors.core.message import HttpRequest
from trigger_stack_engine.front_doors.rest_api.api import Deployment, Method
from trigger_stack_engine.front_doors.rest_api.gateway_responses import GatewayError


def validate(
    request: HttpRequest, method: Method, deployment: Deployment, lookup: Callable[[str], Any]
) -> None:
    """Check a request as its method's validator says.

    Args:
        request: The request.
        method: The method that serves it.
        deployment: With validators and models.
        lookup: The value of ``method.request.header.Name`` and the like.

    Raises:
        GatewayError: 400.
    """
    validator = deployment.validators.get(method.attributes.get("requestValidatorId") or "")
    if validator is None:
        return
    if validator.get("validateRequestParameters"):
        required = [
            name
            for name, is_required in (method.attributes.get("requestParameters") or {}).items()
            if str(is_required).lower() == "true"
        ]
        missing = [name.split(".", 3)[3] for name in sorted(required) if not lookup(name)]
        if missing:
            text = f"Missing required request parameters: [{', '.join(missing)}]"
            raise GatewayError("BAD_REQUEST_PARAMETERS", text)
    if validator.get("validateRequestBody"):
        _validate_body(request, method.attributes.get("requestModels") or {}, deployment.models)


def _validate_body(
    request: HttpRequest, models: Mapping[str, str], schemas: Mapping[str, Any]
) -> None:
    # Imported here: only a method with a model needs it.
    import jsonschema

    from trigger_stack_engine.front_doors.rest_api.schema_errors import describe

    content_type = (request.header("content-type") or "application/json").partition(";")[0].strip()
    model = models.get(content_type.lower()) or models.get("$default")
    schema = schemas.get(model) if model else None
    if schema is None:
        return
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft4Validator)
    try:
        kind.check_schema(schema)
        errors = list(kind(schema).iter_errors(json.loads(request.body or b"{}")))
    except (ValueError, RecursionError, jsonschema.SchemaError):
        raise GatewayError("BAD_REQUEST_BODY") from None
    if errors:
        raise GatewayError("BAD_REQUEST_BODY", details=describe(errors))
