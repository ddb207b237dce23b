"""Putting a logo that came by mail where uploads are, and answering its sender.

Each step can be run again: the object's key is made from the mail's id, and is written once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from functions.shared.brand_view import living
from functions.shared.names import is_email

from .mail import WrongMailError, brand_of, logo_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.ses_event import SESMessage
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import MessageHeaderTypeDef

_VERDICTS = ("spam_verdict", "virus_verdict", "spf_verdict", "dkim_verdict", "dmarc_verdict")


def failed_checks(ses: SESMessage) -> list[str]:
    """The checks of SES that the mail failed: it is spam, or not from whom it says."""
    receipt = ses.receipt
    return [
        name.removesuffix("_verdict")
        for name in _VERDICTS
        if getattr(receipt, name).status == "FAIL"
    ]


def store_logo(
    ses: SESMessage, *, s3: S3Client, brands: Table, mail_bucket: str, mail_prefix: str, bucket: str
) -> dict[str, str]:
    """Put the PNG of a mail under `logos/<brandId>/`, where `process_logo` finds it.

    Returns:
        `{brandId, key}`.

    Raises:
        WrongMailError: The sender is to be told what is wrong.
    """
    mail = ses.mail
    brand_id = brand_of(ses.receipt.recipients)
    brand = living(brands.get_item(Key={"brandId": brand_id}, ConsistentRead=True).get("Item"))
    # One sentence for both: who is no contact does not learn which brands there are.
    if brand is None or not _is_contact(brand, mail.source):
        raise WrongMailError(f"You are not the contact of a brand {brand_id}.")
    stored = s3.get_object(Bucket=mail_bucket, Key=f"{mail_prefix}{mail.message_id}")
    key = f"logos/{brand_id}/mail-{mail.message_id}.png"
    _put_once(s3, bucket, key, logo_of(stored["Body"].read()))
    return {"brandId": brand_id, "key": key}


def _is_contact(brand: dict[str, Any], sender: str) -> bool:
    return str(brand["contactEmail"]).lower() == sender.lower()


def _put_once(s3: S3Client, bucket: str, key: str, logo: bytes) -> None:
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=logo, ContentType="image/png", IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise  # there already: an earlier attempt got so far


def wants_answer(ses: SESMessage) -> bool:
    """Whether a sender can be answered: not a program that answers itself, nor a bounce."""
    automatic = [
        header.value
        for header in ses.mail.headers
        if header.name.lower() == "auto-submitted" and header.value.lower() != "no"
    ]
    return is_email(ses.mail.source) and not automatic


def answer(client: SESV2Client, sender: str, ses: SESMessage, text: str) -> str:
    """Answer a mail and return SES's message id."""
    # RFC 3834: no program answers it.
    headers: list[MessageHeaderTypeDef] = [{"Name": "Auto-Submitted", "Value": "auto-replied"}]
    if original := ses.mail.common_headers.get("messageId"):
        headers.append({"Name": "In-Reply-To", "Value": " ".join(str(original).split())[:900]})
    reply = client.send_email(
        FromEmailAddress=sender,
        Destination={"ToAddresses": [ses.mail.source]},
        Content={
            "Simple": {
                "Subject": {"Data": "Your logo", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": f"{text}\n", "Charset": "UTF-8"}},
                "Headers": headers,
            }
        },
    )
    return reply["MessageId"]
