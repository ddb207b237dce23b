"""From probabilities and measurements to the labels of a ``DetectLabels`` response.

Syntax and filters follow "DetectLabels" and "Detecting labels in an image" of the Amazon
Rekognition documentation.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from trigger_stack.rekognition.artwork import Measurements
from trigger_stack.rekognition.hierarchy import Hierarchy
from trigger_stack.rekognition.limits import DEFAULT_MIN_CONFIDENCE, MAX_LABELS

# The classifier was trained on photographs only. What it says of flat artwork counts for less.
_TRUST_IN_ARTWORK = 0.4

Filters = Mapping[str, Iterable[str]]


class Scorer:
    """Sums probabilities up the hierarchy."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        members = {n: sorted(label.classes) for n, label in hierarchy.labels.items()}
        self._names = [name for name, classes in members.items() if classes]
        self._classes = np.concatenate([members[name] for name in self._names])
        sizes = [len(members[name]) for name in self._names]
        self._starts = np.cumsum([0, *sizes[:-1]])

    def score(
        self,
        probabilities: npt.NDArray[np.float64],
        measured: Measurements,
        text_confidence: float,
    ) -> dict[str, float]:
        """Return the confidence (0-100) of every label of the hierarchy.

        ``text_confidence`` (0-1) says how sure the text models are that the picture has text.
        """
        trust = 1.0 - measured.graphics * (1.0 - _TRUST_IN_ARTWORK)
        sums = trust * np.add.reduceat(probabilities[self._classes], self._starts)
        scores = dict.fromkeys(self._hierarchy.labels, 0.0)
        scores.update(zip(self._names, sums.tolist(), strict=True))
        evidence = {
            "Graphics": measured.graphics,
            "Logo": measured.logo,
            "Photography": measured.photography,
            "Text": text_confidence,
            "Transparent Background": measured.transparent_background,
        }
        for name, value in evidence.items():
            for label in (name, *self._hierarchy.ancestors(name)):
                scores[label] = max(scores[label], value)
        return {name: 100.0 * min(value, 1.0) for name, value in scores.items()}


def _passes(name: str, category: str, filters: Filters) -> bool:
    included = set(filters.get("LabelInclusionFilters") or ())
    included_categories = set(filters.get("LabelCategoryInclusionFilters") or ())
    if (included or included_categories) and not (
        name in included or category in included_categories
    ):
        return False
    return name not in (filters.get("LabelExclusionFilters") or ()) and category not in (
        filters.get("LabelCategoryExclusionFilters") or ()
    )


def select(
    hierarchy: Hierarchy,
    scores: Mapping[str, float],
    *,
    max_labels: int = MAX_LABELS,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    filters: Filters | None = None,
) -> list[dict[str, Any]]:
    """Return the ``Labels`` of the response, the most certain first.

    Of two labels that are equally certain the more specific one comes first: it says more.
    ``Instances`` is empty, because no object detector runs here.
    """
    chosen = [
        name
        for name, confidence in scores.items()
        if confidence >= min_confidence
        and _passes(name, hierarchy.labels[name].category, filters or {})
    ]
    depth = {name: len(hierarchy.ancestors(name)) for name in chosen}
    chosen.sort(key=lambda name: (-round(scores[name], 1), -depth[name], name))
    return [_label(hierarchy, name, scores[name]) for name in chosen[:max_labels]]


def _label(hierarchy: Hierarchy, name: str, confidence: float) -> dict[str, Any]:
    label = hierarchy.labels[name]
    return {
        "Name": name,
        "Confidence": confidence,
        "Instances": [],
        "Parents": [{"Name": parent} for parent in hierarchy.ancestors(name)],
        "Aliases": [{"Name": alias} for alias in label.aliases],
        "Categories": [{"Name": label.category}],
    }
