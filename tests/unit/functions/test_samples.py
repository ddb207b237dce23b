"""The pictures in `samples/` are what `draw.py` draws, small, and of the kinds that it promises."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from PIL import Image, ImageChops

SAMPLES = Path(__file__).parents[3] / "samples"
spec = importlib.util.spec_from_file_location("draw_samples", SAMPLES / "draw.py")
draw_samples = importlib.util.module_from_spec(spec)
spec.loader.exec_module(draw_samples)


@pytest.mark.parametrize("name", draw_samples.PICTURES)
def test_a_committed_picture_is_what_the_script_draws(name, tmp_path):
    draw_samples.draw_all(tmp_path)

    # Pixels, not bytes: another zlib may pack the same picture differently.
    with Image.open(SAMPLES / name) as committed, Image.open(tmp_path / name) as drawn:
        assert committed.mode == drawn.mode
        assert ImageChops.difference(committed, drawn).getbbox() is None
    assert (SAMPLES / name).stat().st_size < 60_000


def test_one_picture_has_transparent_and_opaque_pixels():
    with Image.open(SAMPLES / "transparent-badge.png") as image:
        assert image.getchannel("A").getextrema() == (0, 255)
