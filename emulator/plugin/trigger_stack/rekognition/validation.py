"""Check a request before any picture is read.

The constraints are those of "DetectLabels" and "DetectText" in the Amazon Rekognition API. The
protocol's parser has already refused values of another type.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from trigger_stack.rekognition import limits
from trigger_stack.rekognition.errors import invalid_parameter, too_large

FEATURES = ("GENERAL_LABELS", "IMAGE_PROPERTIES")
LABEL_FILTERS = (
    "LabelInclusionFilters",
    "LabelExclusionFilters",
    "LabelCategoryInclusionFilters",
    "LabelCategoryExclusionFilters",
)

_BUCKET = re.compile(r"[0-9A-Za-z.\-_]{3,255}")
_FILTER = re.compile(r"[A-Za-z0-9àâèçñó'\-_(). ]{0,50}")

Request = Mapping[str, Any]


def _number(name: str, value: Any, low: float, high: float) -> None:
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise invalid_parameter(f"{name} must be a number from {low:g} to {high:g}")


def check_image(image: Request | None) -> None:
    """Check ``Image``: either bytes or an S3 object.

    Raises:
        RekognitionError: ``InvalidParameterException``, or ``ImageTooLargeException`` for more
            than 5 MB of bytes.
    """
    image = image or {}
    data, location = image.get("Bytes"), image.get("S3Object")
    if (data is None) == (location is None):
        raise invalid_parameter("Image needs either Bytes or S3Object")
    if data is not None:
        if not data:
            raise invalid_parameter("Image.Bytes is empty")
        if len(data) > limits.MAX_BYTES:
            raise too_large(f"{len(data)} bytes, at most {limits.MAX_BYTES} as Image.Bytes")
        return
    assert location is not None  # exactly one of the two is there
    if not _BUCKET.fullmatch(location.get("Bucket") or ""):
        raise invalid_parameter("Image.S3Object.Bucket is not the name of a bucket")
    for part, required in (("Name", True), ("Version", False)):
        value = location.get(part)
        if (value is None and required) or (value is not None and not 1 <= len(value) <= 1024):
            raise invalid_parameter(f"Image.S3Object.{part} must have 1 to 1024 characters")


def _check_label_filters(filters: Request) -> None:
    for name in LABEL_FILTERS:
        values = filters.get(name) or []
        if len(values) > limits.MAX_FILTERS:
            raise invalid_parameter(f"{name} has more than {limits.MAX_FILTERS} entries")
        for value in values:
            if not _FILTER.fullmatch(value):
                raise invalid_parameter(f"{name} has an entry that no label can match")


def check_detect_labels(request: Request) -> None:
    """Check the parameters of ``DetectLabels`` besides ``Image``.

    Raises:
        RekognitionError: ``InvalidParameterException``.
    """
    features = request.get("Features") or ["GENERAL_LABELS"]
    if len(features) > len(FEATURES) or any(feature not in FEATURES for feature in features):
        raise invalid_parameter(f"Features must be among {', '.join(FEATURES)}")
    settings = request.get("Settings") or {}
    general, properties = settings.get("GeneralLabels"), settings.get("ImageProperties")
    if "GENERAL_LABELS" not in features:
        given = [name for name in ("MaxLabels", "MinConfidence") if request.get(name) is not None]
        given += ["Settings.GeneralLabels"] if general else []
        if given:
            raise invalid_parameter(f"{given[0]} is only valid with the feature GENERAL_LABELS")
    if "IMAGE_PROPERTIES" not in features and properties:
        raise invalid_parameter(
            "Settings.ImageProperties is only valid with the feature IMAGE_PROPERTIES"
        )
    _number("MaxLabels", request.get("MaxLabels"), 0, limits.MAX_LABELS)
    _number("MinConfidence", request.get("MinConfidence"), 0, 100)
    _check_label_filters(general or {})
    colors = (properties or {}).get("MaxDominantColors")
    _number("MaxDominantColors", colors, 0, limits.MAX_DOMINANT_COLORS)


def _check_region(region: Request) -> None:
    box, polygon = region.get("BoundingBox"), region.get("Polygon")
    if (box is None) == (polygon is None):
        raise invalid_parameter("a region of interest needs either BoundingBox or Polygon")
    if box is not None:
        for side in ("Left", "Top", "Width", "Height"):
            if box.get(side) is None:
                raise invalid_parameter(f"a region's BoundingBox needs {side}")
            _number(f"BoundingBox.{side}", box[side], 0, 1)
        return
    assert polygon is not None  # exactly one of the two is there
    if not 3 <= len(polygon) <= limits.MAX_REGION_POINTS:
        raise invalid_parameter(f"a region's Polygon needs 3 to {limits.MAX_REGION_POINTS} points")
    for point in polygon:
        for axis in ("X", "Y"):
            if point.get(axis) is None:
                raise invalid_parameter("a point of a region's Polygon needs X and Y")
            _number(f"Polygon.{axis}", point[axis], 0, 1)


def check_detect_text(request: Request) -> None:
    """Check the parameters of ``DetectText`` besides ``Image``.

    Raises:
        RekognitionError: ``InvalidParameterException``.
    """
    filters = request.get("Filters") or {}
    words = filters.get("WordFilter") or {}
    _number("MinConfidence", words.get("MinConfidence"), 0, 100)
    _number("MinBoundingBoxHeight", words.get("MinBoundingBoxHeight"), 0, 1)
    _number("MinBoundingBoxWidth", words.get("MinBoundingBoxWidth"), 0, 1)
    regions = filters.get("RegionsOfInterest") or []
    if len(regions) > limits.MAX_REGIONS:
        raise invalid_parameter(f"RegionsOfInterest has more than {limits.MAX_REGIONS} entries")
    for region in regions:
        _check_region(region)
