"""What of an ``AWS`` integration's answers is none of the function or the service."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
    BaseGatewayException,
    Default4xxError,
    RequestTooLargeError,
)
from localstack.services.apigateway.next_gen.execute_api.integrations.aws import (
    RestApiAwsIntegration,
)

from trigger_stack.localstack.apigateway.aws_integrations import check_after, check_before

FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:none/invocations"
)


def answered(status: int, uri: str = FUNCTION, **body: Any) -> Any:
    return SimpleNamespace(
        api_id="api",
        integration_request={"uri": uri},
        endpoint_response={"status_code": status, "body": json.dumps(body).encode()},
    )


@pytest.mark.parametrize(
    ("status", "kind", "error", "expected"),
    [
        (400, "InvalidRequestContentException", Default4xxError, 400),
        (404, "ResourceNotFoundException", ApiConfigurationError, 500),
        (413, "RequestEntityTooLargeException", RequestTooLargeError, 413),
        (429, "TooManyRequestsException", ApiConfigurationError, 500),
        (502, "InvalidZipFileException", ApiConfigurationError, 500),
    ],
)
def test_a_refusal_of_lambda_is_an_error(
    status: int, kind: str, error: type[BaseGatewayException], expected: int
) -> None:
    with pytest.raises(error) as raised:
        check_after(answered(status, __type=kind, message="why"))

    assert int(raised.value.status_code) == expected


@pytest.mark.parametrize("status", [200, 202, 204])
def test_what_was_invoked_is_no_refusal(status: int) -> None:
    check_after(answered(status, errorMessage="of the function"))


def uri(service: str) -> str:
    return f"arn:aws:apigateway:us-east-1:{service}:action/Send"


@pytest.mark.parametrize("service", ["sqs", "states", "dynamodb", "1234.appsync-api"])
def test_a_service_that_aws_has_may_be_called(service: str) -> None:
    check_before(SimpleNamespace(integration_request={"uri": uri(service)}))


def test_a_service_that_nobody_has_is_an_error() -> None:
    context = SimpleNamespace(api_id="api", integration_request={"uri": uri("sqss")})

    with pytest.raises(ApiConfigurationError):
        check_before(context)


def test_a_service_that_is_no_part_of_the_stack_is_an_error() -> None:
    with pytest.raises(ApiConfigurationError):
        check_after(answered(501, uri("states"), __type="InternalFailure", message="no part"))


def test_what_cannot_be_read_is_the_callers() -> None:
    message = (
        "exception while calling dynamodb with unknown operation:"
        " HTTP body could not be parsed as JSON."
    )
    context = answered(500, uri("dynamodb"), __type="InternalError", message=message)

    check_after(context)

    assert context.endpoint_response["status_code"] == 400
    assert json.loads(context.endpoint_response["body"]) == {"__type": "SerializationException"}


def test_a_request_in_which_no_operation_is_found_is_an_error() -> None:
    message = "exception while calling firehose with unknown operation: An unknown error occurred"

    with pytest.raises(ApiConfigurationError):
        check_after(answered(500, uri("firehose"), __type="InternalError", message=message))


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_services_own_answer_stays(status: int) -> None:
    context = answered(status, uri("dynamodb"), __type="InternalError", message="other")
    before = dict(context.endpoint_response)

    check_after(context)

    assert context.endpoint_response == before


def test_localstack_still_asks_no_policy_of_a_function() -> None:
    assert "olicy" not in inspect.getsource(RestApiAwsIntegration.invoke)
