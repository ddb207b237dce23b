"""Draw the sample logos that the README's commands upload and mail: `python samples/draw.py`.

Every pixel is computed here, so the pictures are the project's own and the same on every run.
"""

from __future__ import annotations

import math
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
INK = (20, 30, 60)
BLUE = (11, 95, 255)
AMBER = (255, 176, 0)
OVERSAMPLING = 4  # Drawn larger and scaled down: smooth edges.


def coffee_logo() -> Image.Image:
    """A cup of coffee over the brand's name: a logo with text."""
    scale = OVERSAMPLING
    image = Image.new("RGB", (480 * scale, 360 * scale), (250, 245, 236))
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [left * scale, top * scale, right * scale, bottom * scale]

    brown, cream, coffee = (92, 56, 32), (255, 252, 246), (58, 32, 16)
    draw.ellipse(box(110, 196, 370, 250), fill=(222, 210, 192))  # saucer
    draw.ellipse(box(128, 200, 352, 240), fill=cream)
    draw.ellipse(box(298, 110, 364, 182), outline=brown, width=12 * scale)  # handle
    draw.pieslice(box(150, 10, 318, 228), 0, 180, fill=brown)  # cup
    draw.ellipse(box(150, 98, 318, 140), fill=cream)
    draw.ellipse(box(160, 103, 308, 136), fill=coffee)
    for x in (200, 234, 268):  # steam
        points = [
            ((x + 7 * math.sin(step / 6)) * scale, (88 - step) * scale) for step in range(0, 52)
        ]
        draw.line(points, fill=(170, 150, 130), width=5 * scale, joint="curve")
    font = ImageFont.load_default(56 * scale)
    draw.text((240 * scale, 300 * scale), "ACME COFFEE", brown, font, anchor="mm")
    return _small(image)


def flat_mark() -> Image.Image:
    """Two plain shapes in two colours: a mark without text."""
    scale = OVERSAMPLING
    image = Image.new("RGB", (320 * scale, 320 * scale), "white")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle([40 * scale, 40 * scale, 280 * scale, 280 * scale], 56 * scale, BLUE)
    draw.regular_polygon((160 * scale, 168 * scale, 84 * scale), 3, fill=AMBER)
    return _small(image)


def transparent_badge() -> Image.Image:
    """A ring and a star on a transparent ground: a logo with an alpha channel."""
    scale = OVERSAMPLING
    # The ground has the ring's colour, so that scaling down leaves no dark fringe.
    image = Image.new("RGBA", (320 * scale, 320 * scale), (*INK, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse([24 * scale, 24 * scale, 296 * scale, 296 * scale], outline=INK, width=20 * scale)
    centre = 160 * scale
    star = []
    for corner in range(10):
        radius = (96 if corner % 2 == 0 else 40) * scale
        angle = math.radians(36 * corner - 90)
        star.append((centre + radius * math.cos(angle), centre + radius * math.sin(angle)))
    draw.polygon(star, fill=(*AMBER, 200))
    return _small(image)


def _small(image: Image.Image) -> Image.Image:
    size = (image.width // OVERSAMPLING, image.height // OVERSAMPLING)
    return image.resize(size, Image.Resampling.LANCZOS)


PICTURES = {
    "coffee-logo.png": coffee_logo,
    "flat-mark.png": flat_mark,
    "transparent-badge.png": transparent_badge,
}


def logo_mail(folder: Path) -> bytes:
    """A mail with a picture of the folder, to the address of the brand `acme`."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Ada Acme <brand@acme.example>"
    message["To"] = "logo+acme@brand-platform.example"
    message["Subject"] = "Our logo"
    message["Date"] = "Sat, 31 Jan 2026 12:00:00 +0000"
    message["Message-ID"] = "<logo-1@acme.example>"
    message.set_content("Here is our logo.")
    picture = (folder / "flat-mark.png").read_bytes()
    message.add_attachment(picture, maintype="image", subtype="png", filename="flat-mark.png")
    message.set_boundary("logo-by-mail")
    return message.as_bytes()


def draw_all(folder: Path) -> None:
    """Write every sample into `folder`."""
    for name, draw in PICTURES.items():
        draw().save(folder / name, optimize=True)
    (folder / "logo.eml").write_bytes(logo_mail(folder))


if __name__ == "__main__":
    draw_all(HERE)
