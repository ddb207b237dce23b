"""Pictures that the tests, the table in ``docs/rekognition.md`` and the benchmark look at.

The photographs come out of packages (``pictures.lock``), the logos are drawn here.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".build" / "test-pictures"
PHOTOS = {
    "cat": "skimage/data/chelsea.png",
    "coffee": "skimage/data/coffee.png",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "tripod": "skimage/data/camera.png",
    "moon": "skimage/data/moon.png",
    "page": "skimage/data/page.png",
    "palace": "sklearn/datasets/images/china.jpg",
    "flower": "sklearn/datasets/images/flower.jpg",
}


def _install() -> None:
    """Unpack the packages in one step, so that tests running side by side see all or nothing."""
    lock = str(Path(__file__).with_name("pictures.lock"))
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    installer = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    python = ["--python", sys.executable] if uv else []
    PACKAGES.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PACKAGES.parent, prefix="pictures-") as folder:
        partial = Path(folder) / "packages"
        subprocess.run(
            [*installer, "install", "--quiet", *python, "--target", str(partial), "--no-deps",
             "--require-hashes", "-r", lock],
            check=True,
        )  # fmt: skip
        with suppress(OSError):  # another worker was faster
            partial.rename(PACKAGES)


@cache
def photo(name: str) -> bytes:
    """The file of one of ``PHOTOS``."""
    path = PACKAGES / PHOTOS[name]
    if not path.exists():
        _install()
    return path.read_bytes()


def encode(image: Image.Image, file_type: str = "PNG", **options: object) -> bytes:
    """A picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, file_type, **options)
    return stream.getvalue()


def _write(image: Image.Image, at: tuple[int, int], text: str, size: int, fill: str) -> None:
    ImageDraw.Draw(image).text(at, text, font=ImageFont.load_default(size), fill=fill)


def wordmark() -> Image.Image:
    """A mark and a name on white."""
    image = Image.new("RGB", (800, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((60, 100, 260, 300), fill="#e4572e")
    draw.polygon([(160, 130), (230, 260), (90, 260)], fill="white")
    _write(image, (300, 140), "ACME", 120, "#1b1b3a")
    return image


def app_icon() -> Image.Image:
    """A rounded square with a name, cut out."""
    image = Image.new("RGBA", (512, 512), (0, 0, 0, 0))
    ImageDraw.Draw(image).rounded_rectangle((40, 40, 472, 472), 80, fill="#2e86ab")
    _write(image, (130, 180), "blue", 120, "white")
    return image


def white_on_nothing() -> Image.Image:
    """A white name on a transparent background."""
    image = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
    _write(image, (40, 30), "NIMBUS", 120, "white")
    return image


def mark() -> Image.Image:
    """A mark without a name, on a dark background."""
    image = Image.new("RGB", (400, 400), "#101820")
    draw = ImageDraw.Draw(image)
    for turn, fill in enumerate(("#fee715", "#f95700", "#00a4cc")):
        draw.pieslice((60, 60, 340, 340), turn * 120, turn * 120 + 110, fill=fill)
    return image


LOGOS = {
    "wordmark": wordmark,
    "app-icon": app_icon,
    "white-on-nothing": white_on_nothing,
    "mark": mark,
}


def picture(name: str) -> bytes:
    """A photograph or a logo by its name."""
    return photo(name) if name in PHOTOS else encode(LOGOS[name]())


def one_megapixel() -> bytes:
    """A photograph as a PNG of one million pixels."""
    coffee = Image.open(io.BytesIO(photo("coffee"))).convert("RGB")
    return encode(coffee.resize((1225, 817), Image.Resampling.BICUBIC))
