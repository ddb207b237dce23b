"""`GET /openapi.json` and `GET /docs`: what the brand API is, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.logging import Logger, correlation_paths

from functions.shared.conditions import Conditions, MalformedConditionError, entity_tag
from functions.shared.http import (
    JSON,
    Request,
    Response,
    dump,
    for_front_door,
    method_not_allowed,
    problem,
    request_of,
    respond,
    respond_text,
)

from .document import DOCUMENT, PROBLEMS
from .page import SECURITY_HEADERS, render

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
#: The text of each page, its media type, and headers of its own: made once for each environment.
pages: dict[str, tuple[str, str, dict[str, str]]] = {
    "/openapi.json": (dump(DOCUMENT), JSON, {"X-Content-Type-Options": "nosniff"}),
    "/docs": (render(DOCUMENT, PROBLEMS), "text/html; charset=utf-8", SECURITY_HEADERS),
}


def describe(request: Request) -> Response:
    """Answer 200 with the page that the path names, 304 when the caller has it, 400 or 404."""
    page = pages.get(request.path)
    if page is None:
        return problem(404, "There is no such page")
    text, content_type, headers = page
    tag = entity_tag(text)
    try:
        unmet = Conditions.of(request).unmet(tag)
    except MalformedConditionError as error:
        return problem(400, str(error))
    if unmet == "If-Match":
        return problem(412, f"The page is not as {unmet} wants it")
    headers = headers | {"Cache-Control": "max-age=300", "ETag": tag}
    if unmet is not None:
        return respond(304, headers=headers)
    return respond_text(200, text, content_type, headers)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 200 with a page, 304 when the caller has it, or say why not: 400, 404, 405, 412."""
    request = request_of(event)
    response = method_not_allowed(request, ["GET", "HEAD"]) or describe(request)
    return for_front_door(request, response)
