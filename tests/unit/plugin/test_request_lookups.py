"""What a request is asked for finds the same as without the patches, and LocalStack needs them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from localstack import config
from localstack.aws.api import RequestContext
from localstack.aws.handlers import service
from localstack.aws.handlers.legacy import EdgeRouterHandler
from localstack.aws.handlers.service import ServiceNameParser
from localstack.aws.protocol.parser import S3RequestParser, create_parser
from localstack.aws.spec import load_service
from localstack.http import Request, Response, Router
from werkzeug.datastructures import EnvironHeaders, Headers

from trigger_stack.localstack import request_lookups

CREDENTIAL = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request"
PATCHED = (
    (Headers, "get"),
    (Headers, "__contains__"),
    (EdgeRouterHandler, "__call__"),
    (ServiceNameParser, "__call__"),
    (S3RequestParser, "_parse_shape"),
    (config, "is_collect_metrics_mode"),
)


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in PATCHED:
        # Another test of this process may have installed it; the old one is back at the end.
        before = getattr(owner, name)
        monkeypatch.setattr(owner, name, inspect.unwrap(before))
    request_lookups.install()


@pytest.fixture
def headers() -> Headers:
    return Headers([("Host", "h"), ("X-Number", "7"), ("x-number", "8"), ("X-Word", "word")])


@pytest.mark.parametrize(
    "arguments",
    [
        ("host",),
        ("HOST", "other"),
        ("x-number",),
        ("x-number", None, int),
        ("x-word", 3, int),
        ("x-none",),
        ("x-none", "other"),
        ("x-none", "other", int),
    ],
)
def test_a_header_is_what_werkzeug_finds(headers: Headers, arguments: Any) -> None:
    assert Headers.get(headers, *arguments) == inspect.unwrap(Headers.get)(headers, *arguments)


@pytest.mark.parametrize("name", ["host", "HOST", "x-number", "x-none", ""])
def test_a_header_is_there_when_werkzeug_says_so(headers: Headers, name: str) -> None:
    assert (name in headers) is inspect.unwrap(Headers.__contains__)(headers, name)


def test_a_header_that_was_added_or_removed_is_seen(headers: Headers) -> None:
    headers["X-New"] = "1"
    del headers["Host"]

    assert headers.get("x-new") == "1"
    assert headers.get("host") is None
    assert "Host" not in headers


def test_headers_of_an_environment_are_found_there() -> None:
    headers = EnvironHeaders({"HTTP_X_A": "1", "CONTENT_TYPE": "text/plain"})

    assert headers.get("x-a") == "1"
    assert headers.get("content-type") == "text/plain"
    assert headers.get("x-b", "other") == "other"
    assert "X-A" in headers
    assert "X-B" not in headers


# -- the router -----------------------------------------------------------------------------------


class Chain:
    """Notes whether it was stopped."""

    def __init__(self) -> None:
        self.is_stopped = False

    def stop(self) -> None:
        """As rolo's chain is stopped."""
        self.is_stopped = True


@pytest.fixture
def handler() -> Iterator[Any]:
    made = EdgeRouterHandler()
    made.router = Router()
    made.router.add("/there", lambda request, arguments: Response("found"))
    return made  # type: ignore[return-value]  # a fixture


def asked(handler: Any, path: str, *, method: str = "GET", signed: bool = True) -> bool:
    """Whether the router had something for a request."""
    headers = {"Authorization": f"{CREDENTIAL.format('s3')}, Signature=none"} if signed else {}
    chain, request = Chain(), Request(method, path, headers=headers)
    handler(chain, SimpleNamespace(request=request), Response())
    return chain.is_stopped


@pytest.mark.parametrize("signed", [True, False])
def test_a_route_is_found_each_time(handler: Any, signed: bool) -> None:
    assert [asked(handler, "/there", signed=signed) for _ in range(2)] == [True, True]


def test_what_was_missed_is_found_when_it_is_added(handler: Any) -> None:
    assert [asked(handler, "/new"), asked(handler, "/new")] == [False, False]

    rule = handler.router.add("/new", lambda request, arguments: Response("found"))
    assert asked(handler, "/new")

    handler.router.remove(rule)
    assert not asked(handler, "/new")


def test_a_miss_is_one_of_its_method(handler: Any) -> None:
    handler.router.add("/form", lambda request, arguments: Response("found"), methods=["POST"])

    # A method that a path does not take is no miss: werkzeug says so by another exception.
    with pytest.raises(Exception, match="405"):
        asked(handler, "/form", method="PUT")
    assert asked(handler, "/form", method="POST")


