"""A new logo drops the brand's assets from the CDN, once for each event."""

from __future__ import annotations

import pytest
from function_fakes import FakeCloudFront, client_error

from functions.invalidate_cdn import handler as invalidate_cdn

EVENT = "eventbridge-brand-updated-logo"


@pytest.fixture
def cloudfront(monkeypatch):
    fake = FakeCloudFront()
    monkeypatch.setattr(invalidate_cdn, "cloudfront", fake)
    return fake


def test_the_brands_logos_are_invalidated(cloudfront, event, context):
    answer = invalidate_cdn.handler(event(EVENT), context)

    (made,) = cloudfront.invalidations.values()
    assert answer == {"invalidationId": made["Id"]}
    assert made["DistributionId"] == "E2QWRUHAPOMQZL"
    assert made["InvalidationBatch"]["Paths"] == {"Quantity": 1, "Items": ["/logos/acme/*"]}


def test_the_same_event_again_makes_no_second_invalidation(cloudfront, event, context):
    first = invalidate_cdn.handler(event(EVENT), context)
    second = invalidate_cdn.handler(event(EVENT), context)

    assert first == second
    assert len(cloudfront.invalidations) == 1


def test_another_event_makes_another(cloudfront, event, context):
    invalidate_cdn.handler(event(EVENT), context)
    invalidate_cdn.handler(event(EVENT) | {"id": "another"}, context)

    assert len(cloudfront.invalidations) == 2


@pytest.mark.parametrize("brand_id", [None, "", "*", "../acme", "acme/*", 7])
def test_a_brand_id_that_is_none_is_raised(brand_id, cloudfront, event, context):
    made = event(EVENT)
    made["detail"]["brandId"] = brand_id

    with pytest.raises(ValueError, match="brand id"):
        invalidate_cdn.handler(made, context)
    assert not cloudfront.invalidations


def test_a_refusal_by_cloudfront_is_raised(cloudfront, event, context, monkeypatch):
    error = client_error("TooManyInvalidationsInProgress", "CreateInvalidation")

    def refuse(**_):
        raise error

    monkeypatch.setattr(cloudfront, "create_invalidation", refuse)
    with pytest.raises(type(error)):
        invalidate_cdn.handler(event(EVENT), context)
