"""SES receipt rule `logo-by-mail`: a mail with a PNG becomes a brand's logo."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.utilities.data_classes import SESEvent
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

from .logo import answer, failed_checks, store_logo, wants_answer
from .mail import WrongMailError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.ses_event import SESMessage
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
s3 = boto3.client("s3")
ses = boto3.client("sesv2")
brands = boto3.resource("dynamodb").Table(os.environ["BRANDS_TABLE"])
sender = os.environ["SENDER_EMAIL"]
mail_bucket = os.environ["MAIL_BUCKET"]
mail_prefix = os.environ["MAIL_PREFIX"]
assets_bucket = os.environ["ASSETS_BUCKET"]
store = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"],
    boto3_client=boto3.client("dynamodb"),  # Its own session would load botocore's data again.
)
# Longer than Lambda keeps an asynchronous event, its dead letter and a redrive included.
config = IdempotencyConfig(expires_after_seconds=14 * 24 * 3600)


def process(*, message_id: str, mail: SESMessage) -> dict[str, Any]:
    """Handle one mail: store its logo, or tell its sender what is wrong."""
    if failed := failed_checks(mail):
        logger.warning("Mail dropped: it failed checks", checks=failed)
        return {"messageId": message_id, "dropped": failed}
    try:
        stored = store_logo(
            mail,
            s3=s3,
            brands=brands,
            mail_bucket=mail_bucket,
            mail_prefix=mail_prefix,
            bucket=assets_bucket,
        )
    except WrongMailError as error:
        logger.warning("Mail cannot be used", reason=str(error))
        return {"messageId": message_id, "wrong": str(error), "answer": _answer(mail, str(error))}
    logger.info("Logo stored", brand_id=stored["brandId"], key=stored["key"])
    text = f"The logo of {stored['brandId']} was received, and is being looked at."
    return {"messageId": message_id, **stored, "answer": _answer(mail, text)}


def _answer(mail: SESMessage, text: str) -> str | None:
    return answer(ses, sender, mail, text) if wants_answer(mail) else None


process_once: Callable[..., dict[str, Any]] = idempotent_function(
    process,
    data_keyword_argument="message_id",
    persistence_store=store,
    config=config,
    key_prefix="logo_by_mail",
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> list[dict[str, Any]]:
    """Handle the mail of the event once; what fails is tried again by Lambda."""
    config.register_lambda_context(context)
    results = []
    for record in SESEvent(event).records:
        mail = record.ses
        logger.append_keys(message_id=mail.mail.message_id)
        results.append(process_once(message_id=mail.mail.message_id, mail=mail))
    return results
