"""Mapping templates of REST APIs, and that LocalStack still needs the patches."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.aws.api.apigateway import GatewayResponseType
from localstack.services.apigateway import helpers
from localstack.services.apigateway.models import RestApiContainer, apigateway_stores
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    ApiConfigurationError,
    IntegrationTimeoutError,
    InternalServerError,
)
from localstack.services.apigateway.next_gen.execute_api.handlers import IntegrationHandler
from localstack.services.apigateway.next_gen.execute_api.template_mapping import (
    ApiGatewayVtlTemplate,
)
from localstack.utils.aws.templating import airspeed
from werkzeug.datastructures import Headers

from trigger_stack.localstack.apigateway import control_plane, velocity
from trigger_stack.localstack.apigateway.http_integrations import Integrations
from trigger_stack.localstack.apigateway.templates import Templates

BODY = '{"s": "a", "t": " x ", "n": 2, "f": 1.5, "l": ["x", "y"], "o": {"z": "y", "no": null}}'
ITEMS = '{"items": [{"p": 1}, {"p": 2}]}'
#: Template, and what LocalStack makes of it.
STILL: list[tuple[str, str, str]] = [
    ('#if($input.path("$.s").equals("a"))yes#{else}no#end', BODY, "yes"),
    ('#if($context.httpMethod.equals("POST"))yes#{else}no#end', BODY, "yes"),
    ('#if($input.path("$.o").containsKey("z"))yes#{else}no#end', BODY, "yes"),
    ('$input.path("$.t").trim()', BODY, "x"),
    ('#foreach($e in $input.path("$.o").entrySet())$e.key#end', BODY, "zno"),
    ('#set($m={"a":"1"})$m.keySet()', BODY, "[a]"),
    ('#set($m={"a":"1"})$m', BODY, "{a=1}"),
]
INPUT_STILL: list[tuple[str, str, str]] = [
    ('$input.json("$")', "", "{}"),
    ('$input.json("$.items[?(@.p > 1)]")', ITEMS, '[{"p": 2}]'),
    ('$input.json("$.items.length()")', ITEMS, "2"),
    ('$util.base64Decode("aGk=")', BODY, "hi"),
    ("$util.escapeJavaScript($input.body)", "it's", r"it\'s"),
]


@pytest.fixture
def patched() -> None:
    """The patches are in airspeed; they stay there for other tests, which they do not concern."""
    velocity.install()


def render(template: str, body: str = BODY, templates: Any = None) -> str:
    """What a request's template becomes."""
    variables: Any = {
        "context": {"httpMethod": "POST", "stage": "live"},
        "stageVariables": {"color": "red"},
        "input": {
            "body": body,
            "params": {"path": {}, "querystring": {"q": "one"}, "header": Headers({"X-A": "b"})},
        },
    }
    overrides: Any = {"requestOverride": {}, "responseOverride": {}}
    text, _ = (templates or Templates()).render_request(template, variables, overrides)
    return str(text)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(("template", "body", "expected"), [*STILL, *INPUT_STILL])
def test_templates_are_as_on_aws(template: str, body: str, expected: str) -> None:
    assert render(template, body) == expected


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('$input.path("$.s")', "a"),
        ('$input.path("$.o")', "{z=y, no=null}"),
        ('$input.path("$.l")', '["x","y"]'),
        ('$input.path("$.o").z', "y"),
        ('$input.path("$.l")[1]', "y"),
        ('$input.path("$.l").get(1).toUpperCase()', "Y"),
        ('$input.path("$.l").size() $input.path("$.l").isEmpty()', "2 false"),
        ('$input.path("$.n").toString().length()', "1"),
        ('$input.path("$.none").equals("x")', ""),
        ('$input.path("$.s").noSuchMethod()', ""),
        ('$input.path("$.s").upper()', ""),
        ("$stageVariables.color.substring(1)", "ed"),
        ('$input.params("q").replaceAll("[aeiou]", "_")', "_n_"),
        ('$input.params().header.get("X-A") $input.params().header["X-A"]', "b b"),
        ('#set($s="a=1&b")#foreach($p in $s.split("&"))$p.split("=").size()#end', "21"),
        ('#set($l=[])#set($d=$l.add("x"))$l $l.get(0) $l.contains("x")', "[x] x true"),
        ("#set($r=[1..3])$r $r.size()", "[1, 2, 3] 3"),
        ('#set($m={})#set($d=$m.put("k", [1, true]))$m.k $m.get("k").get(1)', "[1, true] true"),
        ("#foreach($i in [1..2])$foreach.index#if($foreach.hasNext),#end#end", "0,1"),
        ('#set($m={"size": "7"})$m.size $m.size()', "7 1"),
        ('#macro(hi $a)H$a.length()#end#hi("abc")', "H3"),
        ("$context.stage.hashCode()", "3322092"),
        (
            r"$util.escapeJavaScript($input.params('q').concat(" + '"' + "'" + '"' + "))"
            r'.replaceAll("\\' + "'" + '","' + "'" + '")',
            "one'",
        ),
    ],
)
def test_values_have_the_methods_of_java(template: str, expected: str) -> None:
    assert render(template) == expected


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("template", ['$input.path("$.l").get(5)', '$input.path("$.[")'])
def test_what_fails_in_java_fails(template: str) -> None:
    with pytest.raises(airspeed.TemplateExecutionError):
        render(template)


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize(("template", "body", "expected"), STILL)
def test_localstack_still_lacks_the_methods_of_java(
    monkeypatch: pytest.MonkeyPatch, template: str, body: str, expected: str
) -> None:
    operators = airspeed.operators
    for owner, name in ((operators.NameOrCall, "calculate"), (operators, "value_to_string")):
        original = getattr(getattr(owner, name), velocity.MARK)
        monkeypatch.setattr(owner, name, original)

    assert render(template, body) != expected


