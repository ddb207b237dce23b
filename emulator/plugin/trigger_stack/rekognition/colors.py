"""``ImageProperties`` of ``DetectLabels``: dominant colours and quality.

Fields follow "DetectLabelsImageProperties" of the Amazon Rekognition API. How Amazon computes
them is not published; the definitions here are in each function.
"""

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from trigger_stack.rekognition.limits import MAX_DOMINANT_COLORS
from trigger_stack.rekognition.pictures import Picture

_SIDE = 128
_SAME_COLOR = 40.0
_MIN_REGION = 0.02

# Upper end of each hue in degrees; what lies beyond the last is red again.
_HUES = (
    (15, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (195, "cyan"),
    (260, "blue"),
    (300, "purple"),
    (345, "pink"),
    (360, "red"),
)

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def _css_colors() -> dict[str, tuple[int, int, int]]:
    """CSS's named colours; of two names for one colour, the one that comes first by name."""
    by_value: dict[tuple[int, int, int], str] = {}
    for name in sorted(ImageColor.colormap):
        red, green, blue = ImageColor.getrgb(name)[:3]
        by_value.setdefault((red, green, blue), name)
    return {name: value for value, name in by_value.items()}


_CSS = _css_colors()


def _distances(colors: npt.NDArray[Any], reference: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Distance as people see it, about 0 to 765: RGB weighted by the mean red ("redmean")."""
    first = colors[:, None, :].astype(np.float64)
    second = reference[None, :, :].astype(np.float64)
    red = (first[..., 0] + second[..., 0]) / 2
    delta = (first - second) ** 2
    weights = np.stack([2 + red / 256, np.full_like(red, 4.0), 2 + (255 - red) / 256], axis=-1)
    distance: npt.NDArray[Any] = np.sqrt((delta * weights).sum(axis=-1))
    return distance


def _css_name(color: tuple[int, int, int]) -> str:
    distances = _distances(np.array([color]), np.array(list(_CSS.values())))[0]
    return list(_CSS)[int(distances.argmin())]


def _simplified_name(color: tuple[int, int, int]) -> str:
    """One of twelve names, by hue, saturation and value."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in color))
    if value < 0.16:
        return "black"
    if saturation < 0.12:
        return "white" if value > 0.9 else "grey"
    name = next(name for end, name in _HUES if hue * 360 <= end)
    if name == "orange" and value < 0.65:
        return "brown"
    if name == "red" and saturation < 0.55 and value > 0.75:
        return "pink"
    return name


def dominant_colors(pixels: Pixels, limit: int) -> list[dict[str, Any]]:
    """Return up to ``limit`` colours of pixels (N, 3), the most frequent first.

    The pixels are grouped by median cut, and groups that look alike are joined.
    """
    if not len(pixels) or not limit:
        return []
    strip = Image.fromarray(np.ascontiguousarray(pixels)[None, :, :], "RGB")
    quantized = strip.quantize(2 * MAX_DOMINANT_COLORS, Image.Quantize.MEDIANCUT)
    codes = np.asarray(quantized).ravel()
    counts = np.bincount(codes)
    groups = [
        (int(count), pixels[codes == code].mean(axis=0))
        for code, count in enumerate(counts)
        if count
    ]
    groups.sort(key=lambda group: (-group[0], tuple(group[1])))
    merged: list[tuple[int, npt.NDArray[Any]]] = []
    for count, color in groups:
        if merged:
            distances = _distances(color[None], np.stack([c for _, c in merged]))[0]
            closest = int(distances.argmin())
            if distances[closest] < _SAME_COLOR:
                other, mean = merged[closest]
                total = other + count
                merged[closest] = (total, (mean * other + color * count) / total)
                continue
        merged.append((count, color))
    merged.sort(key=lambda group: (-group[0], tuple(group[1])))
    return [_color(color, count / len(pixels)) for count, color in merged[:limit]]


def _color(mean: npt.NDArray[Any], share: float) -> dict[str, Any]:
    red, green, blue = (round(float(channel)) for channel in mean)
    return {
        "Red": red,
        "Green": green,
        "Blue": blue,
        "HexCode": f"#{red:02x}{green:02x}{blue:02x}",
        "CSSColor": _css_name((red, green, blue)),
        "SimplifiedColor": _simplified_name((red, green, blue)),
        "PixelPercent": 100.0 * share,
    }


def quality(luma: npt.NDArray[np.float64], mask: Mask) -> dict[str, float]:
    """Return ``Brightness``, ``Contrast`` and ``Sharpness``, each 0-100.

    They are mean luma, twice its standard deviation, and the strongest hundredth of the steps
    between neighbours.
    """
    values = luma[mask]
    steps = np.maximum(
        np.abs(np.diff(luma, axis=0, append=luma[-1:])),
        np.abs(np.diff(luma, axis=1, append=luma[:, -1:])),
    )[mask]
    return {
        "Brightness": float(values.mean()) / 2.55,
        "Sharpness": min(float(np.percentile(steps, 99)) / 1.275, 100.0),
        "Contrast": min(float(values.std()) * 2 / 2.55, 100.0),
    }


def _foreground(pixels: Pixels, alpha: Pixels | None) -> Mask | None:
    """The foreground of a picture with a transparent or plain background; otherwise ``None``."""
    if alpha is not None:
        mask = alpha > 127
    else:
        border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
        plain = np.median(border, axis=0)
        if (_distances(border, plain[None])[:, 0] < _SAME_COLOR).mean() < 0.8:
            return None
        flat = pixels.reshape(-1, 3)
        mask = (_distances(flat, plain[None])[:, 0] >= _SAME_COLOR).reshape(pixels.shape[:2])
    return mask if _MIN_REGION < mask.mean() < 1 - _MIN_REGION else None


def image_properties(picture: Picture, max_colors: int) -> dict[str, Any]:
    """Return ``ImageProperties``.

    ``Foreground`` and ``Background`` are in it when the picture has a transparent or a plain
    background.
    """
    small = picture.rgb.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small)
    alpha = None
    if picture.alpha is not None:
        shrunk = Image.fromarray(picture.alpha).resize(small.size, Image.Resampling.BOX)
        alpha = np.asarray(shrunk)
    luma = np.asarray(small.convert("L")).astype(np.float64)

    def region(mask: Mask) -> dict[str, Any]:
        return {
            "Quality": quality(luma, mask),
            "DominantColors": dominant_colors(pixels[mask], max_colors),
        }

    properties = region(np.ones(luma.shape, bool))
    foreground = _foreground(pixels, alpha)
    if foreground is not None:
        properties["Foreground"] = region(foreground)
        properties["Background"] = region(~foreground)
    return properties
