"""DetectLabels through boto3: what real pictures are said to show."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.rekognition.sample_pictures import encode, one_megapixel, photo, picture, wordmark

GENERAL = ("Photography", "Graphics", "Art")


def confidences(response: dict[str, Any]) -> dict[str, float]:
    return {label["Name"]: label["Confidence"] for label in response["Labels"]}


def about_the_content(response: dict[str, Any]) -> list[str]:
    """Label names but the ones that say whether it is a photograph or a drawing."""
    return [label["Name"] for label in response["Labels"] if label["Name"] not in GENERAL]


@pytest.mark.parametrize(
    ("name", "family", "at_least"),
    [
        ("cat", {"Animal", "Mammal", "Cat", "Pet"}, 80),
        ("coffee", {"Coffee", "Coffee Cup", "Beverage", "Cup", "Tableware", "Espresso"}, 80),
        ("motorcycle", {"Vehicle", "Transportation", "Motorcycle", "Moped"}, 70),
        ("palace", {"Architecture", "Building"}, 60),
        ("tripod", {"Tripod"}, 80),
        ("page", {"Text"}, 80),
        ("wordmark", {"Logo", "Symbol", "Text"}, 80),
        ("app-icon", {"Logo", "Symbol", "Text", "Transparent Background"}, 80),
        ("white-on-nothing", {"Logo", "Symbol", "Text", "Transparent Background"}, 80),
        ("mark", {"Logo", "Symbol"}, 80),
    ],
)
def test_the_right_family_is_on_top(
    rekognition: Any, name: str, family: set[str], at_least: float
) -> None:
    found = rekognition.detect_labels(Image={"Bytes": picture(name)})
    top = about_the_content(found)[:3]
    assert top, confidences(found)
    assert set(top) <= family, confidences(found)
    assert confidences(found)[top[0]] >= at_least


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("cat", {"Logo", "Graphics", "Text", "Dog", "Transparent Background"}),
        ("coffee", {"Logo", "Graphics", "Text", "Animal"}),
        ("moon", {"Logo", "Text"}),
        ("wordmark", {"Photography", "Transparent Background", "Animal"}),
        ("mark", {"Photography", "Text", "Transparent Background"}),
    ],
)
def test_what_is_not_there_is_not_said(rekognition: Any, name: str, never: set[str]) -> None:
    found = confidences(rekognition.detect_labels(Image={"Bytes": picture(name)}))
    assert not never & set(found), found


def test_cat_coffee_and_logo_differ(rekognition: Any, s3: Any, bucket: str) -> None:
    """What ``process_logo`` stores for each of them: at most ten labels from 80 % on."""
    rows = {}
    for name in ("cat", "coffee", "wordmark"):
        s3.put_object(Bucket=bucket, Key=f"logos/{name}/logo.png", Body=picture(name))
        found = rekognition.detect_labels(
            Image={"S3Object": {"Bucket": bucket, "Name": f"logos/{name}/logo.png"}},
            MaxLabels=10,
            MinConfidence=80,
        )
        rows[name] = set(confidences(found))
    assert "Cat" in rows["cat"]
    assert "Coffee" in rows["coffee"]
    assert {"Logo", "Text"} <= rows["wordmark"]
    assert not rows["cat"] & rows["wordmark"]


def test_a_response_has_aws_s_fields(rekognition: Any) -> None:
    found = rekognition.detect_labels(Image={"Bytes": photo("cat")})
    cat = next(label for label in found["Labels"] if label["Name"] == "Cat")
    assert cat["Parents"] == [{"Name": "Animal"}, {"Name": "Mammal"}, {"Name": "Pet"}]
    assert cat["Categories"] == [{"Name": "Animals and Pets"}]
    assert cat["Aliases"] == cat["Instances"] == []
    assert found["LabelModelVersion"].startswith("trigger-stack-")
    assert "ImageProperties" not in found


def test_every_parent_is_a_label_of_its_own(rekognition: Any) -> None:
    found = rekognition.detect_labels(Image={"Bytes": photo("coffee")}, MinConfidence=0)
    values = confidences(found)
    for label in found["Labels"]:
        for parent in label["Parents"]:
            assert values.get(parent["Name"], 100) >= label["Confidence"] - 1e-3


def test_bytes_and_jpeg_and_s3_agree(rekognition: Any, s3: Any, bucket: str) -> None:
    data = picture("wordmark")
    s3.put_object(Bucket=bucket, Key="ü logo.png", Body=data)
    as_bytes = rekognition.detect_labels(Image={"Bytes": data})
    as_object = rekognition.detect_labels(
        Image={"S3Object": {"Bucket": bucket, "Name": "ü logo.png"}}
    )
    as_jpeg = rekognition.detect_labels(Image={"Bytes": encode(wordmark(), "JPEG", quality=85)})
    assert as_bytes["Labels"] == as_object["Labels"]
    assert set(confidences(as_jpeg)) == set(confidences(as_bytes))


def test_a_version_is_the_one_asked_for(rekognition: Any, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = {
        name: s3.put_object(Bucket=bucket, Key="k", Body=picture(name))["VersionId"]
        for name in ("cat", "wordmark")
    }
    for name, expected in (("cat", "Cat"), ("wordmark", "Logo")):
        image = {"S3Object": {"Bucket": bucket, "Name": "k", "Version": versions[name]}}
        assert expected in confidences(rekognition.detect_labels(Image=image))
    latest = rekognition.detect_labels(Image={"S3Object": {"Bucket": bucket, "Name": "k"}})
    assert "Logo" in confidences(latest)


def test_max_labels_and_min_confidence(rekognition: Any) -> None:
    image = {"Bytes": photo("cat")}
    default = rekognition.detect_labels(Image=image)["Labels"]
    assert all(label["Confidence"] >= 55 for label in default)
    two = rekognition.detect_labels(Image=image, MaxLabels=2)["Labels"]
    assert two == default[:2]
    sure = rekognition.detect_labels(Image=image, MinConfidence=94)["Labels"]
    assert sure == [label for label in default if label["Confidence"] >= 94]
    assert len(rekognition.detect_labels(Image=image, MinConfidence=1)["Labels"]) > len(default)


def test_filters_by_label_and_category(rekognition: Any) -> None:
    def found(**filters: list[str]) -> list[str]:
        response = rekognition.detect_labels(
            Image={"Bytes": photo("coffee")}, Settings={"GeneralLabels": filters}
        )
        return [label["Name"] for label in response["Labels"]]

    assert found(LabelInclusionFilters=["Coffee", "Dog"]) == ["Coffee"]
    assert "Coffee" not in found(LabelExclusionFilters=["Coffee"])
    assert set(found(LabelCategoryInclusionFilters=["Food and Beverage"])) == {
        "Beverage",
        "Coffee",
        "Espresso",
    }
    assert "Coffee" not in found(LabelCategoryExclusionFilters=["Food and Beverage"])


def test_image_properties(rekognition: Any) -> None:
    found = rekognition.detect_labels(
        Image={"Bytes": picture("wordmark")},
        Features=["GENERAL_LABELS", "IMAGE_PROPERTIES"],
        Settings={"ImageProperties": {"MaxDominantColors": 3}},
    )
    assert found["Labels"]
    properties = found["ImageProperties"]
    assert set(properties) == {"Quality", "DominantColors", "Foreground", "Background"}
    colors = properties["DominantColors"]
    assert len(colors) == 3
    assert colors[0]["CSSColor"] == colors[0]["SimplifiedColor"] == "white"
    assert colors[0]["HexCode"] == "#ffffff"
    foreground = {color["SimplifiedColor"] for color in properties["Foreground"]["DominantColors"]}
    assert foreground & {"red", "orange"}
    assert all(0 <= value <= 100 for value in properties["Quality"].values())


def test_image_properties_alone_have_no_labels(rekognition: Any) -> None:
    found = rekognition.detect_labels(Image={"Bytes": photo("cat")}, Features=["IMAGE_PROPERTIES"])
    assert not found.get("Labels")
    assert 1 <= len(found["ImageProperties"]["DominantColors"]) <= 10


def test_results_are_the_same_every_time(rekognition: Any) -> None:
    image = {"Bytes": photo("coffee")}
    request = {"Image": image, "Features": ["GENERAL_LABELS", "IMAGE_PROPERTIES"]}
    first = rekognition.detect_labels(**request)
    rekognition.detect_text(Image={"Bytes": photo("page")})
    for _ in range(3):
        again = rekognition.detect_labels(**request)
        assert again["Labels"] == first["Labels"]
        assert again["ImageProperties"] == first["ImageProperties"]


def test_two_hundred_requests_at_once(rekognition: Any) -> None:
    names = ("cat", "coffee", "wordmark", "mark")
    expected = {
        name: rekognition.detect_labels(Image={"Bytes": picture(name)})["Labels"] for name in names
    }

    def ask(index: int) -> bool:
        name = names[index % len(names)]
        response = rekognition.detect_labels(Image={"Bytes": picture(name)})
        return bool(response["Labels"] == expected[name])

    with ThreadPoolExecutor(64) as threads:
        assert all(threads.map(ask, range(200)))


def test_a_large_picture_is_answered(rekognition: Any) -> None:
    assert "Coffee" in confidences(rekognition.detect_labels(Image={"Bytes": one_megapixel()}))


def test_operations_without_an_implementation_answer_by_name(
    rekognition: Any, error_code: Callable[..., str]
) -> None:
    with pytest.raises(rekognition.exceptions.ClientError, match="CompareFaces") as refused:
        rekognition.compare_faces(SourceImage={"Bytes": b"x"}, TargetImage={"Bytes": b"x"})
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert error_code(rekognition.list_collections) == "UnsupportedOperationException"