def test_a_miss_is_not_looked_up_again(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(handler, "/missing")
    monkeypatch.setattr(handler.router.url_map, "bind", None)  # a call would fail

    assert not asked(handler, "/missing")


def test_misses_are_bounded(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_lookups, "_MOST", 2)

    assert not any(asked(handler, f"/{number}") for number in range(5))
    assert asked(handler, "/there")


def test_a_route_that_finds_nothing_itself_is_asked_each_time(handler: Any) -> None:
    """What it is about may come later."""
    calls: list[str] = []

    def endpoint(request: Request, arguments: Any) -> Response:
        from werkzeug.exceptions import NotFound

        calls.append(request.path)
        raise NotFound

    handler.router.add("/empty", endpoint)

    assert not asked(handler, "/empty")
    assert not asked(handler, "/empty")
    assert len(calls) == 2


# -- services -------------------------------------------------------------------------------------


def service_of(target: str, signed_for: str, **headers: str) -> tuple[str | None, str | None]:
    """The service's name and protocol, as the parser finds them."""
    given = {
        "Authorization": f"{CREDENTIAL.format(signed_for)}, SignedHeaders=host, Signature=none",
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
    }
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    context = RequestContext(Request("POST", "/", headers={**given, **names}))
    ServiceNameParser()(Chain(), context, Response())  # type: ignore[arg-type]  # a fake
    found = context.service
    return (found.service_name if found else None), context.protocol


@pytest.mark.parametrize(
    ("target", "signed_for", "name", "protocol"),
    [
        ("AmazonSQS.SendMessage", "sqs", "sqs", "json"),
        ("DynamoDB_20120810.PutItem", "dynamodb", "dynamodb", "json"),
        ("DynamoDBStreams_20120810.GetRecords", "dynamodb", "dynamodbstreams", "json"),
        ("AWSEvents.PutEvents", "events", "events", "json"),
        ("Kinesis_20131202.PutRecord", "kinesis", "kinesis", "json"),
        ("Logs_20140328.PutLogEvents", "logs", "logs", "json"),
    ],
)
def test_a_target_belongs_to_its_service_each_time(
    target: str, signed_for: str, name: str, protocol: str
) -> None:
    assert [service_of(target, signed_for) for _ in range(2)] == [(name, protocol)] * 2


def test_a_format_has_its_own_answer() -> None:
    service_of("AmazonSQS.SendMessage", "sqs")

    form = "application/x-www-form-urlencoded"
    found = service_of("AmazonSQS.SendMessage", "sqs", Content_Type=form)
    plain = inspect.unwrap(ServiceNameParser.__call__)
    request = Request(
        "POST",
        "/",
        headers={
            "Authorization": f"{CREDENTIAL.format('sqs')}, Signature=none",
            "X-Amz-Target": "AmazonSQS.SendMessage",
            "Content-Type": form,
        },
    )
    context = RequestContext(request)
    plain(ServiceNameParser(), Chain(), context, Response())

    assert context.service is not None
    assert found == (context.service.service_name, context.protocol)


@pytest.mark.parametrize(("target", "times"), [("AmazonSQS.SendMessage", 1), ("Nobody_1.None", 2)])
def test_only_the_target_of_a_service_is_remembered(
    target: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is asked with another depends on more than what is remembered."""
    asked_for: list[Request] = []
    determine = service.determine_aws_service_model

    def noted(request: Request) -> Any:
        asked_for.append(request)
        return determine(request)

    monkeypatch.setattr(service, "determine_aws_service_model", noted)

    assert service_of(target, "sqs") == service_of(target, "sqs")
    assert len(asked_for) == times


# -- S3 -------------------------------------------------------------------------------------------


def test_an_object_has_the_headers_that_were_sent() -> None:
    headers = {
        "Content-Type": "text/plain",
        "x-amz-meta-Own": "1",
        "X-AMZ-STORAGE-CLASS": "STANDARD",
        "Content-Length": "3",
    }
    parser: Any = create_parser(load_service("s3"), "rest-xml")

    def parsed() -> dict[str, Any]:
        operation, found = parser.parse(Request("PUT", "/b/a//k/", headers=headers, body=b"abc"))
        assert operation.name == "PutObject"
        assert found.pop("Body")
        return {name: value for name, value in found.items() if value is not None}

    found = parsed()

    assert found["Bucket"] == "b"
    assert found["Key"] == "a//k/"
    assert found["ContentType"] == "text/plain"
    assert found["Metadata"] == {"Own": "1"}
    assert found["StorageClass"] == "STANDARD"
    with pytest.MonkeyPatch.context() as before:
        before.setattr(S3RequestParser, "_parse_shape", inspect.unwrap(parser._parse_shape))
        assert parsed() == found


def test_a_list_of_attributes_comes_from_its_header() -> None:
    parser: Any = create_parser(load_service("s3"), "rest-xml")
    headers = {"x-amz-object-attributes": "ETag, ObjectSize"}

    _, found = parser.parse(Request("GET", "/b/k", query_string="attributes", headers=headers))

    assert found["ObjectAttributes"] == ["ETag", "ObjectSize"]


# -- until ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patched", "how"),
    [
        (Headers.get, "except KeyError"),
        (Headers.__contains__, "except KeyError"),
        (EdgeRouterHandler.__call__, "except NotFound"),
        (ServiceNameParser.__call__, "determine_aws_service_model(context.request)"),
        (S3RequestParser._parse_shape, "super()._parse_shape(request, shape, node, uri_params)"),
        (config.is_collect_metrics_mode, "is_env_true"),
    ],
)
def test_werkzeug_and_localstack_still_do_it_in_the_long_way(patched: Any, how: str) -> None:
    """When this fails, they may need the patch no longer."""
    assert how in inspect.getsource(inspect.unwrap(patched))
