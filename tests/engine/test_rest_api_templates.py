"""REST APIs: mapping templates, HTTP integrations and imported gateway responses are as on AWS."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.engine.lambda_stack import Stack
from tests.engine.rest_apis import Api, invocation_uri, make_api

BODY = {
    "s": "a",
    "t": " x ",
    "o": {"z": "y"},
    "l": ["x", "y"],
    "n": 2,
    "yes": True,
    "quoted": "it's",
    "items": [{"p": 1}, {"p": 2}],
}
#: Name: what the template writes after ``"v":``, and what the function gets.
TEMPLATES: dict[str, tuple[str, Any]] = {
    "equals": ('#if($input.path("$.s").equals("a"))"equal"#else"other"#end', "equal"),
    "equalsIgnoreCase": ('#if($input.path("$.s").equalsIgnoreCase("A"))"equal"#end', "equal"),
    "method": ('#if($context.httpMethod.equals("POST"))"post"#else"other"#end', "post"),
    "containsKey": ('#if($input.path("$").containsKey("s"))"has"#else"has not"#end', "has"),
    "isEmpty": ('#if($input.path("$.l").isEmpty())"empty"#else"filled"#end', "filled"),
    "toUpperCase": ('"$input.path("$.s").toUpperCase()"', "A"),
    "trim": ('"$input.path("$.t").trim()"', "x"),
    "toString": ('"$input.path("$.n").toString()"', "2"),
    "entrySet": ('"#foreach($e in $input.path("$.o").entrySet())$e.key=$e.value;#end"', "z=y;"),
    "getKey": ('"#foreach($e in $input.path("$.o").entrySet())$e.getKey()#end"', "z"),
    "values": ('"#foreach($e in $input.path("$.o").values())$e;#end"', "y;"),
    "keySet": ('#set($m={"a":"1","b":2})"$m.keySet()"', "[a, b]"),
    "map": ('#set($m={"a":"1","b":[true]})"$m"', "{a=1, b=[true]}"),
    "path of a map": ('"$input.path("$.o")"', "{z=y}"),
    "path of a list": ('$input.path("$.l")', ["x", "y"]),
    "query": ('"$input.params("q").toUpperCase()"', "ONE"),
    "header": ('"$input.params().header.get("X-Own").length()"', "3"),
    "stage variable": ('"$stageVariables.color.concat("!").toUpperCase()"', "RED!"),
    "parseInt": ('#set($i=0)#set($v=$i.parseInt("12"))$v', 12),
    "base64Decode": ('"$util.base64Decode("aGk=")"', "hi"),
    "filter": ('$input.json("$.items[?(@.p > 1)]")', [{"p": 2}]),
    "length": ('$input.path("$.items.length()")', 2),
    "wildcard": ('$input.json("$.o.*")', ["y"]),
    "escaped": (
        '"$util.escapeJavaScript($input.path("$.quoted")).replaceAll("\\\\\'","\'")"',
        "it's",
    ),
}


class Backend(BaseHTTPRequestHandler):
    """Says which headers it got."""

    def do_GET(self) -> None:
        content = json.dumps(self.headers.items()).encode()
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Set-Cookie", "a=1; Path=/")
        self.send_header("Set-Cookie", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT")
        self.send_header("X-Two", "1")
        self.send_header("X-Two", "2")
        self.send_header("X-Name", "Acmé".encode().decode("latin-1"))  # UTF-8
        if self.path == "/redirect":
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def backend() -> Iterator[str]:
    """Address of a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def with_template(
    api: Api, function: str, method: str, path: str, template: str, response: str | None = None
) -> None:
    """Put a method whose function gets what the template writes."""
    api.method(
        *(method, path, function),
        integration={"type": "AWS", "requestTemplates": {"application/json": template}},
    )
    place = {"restApiId": api.api_id, "resourceId": api.resource(path), "httpMethod": method}
    api.client.put_method_response(**place, statusCode="200")
    templates = {"responseTemplates": {"application/json": response}} if response else {}
    api.client.put_integration_response(**place, statusCode="200", **templates)