@pytest.mark.parametrize(("template", "body", "expected"), INPUT_STILL)
def test_localstack_still_has_other_functions(template: str, body: str, expected: str) -> None:
    try:
        found = render(template, body, ApiGatewayVtlTemplate())
    except Exception:  # its parser of paths knows no filters
        return

    assert found != expected


# -- gateway responses --------------------------------------------------------------------------


def test_localstack_still_imports_no_gateway_responses() -> None:
    names = helpers.import_api_from_openapi_spec.__code__.co_names

    assert "BINARY_MEDIA_TYPES" in names
    assert "GATEWAY_RESPONSES" not in names


def imported(document: str, operation: str = "PutRestApi", mode: str = "merge") -> Any:
    """The gateway responses of an API of which THROTTLED was changed, after an import."""
    container = RestApiContainer({"id": "one"})
    container.gateway_responses[GatewayResponseType.THROTTLED] = {"statusCode": "418"}
    store = apigateway_stores["000000000001"]["eu-west-1"]
    store.rest_apis["one"] = container
    body = io.BytesIO(document.encode())
    body.read()  # as LocalStack
    try:
        control_plane.import_gateway_responses(
            SimpleNamespace(
                account_id="000000000001",
                region="eu-west-1",
                operation=SimpleNamespace(name=operation),
                service_request={"body": body, "mode": mode},
                service_response={"id": "one"},
            )
        )
    finally:
        del store.rest_apis["one"]
    return container.gateway_responses


def test_gateway_responses_are_merged_or_replaced() -> None:
    document = (
        "openapi: 3.0.1\n"
        "x-amazon-apigateway-gateway-responses:\n"
        "  ACCESS_DENIED: {statusCode: 404}\n"
        "  NO_TYPE: {statusCode: 404}\n"
        "  QUOTA_EXCEEDED: text\n"
    )

    merged, replaced = imported(document), imported(document, mode="overwrite")

    assert sorted(merged) == ["ACCESS_DENIED", "THROTTLED"]
    assert merged["ACCESS_DENIED"]["statusCode"] == "404"
    assert merged["ACCESS_DENIED"]["defaultResponse"] is False
    assert sorted(replaced) == ["ACCESS_DENIED"]


@pytest.mark.parametrize("document", ["{}", "[]", "text", "a: [", '{"openapi": "3.0.1"}'])
def test_a_document_without_them_changes_nothing(document: str) -> None:
    assert sorted(imported(document)) == ["THROTTLED"]


# -- HTTP integrations --------------------------------------------------------------------------


class Backend(BaseHTTPRequestHandler):
    """Answers with headers that are there twice, or not at all."""

    release = threading.Event()
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            self.release.wait(10)
        type(self).seen = self.headers.items()
        self.send_response(301)
        for name, value in (("Set-Cookie", "a"), ("Set-Cookie", "b"), ("Location", "http://[")):
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def backend() -> Iterator[str]:
    """Address of a server."""
    Backend.release.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Backend.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def call(
    handler: IntegrationHandler, uri: str, kind: str = "HTTP_PROXY", **integration: Any
) -> Any:
    """What an integration answers."""
    context: Any = SimpleNamespace(
        integration={"type": kind, **integration},
        integration_request={
            "http_method": "GET",
            "uri": uri,
            "query_string_parameters": {"q": ["1", "2"]},
            "headers": Headers([("X-M", "1"), ("X-M", "2")]),
            "body": b"",
        },
        invocation_response=None,
    )
    empty: Any = None
    handler(empty, context, empty)
    return context


def test_an_http_integration_keeps_repeated_headers_and_redirects(backend: str) -> None:
    context = call(Integrations(), f"{backend}/x?a=1")

    headers = context.endpoint_response["headers"]
    assert context.endpoint_response["status_code"] == 301
    assert headers.getlist("Set-Cookie") == ["a", "b"]
    assert headers["Location"] == "http://["
    assert [value for name, value in Backend.seen if name == "X-M"] == ["1", "2"]
    assert {name.lower() for name, _ in Backend.seen} == {"host", "x-m"}
    assert context.invocation_response is context.endpoint_response


def test_only_a_proxy_returns_the_answer_as_it_is(backend: str) -> None:
    assert call(Integrations(), backend, "HTTP").invocation_response is None


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("http://127.0.0.1:1/", ApiConfigurationError),
        ("no address", InternalServerError),
        ("ftp://x/", InternalServerError),
    ],
)
def test_a_server_that_cannot_be_called_is_an_error(path: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        call(Integrations(), path)


def test_a_slow_server_is_a_timeout(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trigger_stack.localstack.apigateway.http_integrations._MORE_S", 0.0)

    with pytest.raises(IntegrationTimeoutError):
        call(Integrations(), f"{backend}/slow", timeoutInMillis=50)


def test_localstack_still_joins_repeated_headers(backend: str) -> None:
    with pytest.raises(ValueError, match="IPv6"):  # it follows the redirect
        call(IntegrationHandler(), f"{backend}/x")
    assert [value for name, value in Backend.seen if name == "X-M"] == ["1,2"]
