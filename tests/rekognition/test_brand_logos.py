"""The logo processor of the running stack: pictures lead to sensible, different rows."""

from __future__ import annotations

import uuid
from typing import Any

from bootstrap.settings import Settings
from tests.rekognition.sample_pictures import encode, photo, wordmark
from tests.support.waiting import eventually


def test_a_cat_a_coffee_and_a_logo_with_text_lead_to_different_rows():
    settings = Settings.from_environment()
    s3, dynamodb = settings.client("s3"), settings.client("dynamodb")
    pictures = {
        "cat": photo("cat"),
        "coffee": photo("coffee"),
        "logo": encode(wordmark(), "PNG"),
    }
    brands = {name: f"{name}-{uuid.uuid4().hex[:10]}" for name in pictures}
    for name, picture in pictures.items():
        s3.put_object(
            Bucket="brand-assets-bucket", Key=f"logos/{brands[name]}/logo.png", Body=picture
        )

    def labels(name: str) -> set[str]:
        items: list[dict[str, Any]] = dynamodb.query(
            TableName="brand_logos",
            KeyConditionExpression="brandId = :b",
            ExpressionAttributeValues={":b": {"S": brands[name]}},
        )["Items"]
        return {label["M"]["name"]["S"] for item in items for label in item["labels"]["L"]}

    found = {name: eventually(lambda name=name: labels(name)) for name in pictures}

    assert {"Cat", "Animal"} <= found["cat"], found
    assert {"Coffee", "Cup"} <= found["coffee"], found
    assert {"Logo", "Text"} <= found["logo"], found
    assert "Logo" not in found["cat"] | found["coffee"], found
