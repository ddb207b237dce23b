"""What a request to AWS is asked again and again is answered without exceptions, or remembered.

What: ``Headers.get`` and ``in`` of werkzeug raise no exception for a header that is not there;
``EdgeRouterHandler`` remembers which signed requests its router has nothing for;
``ServiceNameParser`` remembers which service a target belongs to; ``S3RequestParser`` passes over
members whose header was not sent; ``is_collect_metrics_mode`` reads its variable once.
Why: A request is asked for forty to seventy headers, most of them not there, and werkzeug makes an
HTTP error of each; the router tries all of its rules and raises one, too; an object of S3 may have
forty headers. Together they are a fifth of a request.
Until: werkzeug and LocalStack do it so.
Test: ``tests/unit/plugin/test_request_lookups.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from localstack import config
from localstack.aws.handlers.legacy import EdgeRouterHandler
from localstack.aws.handlers.service import ServiceNameParser
from localstack.aws.protocol.parser import S3RequestParser
from localstack.runtime.hooks import on_infra_start
from rolo.request import get_raw_path
from werkzeug.datastructures import EnvironHeaders, Headers
from werkzeug.exceptions import HTTPException, NotFound

#: Requests that are signed in their headers, as clients of AWS write it.
SIGNED: Final = "AWS4-HMAC-SHA256 Credential="
_MOST: Final = 1024


def install() -> None:
    """Patch werkzeug and LocalStack. Idempotent."""
    if hasattr(Headers.get, "__wrapped__"):
        return
    _look_up_headers()
    _remember_misses()
    _remember_services()
    _pass_over_absent_headers()
    _read_mode_once()


def _look_up_headers() -> None:
    get, contains = Headers.get, Headers.__contains__
    # Its headers are in the environment of the request, not in a list.
    EnvironHeaders.get = get  # type: ignore[method-assign]  # its own as before
    EnvironHeaders.__contains__ = contains  # type: ignore[method-assign]  # as above

    @functools.wraps(get)
    def get_quietly(headers: Any, key: str, default: Any = None, type: Any = None) -> Any:
        wanted = key.lower()
        for name, value in headers._list:
            if name.lower() == wanted:
                return value if type is None else _converted(value, type, default)
        return default

    @functools.wraps(contains)
    def contains_quietly(headers: Any, key: str) -> bool:
        wanted = key.lower()
        for name, _ in headers._list:  # noqa: SIM110  any() takes twice as long
            if name.lower() == wanted:
                return True
        return False

    Headers.get = get_quietly  # type: ignore[method-assign, assignment]  # the patch
    Headers.__contains__ = contains_quietly  # type: ignore[method-assign]  # the patch


def _converted(value: str, to: Callable[[str], Any], default: Any) -> Any:
    try:
        return to(value)
    except ValueError:
        return default


def _remember_misses() -> None:
    serve = EdgeRouterHandler.__call__
    # A router that gets or loses a rule has another object of rules. Both are replaced as one: a
    # miss that was found by the old rules stays with them.
    of_rules: tuple[Any, set[tuple[str, str, str]]] = (None, set())

    @functools.wraps(serve)
    def serve_if_there(handler: Any, chain: Any, context: Any, response: Any) -> None:
        nonlocal of_rules
        request = context.request
        if not (request.headers.get("Authorization") or "").startswith(SIGNED):
            serve(handler, chain, context, response)
            return
        rules, misses = of_rules
        if rules is not handler.router.url_map or len(misses) >= _MOST:
            rules, misses = of_rules = (handler.router.url_map, set())
        asked = (request.host, get_raw_path(request), request.method)
        if asked in misses:
            return
        try:
            rules.bind(server_name=asked[0]).match(asked[1], method=asked[2])
        except NotFound:
            misses.add(asked)
            return
        except HTTPException:
            pass  # what is said of it is the handler's
        serve(handler, chain, context, response)

    EdgeRouterHandler.__call__ = serve_if_there  # type: ignore[method-assign, assignment]  # the patch


def _remember_services() -> None:
    parse = ServiceNameParser.__call__
    services: dict[tuple[str | None, ...], tuple[Any, Any]] = {}

    @functools.wraps(parse)
    def parse_once(parser: Any, chain: Any, context: Any, response: Any) -> None:
        request = context.request
        target = request.headers.get("X-Amz-Target")
        credential, _, _ = (request.headers.get("Authorization") or "").partition(",")
        if (
            context.service
            or not target
            or not credential.startswith(SIGNED)
            or request.path != "/"
            or request.query_string
        ):
            parse(parser, chain, context, response)
            return
        of_format = (request.headers.get("Content-Type"), request.headers.get("Smithy-Protocol"))
        asked = (target, credential, *of_format, request.host)
        known = services.get(asked)
        if known:
            context.service, context.protocol = known
            return
        parse(parser, chain, context, response)
        service = context.service
        if service and service.metadata.get("targetPrefix") == target.rpartition(".")[0]:
            if len(services) >= _MOST:
                services.clear()
            services[asked] = (service, context.protocol)

    ServiceNameParser.__call__ = parse_once  # type: ignore[method-assign, assignment]  # the patch


def _pass_over_absent_headers() -> None:
    parse = S3RequestParser._parse_shape

    @functools.wraps(parse)
    def parse_if_sent(
        parser: Any, request: Any, shape: Any, node: Any, uri_params: Any = None
    ) -> Any:
        if shape is not None:
            where = shape.serialization
            if where.get("location") == "header" and where["name"] not in request.headers:
                return None
        return parse(parser, request, shape, node, uri_params)

    S3RequestParser._parse_shape = parse_if_sent  # type: ignore[method-assign, assignment]  # the patch


def _read_mode_once() -> None:
    read = config.is_collect_metrics_mode
    collects = read()

    @functools.wraps(read)
    def is_collect_metrics_mode() -> bool:
        return collects

    config.is_collect_metrics_mode = is_collect_metrics_mode


@on_infra_start()
def look_up_fast() -> None:
    """Patch before the first request."""
    install()
