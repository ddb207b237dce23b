"""DetectText through boto3: what is written, and where."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.rekognition.sample_pictures import encode, photo, picture


def drawn(*lines: tuple[str, int, int], size: tuple[int, int] = (640, 480)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    for text, x, y in lines:
        ImageDraw.Draw(image).text((x, y), text, font=ImageFont.load_default(48), fill="black")
    return image


TWO_LINES = drawn(("Hello World", 40, 60), ("Trigger Stack 2026", 40, 300))


def read(rekognition: Any, data: bytes, **parameters: Any) -> list[dict[str, Any]]:
    found = rekognition.detect_text(Image={"Bytes": data}, **parameters)
    assert found["TextModelVersion"].startswith("trigger-stack-")
    detections: list[dict[str, Any]] = found["TextDetections"]
    return detections


def texts(detections: list[dict[str, Any]], kind: str) -> list[str]:
    return [d["DetectedText"] for d in detections if d["Type"] == kind]


def test_lines_and_their_words(rekognition: Any) -> None:
    found = read(rekognition, encode(TWO_LINES))
    assert texts(found, "LINE") == ["Hello World", "Trigger Stack 2026"]
    assert texts(found, "WORD") == ["Hello", "World", "Trigger", "Stack", "2026"]
    assert [d["Id"] for d in found] == list(range(7))
    assert [d["ParentId"] for d in found if d["Type"] == "WORD"] == [0, 0, 1, 1, 1]
    assert all("ParentId" not in d for d in found if d["Type"] == "LINE")
    assert all(80 <= d["Confidence"] <= 100 for d in found)


def test_geometry_is_where_the_text_was_drawn(rekognition: Any) -> None:
    found = read(rekognition, encode(TWO_LINES))
    boxes = {d["DetectedText"]: d["Geometry"]["BoundingBox"] for d in found}
    assert boxes["Hello World"]["Left"] == pytest.approx(40 / 640, abs=0.03)
    assert boxes["Hello World"]["Top"] == pytest.approx(70 / 480, abs=0.05)
    assert boxes["Trigger Stack 2026"]["Top"] == pytest.approx(310 / 480, abs=0.05)
    assert boxes["Hello"]["Left"] < boxes["World"]["Left"]
    assert boxes["Hello"]["Width"] < boxes["Hello World"]["Width"]
    for detection in found:
        polygon = detection["Geometry"]["Polygon"]
        assert len(polygon) == 4
        assert all(0 <= point[axis] <= 1 for point in polygon for axis in ("X", "Y"))


def test_a_photographed_page(rekognition: Any) -> None:
    lines = texts(read(rekognition, photo("page")), "LINE")
    assert "Region-based segmentation" in lines
    assert any("determine markers of the coins" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "text"), [("wordmark", "ACME"), ("app-icon", "blue"), ("white-on-nothing", "NIMBUS")]
)
def test_logos(rekognition: Any, name: str, text: str) -> None:
    assert texts(read(rekognition, picture(name)), "LINE") == [text]


@pytest.mark.parametrize("degrees", [-20, 12, 90])
def test_turned_text(rekognition: Any, degrees: int) -> None:
    turned = TWO_LINES.rotate(degrees, expand=True, fillcolor="white")
    assert set(texts(read(rekognition, encode(turned)), "LINE")) == {
        "Hello World",
        "Trigger Stack 2026",
    }


def test_no_text_is_an_empty_list(rekognition: Any) -> None:
    assert read(rekognition, encode(Image.new("RGB", (200, 200), "teal"))) == []


def test_filters(rekognition: Any) -> None:
    data = encode(TWO_LINES)
    lower_half = {"BoundingBox": {"Left": 0, "Top": 0.5, "Width": 1, "Height": 0.5}}
    found = read(rekognition, data, Filters={"RegionsOfInterest": [lower_half]})
    assert texts(found, "LINE") == ["Trigger Stack 2026"]
    assert [d["ParentId"] for d in found if d["Type"] == "WORD"] == [0, 0, 0]
    narrow = read(rekognition, data, Filters={"WordFilter": {"MinBoundingBoxWidth": 0.22}})
    assert "Trigger" in texts(narrow, "WORD")
    assert "2026" not in texts(narrow, "WORD")
    assert read(rekognition, data, Filters={"WordFilter": {"MinBoundingBoxHeight": 0.9}}) == []


def test_an_object_in_s3(rekognition: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=encode(TWO_LINES))
    found = rekognition.detect_text(Image={"S3Object": {"Bucket": bucket, "Name": "k"}})
    assert "Hello World" in texts(found["TextDetections"], "LINE")
