"""Any bytes become a picture within the limits, or an error of the API."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from trigger_stack.rekognition.errors import RekognitionError
from trigger_stack.rekognition.pictures import decode

RED, BLUE = (220, 20, 30), (20, 30, 220)


def encode(image: Image.Image, file_type: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_type, **options)
    return stream.getvalue()


def two_halves(width: int = 200, height: int = 100) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png_bomb(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds a few bytes of it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


def code_of(data: bytes) -> str:
    with pytest.raises(RekognitionError) as refused:
        decode(data, 512)
    return refused.value.code


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_every_png_mode_is_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((90, 90), 40_000, np.uint16))
    else:
        image = two_halves().convert(mode)
    picture = decode(encode(image), 512)
    assert picture.rgb.mode == "RGB"
    assert picture.rgb.size == image.size
    if mode == "I;16":  # scaled to 8 bits, not clipped to white
        assert picture.rgb.getpixel((0, 0)) == (156, 156, 156)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [True, False])
def test_every_jpeg_mode_is_rgb(mode: str, progressive: bool) -> None:
    data = encode(two_halves().convert(mode), "JPEG", progressive=progressive)
    assert decode(data, 512).rgb.mode == "RGB"


@pytest.mark.parametrize("size", [(3000, 1500), (1024, 90), (512, 512)])
@pytest.mark.parametrize("file_type", ["PNG", "JPEG"])
def test_a_large_picture_is_shrunk(size: tuple[int, int], file_type: str) -> None:
    picture = decode(encode(two_halves(*size), file_type), 512)
    assert 512 <= max(picture.rgb.size) < 1024
    assert picture.rgb.getpixel((2, 2))[0] > 200
    assert picture.rgb.getpixel((picture.rgb.width - 3, 2))[2] > 200


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: the left half belongs on top
    for file_type in ("JPEG", "PNG"):
        picture = decode(encode(two_halves(), file_type, exif=exif), 512)
        assert picture.rgb.size == (100, 200)
        assert picture.rgb.getpixel((50, 10))[0] > 200
        assert picture.rgb.getpixel((50, 190))[2] > 200


@pytest.mark.parametrize(("color", "backdrop"), [("white", 32), ("black", 255)])
def test_transparent_artwork_stays_visible(color: str, backdrop: int) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste(color, (40, 40, 60, 60))
    picture = decode(encode(image), 512)
    assert picture.rgb.getpixel((0, 0)) == (backdrop,) * 3
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 0
    assert picture.alpha[50, 50] == 255


def test_an_opaque_alpha_channel_is_no_transparency() -> None:
    assert decode(encode(two_halves().convert("RGBA")), 512).alpha is None


def test_an_animated_png_is_its_first_frame() -> None:
    blue = Image.new("RGB", (200, 100), BLUE)
    data = encode(Image.new("RGB", (200, 100), RED), save_all=True, append_images=[blue] * 50)
    assert decode(data, 512).rgb.getpixel((10, 10)) == RED


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"not a picture",
        lambda: b"\x89PNG\r\n\x1a\n",
        lambda: b"\xff\xd8\xff",
        lambda: encode(two_halves(), "GIF"),
        lambda: encode(two_halves(), "BMP"),
        lambda: encode(two_halves(), "WEBP"),
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        lambda: png_bomb(200, 200),
        lambda: encode(two_halves())[:-40],
        lambda: encode(Image.effect_noise((300, 300), 90), "JPEG")[:2000],
    ],
)
def test_what_is_no_whole_png_or_jpeg_is_refused(make: Callable[[], bytes]) -> None:
    assert code_of(make()) == "InvalidImageFormatException"


@pytest.mark.parametrize("seed", range(60))
def test_damaged_pictures_never_raise_anything_else(seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(encode(two_halves(), "PNG" if seed % 2 else "JPEG"))
    for position in random.integers(3, len(data), size=8):
        data[position] = int(random.integers(256))
    try:
        assert decode(bytes(data), 512).rgb.mode == "RGB"
    except RekognitionError as error:
        assert error.code in {
            "InvalidImageFormatException",
            "InvalidParameterException",
            "ImageTooLargeException",
        }


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [
        (79, 200, "InvalidParameterException"),
        (200, 79, "InvalidParameterException"),
        (10_001, 100, "ImageTooLargeException"),
        (10_000, 10_000, "ImageTooLargeException"),
        (2**31 - 1, 2**31 - 1, "ImageTooLargeException"),
    ],
)
def test_the_header_s_size_decides_before_any_pixel(width: int, height: int, code: str) -> None:
    assert code_of(png_bomb(width, height)) == code


def test_a_bomb_in_a_text_chunk_is_refused() -> None:
    packed = zlib.compress(bytes(100_000_000), 9)
    bomb = chunk(b"zTXt", b"bomb\0\0" + packed)
    whole = encode(two_halves())
    assert code_of(whole[:33] + bomb + whole[33:]) == "InvalidImageFormatException"
