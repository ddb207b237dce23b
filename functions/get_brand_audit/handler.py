"""`GET /admin/brands/{brandId}/audit`: a brand's history, for administrators who signed in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from functions.shared.http import Response, brand_id_of, problem, query_of, respond
from functions.shared.names import is_brand_id
from functions.shared.paging import DEFAULT_LIMIT

from .audit import GROUP, BadPageError, cursor_of, groups_of, read_history

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
history = boto3.resource("dynamodb").Table(os.environ["AUDIT_TABLE"])


def answer(request: APIGatewayProxyEventV2) -> Response:
    """Answer 200 with a page; 403, 404 or 400 without one."""
    authorizer = request.request_context.authorizer
    claims = (authorizer.jwt_claim if authorizer else None) or {}
    if GROUP not in groups_of(claims):
        return problem(403, f"Only members of the group {GROUP} may read the history")
    brand_id = brand_id_of(request)
    if not is_brand_id(brand_id):
        return problem(404, "There is no such brand")
    try:
        before = cursor_of(query_of(request))
    except BadPageError as error:
        return problem(400, str(error))
    page = read_history(history, brand_id, before, DEFAULT_LIMIT)
    return respond(200, {"brandId": brand_id, **page}, {"Cache-Control": "no-store"})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 200 with a page, or say why not: 400, 403, 404. 401 is the authorizer's."""
    return answer(APIGatewayProxyEventV2(event))
