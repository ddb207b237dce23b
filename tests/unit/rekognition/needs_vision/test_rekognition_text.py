"""The geometry of text regions, and the response made of what was read."""

import math
from typing import Any

import numpy as np
import pytest

from trigger_stack.rekognition.text import TextRun, _components, _ordered, _smallest_rectangle
from trigger_stack.rekognition.text_response import text_detections

SIZE = (200, 100)


def flood(mask: np.ndarray) -> set[frozenset[int]]:
    """8-connected regions, the slow and obvious way."""
    left, regions = {(int(y), int(x)) for y, x in np.argwhere(mask)}, set()
    while left:
        queue, region = [left.pop()], set()
        while queue:
            y, x = queue.pop()
            region.add(y * mask.shape[1] + x)
            near = {(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            left -= near
            queue += near
        regions.add(frozenset(region))
    return regions


@pytest.mark.parametrize("seed", range(30))
def test_regions_are_those_of_a_flood_fill(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((random.integers(1, 24), random.integers(1, 24))) < 0.15 + seed / 50
    assert {frozenset(map(int, r)) for r in _components(mask)} == flood(mask)


@pytest.mark.parametrize("degrees", [0, 10, 33, 45, 80])
def test_the_smallest_rectangle_follows_the_turn(degrees: int) -> None:
    turn = math.radians(degrees)
    axes = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    random = np.random.default_rng(degrees)
    inside = random.uniform(-1, 1, (500, 2)) * [40, 10]
    corners = np.array([[-40, -10], [40, -10], [40, 10], [-40, 10]])
    points = np.concatenate([inside, corners]) @ axes + [100, 70]
    centre, half, _ = _smallest_rectangle(points)
    assert centre == pytest.approx([100, 70])
    assert sorted(half) == pytest.approx([10, 40])


@pytest.mark.parametrize("points", [[[3, 4]], [[3, 4], [3, 9]], [[1, 1], [2, 2], [3, 3]]])
def test_degenerate_regions_have_a_rectangle(points: list[list[float]]) -> None:
    centre, half, _ = _smallest_rectangle(np.array(points, float))
    assert np.isfinite(centre).all()
    assert (half >= 0).all()


def test_corners_go_clockwise_from_the_start_of_the_line() -> None:
    wide = np.array([[10, 30], [90, 10], [90, 30], [10, 10]], float)
    assert _ordered(wide).tolist() == [[10, 10], [90, 10], [90, 30], [10, 30]]
    tall = np.array([[10, 10], [30, 10], [30, 90], [10, 90]], float)
    assert _ordered(tall)[0].tolist() == [10, 90]  # read upwards


def run(text: str, left: float, top: float, width: float, confidence: float = 0.99) -> TextRun:
    right, bottom = left + width, top + 10
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    return TextRun(text, confidence, corners)


LINES = [
    [run("ACME Corp", 0, 0, 100), run("ACME", 0, 0, 50), run("Corp", 60, 0, 40)],
    [run("fine print", 0, 80, 40), run("fine", 0, 80, 20, 0.7), run("print", 22, 80, 18, 0.9)],
]


def texts(filters: dict[str, Any]) -> list[str]:
    return [d["DetectedText"] for d in text_detections(LINES, SIZE, filters)]


def test_lines_come_first_and_words_name_theirs() -> None:
    found = text_detections(LINES, SIZE, {"WordFilter": {"MinConfidence": 0}})
    assert [(d["Id"], d["Type"], d.get("ParentId"), d["DetectedText"]) for d in found] == [
        (0, "LINE", None, "ACME Corp"),
        (1, "LINE", None, "fine print"),
        (2, "WORD", 0, "ACME"),
        (3, "WORD", 0, "Corp"),
        (4, "WORD", 1, "fine"),
        (5, "WORD", 1, "print"),
    ]
    assert found[3]["Geometry"] == {
        "BoundingBox": {"Width": 0.2, "Height": 0.1, "Left": 0.3, "Top": 0.0},
        "Polygon": [
            {"X": 0.3, "Y": 0.0},
            {"X": 0.5, "Y": 0.0},
            {"X": 0.5, "Y": 0.1},
            {"X": 0.3, "Y": 0.1},
        ],
    }


@pytest.mark.parametrize(
    ("word_filter", "expected"),
    [
        ({}, ["ACME Corp", "fine print", "ACME", "Corp", "print"]),
        ({"MinConfidence": 95}, ["ACME Corp", "ACME", "Corp"]),
        ({"MinBoundingBoxWidth": 0.22}, ["ACME Corp", "ACME"]),
        ({"MinBoundingBoxHeight": 0.2}, []),
    ],
)
def test_word_filters(word_filter: dict[str, float], expected: list[str]) -> None:
    assert texts({"WordFilter": word_filter}) == expected


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ({"BoundingBox": {"Left": 0, "Top": 0.5, "Width": 1, "Height": 0.5}}, ["fine print"]),
        ({"BoundingBox": {"Left": 0, "Top": 0, "Width": 0.13, "Height": 1}}, ["ACME Corp"]),
        ({"BoundingBox": {"Left": 0, "Top": 0, "Width": 0.12, "Height": 0.3}}, []),
        (
            {"Polygon": [{"X": 0.2, "Y": 0}, {"X": 1, "Y": 0}, {"X": 1, "Y": 0.5}]},
            ["ACME Corp"],
        ),
    ],
)
def test_a_word_belongs_to_a_region_with_more_than_half(
    region: dict[str, Any], expected: list[str]
) -> None:
    found = text_detections(LINES, SIZE, {"RegionsOfInterest": [region]})
    lines = [d["DetectedText"] for d in found if d["Type"] == "LINE"]
    assert [line for line in lines if line in expected] == expected
    assert bool(lines) == bool(expected)


def test_a_hundred_words_at_most() -> None:
    lines = [[run("a b", 0, 0, 10), run("a", 0, 0, 4), run("b", 5, 0, 4)] for _ in range(80)]
    found = text_detections(lines, SIZE, {})
    assert sum(d["Type"] == "WORD" for d in found) == 100
    assert sum(d["Type"] == "LINE" for d in found) == 50
