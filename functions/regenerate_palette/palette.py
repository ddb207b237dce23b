"""Tints, shades and a readable text colour for a brand colour.

Contrast follows WCAG 2.2, "relative luminance" and "contrast ratio"; colours are sRGB.
"""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal
from typing import Any

STEPS = 5
BLACK = "#000000"
WHITE = "#ffffff"

_COLOR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)

Rgb = tuple[int, int, int]


def parse(color: object) -> Rgb:
    """The channels, 0 to 255, of `#rrggbb`.

    Raises:
        ValueError: `color` is not of that form.
    """
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        raise ValueError(f"not a colour like #0b5fff: {color!r}")
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def luminance(color: Rgb) -> float:
    """WCAG's relative luminance: 0 for black, 1 for white."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(channel) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG's contrast ratio, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mix(color: Rgb, with_color: Rgb, step: int) -> str:
    """`color` moved `step` of six equal steps, channel by channel, towards `with_color`."""
    parts = STEPS + 1
    channels = (
        # Halves round up, everywhere alike: Python's own `round` goes to the even neighbour.
        (2 * (own * (parts - step) + target * step) + parts) // (2 * parts)
        for own, target in zip(color, with_color, strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def swatch(color: object) -> dict[str, Any]:
    """Everything computed for one colour.

    Returns:
        `base`; `tints`, five, lighter and lighter; `shades`, five, darker and darker; `text`,
        black or white, whichever stands out more; `contrast`, its ratio as a Decimal.

    Raises:
        ValueError: `color` is not of the form `#rrggbb`.
    """
    base = parse(color)
    text = max((BLACK, WHITE), key=lambda candidate: contrast(base, parse(candidate)))
    ratio = Decimal(contrast(base, parse(text)))
    return {
        "base": mix(base, base, 0),
        "tints": [mix(base, parse(WHITE), step) for step in range(1, STEPS + 1)],
        "shades": [mix(base, parse(BLACK), step) for step in range(1, STEPS + 1)],
        "text": text,
        # Down, so that a ratio just under a WCAG threshold never reads as reaching it.
        "contrast": ratio.quantize(Decimal("0.01"), ROUND_DOWN),
    }


def palette_of(colors: object) -> dict[str, dict[str, Any]]:
    """A swatch for each named colour.

    Raises:
        ValueError: `colors` is no map of names to colours, or is empty.
    """
    if not isinstance(colors, dict) or not colors:
        raise ValueError(f"not a map of names to colours: {colors!r}")
    return {name: swatch(color) for name, color in colors.items()}
