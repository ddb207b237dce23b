"""Labels of a picture in S3 (AWS documentation: Rekognition, "DetectLabels")."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient
    from mypy_boto3_rekognition.type_defs import S3ObjectTypeDef

    from .upload import Upload

MAX_LABELS = 10
MIN_CONFIDENCE = 80


def detect_labels(rekognition: RekognitionClient, upload: Upload) -> dict[str, Any]:
    """Label exactly the uploaded version, not whatever the key holds by now.

    Returns:
        `{labels: [{name, confidence, parents}], labelModelVersion}`; confidences are percent,
        as Decimal, for DynamoDB takes no float.
    """
    picture: S3ObjectTypeDef = {"Bucket": upload.bucket, "Name": upload.key}
    if upload.version_id:
        picture["Version"] = upload.version_id
    answer = rekognition.detect_labels(
        Image={"S3Object": picture}, MaxLabels=MAX_LABELS, MinConfidence=MIN_CONFIDENCE
    )
    return {
        "labels": [
            {
                "name": label["Name"],
                "confidence": Decimal(str(label["Confidence"])),
                "parents": [parent["Name"] for parent in label.get("Parents", [])],
            }
            for label in answer["Labels"]
        ],
        "labelModelVersion": answer.get("LabelModelVersion"),
    }