def raw(api: Api, path: str, headers: list[tuple[str, str]]) -> http.client.HTTPResponse:
    """Send a request with these headers and no others."""
    connection = http.client.HTTPConnection("127.0.0.1", api.stack.port, timeout=30)
    url = api.url(path)
    connection.putrequest("GET", url[url.index("/_rest-api") :], skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def test_templates_have_the_methods_of_javas_values(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return event\n")
    api.let_call(function)
    for at, (template, _) in enumerate(TEMPLATES.values()):
        with_template(api, function, "POST", f"/{at}", '{"v":\n' + template + "}")
    api.deploy(variables={"color": "red"})

    answers = {
        name: api.call("POST", f"/{at}?q=one", json=BODY, headers={"X-Own": "own"})
        for at, name in enumerate(TEMPLATES)
    }

    found = {
        name: answer.json()["v"] if answer.status_code == 200 else answer.text
        for name, answer in answers.items()
    }
    assert found == {name: expected for name, (_, expected) in TEMPLATES.items()}


def test_a_template_of_the_response_has_them_too(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return {'text': 'It\\'s'}\n")
    api.let_call(function)
    text = '"$input.path("$.text").toUpperCase().replace("\'", "-")"'
    with_template(api, function, "GET", "/", '{"body": $input.json("$")}', f'{{"v": {text}}}')
    api.deploy()

    answer = api.call("GET", "/")

    assert (answer.status_code, answer.json()) == (200, {"v": "IT-S"})


def test_no_body_is_an_empty_object(stack: Stack) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return event\n")
    api.let_call(function)
    with_template(api, function, "GET", "/", '{"body": $input.json("$"), "raw": $input.body}')
    api.deploy()

    answer = api.call("GET", "/")

    assert (answer.status_code, answer.json()) == (200, {"body": {}, "raw": {}})


@pytest.mark.parametrize(
    "template", ['$input.json("$.[")', '$input.path("$.s").substring(5)', "#set($x = )"]
)
def test_a_template_that_cannot_be_rendered_is_500_and_says_nothing(
    stack: Stack, template: str
) -> None:
    api = make_api(stack)
    function = stack.create("def handler(event, context):\n    return event\n")
    api.let_call(function)
    with_template(api, function, "POST", "/", '{"v": ' + template + "}")
    api.client.put_gateway_response(
        restApiId=api.api_id,
        responseType="DEFAULT_5XX",
        responseParameters={"gatewayresponse.header.X-Own": "'5xx'"},
    )
    api.deploy()

    answer = api.call("POST", "/", json=BODY)

    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})
    assert answer.headers["x-own"] == "5xx"
    assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"


def http_proxy(api: Api, path: str, uri: str) -> None:
    """Put a method that sends requests to a server."""
    integration = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": uri}
    api.method("GET", path, integration=integration)


def test_an_http_proxy_sends_and_returns_each_header_as_often_as_it_came(
    stack: Stack, backend: str
) -> None:
    api = make_api(stack)
    http_proxy(api, "/plain", f"{backend}/x")
    http_proxy(api, "/redirect", f"{backend}/redirect")
    api.deploy()

    answer = raw(api, "/plain", [("X-M", "1"), ("X-M", "2")])
    sent: list[tuple[str, str]] = [(name.lower(), value) for name, value in json.load(answer)]
    redirected = raw(api, "/redirect", [("User-Agent", "mine")])

    assert answer.status == 200
    assert answer.headers.get_all("set-cookie") == [
        "a=1; Path=/",
        "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
    ]
    assert answer.headers.get_all("x-two") == ["1", "2"]
    assert answer.headers["x-name"].encode("latin-1").decode() == "Acmé"
    assert [value for name, value in sent if name == "x-m"] == ["1", "2"]
    agents = [value for name, value in sent if name == "user-agent"]
    assert agents == [f"AmazonAPIGateway_{api.api_id}"]
    assert redirected.status == 302
    assert redirected.headers["location"] == "/elsewhere"
    assert ["User-Agent", "mine"] in json.load(redirected)


def test_a_server_that_is_not_there_gives_the_apis_gateway_response(stack: Stack) -> None:
    api = make_api(stack)
    http_proxy(api, "/", "http://127.0.0.1:1/")
    api.client.put_gateway_response(
        restApiId=api.api_id,
        responseType="API_CONFIGURATION_ERROR",
        statusCode="503",
        responseTemplates={"application/json": '{"own": $context.error.messageString}'},
    )
    api.deploy()

    answer = api.call("GET", "/")

    assert (answer.status_code, answer.json()) == (503, {"own": "Internal server error"})


def open_api(function: str, **responses: Any) -> dict[str, Any]:
    """A document with one method and gateway responses."""
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": invocation_uri(function)}
    return {
        "openapi": "3.0.1",
        "info": {"title": "imported", "version": "1"},
        "paths": {"/s": {"get": {"responses": {}, "x-amazon-apigateway-integration": integration}}},
        "x-amazon-apigateway-gateway-responses": responses,
    }


MISSING = "MISSING_AUTHENTICATION_TOKEN"
NOT_FOUND = {
    "statusCode": 404,
    "responseParameters": {"gatewayresponse.header.X-A": "'1'"},
    "responseTemplates": {"application/json": '{"nf":1}'},
}


def test_gateway_responses_are_imported(stack: Stack) -> None:
    function = stack.create("def handler(event, context):\n    return {'statusCode': 200}\n")
    client = stack.client("apigateway")
    document = open_api(function, **{MISSING: NOT_FOUND, "NO_SUCH_TYPE": {"statusCode": 400}})
    made = client.import_rest_api(body=json.dumps(document).encode())
    api = Api(stack, made["id"], "imported", client)
    place = {"restApiId": api.api_id}
    api.deploy()

    found = client.get_gateway_response(**place, responseType=MISSING)
    answer = api.call("GET", "/none")
    teapot = open_api(function, THROTTLED={"statusCode": "418"})
    client.put_rest_api(**place, mode="merge", body=json.dumps(teapot).encode())
    merged = client.get_gateway_response(**place, responseType=MISSING)
    added = client.get_gateway_response(**place, responseType="THROTTLED")
    client.put_rest_api(**place, mode="overwrite", body=json.dumps(teapot).encode())
    overwritten = client.get_gateway_response(**place, responseType=MISSING)

    assert (found["statusCode"], found["defaultResponse"]) == ("404", False)
    assert found["responseParameters"] == NOT_FOUND["responseParameters"]
    assert found["responseTemplates"] == NOT_FOUND["responseTemplates"]
    assert (answer.status_code, answer.json()) == (404, {"nf": 1})
    assert answer.headers["x-a"] == "1"
    assert merged["statusCode"] == "404"
    assert added["statusCode"] == "418"
    assert overwritten["defaultResponse"] is True


def test_cloudformation_imports_the_gateway_responses_of_a_body(stack: Stack) -> None:
    function = stack.create("def handler(event, context):\n    return {'statusCode': 200}\n")
    client = stack.client("cloudformation")
    template = {
        "Resources": {
            "Api": {
                "Type": "AWS::ApiGateway::RestApi",
                "Properties": {"Body": open_api(function, **{MISSING: NOT_FOUND})},
            },
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "live"},
            },
        },
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }
    name = f"{function}-stack"
    client.create_stack(StackName=name, TemplateBody=json.dumps(template))
    client.get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    outputs = client.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    api = Api(stack, outputs[0]["OutputValue"], "imported", stack.client("apigateway"))

    answer = api.call("GET", "/none")

    assert (answer.status_code, answer.json()) == (404, {"nf": 1})
    client.delete_stack(StackName=name)
