"""Dominant colours and quality in AWS's fields."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from trigger_stack.rekognition.colors import dominant_colors, image_properties
from trigger_stack.rekognition.pictures import Picture


def flag() -> Image.Image:
    """Half white, a quarter red, a quarter navy."""
    image = Image.new("RGB", (128, 128), "white")
    image.paste("red", (64, 0, 128, 64))
    image.paste("navy", (64, 64, 128, 128))
    return image


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).reshape(-1, 3)


def test_a_color_has_aws_s_fields() -> None:
    assert dominant_colors(pixels(Image.new("RGB", (10, 10), (255, 0, 0))), 10) == [
        {
            "Red": 255,
            "Green": 0,
            "Blue": 0,
            "HexCode": "#ff0000",
            "CSSColor": "red",
            "SimplifiedColor": "red",
            "PixelPercent": 100.0,
        }
    ]


def test_shares_are_those_of_the_pixels() -> None:
    found = dominant_colors(pixels(flag()), 10)
    assert [(c["CSSColor"], c["SimplifiedColor"]) for c in found] == [
        ("white", "white"),
        ("navy", "blue"),
        ("red", "red"),
    ]
    assert [c["PixelPercent"] for c in found] == pytest.approx([50, 25, 25])


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (2, 2), (20, 3)])
def test_the_limit_holds(limit: int, count: int) -> None:
    assert len(dominant_colors(pixels(flag()), limit)) == count


@pytest.mark.parametrize(
    ("value", "simplified"),
    [
        ("#111111", "black"),
        ("#fafafa", "white"),
        ("#888888", "grey"),
        ("#c1121f", "red"),
        ("#f77f00", "orange"),
        ("#ffd60a", "yellow"),
        ("#2d6a4f", "green"),
        ("#1d4ed8", "blue"),
        ("#6b21a8", "purple"),
        ("#f472b6", "pink"),
        ("#78512d", "brown"),
    ],
)
def test_simplified_names(value: str, simplified: str) -> None:
    (color,) = dominant_colors(pixels(Image.new("RGB", (10, 10), value)), 1)
    assert color["SimplifiedColor"] == simplified


def test_a_plain_background_is_told_from_the_foreground() -> None:
    image = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(image).rectangle((50, 50, 149, 149), fill="green")
    found = image_properties(Picture(image, None), 10)
    assert found["Foreground"]["DominantColors"][0]["CSSColor"] == "green"
    assert found["Background"]["DominantColors"][0]["CSSColor"] == "white"
    assert found["Foreground"]["DominantColors"][0]["PixelPercent"] > 90


def test_transparency_is_background() -> None:
    alpha = np.zeros((100, 100), np.uint8)
    alpha[25:75, 25:75] = 255
    image = Image.new("RGB", (100, 100), "white")
    image.paste("blue", (25, 25, 75, 75))
    found = image_properties(Picture(image, alpha), 10)
    assert found["Foreground"]["DominantColors"][0]["CSSColor"] == "blue"


def test_no_plain_background_no_foreground() -> None:
    noise = Image.merge("RGB", [Image.effect_noise((200, 200), 90)] * 3)
    assert set(image_properties(Picture(noise, None), 10)) == {"Quality", "DominantColors"}


def test_quality_moves_with_the_picture() -> None:
    def quality(image: Image.Image) -> dict[str, float]:
        result: dict[str, float] = image_properties(Picture(image, None), 0)["Quality"]
        assert all(0 <= value <= 100 for value in result.values()), result
        return result

    sharp = flag()
    assert quality(Image.new("RGB", (90, 90), "white"))["Brightness"] == pytest.approx(100)
    assert quality(Image.new("RGB", (90, 90), "black"))["Brightness"] == 0
    assert (
        quality(sharp)["Sharpness"]
        > quality(sharp.filter(ImageFilter.GaussianBlur(6)))["Sharpness"]
    )
    grey = Image.new("RGB", (90, 90), "grey")
    assert quality(grey)["Contrast"] == 0 < quality(sharp)["Contrast"]
