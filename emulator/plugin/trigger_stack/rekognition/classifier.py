"""The ImageNet classifier: a picture in, the probabilities of 1000 classes out."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image

from trigger_stack.rekognition.efficientnet import INPUT_SIZE

FILE = "classifier.onnx"
# The input scaling that EfficientNet-Lite was trained with.
_MEAN, _SCALE = 127.0, 128.0
_SQUARE = 1.05


def open_session(path: Path) -> Any:
    """Return an inference session that uses one thread and keeps no memory between calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )


def _views(image: Image.Image) -> npt.NDArray[np.float32]:
    """The whole picture squeezed into a square, and its middle when it is not a square: one sees
    everything, the other sees true proportions."""
    size = (INPUT_SIZE, INPUT_SIZE)
    views = [image.resize(size, Image.Resampling.BICUBIC)]
    width, height = image.size
    side = min(width, height)
    if max(width, height) > side * _SQUARE:
        left, top = (width - side) / 2, (height - side) / 2
        middle = (left, top, left + side, top + side)
        views.append(image.resize(size, Image.Resampling.BICUBIC, box=middle))
    pixels = np.stack([np.asarray(view, np.float32) for view in views])
    return np.ascontiguousarray(((pixels - _MEAN) / _SCALE).transpose(0, 3, 1, 2))


class Classifier:
    """EfficientNet-Lite0."""

    def __init__(self, model_dir: Path) -> None:
        self._session = open_session(model_dir / FILE)

    def probabilities(self, image: Image.Image) -> npt.NDArray[np.float64]:
        """Return 1000 probabilities that sum to 1, the mean over the views of an RGB image."""
        logits = self._session.run(None, {"image": _views(image)})[0].astype(np.float64)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        mean: npt.NDArray[np.float64] = (
            exponents / exponents.sum(axis=1, keepdims=True)
        ).mean(axis=0)
        return mean
