"""From probabilities to labels: sums, order, limits, filters."""

from typing import Any

import numpy as np
import pytest

from trigger_stack.rekognition.artwork import Measurements
from trigger_stack.rekognition.hierarchy import CLASSES, load_hierarchy
from trigger_stack.rekognition.labels import Scorer, select

HIERARCHY = load_hierarchy()
PHOTO = Measurements(graphics=0.0, logo=0.0, photography=1.0, transparent_background=0.0)
LOGO = Measurements(graphics=1.0, logo=0.9, photography=0.0, transparent_background=0.5)
TABBY, EGYPTIAN_CAT, PUG = 281, 285, 254


def probabilities(**shares: float) -> np.ndarray:
    vector = np.zeros(CLASSES)
    for index, share in shares.items():
        vector[int(index[1:])] = share
    return vector


CAT = probabilities(_281=0.4, _285=0.5, _254=0.1)


def scores(vector: np.ndarray = CAT, measured: Measurements = PHOTO, text: float = 0.0) -> Any:
    return Scorer(HIERARCHY).score(vector, measured, text)


def names(**options: Any) -> list[str]:
    return [label["Name"] for label in select(HIERARCHY, scores(), **options)]


def test_a_parent_is_the_sum_of_its_classes() -> None:
    found = scores()
    expected = {"Tabby": 40, "Egyptian Cat": 50, "Cat": 90, "Dog": 10, "Mammal": 100, "Bird": 0}
    assert {name: round(found[name], 6) for name in expected} == expected


def test_a_label_has_aws_s_fields() -> None:
    cat = next(label for label in select(HIERARCHY, scores()) if label["Name"] == "Cat")
    assert cat == {
        "Name": "Cat",
        "Confidence": pytest.approx(90),
        "Instances": [],
        "Parents": [{"Name": "Animal"}, {"Name": "Mammal"}, {"Name": "Pet"}],
        "Aliases": [],
        "Categories": [{"Name": "Animals and Pets"}],
    }


def test_the_most_certain_comes_first_and_55_is_the_default() -> None:
    found = select(HIERARCHY, scores())
    confidences = [label["Confidence"] for label in found]
    assert confidences == sorted(confidences, reverse=True)
    assert min(confidences) >= 55
    assert {"Cat", "Pet", "Mammal", "Animal"} <= {label["Name"] for label in found}


def test_min_confidence_is_inclusive() -> None:
    assert "Egyptian Cat" in names(min_confidence=50)
    assert "Egyptian Cat" not in names(min_confidence=50.1)
    assert len(names(min_confidence=0)) == 1000  # the most a response has


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_max_labels_keeps_the_most_certain(limit: int) -> None:
    assert names(max_labels=limit) == names()[:limit]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"LabelInclusionFilters": ["Cat"]}, {"Cat"}),
        ({"LabelInclusionFilters": ["Cat", "Dog"]}, {"Cat"}),
        (
            {
                "LabelCategoryInclusionFilters": ["Animals and Pets"],
                "LabelExclusionFilters": ["Cat"],
            },
            {"Animal", "Mammal", "Pet"},
        ),
        (
            {
                "LabelInclusionFilters": ["Cat", "Photography"],
                "LabelCategoryExclusionFilters": ["Animals and Pets"],
            },
            {"Photography"},
        ),
        (
            {
                "LabelInclusionFilters": ["Photography"],
                "LabelCategoryInclusionFilters": ["Animals and Pets"],
            },
            {"Photography", "Animal", "Mammal", "Pet", "Cat"},
        ),
        ({"LabelInclusionFilters": ["cat"]}, set()),
    ],
)
def test_filters(filters: dict[str, list[str]], kept: set[str]) -> None:
    assert set(names(filters=filters)) == kept


def test_flat_artwork_speaks_louder_than_the_classifier() -> None:
    found = select(HIERARCHY, scores(CAT, LOGO, text=0.97))
    assert [label["Name"] for label in found] == ["Graphics", "Art", "Text", "Logo", "Symbol"]


def test_nothing_measured_is_nothing_said() -> None:
    nothing = Measurements(0.0, 0.0, 0.0, 0.0)
    assert (
        select(HIERARCHY, scores(np.full(CLASSES, 1 / CLASSES), nothing), min_confidence=60) == []
    )
