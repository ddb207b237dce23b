"""What a caller of a REST API gets when it, an integration or an authorizer refuses."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.lambda_stack import ROLE, Stack
from tests.engine.rest_apis import ECHO, Api, authorizer_code, invocation_uri, make_api, policy

CODE = """
def handler(event, context):
    if isinstance(event, dict) and event.get("raise"):
        raise ValueError(event["raise"])
    return event
"""


def custom(
    api: Api, path: str, function: str, responses: dict[str, dict[str, Any]] | None = None
) -> None:
    """A ``POST`` with a custom integration of a function, and its integration responses."""
    api.method(
        "POST",
        path,
        integration={
            "type": "AWS",
            "integrationHttpMethod": "POST",
            "uri": invocation_uri(function),
        },
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource(path), "httpMethod": "POST"}
    for status, response in (responses or {"200": {}}).items():
        api.client.put_method_response(**place, statusCode=status)
        api.client.put_integration_response(**place, statusCode=status, **response)


@pytest.fixture(scope="module")
def function(stack: Stack) -> str:
    return stack.create(CODE)


def test_a_pattern_is_for_the_whole_message(stack: Stack, function: str) -> None:
    api = make_api(stack)
    api.let_call(function)
    patterns = {"200": {}, "400": {"selectionPattern": "bad"}, "404": {"selectionPattern": "no .*"}}
    custom(api, "/", function, patterns)
    api.deploy()

    found = {
        text: api.call("POST", "/", json={"raise": text}).status_code
        for text in ("bad", "bad thing", "no brand")
    }

    assert found == {"bad": 400, "bad thing": 200, "no brand": 404}


def test_what_is_no_json_is_400_and_does_not_look_like_a_result(
    stack: Stack, function: str
) -> None:
    api = make_api(stack)
    api.let_call(function)
    custom(api, "/", function)
    api.deploy()

    answer = api.call("POST", "/", data="{", headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Could not parse request body into json: ")
    assert list(answer.json()) == ["message"]


def test_a_function_that_cannot_be_invoked_is_500(stack: Stack) -> None:
    api = make_api(stack)
    function, gone = stack.create(CODE), stack.create(CODE)
    for name in (function, gone):
        api.let_call(name)
    custom(api, "/throttled", function)
    custom(api, "/gone", gone)
    api.deploy()
    client = stack.client("lambda")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    client.delete_function(FunctionName=gone)

    answers = {path: api.call("POST", path, json={}) for path in ("/throttled", "/gone")}

    found = {path: (one.status_code, one.json()) for path, one in answers.items()}
    assert found == dict.fromkeys(answers, (500, {"message": "Internal server error"}))


def test_a_function_that_does_not_let_the_api_invoke_it_is_500(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    print('invoked')\n")
    custom(api, "/", function)
    api.deploy()

    refused = api.call("POST", "/", json={})
    api.let_call(function)
    allowed = api.call("POST", "/", json={})

    assert (refused.status_code, refused.json()) == (500, {"message": "Internal server error"})
    assert allowed.status_code == 200
    texts = stack.messages(function, until="invoked")
    assert sum("invoked" in text for text in texts) == 1


@pytest.mark.parametrize("service", ["sqss", "states"])
def test_a_service_that_cannot_take_the_request_is_500(stack: Stack, service: str) -> None:
    api = make_api(stack)
    service_integration(api, service, "Send", "{}")
    api.deploy()

    answer = api.call("POST", "/", json={})

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_request_that_a_service_cannot_read_is_400(stack: Stack) -> None:
    api = make_api(stack)
    patterns = {"200": {}, "400": {"selectionPattern": "400"}}
    service_integration(api, "dynamodb", "PutItem", "{no JSON", patterns)
    api.deploy()

    assert api.call("POST", "/", json={}).status_code == 400


def service_integration(
    api: Api,
    service: str,
    action: str,
    template: str,
    responses: dict[str, dict[str, Any]] | None = None,
) -> None:
    """A ``POST`` to the root that calls an AWS service."""
    settings = {
        "type": "AWS",
        "integrationHttpMethod": "POST",
        "uri": f"arn:aws:apigateway:us-east-1:{service}:action/{action}",
        "credentials": api.stack.role(ROLE, "apigateway.amazonaws.com"),
        "requestTemplates": {"application/json": template},
    }
    api.method("POST", "/", integration=settings)
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "POST"}
    for status, response in (responses or {"200": {}}).items():
        api.client.put_method_response(**place, statusCode=status)
        api.client.put_integration_response(**place, statusCode=status, **response)


def test_an_event_that_is_too_large_is_413(stack: Stack, function: str) -> None:
    api = make_api(stack)
    api.let_call(function)
    custom(api, "/", function)
    api.deploy()

    answer = api.call("POST", "/", json="x" * (6 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.json()) == (413, {"message": "Request Too Long"})


# -- what the API answers by itself --------------------------------------------------------------


def answered_by_itself(api: Api, kind: str, template: str, **parameters: str) -> None:
    """Give an error of the API another body."""
    api.client.put_gateway_response(
        restApiId=api.api_id,
        responseType=kind,
        responseTemplates={"application/json": template},
        responseParameters={f"gatewayresponse.header.{k}": v for k, v in parameters.items()},
    )


def test_a_body_that_does_not_fit_is_told_why(stack: Stack, function: str) -> None:
    api = make_api(stack)
    schema = {
        "type": "object",
        "required": ["name", "age"],
        "properties": {"age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    }
    api.client.create_model(
        restApiId=api.api_id, name="Own", contentType="application/json", schema=json.dumps(schema)
    )
    validator = api.client.create_request_validator(
        restApiId=api.api_id, name="body", validateRequestBody=True
    )
    api.method(
        *("POST", "/", function),
        requestModels={"application/json": "Own"},
        requestValidatorId=validator["id"],
    )
    api.let_call(function)
    answered_by_itself(api, "BAD_REQUEST_BODY", '{"why": "$context.error.validationErrorString"}')
    api.deploy()

    found = {
        body: api.call("POST", "/", data=body).json() for body in ("{}", '{"age": 0, "name": 1}')
    }

    assert found == {
        "{}": {"why": '[object has missing required properties (["age","name"])]'},
        '{"age": 0, "name": 1}': {
            "why": "[numeric instance is not strictly greater than the required minimum 0]"
        },
    }


def test_an_authorizer_that_refuses_may_say_why(stack: Stack, function: str) -> None:
    api = make_api(stack)
    answer = {**policy("Deny", "*"), "context": {"reason": "expired"}}
    refusing = stack.create(authorizer_code(answer))
    for name in (function, refusing):
        api.let_call(name)
    authorizer = api.client.create_authorizer(
        restApiId=api.api_id,
        name="refusing",
        type="TOKEN",
        authorizerUri=invocation_uri(refusing),
        identitySource="method.request.header.X-Token",
    )
    api.method("GET", "/", function, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    answered_by_itself(
        *(api, "ACCESS_DENIED", '{"why": "$context.authorizer.reason"}'),
        **{"X-Who": "context.authorizer.principalId"},
    )
    api.deploy()

    answers = [api.call("GET", "/", headers={"X-Token": "t"}) for _ in range(2)]  # one is cached

    found = [(one.status_code, one.json(), one.headers.get("X-Who")) for one in answers]
    assert found == [(403, {"why": "expired"}, "someone")] * 2


def test_a_malformed_query_is_400_also_when_a_gateway_response_reads_it(
    stack: Stack, function: str
) -> None:
    api = make_api(stack)
    api.method("GET", "/", function)
    api.let_call(function)
    answered_by_itself(
        *(api, "DEFAULT_4XX", '{"message": $context.error.messageString}'),
        **{"X-Q": "method.request.querystring.q", "X-Own": "'own'"},
    )
    api.deploy()

    connection = http.client.HTTPConnection("127.0.0.1", stack.http_port, timeout=30)
    connection.request("GET", f"/_rest-api/{api.api_id}/live/?q=%zz")
    answer = connection.getresponse()

    assert (answer.status, json.loads(answer.read())) == (400, {"message": "Bad Request"})
    assert answer.getheader("X-Own") == "own"


# -- mocks ---------------------------------------------------------------------------------------


def test_a_mock_chooses_its_templates_by_type(stack: Stack) -> None:
    api = make_api(stack)
    api.method(
        *("GET", "/"),
        integration={
            "type": "MOCK",
            "requestTemplates": {"application/json": '{"statusCode":200}'},
        },
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "GET"}
    api.client.put_method_response(**place, statusCode="200")
    templates = {"text/plain": "plain", "application/json": '{"kind": "json"}'}
    api.client.put_integration_response(**place, statusCode="200", responseTemplates=templates)
    api.deploy()

    found = {
        accept: api.call("GET", "/", headers={"Accept": accept}).text
        for accept in ("text/plain", "application/json", "*/*")
    }
    other = api.call("GET", "/", headers={"Content-Type": "application/xml"})

    assert found == {
        "text/plain": "plain",
        "application/json": '{"kind": "json"}',
        "*/*": '{"kind": "json"}',
    }
    # There is no template, so nothing says which status the mock has.
    assert (other.status_code, other.json()) == (500, {"message": "Internal server error"})


# -- operations ----------------------------------------------------------------------------------


def test_what_an_authorizer_said_can_be_forgotten(stack: Stack, function: str) -> None:
    api = make_api(stack)
    echo = stack.create(ECHO)
    asked = stack.create(authorizer_code(policy("Allow", "*")))
    for name in (echo, asked):
        api.let_call(name)
    authorizer = api.client.create_authorizer(
        restApiId=api.api_id,
        name="own",
        type="TOKEN",
        authorizerUri=invocation_uri(asked),
        identitySource="method.request.header.X-Token",
    )
    api.method("GET", "/", echo, authorizationType="CUSTOM", authorizerId=authorizer["id"])
    stages = ("live", "other")
    for stage in stages:
        api.deploy(stage)

    def calls(stage: str) -> str:
        answer = api.call("GET", "/", stage, headers={"X-Token": "t"})
        return str(answer.json()["requestContext"]["authorizer"]["calls"])

    before = [calls(stage) for stage in (*stages, *stages)]
    flushed = api.client.flush_stage_authorizers_cache(restApiId=api.api_id, stageName="live")

    assert before == ["1", "2", "1", "2"]
    assert flushed["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert [calls(stage) for stage in stages] == ["3", "2"]
    api.client.flush_stage_cache(restApiId=api.api_id, stageName="live")
    with pytest.raises(ClientError) as raised:
        api.client.flush_stage_authorizers_cache(restApiId=api.api_id, stageName="none")
    assert raised.value.response["Error"]["Code"] == "NotFoundException"


@pytest.mark.parametrize("timeout", [49, 29_001])
def test_a_time_out_outside_the_quota_is_refused(stack: Stack, function: str, timeout: int) -> None:
    api = make_api(stack)
    text = "Timeout should be between 50 ms and 29000 ms"
    api.method("GET", "/", function, integration={"timeoutInMillis": 29_000})
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "GET"}
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": invocation_uri(function)}
    method = {"x-amazon-apigateway-integration": {**integration, "timeoutInMillis": timeout}}
    document = {
        "openapi": "3.0.1",
        "info": {"title": "a", "version": "1"},
        "paths": {"/pets": {"get": method}},
    }

    with pytest.raises(ClientError) as put:
        api.method("POST", "/", function, integration={"timeoutInMillis": timeout})
    change = {"op": "replace", "path": "/timeoutInMillis", "value": str(timeout)}
    with pytest.raises(ClientError) as updated:
        api.client.update_integration(**place, patchOperations=[change])
    with pytest.raises(ClientError) as imported:
        api.client.import_rest_api(body=json.dumps(document).encode())

    errors = [one.value.response["Error"] for one in (put, updated, imported)]
    assert {error["Code"] for error in errors} == {"BadRequestException"}
    assert [error["Message"] for error in errors] == [
        *(text, text),
        "Errors found during import:\n\tUnable to put integration on 'GET' for resource at path"
        f" '/pets': {text}",
    ]
