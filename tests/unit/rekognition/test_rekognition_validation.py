"""Constraints of the API, checked before a picture is read."""

from typing import Any

import pytest

from trigger_stack.rekognition.errors import RekognitionError
from trigger_stack.rekognition.validation import (
    check_detect_labels,
    check_detect_text,
    check_image,
)

BOX = {"Left": 0.1, "Top": 0.1, "Width": 0.5, "Height": 0.5}
POINTS = [{"X": 0.0, "Y": 0.0}, {"X": 1.0, "Y": 0.0}, {"X": 1.0, "Y": 1.0}]


def general(**filters: Any) -> dict[str, Any]:
    return {"Settings": {"GeneralLabels": filters}}


def regions(*items: dict[str, Any]) -> dict[str, Any]:
    return {"Filters": {"RegionsOfInterest": list(items)}}


@pytest.mark.parametrize(
    "image",
    [
        {"Bytes": b"x"},
        {"S3Object": {"Bucket": "abc", "Name": "k"}},
        {"S3Object": {"Bucket": "abc", "Name": "k", "Version": "v"}},
    ],
)
def test_an_image_is_bytes_or_an_object(image: dict[str, Any]) -> None:
    check_image(image)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (None, "InvalidParameterException"),
        ({}, "InvalidParameterException"),
        (
            {"Bytes": b"x", "S3Object": {"Bucket": "abc", "Name": "k"}},
            "InvalidParameterException",
        ),
        ({"Bytes": b""}, "InvalidParameterException"),
        ({"Bytes": bytes(5 * 1024 * 1024 + 1)}, "ImageTooLargeException"),
        ({"S3Object": {"Name": "k"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "ab", "Name": "k"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "a/b/c", "Name": "k"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "abc"}}, "InvalidParameterException"),
        ({"S3Object": {"Bucket": "abc", "Name": "k" * 1025}}, "InvalidParameterException"),
        (
            {"S3Object": {"Bucket": "abc", "Name": "k", "Version": ""}},
            "InvalidParameterException",
        ),
    ],
)
def test_an_impossible_image_is_refused(image: dict[str, Any] | None, code: str) -> None:
    with pytest.raises(RekognitionError) as refused:
        check_image(image)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"MaxLabels": 0, "MinConfidence": 0.0},
        {"MaxLabels": 1000, "MinConfidence": 100},
        {"Features": []},
        {
            "Features": ["IMAGE_PROPERTIES"],
            "Settings": {"ImageProperties": {"MaxDominantColors": 20}},
        },
        general(LabelInclusionFilters=["Cat"] * 100),
    ],
)
def test_detect_labels_takes(request_: dict[str, Any]) -> None:
    check_detect_labels(request_)


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"MaxLabels": -1}, "MaxLabels"),
        ({"MaxLabels": 1001}, "MaxLabels"),
        ({"MinConfidence": -0.1}, "MinConfidence"),
        ({"MinConfidence": 100.1}, "MinConfidence"),
        ({"MinConfidence": float("nan")}, "MinConfidence"),
        ({"Features": ["FACES"]}, "Features"),
        ({"Features": ["IMAGE_PROPERTIES"], "MaxLabels": 3}, "MaxLabels"),
        ({"Features": ["IMAGE_PROPERTIES"], "MinConfidence": 3}, "MinConfidence"),
        (
            {"Features": ["IMAGE_PROPERTIES"], **general(LabelInclusionFilters=["Cat"])},
            "GeneralLabels",
        ),
        ({"Settings": {"ImageProperties": {"MaxDominantColors": 3}}}, "ImageProperties"),
        (
            {
                "Features": ["IMAGE_PROPERTIES"],
                "Settings": {"ImageProperties": {"MaxDominantColors": 21}},
            },
            "MaxDominantColors",
        ),
        (general(LabelExclusionFilters=["Cat"] * 101), "LabelExclusionFilters"),
        (general(LabelCategoryInclusionFilters=["x" * 51]), "LabelCategoryInclusionFilters"),
        (general(LabelInclusionFilters=["<cat>"]), "LabelInclusionFilters"),
    ],
)
def test_detect_labels_refuses_by_name(request_: dict[str, Any], names: str) -> None:
    with pytest.raises(RekognitionError, match=names) as refused:
        check_detect_labels(request_)
    assert refused.value.code == "InvalidParameterException"


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"Filters": {"WordFilter": {"MinConfidence": 50.0, "MinBoundingBoxHeight": 0.05}}},
        regions({"BoundingBox": BOX}, {"Polygon": POINTS}),
    ],
)
def test_detect_text_takes(request_: dict[str, Any]) -> None:
    check_detect_text(request_)


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({"Filters": {"WordFilter": {"MinConfidence": 101}}}, "MinConfidence"),
        ({"Filters": {"WordFilter": {"MinBoundingBoxHeight": 1.5}}}, "MinBoundingBoxHeight"),
        ({"Filters": {"WordFilter": {"MinBoundingBoxWidth": -1}}}, "MinBoundingBoxWidth"),
        (regions(*[{"BoundingBox": BOX}] * 11), "RegionsOfInterest"),
        (regions({}), "BoundingBox or Polygon"),
        (regions({"BoundingBox": BOX, "Polygon": POINTS}), "BoundingBox or Polygon"),
        (regions({"BoundingBox": {"Left": 0.0}}), "Top"),
        (regions({"BoundingBox": {**BOX, "Width": 2.0}}), "Width"),
        (regions({"Polygon": POINTS[:2]}), "Polygon"),
        (regions({"Polygon": POINTS * 4}), "Polygon"),
        (regions({"Polygon": [*POINTS, {"X": 0.5}]}), "X and Y"),
    ],
)
def test_detect_text_refuses_by_name(request_: dict[str, Any], names: str) -> None:
    with pytest.raises(RekognitionError, match=names) as refused:
        check_detect_text(request_)
    assert refused.value.code == "InvalidParameterException"
