"""REST APIs: which method answers, who may call, the event, and what a result becomes."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import (
    ACCOUNT,
    ECHO,
    Api,
    authorizer_code,
    echo_api,
    invocation_uri,
    make_api,
    policy,
)
from tests.support.waiting import eventually

RESULT = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"


@pytest.fixture(scope="module")
def echo(stack: Stack) -> Api:
    """One API for all tests that only read."""
    return echo_api(
        stack,
        *("ANY /", "GET /brand", "GET /brand/{brandId}", "GET /brand/all", "ANY /files/{path+}"),
    )


def test_the_event_is_as_aws_documents_it(echo: Api) -> None:
    answer = echo.call(
        "GET",
        "/brand/a%2Fb?x=1&x=2&y=%20z",
        data="hello",
        headers={"Content-Type": "text/plain", "X-Mixed": "V", "Cookie": "a=1; b=2"},
    )

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    event = answer.json()
    assert event["resource"] == "/brand/{brandId}"
    assert event["path"] == "/brand/a%2Fb"
    assert event["httpMethod"] == "GET"
    assert event["pathParameters"] == {"brandId": "a%2Fb"}
    assert event["queryStringParameters"] == {"x": "2", "y": " z"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" z"]}
    assert event["headers"]["X-Mixed"] == "V"
    assert event["multiValueHeaders"]["X-Forwarded-Proto"] == ["http"]
    assert event["headers"]["Cookie"] == "a=1; b=2"
    assert "Content-Length" not in event["headers"]
    assert event["stageVariables"] is None
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    context = event["requestContext"]
    assert context["resourcePath"] == "/brand/{brandId}"
    assert context["resourceId"] == echo.resources["/brand/{brandId}"]
    assert context["path"] == "/live/brand/a%2Fb"
    assert (context["apiId"], context["stage"]) == (echo.api_id, "live")
    assert context["accountId"] == ACCOUNT
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"] == answer.headers["x-amzn-requestid"]
    assert context["extendedRequestId"] == answer.headers["x-amz-apigw-id"]
    assert context["deploymentId"]


def test_absent_parts_are_null(echo: Api) -> None:
    event = echo.call("GET", "/").json()

    for name in (
        *("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "body"),
        "stageVariables",
    ):
        assert event[name] is None, name


@pytest.mark.parametrize(
    ("method", "path", "resource"),
    [
        ("GET", "/brand/all", "/brand/all"),
        ("GET", "/brand/other", "/brand/{brandId}"),
        ("GET", "/brand/other/", "/brand/{brandId}"),
        ("DELETE", "/files/a/b%20c", "/files/{path+}"),
        ("POST", "/", "/"),
    ],
)
def test_the_most_specific_resource_answers(
    echo: Api, method: str, path: str, resource: str
) -> None:
    assert echo.call(method, path).json()["resource"] == resource


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("POST", "/brand"), ("GET", "/files"), ("GET", "//")]
)
def test_an_unknown_route_is_403(echo: Api, method: str, path: str) -> None:
    answer = echo.call(method, path)

    if path == "//":
        assert answer.status_code == 200  # slashes at the end make no difference
        return
    assert answer.status_code == 403, answer.text
    assert answer.json() == {"message": "Missing Authentication Token"}
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


def test_an_unknown_route_with_a_token_is_about_signatures(echo: Api) -> None:
    """As on AWS, where it has many a person look for the mistake in the token."""
    token = "x-api-key 1XVOAZHZ87fuDLuWzKAQmG_0RRGYO_eo8YhJHmugf68"

    answer = echo.call("GET", "/nothing", headers={"Authorization": token})
    basic = echo.call("GET", "/nothing", headers={"Authorization": "Basic dXM6cGFzcw=="})

    assert (answer.status_code, basic.status_code) == (403, 403)
    assert answer.json() == {
        "message": "Invalid key=value pair (missing equal-sign) in Authorization header (hashed"
        " with SHA-256 and encoded with Base64): 'Qqm1lWKN0Dm4/4GF/mKO4XIJ4s5tpXme/lz40NVd3ZQ='."
    }
    assert answer.headers["x-amzn-errortype"] == "IncompleteSignatureException"
    assert basic.json()["message"].startswith(
        "Authorization header requires 'Credential' parameter. Authorization header requires"
        " 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."
        " Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        " (Hashed with SHA-256 and encoded with Base64)"
    )


def test_every_address_leads_to_the_same_api(stack: Stack, echo: Api) -> None:
    base = f"http://127.0.0.1:{stack.port}"
    extra = f"http://127.0.0.1:{stack.http_port}"
    host = {"Host": f"{echo.api_id}.execute-api.us-east-1.localhost:{stack.port}"}
    for url, headers in (
        (f"{base}/live/brand/x", host),
        (f"{extra}/live/brand/x", host),
        (f"{base}/_rest-api/{echo.name}/live/brand/x", {}),
        (f"{extra}/_rest-api/{echo.name}/live/brand/x", {}),
        (f"{base}/_aws/execute-api/{echo.api_id}/live/brand/x", {}),
        (f"{base}/restapis/{echo.api_id}/live/_user_request_/brand/x", {}),
    ):
        answer = requests.get(url, headers=headers, timeout=60)
        assert answer.status_code == 200, (url, answer.text)
        assert answer.json()["requestContext"]["path"] == "/live/brand/x", url


def test_an_unknown_stage_is_403(echo: Api) -> None:
    answer = echo.call("GET", "/brand", stage="dead")

    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ({"statusCode": 201, "body": "x"}, 201, "application/json", "x"),
        ({"statusCode": "404"}, 404, "application/json", ""),
        ({"body": "x"}, 200, "application/json", "x"),
        ({}, 200, "application/json", ""),
        (
            {"statusCode": 200, "headers": {"content-TYPE": "text/html"}, "body": "<p>"},
            *(200, "text/html", "<p>"),
        ),
        ({"statusCode": 200, "body": "eA==", "isBase64Encoded": True}, 200, "", "eA=="),
        *(
            (malformed, 502, "application/json", '{"message":"Internal server error"}')
            for malformed in (
                *("text", None, [1], {"statusCode": 42}, {"statusCode": 200, "body": {"a": 1}}),
                {"statusCode": 200, "headers": []},
                {"statusCode": 200, "other": 1},
                {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
                {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
            )
        ),
    ],
)
def test_what_a_result_becomes(
    results: Api, result: Any, status: int, content_type: str, body: str
) -> None:
    answer = results.call("POST", "/", data=json.dumps(result))

    assert answer.status_code == status, answer.text
    assert answer.text == body
    if content_type:
        assert answer.headers["content-type"] == content_type
    if status == 502:
        assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"


@pytest.fixture(scope="module")
def results(stack: Stack) -> Api:
    return echo_api(stack, code=RESULT)


def test_headers_of_both_kinds_are_merged_and_some_renamed(results: Api) -> None:
    result = {
        "statusCode": 200,
        "headers": {"X-One": "a", "Date": "yesterday", "X-Flag": True},
        "multiValueHeaders": {"X-One": ["a", "b"], "Set-Cookie": ["c=1", "d=2"]},
    }

    answer = results.call("POST", "/", data=json.dumps(result))

    assert answer.headers["x-one"] == "a, b"
    assert answer.raw.headers.getlist("set-cookie") == ["c=1", "d=2"]
    assert answer.headers["x-amzn-remapped-date"] == "yesterday"
    assert answer.headers["x-flag"] == "true"


def test_binary_media_types(stack: Stack) -> None:
    code = """
