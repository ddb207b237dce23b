"""Measures properties of a picture without recognising anything in it.

A drawing repeats exactly the same colour from pixel to pixel and ends in a plain margin; a
photograph almost never does. The ramps below were set on scikit-image's sample pictures and drawn
logos; ``docs/rekognition.md`` shows the results.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trigger_stack.rekognition.pictures import Picture

_STEP = 4
_TRANSPARENT_BELOW = 128


@dataclass(frozen=True)
class Measurements:
    """The kind of picture; each value is a confidence from 0 to 1.

    Flat artwork, a logo on a plain or absent background, a photograph, cut out of its background.
    """

    graphics: float
    logo: float
    photography: float
    transparent_background: float


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _border(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])


def _repetition(pixels: npt.NDArray[np.uint8]) -> float:
    """Share of neighbouring pixels with exactly the same colour, on every fourth line."""
    rows, columns = pixels[::_STEP], pixels[:, ::_STEP]
    across = (rows[:, 1:] == rows[:, :-1]).all(axis=-1).mean()
    down = (columns[1:] == columns[:-1]).all(axis=-1).mean()
    return float(across + down) / 2


def _plain_margin(pixels: npt.NDArray[np.uint8]) -> float:
    """Share of the outermost pixels that have the commonest colour (16 steps a channel)."""
    codes = (_border(pixels).astype(np.int32) >> 4) @ np.array([256, 16, 1])
    return float(np.bincount(codes).max() / codes.size)


def measure(picture: Picture) -> Measurements:
    """Measure a decoded picture."""
    pixels = np.asarray(picture.rgb)
    repetition, margin = _repetition(pixels), _plain_margin(pixels)
    graphics = _ramp(0.7 * repetition + 0.3 * margin, 0.55, 0.85)
    cut_out = 0.0
    if picture.alpha is not None:
        cut_out = float((_border(picture.alpha) < _TRANSPARENT_BELOW).mean())
    return Measurements(
        graphics=graphics,
        logo=_ramp(0.5 * repetition + 0.5 * margin, 0.6, 0.85),
        photography=1.0 - graphics,
        transparent_background=cut_out,
    )
