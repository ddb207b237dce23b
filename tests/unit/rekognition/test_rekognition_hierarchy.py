"""The hierarchy of labels: complete, and refused when it is not one."""

import re

import pytest

from trigger_stack.rekognition.hierarchy import CLASSES, Hierarchy, HierarchyError, load_hierarchy

NAMES = [f"Class {index}" for index in range(CLASSES)]
# The pattern that Rekognition's label filters accept: a label outside it could not be asked for.
FILTERABLE = re.compile(r"[A-Za-z0-9àâèçñó'\-_(). ]{1,50}")


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return load_hierarchy()


def test_every_class_is_some_label(hierarchy: Hierarchy) -> None:
    claimed = set().union(*(label.classes for label in hierarchy.labels.values()))
    assert claimed == set(range(CLASSES))


def test_every_label_can_be_asked_for(hierarchy: Hierarchy) -> None:
    names = set(hierarchy.labels) | set(hierarchy.categories)
    assert [name for name in names if not FILTERABLE.fullmatch(name)] == []


@pytest.mark.parametrize(
    ("label", "parents"),
    [
        ("Egyptian Cat", ["Animal", "Cat", "Mammal", "Pet"]),
        ("Golden Retriever", ["Animal", "Canine", "Dog", "Mammal", "Pet", "Retriever"]),
        ("Espresso", ["Beverage", "Coffee", "Coffee Cup", "Cup", "Tableware"]),
        ("Sports Car", ["Car", "Transportation", "Vehicle"]),
        ("Logo", ["Symbol"]),
    ],
)
def test_parents_are_all_ancestors(hierarchy: Hierarchy, label: str, parents: list[str]) -> None:
    assert hierarchy.ancestors(label) == parents


def test_a_label_holds_the_classes_of_everything_below_it(hierarchy: Hierarchy) -> None:
    for name, label in hierarchy.labels.items():
        for ancestor in hierarchy.ancestors(name):
            assert label.classes <= hierarchy.labels[ancestor].classes, (name, ancestor)


def test_synonyms_share_one_label(hierarchy: Hierarchy) -> None:
    assert hierarchy.labels["Sunglasses"].classes == {836, 837}
    assert hierarchy.labels["Car"].aliases == ["Automobile"]


@pytest.mark.parametrize(
    ("taxonomy", "reason"),
    [
        ("[A]\nThing : 0-998", r"no label claims the classes \[999\]"),
        ("[A]\nThing < Nothing : 0-999", "Nothing, above .*, is not a label"),
        ("[A]\nOne < Two : 0-999\nTwo < One", "its own ancestor"),
        ("Thing : 0-999", "line 1"),
        ("[A]\nThing : 0-999\nThing", "line 3"),
    ],
)
def test_what_is_no_hierarchy_is_refused(taxonomy: str, reason: str) -> None:
    with pytest.raises(HierarchyError, match=reason):
        Hierarchy(taxonomy, NAMES)


def test_names_must_be_complete() -> None:
    with pytest.raises(HierarchyError, match="3 class names"):
        Hierarchy("[A]\nThing : 0-999", NAMES[:3])