def handler(event, context):
    return {"statusCode": 200, "body": event["body"] if event["isBase64Encoded"] else "bm8=",
            "isBase64Encoded": True, "headers": {"content-type": "image/png"}}
"""
    api = echo_api(stack, code=code, binaryMediaTypes=["image/*"])
    content = bytes(range(256))

    both = api.call(
        "POST", "/", data=content, headers={"Content-Type": "image/png", "Accept": "image/png"}
    )
    not_accepted = api.call("POST", "/", data=content, headers={"Content-Type": "image/png"})
    as_text = api.call("POST", "/", data=b"x", headers={"Accept": "image/webp"})

    assert both.content == content
    assert not_accepted.content == base64.b64encode(content)
    assert as_text.content == b"no"


def test_a_failing_function_is_502_and_says_nothing(stack: Stack) -> None:
    api = echo_api(stack, code="def handler(event, context):\n    raise ValueError('secret')\n")

    answer = api.call("GET", "/")

    assert answer.status_code == 502
    assert answer.text == '{"message":"Internal server error"}'


def test_after_its_time_the_client_gets_504(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("import time\ndef handler(event, context):\n    time.sleep(2)\n")
    api.method("GET", "/", function, integration={"timeoutInMillis": 100})
    api.let_call(function)
    api.deploy()

    answer = api.call("GET", "/")

    assert (answer.status_code, answer.json()) == (504, {"message": "Endpoint request timed out"})


def test_without_permission_it_is_500(stack: Stack) -> None:
    api = make_api(stack)
    api.method("GET", "/", stack.create(ECHO))
    api.deploy()

    answer = api.call("GET", "/")

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})


def test_a_throttled_function_is_500(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function)
    api.let_call(function)
    api.deploy()
    stack.client("lambda").put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=0
    )

    assert api.call("GET", "/").status_code == 500


def test_too_large_requests_are_413(echo: Api) -> None:
    answer = echo.call("POST", "/", data=b"x" * (10 * 1024 * 1024 + 1))
    event_too_large = echo.call("POST", "/", data=b"x" * (7 * 1024 * 1024))

    assert answer.status_code == 413
    assert (event_too_large.status_code, event_too_large.json()) == (
        *(413, {"message": "Request Too Long"}),
    )


def test_stage_variables_choose_the_function(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", "${stageVariables.function}")
    api.let_call(function)
    api.deploy(variables={"function": function})

    assert api.call("GET", "/").json()["stageVariables"] == {"function": function}


def test_a_change_is_served_when_it_is_deployed(stack: Stack) -> None:
    api = echo_api(stack, "GET /")
    function = stack.create(ECHO)
    api.let_call(function)
    api.method("GET", "/new", function)
    before = api.call("GET", "/new").status_code

    api.deploy()

    assert (before, api.call("GET", "/new").status_code) == (403, 200)


def test_a_deleted_api_answers_no_more(stack: Stack) -> None:
    api = echo_api(stack, "GET /")
    assert api.call("GET", "/").status_code == 200

    api.client.delete_rest_api(restApiId=api.api_id)

    assert api.call("GET", "/").status_code == 404


def test_a_canary_gets_its_part(stack: Stack) -> None:
    api = echo_api(stack, "GET /")
    api.client.create_deployment(
        restApiId=api.api_id,
        stageName="live",
        canarySettings={"percentTraffic": 50.0, "stageVariableOverrides": {"v": "canary"}},
    )

    seen = {api.call("GET", "/").json()["requestContext"]["isCanaryRequest"] for _ in range(60)}

    assert seen == {True, False}


# -- who may call -----------------------------------------------------------------------------


def guarded_api(stack: Stack, answer: Any, **settings: Any) -> Api:
    """``GET /guarded/{id}`` behind a Lambda authorizer."""
    api = make_api(stack)
    function, asked = stack.create(ECHO), stack.create(authorizer_code(answer))
    settings = {
        "type": "TOKEN",
        "identitySource": "method.request.header.X-Token",
        "authorizerResultTtlInSeconds": 0,
        **settings,
    }
    made = api.client.create_authorizer(
        restApiId=api.api_id, name="guard", authorizerUri=invocation_uri(asked), **settings
    )
    kind = {"authorizationType": "CUSTOM", "authorizerId": made["id"]}
    api.method("GET", "/guarded/{id}", function, **kind)
    api.let_call(function)
    api.let_call(asked)
    api.deploy()
    return api


def test_a_token_authorizer_lets_through_and_tells_the_function(stack: Stack) -> None:
    context = {"number": 1, "flag": True, "text": "x"}
    api = guarded_api(stack, policy("Allow", "*", context=context))

    answer = api.call("GET", "/guarded/1", headers={"X-Token": "abc"})

    assert answer.status_code == 200, answer.text
    authorizer = answer.json()["requestContext"]["authorizer"]
    assert authorizer["principalId"] == "someone"
    assert (authorizer["number"], authorizer["flag"], authorizer["text"]) == ("1", "true", "x")
    assert json.loads(authorizer["asked"]) == {
        "type": "TOKEN",
        "methodArn": f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.api_id}/live/GET/guarded/1",
        "authorizationToken": "abc",
    }


@pytest.mark.parametrize(
    ("token", "effect", "resource", "status", "body"),
    [
        (None, "Allow", "*", 401, {"message": "Unauthorized"}),
        ("401", "Allow", "*", 401, {"message": "Unauthorized"}),
        ("500", "Allow", "*", 500, {"message": None}),
        (
            *("x", "Deny", "*", 403),
            {
                "Message": "User is not authorized to access this resource with an explicit deny",
            },
        ),
        (
            *("x", "Allow", "arn:aws:execute-api:*:*:*/live/GET/other", 403),
            {"Message": "User is not authorized to access this resource"},
        ),
        ("x", "Allow", "arn:aws:execute-api:*:*:*/live/*/guarded/*", 200, None),
    ],
)
def test_what_a_token_authorizer_refuses(
    stack: Stack, token: str | None, effect: str, resource: str, status: int, body: Any
) -> None:
    api = guarded_api(stack, policy(effect, resource))

    answer = api.call("GET", "/guarded/1", headers={"X-Token": token} if token else {})

    assert answer.status_code == status, answer.text
    if body is not None:
        assert answer.json() == body


@pytest.mark.parametrize("answer", [{"principalId": "x"}, policy("Allow", "*", principalId="")])
def test_an_authorizer_that_does_not_decide_is_500(stack: Stack, answer: Any) -> None:
    api = guarded_api(stack, answer)

    assert api.call("GET", "/guarded/1", headers={"X-Token": "x"}).status_code == 500


def test_the_validation_expression_spares_the_function(stack: Stack) -> None:
    api = guarded_api(stack, policy("Allow", "*"), identityValidationExpression="Bearer [a-z]+")

    assert api.call("GET", "/guarded/1", headers={"X-Token": "Bearer 1"}).status_code == 401
    assert api.call("GET", "/guarded/1", headers={"X-Token": "Bearer a"}).status_code == 200


def test_a_request_authorizer_is_cached_by_its_identity_sources(stack: Stack) -> None:
    api = guarded_api(
        stack,
        policy("Allow", "*"),
        type="REQUEST",
        identitySource="method.request.header.X-Token, method.request.querystring.q",
        authorizerResultTtlInSeconds=60,
    )

    def calls(query: str) -> str:
        answer = api.call("GET", f"/guarded/1?q={query}", headers={"X-Token": "t"})
        return str(answer.json()["requestContext"]["authorizer"]["calls"])

    assert (calls("a"), calls("a"), calls("b")) == ("1", "1", "2")
    assert api.call("GET", "/guarded/1?q=a").status_code == 401


def test_what_an_authorizer_said_of_a_stage_is_not_used_for_another(stack: Stack) -> None:
    """Its policy may name the stage."""
    api = guarded_api(stack, policy("Allow", "*"), authorizerResultTtlInSeconds=60)
    api.deploy("two")

    def calls(stage: str) -> str:
        answer = api.call("GET", "/guarded/1", stage, headers={"X-Token": "t"})
        return str(answer.json()["requestContext"]["authorizer"]["calls"])

    assert (calls("live"), calls("two"), calls("live"), calls("two")) == ("1", "2", "1", "2")


def test_api_keys_quota_and_rate(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function, apiKeyRequired=True)
    api.let_call(function)
    api.deploy()
    value = secrets.token_hex(20)
    key = api.client.create_api_key(name="k", value=value, enabled=True)["id"]
    unplanned = api.call("GET", "/", headers={"X-Api-Key": value})
    plan = api.client.create_usage_plan(
        name="p",
        apiStages=[{"apiId": api.api_id, "stage": "live"}],
        quota={"limit": 2, "period": "DAY"},
    )["id"]
    api.client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

    none = api.call("GET", "/")
    answers = [api.call("GET", "/", headers={"x-api-key": value}) for _ in range(3)]

    assert (unplanned.status_code, none.status_code) == (403, 403)
    assert none.json() == {"message": "Forbidden"}
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].json()["requestContext"]["identity"]["apiKeyId"] == key
    assert answers[2].json() == {"message": "Limit Exceeded"}


def test_a_stage_has_a_rate(stack: Stack) -> None:
    api = echo_api(stack, "GET /")
    api.client.update_stage(
        restApiId=api.api_id,
        stageName="live",
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.01"},
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
        ],
    )

    answers = [api.call("GET", "/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"message": "Too Many Requests"}


def test_signatures_are_checked(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function, authorizationType="AWS_IAM")
    api.let_call(function)
    api.deploy()

    def signed(
        secret: str = "test", service: str = "execute-api", region: str = "us-east-1"
    ) -> Any:
        request = AWSRequest("GET", api.url("/"))
        SigV4Auth(Credentials("test", secret), service, region).add_auth(request)
        return requests.get(api.url("/"), headers=dict(request.headers), timeout=60)

    good = signed()
    assert good.status_code == 200, good.text
    identity = good.json()["requestContext"]["identity"]
    assert (identity["accessKey"], identity["accountId"]) == ("test", ACCOUNT)
    unsigned = api.call("GET", "/")
    assert (unsigned.status_code, unsigned.json()) == (
        *(403, {"message": "Missing Authentication Token"}),
    )
    for refused, message in (
        (signed(secret="other"), "The request signature we calculated does not match"),
        (
            signed(service="lambda", region="eu-west-1"),
            "Credential should be scoped to a valid region."
            " Credential should be scoped to correct service: 'execute-api'. ",
        ),
    ):
        assert refused.status_code == 403
        assert refused.json()["message"].startswith(message)
        assert refused.headers["x-amzn-errortype"] == "InvalidSignatureException"
    bearer = api.call("GET", "/", headers={"Authorization": "Bearer x"})
    assert bearer.headers["x-amzn-errortype"] == "IncompleteSignatureException"


def test_a_resource_policy_is_asked(stack: Stack) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"}
    deny = {
        **statement,
        "Effect": "Deny",
        "Resource": "execute-api:/*/GET/closed",
        "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Resource": "execute-api:/*"}, deny],
    }
    api = echo_api(stack, "GET /open", "GET /closed", policy=json.dumps(document))

    closed = api.call("GET", "/closed")

    assert api.call("GET", "/open").status_code == 200
    assert closed.status_code == 403
    assert closed.json()["Message"].endswith("with an explicit deny")


# -- validation, mocks, templates ----------------------------------------------------------------


def test_request_validators(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.let_call(function)
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    api.client.create_model(
        restApiId=api.api_id,
        name="Brand",
        contentType="application/json",
        schema=json.dumps(schema),
    )
    validator = api.client.create_request_validator(
        restApiId=api.api_id, name="v", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    api.method(
        *("POST", "/", function),
        requestValidatorId=validator,
        requestModels={"application/json": "Brand"},
        requestParameters={
            "method.request.querystring.q": True,
            "method.request.header.X-H": True,
            "method.request.header.X-Optional": False,
        },
    )
    api.deploy()

    missing = api.call("POST", "/", json={"name": "x"})
    wrong = api.call("POST", "/?q=1", headers={"x-h": "1"}, json={"name": 1})
    right = api.call("POST", "/?q=1", headers={"x-h": "1"}, json={"name": "x"})

    assert (missing.status_code, missing.json()) == (
        *(400, {"message": "Missing required request parameters: [X-H, q]"}),
    )
    assert (wrong.status_code, wrong.json()) == (400, {"message": "Invalid request body"})
    assert right.status_code == 200


def put_mock(
    api: Api, method: str, path: str, template: str, headers: dict[str, str], body: str
) -> None:
    """A mock integration that answers 200."""
    api.method(
        *(method, path),
        integration={"type": "MOCK", "requestTemplates": {"application/json": template}},
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource(path), "httpMethod": method}
    named = {f"method.response.header.{name}": value for name, value in headers.items()}
    api.client.put_method_response(
        **place, statusCode="200", responseParameters=dict.fromkeys(named, False)
    )
    api.client.put_integration_response(
        **place,
        statusCode="200",
        responseParameters=named,
        responseTemplates={"application/json": body},
    )


def test_a_mock_answers_preflight_requests(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create(ECHO)
    api.method("GET", "/", function)
    api.let_call(function)
    headers = {
        "Access-Control-Allow-Origin": "'https://app.example'",
        "Access-Control-Allow-Methods": "'GET,OPTIONS'",
    }
    put_mock(api, "OPTIONS", "/", '{"statusCode": 200}', headers, "")
    api.deploy()
    page = {"Origin": "https://app.example"}

    preflight = api.call("OPTIONS", "/", headers={**page, "Access-Control-Request-Method": "GET"})

    assert preflight.status_code == 200, preflight.text
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    assert api.call("GET", "/", headers=page).status_code == 200
    foreign = api.call("GET", "/", headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "evil.example" in foreign.text


def test_mapping_templates(stack: Stack) -> None:
    """Templates go through LocalStack; what the authorizer said is there."""
    api = guarded_api(stack, policy("Allow", "*", context={"tenant": "t1"}))
    authorizer = api.client.get_authorizers(restApiId=api.api_id)["items"][0]["id"]
    body = '{"q": "$input.params(\'q\')", "tenant": "$context.authorizer.tenant"}'
    put_mock(api, "GET", "/mock", '{"statusCode": #if(true)200#end}', {}, body)
    api.client.update_method(
        restApiId=api.api_id,
        resourceId=api.resource("/mock"),
        httpMethod="GET",
        patchOperations=[
            {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
            {"op": "replace", "path": "/authorizerId", "value": authorizer},
        ],
    )
    api.deploy()

    refused = api.call("GET", "/mock?q=1")
    answer = api.call("GET", "/mock?q=1", headers={"X-Token": "x"})

    assert refused.status_code == 401
    assert (answer.status_code, answer.json()) == (200, {"q": "1", "tenant": "t1"})


def test_a_lambda_integration_with_templates(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return {'got': event}\n")
    api.let_call(function)
    api.method(
        *("POST", "/", function),
        integration={
            "type": "AWS",
            "requestTemplates": {"application/json": '{"n": $input.path("$.a")}'},
        },
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "POST"}
    api.client.put_method_response(**place, statusCode="200")
    api.client.put_integration_response(**place, statusCode="200")
    api.deploy()

    answer = api.call("POST", "/", json={"a": 7})

    assert (answer.status_code, answer.json()) == (200, {"got": {"n": 7}})


def test_templates_see_headers_and_forms(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return event\n")
    api.let_call(function)
    names = "#foreach($name in $input.params().header.keySet())$name #end"
    form = "#foreach($part in $input.path('$').split('&'))<$part>#end"
    api.method(
        *("POST", "/", function),
        integration={
            "type": "AWS",
            "requestTemplates": {
                "application/x-www-form-urlencoded": f'{{"names": "{names}", "form": "{form}"}}'
            },
        },
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource("/"), "httpMethod": "POST"}
    api.client.put_method_response(**place, statusCode="200")
    api.client.put_integration_response(**place, statusCode="200")
    api.deploy()

    answer = api.call("POST", "/", data={"a": "b c", "d": ""}, headers={"X-Own": "1"})

    assert answer.status_code == 200, answer.text
    assert "x-own" in answer.json()["names"].lower()
    assert answer.json()["form"] == "<a=b+c><d=>"


def test_gateway_responses_can_be_changed(stack: Stack) -> None:
    api = echo_api(stack, "GET /")
    api.client.put_gateway_response(
        restApiId=api.api_id,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={"gatewayresponse.header.X-Why": "'nothing here'"},
        responseTemplates={
            "application/json": '{"error": $context.error.messageString,'
            ' "id": "$context.requestId"}'
        },
    )
    api.client.put_gateway_response(
        restApiId=api.api_id,
        responseType="DEFAULT_4XX",
        responseParameters={
            "gatewayresponse.header.Access-Control-Allow-Origin": "method.request.header.Origin"
        },
    )
    api.deploy()

    answer = api.call("GET", "/none")

    assert answer.status_code == 404
    assert answer.headers["x-why"] == "nothing here"
    assert answer.json() == {
        "error": "Missing Authentication Token",
        "id": answer.headers["x-amzn-requestid"],
    }
    with_token = api.call("GET", "/none", headers={"Authorization": "Bearer x"})
    assert with_token.status_code == 404, "the same response, whatever it says"
    assert with_token.json()["error"].startswith("Invalid key=value pair")


# -- what can be seen ----------------------------------------------------------------------------


def test_the_journal_has_the_request_and_the_logs_its_id(stack: Stack) -> None:
    code = """
