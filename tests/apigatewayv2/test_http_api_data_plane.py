"""Real functions called through HTTP APIs, on the edge port and on the port of their own."""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from http_api_emulator import (
    ACCOUNT,
    Emulator,
    HttpApi,
    start_emulator,
    stop_emulator,
)

from tests.support.ports import free_port

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

MakeApi = Callable[..., HttpApi]
Functions = Callable[..., str]
ERROR_500 = (500, {"message": "Internal Server Error"})


def outcome(response: requests.Response) -> tuple[int, object]:
    assert response.headers["apigw-requestid"]
    return response.status_code, response.json()


@pytest.fixture
def echo(make_api: MakeApi, functions: Functions) -> HttpApi:
    api = make_api()
    api.route("GET /brand/{brandId}", functions("echo"))
    api.route("ANY /files/{proxy+}", functions("echo"))
    api.route("$default", functions("echo"))
    return api


def test_the_function_gets_format_2_0(echo: HttpApi) -> None:
    event = echo.event("GET", "/brand/a%2Fb?q=1&q=2", headers={"X-A": "1", "Cookie": "c=1; d=2"})
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /brand/{brandId}"
    assert event["pathParameters"] == {"brandId": "a/b"}
    assert event["queryStringParameters"] == {"q": "1,2"}
    assert event["rawQueryString"] == "q=1&q=2"
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["x-a"] == "1"
    assert event["isBase64Encoded"] is False
    assert "body" not in event
    context = event["requestContext"]
    assert context["accountId"] == ACCOUNT
    assert context["apiId"] == echo.api_id
    assert context["stage"] == "$default"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", context["time"])


