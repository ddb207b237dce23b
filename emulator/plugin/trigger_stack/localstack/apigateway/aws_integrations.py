"""``AWS`` integrations of REST APIs: who may be called, and what is no answer of a service.

What: checks before and after LocalStack's step that calls an ``AWS`` integration: whether the
function's policy lets the API invoke it, whether there is such a service, and whether Lambda or
the service took the request at all.
Why: LocalStack's open release asks no policy. It hands the refusal of Lambda's API on as if a
function had returned it, sends requests for an unknown service to its own front page, and takes
for the service's what LocalStack answers when it has no such service, or could not read the
request. With the default integration response each of these is 200: the caller takes for done what
nobody has seen.
Until: LocalStack does as AWS.
Test: ``tests/engine/test_rest_api_answers.py``, ``tests/unit/plugin/test_aws_integrations.py``.

AWS topics: Lambda Developer Guide, "Invoking a Lambda function using an Amazon API Gateway
endpoint" ("If the Lambda API rejects the invocation request, API Gateway returns a 500 error
code"); API Gateway Developer Guide, "Gateway response types" (``API_CONFIGURATION_ERROR``);
DynamoDB Developer Guide, "Error handling" (a request that cannot be read is a
``SerializationException``, 400). What a caller gets whose body, or what a template makes of it, is
no JSON is on record with AWS's words: ``{"message": "Could not parse request body into json: …"}``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
    Default4xxError,
    RequestTooLargeError,
)
from localstack.services.apigateway.next_gen.execute_api.helpers import (
    get_lambda_function_arn_from_invocation_uri,
)
from localstack.services.apigateway.next_gen.execute_api.integrations.aws import (
    RestApiAwsIntegration,
)
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.utils.bootstrap import is_api_enabled

from trigger_stack.localstack.lambda_engine.versions import describe_function, find_function
from trigger_stack_engine.front_doors.core.execution_policy import allows_invoke, source_arn

LOG = logging.getLogger(__name__)

_OF_FUNCTION: Final = ":lambda:path/"
_INTERNAL: Final = "Internal server error"
_NO_JSON: Final = "InvalidRequestContentException"
_TOO_LARGE: Final = 413
_NOT_PART: Final = 501
#: What LocalStack says when it found no operation in a request.
_UNREADABLE: Final = "with unknown operation"
_MALFORMED: Final = "could not be parsed as JSON"
_SERIALIZATION: Final = b'{"__type":"SerializationException"}'


def check_before(context: Any) -> None:
    """Refuse a call that API Gateway would not make.

    Args:
        context: LocalStack's, with the request of an ``AWS`` integration.

    Raises:
        BaseGatewayException: The function may not be invoked, or there is no such service.
    """
    uri = context.integration_request["uri"]
    if _OF_FUNCTION in uri:
        if not context.integration.get("credentials"):
            _check_permission(context, get_lambda_function_arn_from_invocation_uri(uri))
        return
    given = uri.split(":", 5)[4]
    service = RestApiAwsIntegration.SERVICE_MAP.get(given, given)
    # A service may have a data plane of its own: `<name>.appsync-api`.
    if not service.endswith("-api") and not is_api_enabled(service):
        LOG.warning("REST API %s: this stack has no service %s: %s", context.api_id, service, uri)
        raise ApiConfigurationError(_INTERNAL)


def check_after(context: Any) -> None:
    """Tell an answer that is none of the service or the function.

    Args:
        context: LocalStack's, with the answer of an ``AWS`` integration.

    Raises:
        BaseGatewayException: Nobody has taken the request.
    """
    if _OF_FUNCTION in context.integration_request["uri"]:
        _check_invocation(context.endpoint_response)
    else:
        _check_service(context)


def _check_permission(context: Any, function_arn: str) -> None:
    name, qualifier, account, region = function_locators_from_arn(function_arn)
    function = find_function(str(account), str(region), str(name))
    method = context.resource_method["httpMethod"]
    arn = source_arn(
        region=context.region,
        account_id=context.account_id,
        api_id=context.api_id,
        stage=context.stage,
        method="*" if method == "ANY" else method,
        route_path=context.resource["path"],
    )
    policies: Mapping[str, Any] = {}
    if function is not None:
        unqualified = f"arn:aws:lambda:{region}:{account}:function:{name}"
        policies = describe_function(unqualified, function).policies
    statements = policies.get(qualifier or "$LATEST") or []
    if not allows_invoke(statements, arn=arn, account_id=context.account_id):
        LOG.warning(
            "API Gateway: the resource-based policy of function %s does not let"
            " apigateway.amazonaws.com invoke it for %s (lambda add-permission)",
            *(name, arn),
        )
        raise ApiConfigurationError(_INTERNAL)


def _check_invocation(answer: Any) -> None:
    status = answer["status_code"]
    if status < 400:
        return
    if status == _TOO_LARGE:
        raise RequestTooLargeError("Request Too Long")
    refused = _parsed(answer["body"])
    if refused.get("__type") == _NO_JSON:
        raise Default4xxError(str(refused.get("message") or "Bad Request"), status_code=400)
    raise ApiConfigurationError(_INTERNAL)


def _check_service(context: Any) -> None:
    answer = context.endpoint_response
    error = _parsed(answer["body"])
    reason = str(error.get("message"))
    is_unreadable = error.get("__type") == "InternalError" and _UNREADABLE in reason
    if answer["status_code"] != _NOT_PART and not is_unreadable:
        return
    LOG.warning(
        "REST API %s: no service took the request of an integration: %s",
        *(context.api_id, reason if error else answer["body"][:500]),
    )
    if not is_unreadable or _MALFORMED not in reason:
        raise ApiConfigurationError(_INTERNAL)
    answer["status_code"], answer["body"] = 400, _SERIALIZATION


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
