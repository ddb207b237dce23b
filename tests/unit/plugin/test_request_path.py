"""What is left out of each request's way, and that LocalStack still has it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from localstack.aws.handlers.internal import LocalstackResourceHandler
from localstack.aws.handlers.logging import ResponseLogger
from localstack.aws.protocol.serializer import (
    JSONResponseSerializer,
    QueryResponseSerializer,
    ResponseSerializer,
)
from localstack.services.internal import LocalstackResources
from werkzeug.exceptions import NotFound

from trigger_stack.localstack import request_path


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        LocalstackResourceHandler, "__call__", LocalstackResourceHandler.__call__
    )  # restored at the end
    monkeypatch.setattr(ResponseLogger, "_log", ResponseLogger._log)
    monkeypatch.setattr(ResponseSerializer, "_get_mime_type", ResponseSerializer._get_mime_type)
    request_path.install()


@pytest.fixture
def handlers() -> Iterator[list[logging.Handler]]:
    """The root's handlers, to be replaced; a request's logger takes INFO, as LocalStack sets it."""
    requests, before = logging.getLogger("localstack.request"), list(logging.root.handlers)
    level = requests.level
    requests.setLevel(logging.INFO)
    yield logging.root.handlers
    logging.root.handlers[:] = before
    requests.setLevel(level)


def test_every_resource_of_localstack_is_below_the_prefix() -> None:
    """When this fails, LocalStack has a resource that the patch hides."""
    rules = list(LocalstackResources().url_map.iter_rules())

    assert rules
    assert all(rule.rule.startswith(request_path.PREFIX) for rule in rules)


@pytest.mark.parametrize(("path", "asked"), [("/", 0), ("/bucket/_key", 0), ("/_localstack/x", 1)])
def test_only_its_own_paths_are_looked_up(path: str, asked: int) -> None:
    looked_up, answered = [], []

    def dispatch(request: Any) -> Any:
        looked_up.append(request.path)
        raise NotFound

    handler = LocalstackResourceHandler(SimpleNamespace(dispatch=dispatch))  # type: ignore[arg-type]  # a fake
    chain = SimpleNamespace(respond=answered.append)
    context = SimpleNamespace(request=SimpleNamespace(path=path))
    response = SimpleNamespace(update_from=answered.append)
    handler(chain, context, response)  # type: ignore[arg-type]  # fakes

    assert len(looked_up) == asked
    assert answered == [404] * asked


@pytest.mark.parametrize(
    ("level", "logged"), [(logging.WARNING, False), (logging.INFO, True), (logging.NOTSET, True)]
)
def test_a_request_is_logged_when_a_handler_takes_it(
    handlers: list[logging.Handler], level: int, logged: bool
) -> None:
    handler = logging.NullHandler()
    handler.setLevel(level)
    handlers[:] = [handler]

    assert request_path.is_logged() is logged


def test_a_request_is_logged_when_its_logger_is_to_say_more(
    handlers: list[logging.Handler],
) -> None:
    handlers[:] = []
    logging.getLogger("localstack.request").setLevel(logging.DEBUG)

    assert request_path.is_logged()


def test_localstack_still_looks_each_path_up_and_makes_each_line() -> None:
    """When this fails, LocalStack may need the patch no longer."""
    serve = inspect.getsource(LocalstackResourceHandler.__call__.__wrapped__)  # type: ignore[attr-defined]  # the patch's
    log = inspect.getsource(ResponseLogger._log.__wrapped__)  # type: ignore[attr-defined]  # as above

    assert serve.index("self.resources.dispatch") < serve.index("startswith")
    assert "isEnabledFor" not in log


@pytest.mark.parametrize("serializer", [QueryResponseSerializer, JSONResponseSerializer])
@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "text/xml;q=0.2, application/json"},
        {"Content-Type": "application/x-amz-json-1.1"},
        {"Accept": "*/*", "Content-Type": "text/xml"},
        {"Accept": "image/png"},
        {"Accept": ""},
    ],
)
def test_the_format_is_the_one_that_localstack_chooses(serializer: Any, headers: Any) -> None:
    patched = ResponseSerializer._get_mime_type
    chosen = inspect.unwrap(patched)(serializer(), headers)

    assert [patched(serializer(), headers) for _ in range(2)] == [chosen, chosen]


def test_localstack_parses_the_headers_of_each_request() -> None:
    """When this fails, the third patch can go."""
    assert "parse_accept_header(" in inspect.getsource(
        inspect.unwrap(ResponseSerializer._get_mime_type)
    )
