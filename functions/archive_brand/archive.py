"""The archive of updates in the bucket: one object for each, however often it arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from functions.shared.updates import Update


def key_of(update: Update) -> str:
    """`<brand>/<time>-<event>.json`: a brand's objects sort as the updates were made."""
    return f"{update.brand_id}/{update.updated_at}-{update.event_id}.json"


def archive(s3: S3Client, bucket: str, update: Update) -> str:
    """Store an update and return its key. The same update again is the same object."""
    key = key_of(update)
    body = json.dumps(update.event, indent=2, sort_keys=True, ensure_ascii=False)
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
    return key
