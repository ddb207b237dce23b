"""Text in a picture: where it is (PP-OCR's detector) and what it says (PP-OCR's recogniser).

Detection follows "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al.):
the network gives a map of how likely each pixel is text, connected regions of it become the
smallest rectangles around them, and each rectangle grows by a distance that undoes the shrinking
the network was trained with. Recognition is a network with CTC output, read greedily.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trigger_stack.rekognition.inference import open_session

DETECTOR_FILE = "text-detector.onnx"
RECOGNIZER_FILE = "text-recognizer.onnx"

_GRID = 32
_PIXEL_THRESHOLD = 0.3
_BOX_THRESHOLD = 0.5
_GROWTH = 1.6
_MIN_SIDE = 3.0
_MAX_LINES = 100
_LINE_HEIGHT = 48
_MAX_LINE_WIDTH = 1600
_VERTICAL = 1.5

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TextBox:
    """A region of text.

    Its corners in pixels, clockwise from the start of the line, and the detector's score (0-1).
    """

    corners: Points
    score: float


@dataclass(frozen=True)
class TextRun:
    """Recognised text in its corners, with a confidence (0-1)."""

    text: str
    confidence: float
    corners: Points


def _components(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Return the 8-connected regions of a mask, each as flat indices, in scan order.

    Runs of set pixels are joined with the runs they touch in the line above (union-find), so the
    work grows with the number of runs and not with the number of pixels.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    parent = list(range(len(rows)))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    first = np.searchsorted(rows, np.arange(height + 1))
    for row in range(1, height):
        above, here = int(first[row - 1]), int(first[row])
        while above < first[row] and here < first[row + 1]:
            if starts[here] <= ends[above] and starts[above] <= ends[here]:
                low, high = sorted((find(above), find(here)))
                parent[high] = low
            if ends[above] < ends[here]:
                above += 1
            else:
                here += 1
    regions: dict[int, list[npt.NDArray[np.intp]]] = {}
    for run, (row, start, end) in enumerate(zip(rows, starts, ends, strict=True)):
        regions.setdefault(find(run), []).append(np.arange(row * width + start, row * width + end))
    return [np.concatenate(runs) for _, runs in sorted(regions.items())]


def _hull(points: Points) -> Points:
    """Convex hull by Andrew's monotone chain."""
    ordered = sorted(map(tuple, points.tolist()))
    if len(ordered) < 3:
        return np.array(ordered, float)

    def half(sequence: list[Any]) -> list[Any]:
        chain: list[Any] = []
        for point in sequence:
            while len(chain) >= 2:
                (ax, ay), (bx, by) = chain[-2], chain[-1]
                if (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) > 0:
                    break
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]), float)


def _smallest_rectangle(points: Points) -> tuple[Points, Points, Points]:
    """Return centre, half sizes and axes (rows) of the smallest rectangle around points.

    One of its sides lies on a side of the hull.
    """
    hull = _hull(points)
    edges = np.roll(hull, -1, axis=0) - hull
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    edges, lengths = edges[lengths > 0], lengths[lengths > 0]
    if not len(edges):
        edges, lengths = np.array([[1.0, 0.0]]), np.array([1.0])
    best: tuple[float, Points, Points, Points] | None = None
    for along in edges / lengths[:, None]:
        axes = np.stack([along, np.array([-along[1], along[0]])])
        projected = hull @ axes.T
        low, high = projected.min(axis=0), projected.max(axis=0)
        area = float(np.prod(high - low))
        if best is None or area < best[0] - 1e-9:
            best = (area, (low + high) / 2 @ axes, (high - low) / 2, axes)
    assert best is not None  # a hull has at least one edge
    return best[1], best[2], best[3]


def _ordered(corners: Points) -> Points:
    """Corners clockwise from the top left, as the reader sees the line."""
    centre = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0])
    corners = corners[np.argsort(angles, kind="stable")]
    start = int(np.argmin(corners.sum(axis=1)))
    corners = np.roll(corners, -start, axis=0)
    width = np.hypot(*(corners[1] - corners[0]))
    height = np.hypot(*(corners[3] - corners[0]))
    # A tall region is a line that was turned: read it from the bottom up.
    return np.roll(corners, 1, axis=0) if height > _VERTICAL * width else corners


