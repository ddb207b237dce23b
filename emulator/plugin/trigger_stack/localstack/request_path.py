"""What no request to AWS needs is left out of its way through the gateway.

What: ``LocalstackResourceHandler`` looks for a resource of LocalStack only below ``/_``;
``ResponseLogger`` makes no line that no handler writes; ``ResponseSerializer`` remembers which
format a client wants.
Why: LocalStack looks each path of each request up in its own resources, by raising and catching an
exception; with ``LS_LOG=warn`` it makes a record at level INFO of each request, with every header,
for a handler that takes none; it parses the client's ``Accept`` or ``Content-Type`` each time.
Together they are an eighth of a request.
Until: LocalStack does none of it.
Test: ``tests/unit/plugin/test_request_path.py``.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from localstack.aws.handlers.internal import LocalstackResourceHandler
from localstack.aws.handlers.logging import ResponseLogger
from localstack.aws.protocol.serializer import ResponseSerializer
from localstack.runtime.hooks import on_infra_start

from trigger_stack.localstack import malformed_requests

#: Below it are all resources of LocalStack.
PREFIX = "/_"
_REQUESTS = "localstack.request"
_MOST_FORMATS = 512


def install() -> None:
    """Patch the two handlers and the serializer. Idempotent."""
    serve, log = LocalstackResourceHandler.__call__, ResponseLogger._log
    mime_type = ResponseSerializer._get_mime_type
    if hasattr(serve, "__wrapped__"):
        return

    @functools.wraps(serve)
    def serve_resource(handler: Any, chain: Any, context: Any, response: Any) -> None:
        if context.request.path.startswith(PREFIX):
            serve(handler, chain, context, response)

    @functools.wraps(log)
    def log_if_wanted(logger: Any, context: Any, response: Any) -> None:
        if is_logged():
            log(logger, context, response)

    @functools.lru_cache(_MOST_FORMATS)
    def choose(kind: Any, accept: str | None, content_type: str | None) -> str:
        headers = {"Accept": accept, "Content-Type": content_type}
        given = {name: value for name, value in headers.items() if value is not None}
        return mime_type(kind(), given)

    @functools.wraps(mime_type)
    def remembered_mime_type(serializer: Any, headers: Any) -> str:
        get = headers.get if headers else {}.get
        kind: Any = type(serializer)
        return choose(kind, get("Accept"), get("Content-Type"))

    ResponseSerializer._get_mime_type = remembered_mime_type  # type: ignore[method-assign, assignment]  # the patch
    LocalstackResourceHandler.__call__ = serve_resource  # type: ignore[method-assign, assignment]  # the patch
    ResponseLogger._log = log_if_wanted  # type: ignore[method-assign, assignment]  # the patch


def is_logged() -> bool:
    """Whether a line about a request is written somewhere."""
    requests = logging.getLogger(_REQUESTS)
    if requests.isEnabledFor(logging.DEBUG):  # LocalStack adds handlers of its own then
        return True
    return any(one.level <= logging.INFO for one in (*requests.handlers, *logging.root.handlers))


@on_infra_start()
def shorten_the_way() -> None:
    """Patch LocalStack before the first request."""
    install()
    malformed_requests.install()
