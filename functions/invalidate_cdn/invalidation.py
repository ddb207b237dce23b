"""Dropping a brand's assets from the CDN (AWS documentation: CloudFront, "CreateInvalidation")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.shared.names import is_brand_id

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient


def invalidate_assets(
    cloudfront: CloudFrontClient, distribution_id: str, brand_id: object, event_id: str
) -> str:
    """Invalidate `/logos/<brandId>/*` and return the invalidation's id.

    `event_id` is the caller reference: CloudFront answers a repeated one with the invalidation
    that exists, so that an event delivered twice invalidates once.

    Raises:
        ValueError: `brand_id` is not a brand id. A path made of it could drop other brands' assets.
    """
    if not is_brand_id(brand_id):
        raise ValueError(f"detail.brandId is not a brand id: {brand_id!r}")
    answer = cloudfront.create_invalidation(
        DistributionId=distribution_id,
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": [f"/logos/{brand_id}/*"]},
            "CallerReference": event_id,
        },
    )
    return answer["Invalidation"]["Id"]
