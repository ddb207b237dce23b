"""The ImageNet classifier: a picture in, the probabilities of 1000 classes out."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from trigger_stack.rekognition.efficientnet import INPUT_SIZE
from trigger_stack.rekognition.inference import open_session

FILE = "classifier.onnx"
# The input scaling that EfficientNet-Lite was trained with.
_MEAN, _SCALE = 127.0, 128.0
_SQUARE = 1.05


def _views(image: Image.Image) -> list[Image.Image]:
    """The whole picture squeezed into a square, and its middle when it is not a square.

    One shows everything, the other true proportions.
    """
    size = (INPUT_SIZE, INPUT_SIZE)
    views = [image.resize(size, Image.Resampling.BICUBIC)]
    width, height = image.size
    side = min(width, height)
    if max(width, height) > side * _SQUARE:
        left, top = (width - side) / 2, (height - side) / 2
        middle = (left, top, left + side, top + side)
        views.append(image.resize(size, Image.Resampling.BICUBIC, box=middle))
    return views


class Classifier:
    """EfficientNet-Lite0."""

    def __init__(self, model_dir: Path) -> None:
        self._session = open_session(model_dir / FILE, keep_memory=True)

    def probabilities(self, image: Image.Image) -> npt.NDArray[np.float64]:
        """Return 1000 probabilities that sum to 1, the mean over the views of an RGB image."""
        mean: npt.NDArray[np.float64] = np.mean([self._look(v) for v in _views(image)], axis=0)
        return mean

    def _look(self, view: Image.Image) -> npt.NDArray[np.float64]:
        pixels = ((np.asarray(view, np.float32) - _MEAN) / _SCALE).transpose(2, 0, 1)
        data = np.ascontiguousarray(pixels[None])
        logits = self._session.run(None, {"image": data})[0][0].astype(np.float64)
        exponents = np.exp(logits - logits.max())
        softmax: npt.NDArray[np.float64] = exponents / exponents.sum()
        return softmax
