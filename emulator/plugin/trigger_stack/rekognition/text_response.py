"""From recognised lines and words to the ``TextDetections`` of a ``DetectText`` response.

Syntax and filters follow "DetectText" and "RegionOfInterest" of the Amazon Rekognition API.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trigger_stack.rekognition.limits import DEFAULT_WORD_CONFIDENCE, MAX_WORDS
from trigger_stack.rekognition.text import Points, TextRun

_SAMPLES = 64


def _geometry(corners: Points, size: tuple[int, int]) -> dict[str, Any]:
    ratios = np.clip(corners / np.array(size, float), 0.0, 1.0)
    low, high = ratios.min(axis=0), ratios.max(axis=0)
    return {
        "BoundingBox": {
            "Width": float(high[0] - low[0]),
            "Height": float(high[1] - low[1]),
            "Left": float(low[0]),
            "Top": float(low[1]),
        },
        "Polygon": [{"X": float(x), "Y": float(y)} for x, y in ratios],
    }


def _inside(polygon: Points, points: Points) -> Any:
    """Which points lie in a polygon (crossing number)."""
    inside = np.zeros(len(points), bool)
    following = np.roll(polygon, -1, axis=0)
    for (x1, y1), (x2, y2) in zip(polygon, following, strict=True):
        if y1 == y2:
            continue
        straddles = (points[:, 1] < y1) != (points[:, 1] < y2)
        inside ^= straddles & (points[:, 0] < x1 + (points[:, 1] - y1) / (y2 - y1) * (x2 - x1))
    return inside


def _region_polygon(region: dict[str, Any]) -> Points:
    if polygon := region.get("Polygon"):
        return np.array([[point["X"], point["Y"]] for point in polygon], float)
    box = region["BoundingBox"]
    left, top = box["Left"], box["Top"]
    right, bottom = left + box["Width"], top + box["Height"]
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)


def _share_inside(region: dict[str, Any], polygon: list[dict[str, float]]) -> float:
    """Share of a word's area that lies in a region, on a grid of points over the word."""
    corners = np.array([[point["X"], point["Y"]] for point in polygon])
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    across, down = np.meshgrid(steps, steps)
    points = (
        corners[0]
        + across.reshape(-1, 1) * (corners[1] - corners[0])
        + down.reshape(-1, 1) * (corners[3] - corners[0])
    )
    return float(_inside(_region_polygon(region), points).mean())


def _keeps(word: dict[str, Any], filters: dict[str, Any]) -> bool:
    rules = filters.get("WordFilter") or {}
    box = word["Geometry"]["BoundingBox"]
    if (
        word["Confidence"] < rules.get("MinConfidence", DEFAULT_WORD_CONFIDENCE)
        or box["Height"] < rules.get("MinBoundingBoxHeight", 0.0)
        or box["Width"] < rules.get("MinBoundingBoxWidth", 0.0)
    ):
        return False
    regions = filters.get("RegionsOfInterest") or []
    polygon = word["Geometry"]["Polygon"]
    # A word belongs to a region when more than half of it lies there.
    return not regions or any(_share_inside(region, polygon) > 0.5 for region in regions)


def text_detections(
    lines: Sequence[Sequence[TextRun]], size: tuple[int, int], filters: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the lines and then their words, of at most 100 words in all.

    ``lines`` gives each line followed by its words, ``size`` the picture's width and height in
    pixels. A line stays as long as one of its words passes the filters.
    """
    found_lines: list[dict[str, Any]] = []
    found_words: list[dict[str, Any]] = []
    for line, *words in lines:
        kept = [
            detection
            for word in words
            if _keeps(detection := _detection(word, "WORD", size), filters)
        ][: MAX_WORDS - len(found_words)]
        if kept:
            found_words += [{**word, "ParentId": len(found_lines)} for word in kept]
            found_lines.append(_detection(line, "LINE", size))
    detections = [*found_lines, *found_words]
    return [{**detection, "Id": index} for index, detection in enumerate(detections)]


def _detection(run: TextRun, kind: str, size: tuple[int, int]) -> dict[str, Any]:
    return {
        "DetectedText": run.text,
        "Type": kind,
        "Confidence": 100.0 * min(run.confidence, 1.0),
        "Geometry": _geometry(run.corners, size),
    }
