"""Decode a picture from untrusted bytes, within limits.

Limits follow "Guidelines and quotas in Amazon Rekognition" (80 to 10 000 pixels a side) and are
checked on the header, before any pixel is decoded. PNG has no cheap way to decode at a smaller
size, so a PNG also has a limit of its own on pixels, which bounds the memory of a decompression
bomb.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from trigger_stack.rekognition.errors import invalid_format, invalid_parameter, too_large
from trigger_stack.rekognition.limits import MAX_SIDE, MIN_SIDE

MAX_PNG_PIXELS = 40_000_000

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, KeyError, IndexError, EOFError, zlib.error)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# The sides are checked here, with an error that names them; Pillow's own limit is a warning.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    ``rgb`` has transparency laid over a plain colour that the content stands out from; ``alpha``
    (0-255, the same size) is ``None`` when every pixel is opaque.
    """

    rgb: Image.Image
    alpha: npt.NDArray[np.uint8] | None


def _file_type(data: bytes) -> str:
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    raise invalid_format("the image must be a PNG or a JPEG")


def _check_size(file_type: str, width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise invalid_parameter(
            f"the image is {width} x {height} pixels, and each side needs at least {MIN_SIDE}"
        )
    if max(width, height) > MAX_SIDE:
        raise too_large(f"{width} x {height} pixels, at most {MAX_SIDE} a side")
    if file_type == "PNG" and width * height > MAX_PNG_PIXELS:
        raise too_large(
            f"{width} x {height} pixels; this emulator decodes PNGs of up to "
            f"{MAX_PNG_PIXELS // 1_000_000} million pixels"
        )


def _to_eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit greyscale: Pillow would clip it, not scale it
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    return image


def _flatten(image: Image.Image) -> Picture:
    if not image.has_transparency_data:
        return Picture(image.convert("RGB"), None)
    rgba = image.convert("RGBA")
    alpha = np.asarray(rgba.getchannel("A"))
    if int(alpha.min()) == 255:
        return Picture(rgba.convert("RGB"), None)
    visible = np.asarray(rgba.convert("L"))[alpha > 127]
    # White artwork on nothing would vanish on white.
    backdrop = (32, 32, 32) if visible.size and float(visible.mean()) > 191 else (255, 255, 255)
    canvas = Image.new("RGB", rgba.size, backdrop)
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return Picture(canvas, alpha)


def _shrink(image: Image.Image, side: int) -> Image.Image:
    """Divide the picture by a whole number: exact averages, and a tenth of the time of a filter."""
    factor = max(image.size) // side
    if factor < 2:
        return image
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.reduce(factor)


def decode(data: bytes, side: int) -> Picture:
    """Return the picture upright, its longer side less than twice ``side`` pixels.

    An animated PNG is its first frame.

    Raises:
        RekognitionError: ``InvalidImageFormatException`` for anything but a whole PNG or JPEG,
            ``ImageTooLargeException`` and ``InvalidParameterException`` for its size.
    """
    file_type = _file_type(data)
    try:
        image: Any = Image.open(io.BytesIO(data), formats=[file_type])
        _check_size(file_type, *image.size)
        image.draft(None, (side, side))
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (*_DECODE_ERRORS, struct.error) as error:
        raise invalid_format(f"the {file_type} is damaged ({error})") from error
    except MemoryError as error:
        raise too_large("decoding it needs more memory than the model may use") from error
    image = _shrink(_to_eight_bit(image), side)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    return _flatten(image)