import json
def handler(event, context):
    print("seen", event["requestContext"]["requestId"])
    return {"statusCode": 200, "body": context.aws_request_id}
"""
    api = make_api(stack)
    function = stack.create(code)
    api.method("GET", "/", function)
    api.let_call(function)
    api.deploy()

    answer = api.call("GET", "/")

    wanted = f"seen {answer.headers['x-amzn-requestid']}"
    assert any(wanted in one for one in stack.messages(function, until=wanted))
    rows = requests.get(
        f"http://127.0.0.1:{stack.port}/_trigger_stack/events/{answer.text}", timeout=20
    ).json()
    assert api.api_id in json.dumps(rows)


def test_a_client_that_goes_away_changes_nothing(stack: Stack) -> None:
    code = """
import time
def handler(event, context):
    time.sleep(0.5)
    print("finished anyway")
    return {"statusCode": 200}
"""
    api = make_api(stack)
    function = stack.create(code)
    api.method("GET", "/", function)
    api.let_call(function)
    api.deploy()

    with pytest.raises(requests.Timeout):
        requests.get(api.url("/"), timeout=0.2)

    stack.messages(function, until="finished anyway")
    assert sum(one.startswith("START") for one in stack.messages(function, until="REPORT")) == 1


def test_access_logs_have_a_line_for_each_request(stack: Stack) -> None:
    api = make_api(stack)
    echo, broken = stack.create(ECHO), stack.create("def handler(event, context):\n    return 1\n")
    for path, function in (("/brand/{brandId}", echo), ("/broken", broken)):
        api.method("GET", path, function)
        api.let_call(function)
    api.method("GET", "/signed", echo, authorizationType="AWS_IAM")
    api.deploy()
    group = f"/rest/{secrets.token_hex(4)}"
    logs = stack.client("logs")
    logs.create_log_group(logGroupName=group)
    names = (
        *("requestId", "extendedRequestId", "resourcePath", "resourceId", "httpMethod", "path"),
        *("protocol", "status", "responseLength", "integrationErrorMessage", "integration.status"),
        *("error.message", "error.responseType", "identity.sourceIp", "stage", "apiId"),
        *("accountId", "requestTimeEpoch", "awsEndpointRequestId", "nonsense", "domainName"),
        *("responseLatency", "integrationLatency", "identity.userAgent", "requestTime"),
    )
    line = json.dumps({name: f"$context.{name}" for name in names})
    changes = {"destinationArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"}
    changes["format"] = line
    api.client.update_stage(
        restApiId=api.api_id,
        stageName="live",
        patchOperations=[
            {"op": "replace", "path": f"/accessLogSettings/{name}", "value": value}
            for name, value in changes.items()
        ],
    )
    good = api.call("GET", "/brand/a%2Fb", headers={"User-Agent": 'a "quoted" one'})
    for path in ("/broken", "/signed", "/nothing"):
        api.call("GET", path)

    found = eventually(lambda: _lines(logs, group, 4))
    by_path = {one["path"]: one for one in found}
    served = by_path["/live/brand/a%2Fb"]
    assert served["requestId"] == good.headers["x-amzn-requestid"]
    assert served["extendedRequestId"] == good.headers["x-amz-apigw-id"]
    assert served["requestTimeEpoch"] == str(good.json()["requestContext"]["requestTimeEpoch"])
    assert served["requestTime"] == good.json()["requestContext"]["requestTime"]
    assert (served["status"], served["integration.status"]) == ("200", "200")
    assert (served["resourcePath"], served["httpMethod"]) == ("/brand/{brandId}", "GET")
    assert served["resourceId"] == api.resources["/brand/{brandId}"]
    assert served["responseLength"] == str(len(good.content))
    assert served["identity.userAgent"] == 'a "quoted" one'
    assert (served["identity.sourceIp"], served["domainName"]) == ("127.0.0.1", "127.0.0.1")
    assert (served["apiId"], served["stage"]) == (api.api_id, "live")
    assert (served["accountId"], served["protocol"]) == (ACCOUNT, "HTTP/1.1")
    assert 0 <= int(served["integrationLatency"]) <= int(served["responseLatency"])
    assert len(served["awsEndpointRequestId"]) == 36
    for name in ("nonsense", "error.message", "error.responseType", "integrationErrorMessage"):
        assert served[name] == "-", name
    broken_line = by_path["/live/broken"]
    assert (broken_line["status"], broken_line["error.responseType"]) == ("502", "DEFAULT_5XX")
    assert "Malformed Lambda proxy response" in broken_line["integrationErrorMessage"]
    assert broken_line["integration.status"] == "200"
    signed = by_path["/live/signed"]
    assert (signed["status"], signed["integrationLatency"]) == ("403", "-")
    assert signed["error.responseType"] == "MISSING_AUTHENTICATION_TOKEN"
    nothing = by_path["/live/nothing"]
    assert (nothing["status"], nothing["resourcePath"]) == ("403", "-")
    assert nothing["error.message"] == "Missing Authentication Token"


def _lines(logs: Any, group: str, count: int) -> list[dict[str, str]] | None:
    events = logs.filter_log_events(logGroupName=group)["events"]
    return [json.loads(one["message"]) for one in events] if len(events) >= count else None
