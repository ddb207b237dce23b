"""Errors of the API, and pictures made to do harm."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.rekognition.emulator_process import Emulator
from tests.rekognition.sample_pictures import encode, photo, picture

OPERATIONS = ["detect_labels", "detect_text"]
MISSING = "bucket-that-is-not-there"
MEGABYTE = 1024 * 1024


def padded(data: bytes, size: int) -> bytes:
    """A PNG made longer with what decoders skip."""
    return data + bytes(size - len(data))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_object_that_is_not_there(
    rekognition: Any, s3: Any, bucket: str, operation: str, error_code: Callable[..., str]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=picture("mark"))
    for location in (
        {"Bucket": bucket, "Name": "missing.png"},
        {"Bucket": MISSING, "Name": "k"},
        {"Bucket": bucket, "Name": "k", "Version": "0" * 32},
    ):
        code = error_code(getattr(rekognition, operation), Image={"S3Object": location})
        assert code == "InvalidS3ObjectException", location


def test_a_bucket_of_another_region(
    emulator: Emulator, s3: Any, bucket: str, error_code: Callable[..., str]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=picture("mark"))
    elsewhere = emulator.client("rekognition", region="eu-west-1")
    image = {"S3Object": {"Bucket": bucket, "Name": "k"}}
    assert error_code(elsewhere.detect_labels, Image=image) == "InvalidS3ObjectException"


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Image": {}}, "InvalidParameterException"),
        ({"Image": {"Bytes": b"GIF89a"}}, "InvalidImageFormatException"),
        (
            {"Image": {"Bytes": padded(picture("mark"), 5 * MEGABYTE + 1)}},
            "ImageTooLargeException",
        ),
        (
            {"Image": {"Bytes": encode(Image.new("RGB", (64, 64)))}},
            "InvalidParameterException",
        ),
    ],
)
def test_errors_have_aws_s_names(
    rekognition: Any,
    operation: str,
    parameters: dict[str, Any],
    code: str,
    error_code: Callable[..., str],
) -> None:
    assert error_code(getattr(rekognition, operation), **parameters) == code


def test_five_megabytes_of_bytes_are_taken(rekognition: Any) -> None:
    data = padded(picture("mark"), 5 * MEGABYTE)
    assert rekognition.detect_labels(Image={"Bytes": data})["Labels"]


def test_fifteen_megabytes_in_s3(
    rekognition: Any, s3: Any, bucket: str, error_code: Callable[..., str]
) -> None:
    image = {"S3Object": {"Bucket": bucket, "Name": "k"}}
    s3.put_object(Bucket=bucket, Key="k", Body=padded(picture("mark"), 15 * MEGABYTE))
    assert rekognition.detect_labels(Image=image)["Labels"]
    s3.put_object(Bucket=bucket, Key="k", Body=padded(picture("mark"), 15 * MEGABYTE + 1))
    assert error_code(rekognition.detect_labels, Image=image) == "ImageTooLargeException"


@pytest.mark.parametrize(
    "parameters",
    [
        {"MaxLabels": -1},
        {"MaxLabels": 1001},
        {"MinConfidence": 101},
        {"Features": ["FACES"]},
        {"Features": ["IMAGE_PROPERTIES"], "MaxLabels": 1},
        {"Settings": {"GeneralLabels": {"LabelInclusionFilters": ["x" * 51]}}},
    ],
)
def test_parameters_out_of_range(
    rekognition: Any, parameters: dict[str, Any], error_code: Callable[..., str]
) -> None:
    code = error_code(rekognition.detect_labels, Image={"Bytes": picture("mark")}, **parameters)
    assert code == "InvalidParameterException"


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def bomb(width: int, height: int) -> bytes:
    """A whole PNG of one colour: small as a file, vast in memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width * 4)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_and_the_next_picture_answered(
    rekognition: Any, error_code: Callable[..., str]
) -> None:
    for data in (bomb(9_999, 5_000), bomb(20_000, 200)):
        code = error_code(rekognition.detect_labels, Image={"Bytes": data})
        assert code == "ImageTooLargeException"
    assert rekognition.detect_labels(Image={"Bytes": photo("cat")})["Labels"]


def test_the_largest_png_fits(rekognition: Any) -> None:
    assert rekognition.detect_labels(Image={"Bytes": bomb(8_000, 5_000)})["Labels"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["cat", "palace"])
def test_a_truncated_file_is_refused(
    rekognition: Any, name: str, share: float, error_code: Callable[..., str]
) -> None:
    data = photo(name)
    cut = data[: int(len(data) * share)]
    assert error_code(rekognition.detect_labels, Image={"Bytes": cut}) == (
        "InvalidImageFormatException"
    )


def test_an_animated_png_is_its_first_frame(rekognition: Any) -> None:
    frames = [Image.new("RGB", (300, 300), color) for color in ("red", "blue", "green")]
    data = encode(frames[0], save_all=True, append_images=frames[1:])
    found = rekognition.detect_labels(Image={"Bytes": data}, Features=["IMAGE_PROPERTIES"])
    (color,) = found["ImageProperties"]["DominantColors"]
    assert color["CSSColor"] == "red"
