"""An uploaded logo: what the S3 event says about it.

AWS documentation: S3, "Event message structure"; the key in it is URL-encoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord

_KEY = re.compile(r"logos/(?P<brand_id>[^/]+)/[^/]+\.png")


class UnusableKeyError(ValueError):
    """The key names no brand's logo, and no retry will change that."""


@dataclass(frozen=True)
class Upload:
    """One version of one object.

    Attributes:
        version_id: None in a bucket without versioning.
        size: Bytes.
        uploaded_at: The event's time, ISO 8601, UTC, milliseconds.
    """

    brand_id: str
    bucket: str
    key: str
    version_id: str | None
    e_tag: str
    size: int
    uploaded_at: str

    @property
    def object_version(self) -> str:
        """The sort key of `brand_logos`; without versioning the eTag tells contents apart."""
        return f"{self.key}#{self.version_id or self.e_tag}"

    def url(self, base: str) -> str:
        """The object's address at `base`, the CDN in front of the bucket."""
        return f"{base.rstrip('/')}/{quote(self.key)}"


def upload_of(record: S3EventRecord) -> Upload:
    """Read one record of an S3 event.

    Raises:
        UnusableKeyError: The key is not `logos/<brandId>/<file>.png`. It raises, for what S3
            announced must not vanish: the event ends in the function's on-failure destination.
    """
    s3 = record.s3
    key = unquote_plus(s3.get_object.key)
    named = _KEY.fullmatch(key)
    if named is None or not is_brand_id(named["brand_id"]):
        raise UnusableKeyError(f"key is not logos/<brandId>/<file>.png: {key!r}")
    return Upload(
        brand_id=named["brand_id"],
        bucket=s3.bucket.name,
        key=key,
        version_id=s3.get_object.version_id or None,
        e_tag=s3.get_object.etag,
        size=s3.get_object.size,
        uploaded_at=record.event_time,
    )
