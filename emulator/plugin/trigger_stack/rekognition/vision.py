"""Everything that the models answer, on the worker's side of the pipe."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from trigger_stack.rekognition import colors, labels, limits
from trigger_stack.rekognition.artwork import measure
from trigger_stack.rekognition.classifier import Classifier
from trigger_stack.rekognition.hierarchy import Hierarchy, load_hierarchy
from trigger_stack.rekognition.pictures import decode
from trigger_stack.rekognition.text import TextDetector, TextRecognizer
from trigger_stack.rekognition.text_response import text_detections

LABEL_MODEL_VERSION = "trigger-stack-efficientnet-lite0-1.0"
TEXT_MODEL_VERSION = "trigger-stack-pp-ocrv6-small-1.0"

_LABELS_SIDE = 384
_TEXT_HINT_SIDE = 256
_TEXT_HINT_WIDTH = 320
_TEXT_HINTS = 2
_TEXT_SIDE = 1000
_TEXT_DETECTION_SIDE = 736


class Vision:
    """The operations on a picture; each model loads when it is first needed."""

    def __init__(self, model_dir: Path) -> None:
        self._model_dir = model_dir
        self._beside = ThreadPoolExecutor(1, "text-detector")

    @cached_property
    def _hierarchy(self) -> Hierarchy:
        return load_hierarchy()

    @cached_property
    def _scorer(self) -> labels.Scorer:
        return labels.Scorer(self._hierarchy)

    @cached_property
    def _classifier(self) -> Classifier:
        return Classifier(self._model_dir)

    @cached_property
    def _detector(self) -> TextDetector:
        return TextDetector(self._model_dir)

    @cached_property
    def _recognizer(self) -> TextRecognizer:
        return TextRecognizer(self._model_dir)

    def operations(self) -> dict[str, Callable[[bytes, dict[str, Any]], dict[str, Any]]]:
        """The operations by their name in the API.

        Each takes the picture's bytes and the request without the picture, already validated, and
        returns the response.
        """
        return {"DetectLabels": self.detect_labels, "DetectText": self.detect_text}

    def detect_labels(self, data: bytes, request: dict[str, Any]) -> dict[str, Any]:
        """``DetectLabels``."""
        picture = decode(data, _LABELS_SIDE)
        features = request.get("Features") or ["GENERAL_LABELS"]
        settings = request.get("Settings") or {}
        response: dict[str, Any] = {}
        if "GENERAL_LABELS" in features:
            # The runtime lets go of the interpreter's lock, so the two models run side by side.
            text = self._beside.submit(self._text_confidence, picture.rgb)
            probabilities = self._classifier.probabilities(picture.rgb)
            scores = self._scorer.score(probabilities, measure(picture), text.result())
            response["Labels"] = labels.select(
                self._hierarchy,
                scores,
                max_labels=request.get("MaxLabels", limits.MAX_LABELS),
                min_confidence=request.get("MinConfidence", limits.DEFAULT_MIN_CONFIDENCE),
                filters=settings.get("GeneralLabels"),
            )
        if "IMAGE_PROPERTIES" in features:
            limit = (settings.get("ImageProperties") or {}).get("MaxDominantColors")
            response["ImageProperties"] = colors.image_properties(
                picture, limits.DEFAULT_DOMINANT_COLORS if limit is None else limit
            )
        response["LabelModelVersion"] = LABEL_MODEL_VERSION
        return response

    def _text_confidence(self, image: Image.Image) -> float:
        """How sure it is (0-1) that a picture has text.

        It is what the recogniser makes of the likeliest regions; the detector alone also finds
        arcs and grids.
        """
        boxes = self._detector.detect(image, _TEXT_HINT_SIDE)
        boxes.sort(key=lambda box: -box.score)
        runs = [self._recognizer.read(image, box, _TEXT_HINT_WIDTH) for box in boxes[:_TEXT_HINTS]]
        lines = [line for line, *_ in filter(None, runs) if len(line.text) > 1]
        return max((line.confidence for line in lines), default=0.0)

    def detect_text(self, data: bytes, request: dict[str, Any]) -> dict[str, Any]:
        """``DetectText``."""
        image = decode(data, _TEXT_SIDE).rgb
        boxes = self._detector.detect(image, _TEXT_DETECTION_SIDE)
        lines = [runs for box in boxes if (runs := self._recognizer.read(image, box))]
        return {
            "TextDetections": text_detections(lines, image.size, request.get("Filters") or {}),
            "TextModelVersion": TEXT_MODEL_VERSION,
        }