def test_the_function_gets_format_1_0(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /brand/{brandId}", functions("full_v1"), version="1.0")
    response = api.call("GET", "/brand/acme?q=1&q=2", headers={"x-MiXed": "1"})
    event = response.json()
    assert event["version"] == "1.0"
    assert event["resource"] == "/brand/{brandId}"
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert event["headers"]["x-MiXed"] == "1"
    assert event["body"] is None
    assert response.headers["x-one"] == "1"
    assert response.raw.headers.getlist("set-cookie") == ["a=1", "b=2"]


def test_json_is_text_and_a_form_is_base64(echo: HttpApi) -> None:
    sent = echo.event("PUT", "/files/x", json={"name": "Acmé"})
    assert (json.loads(sent["body"]), sent["isBase64Encoded"]) == ({"name": "Acmé"}, False)
    form = echo.event("POST", "/files/x", data={"a": "1"})
    assert (base64.b64decode(form["body"]), form["isBase64Encoded"]) == (b"a=1", True)


def test_host_and_path_lead_to_the_same_api(echo: HttpApi) -> None:
    for host in (
        "execute-api.localhost.localstack.cloud:4566",
        "execute-api.us-east-1.amazonaws.com",
    ):
        response = requests.get(
            f"http://127.0.0.1:{echo.edge}/brand/acme",
            headers={"Host": f"{echo.api_id}.{host}"},
            timeout=30,
        )
        event = response.json()
        assert event["routeKey"] == "GET /brand/{brandId}"
        assert event["rawPath"] == "/brand/acme"
        assert event["requestContext"]["domainPrefix"] == echo.api_id


def test_the_api_endpoint_as_printed_can_be_called(echo: HttpApi) -> None:
    endpoint = echo.client.get_api(ApiId=echo.api_id)["ApiEndpoint"]
    assert requests.get(f"{endpoint}/brand/acme", timeout=30).status_code == 200


def test_a_full_reply(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /", functions("full"))
    response = api.call("GET", "/")
    assert response.status_code == 418
    assert response.content == b"\x89PNG\x00\xff"
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-teapot"] == "short and stout"
    assert response.headers["access-control-allow-origin"] == "https://function.example"
    assert response.raw.headers.getlist("set-cookie") == ["a=1; HttpOnly", "b=2"]


def test_a_reply_without_status_code_is_json(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /x", functions("inferred"))
    response = api.call("GET", "/x")
    assert response.headers["content-type"] == "application/json"
    assert outcome(response) == (200, {"message": "hello", "path": "/x"})


def test_failures_are_500_without_the_functions_text(
    make_api: MakeApi, functions: Functions
) -> None:
    api = make_api()
    api.route("GET /raising", functions("raising"))
    api.route("GET /malformed", functions("malformed"))
    api.route("GET /nowhere", functions("echo") + "-that-does-not-exist")
    for path in ("/raising", "/malformed", "/nowhere"):
        response = api.call("GET", path)
        assert outcome(response) == ERROR_500, path
        assert "secret" not in response.text


def test_without_permission_it_is_500_and_the_log_says_why(
    make_api: MakeApi, functions: Functions, emulator: Emulator
) -> None:
    api = make_api()
    arn = functions("echo", permission=False)
    api.route("GET /x", arn)
    assert outcome(api.call("GET", "/x")) == ERROR_500
    name = arn.rpartition(":")[2]
    assert re.search(rf"policy of function {name} does not let apigateway", emulator.log)


def test_no_route_is_404(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /brand/{brandId}", functions("echo"))
    for method, path in (("GET", "/"), ("PUT", "/brand/acme"), ("GET", "/brand/acme/")):
        assert outcome(api.call(method, path)) == (404, {"message": "Not Found"})


def test_a_slow_function_is_503(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /slow", functions("slow"), TimeoutInMillis=200)
    assert outcome(api.call("GET", "/slow")) == (503, {"message": "Service Unavailable"})


def test_size_limits(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    api.route("GET /large", functions("large"))
    api.route("POST /echo", functions("echo"))
    assert len(api.call("GET", "/large?size=5000000").content) == 5_000_000
    assert outcome(api.call("GET", "/large?size=6300000")) == ERROR_500
    too_large = api.call("POST", "/echo", data=b"x" * (10 * 1024 * 1024 + 1))
    assert outcome(too_large) == (413, {"message": "Request Entity Too Large"})


def test_hostile_paths_are_400(echo: HttpApi) -> None:
    for path in ("/%zz", "/%ff", "/%00", "/x?a=%"):
        # requests would repair the path before it sends it.
        connection = http.client.HTTPConnection("127.0.0.1", echo.edge, timeout=30)
        connection.request("GET", f"/_aws/execute-api/{echo.api_id}{path}")
        response = connection.getresponse()
        body = json.loads(response.read())
        connection.close()
        assert (response.status, body) == (400, {"message": "Bad Request"}), path


def test_head_has_no_body(echo: HttpApi) -> None:
    response = echo.call("HEAD", "/files/x")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["apigw-requestid"]


def test_cors_is_answered_by_the_api(make_api: MakeApi, functions: Functions) -> None:
    origin = {"Origin": "https://shop.example"}
    api = make_api(
        CorsConfiguration={
            "AllowOrigins": ["https://shop.example"],
            "AllowMethods": ["GET"],
            "AllowHeaders": ["x-api-key"],
            "MaxAge": 60,
        }
    )
    api.route("GET /x", functions("full"))
    preflight = api.call("OPTIONS", "/x", headers=origin | {"Access-Control-Request-Method": "GET"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    assert preflight.headers["access-control-allow-methods"] == "GET"
    assert preflight.headers["access-control-allow-headers"] == "x-api-key"
    assert preflight.headers["access-control-max-age"] == "60"
    reply = api.call("GET", "/x", headers=origin)
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    other = api.call("GET", "/x", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_stages_serve_what_was_deployed_to_them(
    apigatewayv2: ApiGatewayV2Client, make_api: MakeApi, functions: Functions
) -> None:
    api = make_api(stage=None)
    function = functions("echo")
    name = function.rpartition(":")[2]
    api.route("GET /one", function.removesuffix(name) + "${stageVariables.fn}")
    apigatewayv2.create_stage(
        ApiId=api.api_id, StageName="dev", StageVariables={"fn": name, "table": "t"}
    )
    assert api.call("GET", "/dev/one").status_code == 404
    apigatewayv2.create_deployment(ApiId=api.api_id, StageName="dev")
    api.route("GET /two", function)
    event = api.event("GET", "/dev/one")
    assert event["rawPath"] == "/dev/one"
    assert event["requestContext"]["stage"] == "dev"
    assert event["stageVariables"] == {"fn": name, "table": "t"}
    assert api.call("GET", "/dev/two").status_code == 404
    assert api.call("GET", "/one").status_code == 404
    apigatewayv2.create_deployment(ApiId=api.api_id, StageName="dev")
    assert api.call("GET", "/dev/two").status_code == 200


def test_auto_deploy_serves_changes_at_once(make_api: MakeApi, functions: Functions) -> None:
    api = make_api()
    assert api.call("GET", "/late").status_code == 404
    api.route("GET /late", functions("echo"))
    assert api.call("GET", "/late").status_code == 200


def test_quick_create_serves_every_path(make_api: MakeApi, functions: Functions) -> None:
    api = make_api(Target=functions("echo"))
    assert api.event("PATCH", "/any/thing")["routeKey"] == "$default"


def test_a_disabled_endpoint_is_404(make_api: MakeApi, functions: Functions) -> None:
    api = make_api(Target=functions("echo"), DisableExecuteApiEndpoint=True)
    assert outcome(api.call("GET", "/")) == (404, {"message": "Not Found"})


def test_rest_apis_keep_the_addresses_they_share(emulator: Emulator) -> None:
    rest = emulator.client("apigateway")
    api_id = rest.create_rest_api(name="rest")["id"]
    root = rest.get_resources(restApiId=api_id)["items"][0]["id"]
    method = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    rest.put_method(**method, authorizationType="NONE")
    rest.put_integration(
        **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 202}'}
    )
    rest.put_method_response(**method, statusCode="202")
    rest.put_integration_response(**method, statusCode="202", selectionPattern="")
    rest.create_deployment(restApiId=api_id, stageName="dev")
    edge = f"http://127.0.0.1:{emulator.edge}"
    assert requests.get(f"{edge}/_aws/execute-api/{api_id}/dev", timeout=30).status_code == 202
    host = {"Host": f"{api_id}.execute-api.localhost.localstack.cloud"}
    assert requests.get(f"{edge}/dev", headers=host, timeout=30).status_code == 202
    assert requests.get(f"{edge}/_localstack/health", timeout=30).status_code == 200


def test_the_port_of_its_own_serves_the_tagged_api(
    emulator: Emulator, make_api: MakeApi, functions: Functions
) -> None:
    url = f"http://127.0.0.1:{emulator.port}"
    api = make_api(Target=functions("echo"), Tags={"trigger-stack:local-port": "true"})
    response = requests.get(f"{url}/brand/acme?q=1", timeout=30)
    event = response.json()
    assert event["requestContext"]["apiId"] == api.api_id
    assert event["rawPath"] == "/brand/acme"
    assert event["headers"]["x-forwarded-port"] == str(emulator.port)
    assert response.headers["apigw-requestid"] == event["requestContext"]["requestId"]

    sent = requests.put(f"{url}/x", data=iter([b'{"a"', b":1}"]), timeout=30).json()
    assert base64.b64decode(sent["body"]) == b'{"a":1}'

    with ThreadPoolExecutor(16) as clients:
        paths = [f"/{number}" for number in range(64)]
        replies = clients.map(lambda path: requests.get(url + path, timeout=60).json(), paths)
        assert [reply["rawPath"] for reply in replies] == paths


def test_a_taken_port_ends_the_emulator_with_one_sentence(
    emulator: Emulator, tmp_path: Path
) -> None:
    process = start_emulator(tmp_path, free_port(), emulator.port)
    try:
        assert process.wait(60) == 1
    except subprocess.TimeoutExpired:
        pytest.fail(f"the second emulator still runs:\n{(tmp_path / 'log').read_text()}")
    finally:
        stop_emulator(process)
    log = (tmp_path / "log").read_text()
    assert f"Port {emulator.port} on 127.0.0.1 (local HTTP API) is taken by another program" in log
    assert "Traceback" not in log
