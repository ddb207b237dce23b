"""`PUT /brand/{brandId}`: validate, store, publish, set the reminder to review it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger, correlation_paths
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.brand_draft import draft_of, parse_json
from functions.shared.brand_events import publish
from functions.shared.brand_view import public_view
from functions.shared.brand_writes import BrandWriter
from functions.shared.clock import utc_now
from functions.shared.conditions import Conditions, brand_tag
from functions.shared.http import (
    Request,
    Response,
    brand_id_of,
    for_front_door,
    method_not_allowed,
    request_id_of,
    request_of,
    respond,
)
from functions.shared.write_answers import answer_write, require_brand_id

from .reminder import Reminders

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])
events = boto3.client("events")
bus_name = os.environ["EVENT_BUS_NAME"]
# The brand is stored when the reminder is set: its caller must not wait long for that.
impatient = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2})
reminders = Reminders.from_environment(boto3.client("scheduler", config=impatient), os.environ)


def put(request: Request) -> Response:
    """Answer 201 or 200 with the brand; what refuses it raises."""
    brand_id = brand_id_of(request)
    require_brand_id(brand_id)
    conditions = Conditions.of(request)
    data = parse_json(request.body, bool(request.is_base64_encoded))
    writer = BrandWriter(
        brands,
        partial(publish, events, bus_name),
        clock=utc_now,
        correlation_id=request_id_of(request),
        conditions=conditions,
    )
    written = writer.change(brand_id, lambda current: draft_of(data), create=True)
    remind(brand_id, created=written.created)
    view = public_view(written.item)
    return respond(201 if written.created else 200, view, {"ETag": brand_tag(view)})


def remind(brand_id: str, *, created: bool) -> None:
    """Set the brand's reminder; the PUT is done, and stands when this fails."""
    try:
        reminders.set(brand_id, utc_now(), created=created)
    except (BotoCoreError, ClientError):
        logger.exception("No reminder: the next PUT sets it", brand_id=brand_id)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Answer 201 or 200 with the brand, or say why not: 400, 405, 409, 412, 422, 503."""
    request = request_of(event)
    response = method_not_allowed(request, ["PUT"]) or answer_write(
        logger, brand_id_of(request), partial(put, request)
    )
    return for_front_door(request, response)