class TextDetector:
    """Finds regions of text."""

    def __init__(self, model_dir: Path) -> None:
        self._session = open_session(model_dir / DETECTOR_FILE)

    def detect(self, image: Image.Image, longest_side: int) -> list[TextBox]:
        """Return the regions of an RGB image in reading order.

        They are looked for at a size of ``longest_side`` pixels; corners are in the image's own
        pixels.
        """
        scale = longest_side / max(image.size)
        size = tuple(max(round(side * scale / _GRID), 1) * _GRID for side in image.size)
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float32)  # type: ignore[arg-type]  # a pair, which mypy sees as a tuple of any length
        # The network was trained on OpenCV's order of channels, blue first.
        data = np.ascontiguousarray((pixels[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None])
        heat = self._session.run(None, {"x": data})[0][0, 0]
        ratio = np.array(image.size, float) / np.array(size, float)
        boxes = self._boxes(heat, ratio, np.array(image.size, float))
        return sorted(boxes, key=lambda box: (round(box.corners[:, 1].min()), box.corners[0, 0]))

    def _boxes(self, heat: npt.NDArray[np.float32], ratio: Points, size: Points) -> list[TextBox]:
        width = heat.shape[1]
        flat = heat.ravel()
        boxes = []
        regions = sorted(_components(heat > _PIXEL_THRESHOLD), key=len, reverse=True)
        for region in regions[: 2 * _MAX_LINES]:
            score = float(flat[region].mean())
            if score < _BOX_THRESHOLD:
                continue
            points = np.stack([region % width, region // width], axis=1).astype(float)
            centre, half, axes = _smallest_rectangle(points)
            half = half + 0.5  # points are the middles of pixels
            if min(half) * 2 < _MIN_SIDE:
                continue
            half = half + _GROWTH * half.prod() / half.sum()
            signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
            corners = (centre + 0.5 + (signs * half) @ axes) * ratio
            boxes.append(TextBox(_ordered(np.clip(corners, 0, size)), score))
        return boxes[:_MAX_LINES]


class TextRecognizer:
    """Reads the text of a region."""

    def __init__(self, model_dir: Path) -> None:
        self._session = open_session(model_dir / RECOGNIZER_FILE)
        characters = self._session.get_modelmeta().custom_metadata_map["character"].split("\n")
        self._characters = ["", *characters, " "]

    def read(
        self, image: Image.Image, box: TextBox, max_width: int = _MAX_LINE_WIDTH
    ) -> list[TextRun]:
        """Return the line in a region and then its words; nothing when it cannot be read.

        The line is read at a height of 48 pixels and a width of up to ``max_width``; a longer one
        is squeezed.
        """
        corners = box.corners
        across = np.hypot(*(corners[1] - corners[0]))
        down = max(float(np.hypot(*(corners[3] - corners[0]))), 1.0)
        width = min(max(math.ceil(_LINE_HEIGHT * across / down), _LINE_HEIGHT), max_width)
        quad = [float(v) for v in corners[[0, 3, 2, 1]].ravel()]
        line = image.transform(
            (width, _LINE_HEIGHT), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC
        )
        pixels = np.asarray(line, np.float32)
        data = np.ascontiguousarray((pixels[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)[None])
        steps = self._session.run(None, {"x": data})[0][0]
        return self._runs(steps, corners)

    def _runs(self, steps: npt.NDArray[np.float32], corners: Points) -> list[TextRun]:
        codes = steps.argmax(axis=1)
        fresh = (codes != 0) & np.concatenate([[True], codes[1:] != codes[:-1]])
        places = np.flatnonzero(fresh)
        text = [self._characters[code] for code in codes[places]]
        certainty = steps[places, codes[places]].astype(float)
        words: list[list[int]] = [[]]
        for index, character in enumerate(text):
            if character.strip():
                words[-1].append(index)
            elif words[-1]:
                words.append([])
        words = [word for word in words if word]
        if not words:
            return []
        spans = [(places[word[0]], places[word[-1]] + 1) for word in words]
        runs = []
        for word, (start, end) in zip(words, spans, strict=True):
            part = _part(corners, start / len(codes), min(end + 0.5, len(codes)) / len(codes))
            content = "".join(text[i] for i in word)
            runs.append(TextRun(content, float(certainty[word].mean()), part))
        letters = [i for word in words for i in word]
        line = TextRun(
            " ".join(run.text for run in runs), float(certainty[letters].mean()), corners
        )
        return [line, *runs]


def _part(corners: Points, start: float, end: float) -> Points:
    """The part of a line between two shares of its length."""
    top, bottom = corners[1] - corners[0], corners[2] - corners[3]
    return np.stack(
        [
            corners[0] + start * top,
            corners[0] + end * top,
            corners[3] + end * bottom,
            corners[3] + start * bottom,
        ]
    )
