"""Labelling a logo, keeping the result, and telling the bus.

A retry starts at the first step, so every step can be run again without harm: the row and the
brand's `logoUrl` are set to the same values, a second `BrandUpdated` says the same as the first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError

from functions.shared.brand_events import brand_updated
from functions.shared.brand_view import DELETED_AT, living
from functions.shared.clock import iso
from functions.shared.dynamodb import is_condition_failure

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

    from .upload import Upload


def process_upload(
    upload: Upload,
    *,
    detect: Callable[[Upload], dict[str, Any]],
    logos: Table,
    brands: Table,
    publish: Callable[[dict[str, Any]], object],
    assets_base_url: str,
    now: datetime,
    correlation_id: str,
) -> dict[str, Any]:
    """Store the upload's labels, make it its brand's logo, publish `BrandUpdated`.

    A logo may be uploaded before its brand exists, or after it was deleted: then there is no
    address to notify, and no item to update. A logo that is older than the brand's present one is
    labelled but does not replace it.

    Returns:
        `{brandId, objectVersion, logoUrl, current}`: `current` is False for such an older logo.
    """
    processed_at = iso(now)
    row = {
        "brandId": upload.brand_id,
        "objectVersion": upload.object_version,
        **detect(upload),
        "bucket": upload.bucket,
        "key": upload.key,
        "versionId": upload.version_id,
        "size": upload.size,
        "eTag": upload.e_tag,
        "processedAt": processed_at,
    }
    logos.put_item(Item=row)

    url = upload.url(assets_base_url)
    stored = brands.get_item(Key={"brandId": upload.brand_id}, ConsistentRead=True).get("Item")
    brand = living(stored)
    current = brand is None or _set_logo(brands, upload, url)
    if current:
        email = None if brand is None else str(brand["contactEmail"])
        detail = brand_updated(
            upload.brand_id,
            {"logoUrl": url},
            updated_at=processed_at,
            correlation_id=correlation_id,
            notify_email=email,
        )
        publish(detail)
    return {
        "brandId": upload.brand_id,
        "objectVersion": upload.object_version,
        "logoUrl": url,
        "current": current,
    }


def _set_logo(brands: Table, upload: Upload, url: str) -> bool:
    """Set the brand's `logoUrl`; False when the brand has a newer logo already.

    S3 events come in any order. `<=`, so that a retry of the same upload passes.
    """
    try:
        brands.update_item(
            Key={"brandId": upload.brand_id},
            UpdateExpression="SET #logoUrl = :logoUrl, #logoUploadedAt = :logoUploadedAt",
            ConditionExpression=Attr("brandId").exists()
            & Attr(DELETED_AT).not_exists()
            & (
                Attr("logoUploadedAt").not_exists() | Attr("logoUploadedAt").lte(upload.uploaded_at)
            ),
            ExpressionAttributeNames={
                "#logoUrl": "logoUrl",
                "#logoUploadedAt": "logoUploadedAt",
            },
            ExpressionAttributeValues={":logoUrl": url, ":logoUploadedAt": upload.uploaded_at},
        )
    except ClientError as error:
        if is_condition_failure(error):
            return False
        raise
    return True
