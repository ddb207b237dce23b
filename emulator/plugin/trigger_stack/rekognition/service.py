"""The operations of Rekognition: requests in, the worker's answers out.

AWS topic: "Amazon Rekognition API Reference" (``DetectLabels``, ``DetectText``). The labels come
from the models in the worker; what is not installed or not implemented is an error that says so,
never an invented answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from trigger_stack.rekognition import limits, validation
from trigger_stack.rekognition.errors import RekognitionError, too_large
from trigger_stack.rekognition.supervisor import Supervisor
from trigger_stack.services.operations import Caller, operation

LOG = logging.getLogger(__name__)


class Rekognition:
    """``DetectLabels`` and ``DetectText``.

    Args:
        worker: The process with the models.
        s3_client: Makes an S3 client (boto3) for a caller.
    """

    def __init__(self, worker: Supervisor, s3_client: Callable[[Caller], Any]) -> None:
        self._worker = worker
        self._s3_client = s3_client

    @operation("DetectLabels")
    def detect_labels(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Labels and colours of a picture.

        Raises:
            RekognitionError: The errors of the API's ``DetectLabels``, and
                ``ResourceNotReadyException`` where the models are not installed.
        """
        return self._answer(caller, "DetectLabels", request, validation.check_detect_labels)

    @operation("DetectText")
    def detect_text(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Lines and words of text in a picture.

        Raises:
            RekognitionError: The errors of the API's ``DetectText``, and
                ``ResourceNotReadyException`` where the models are not installed.
        """
        return self._answer(caller, "DetectText", request, validation.check_detect_text)

    def _answer(
        self,
        caller: Caller,
        operation: str,
        request: dict[str, Any],
        check: Callable[[validation.Request], None],
    ) -> dict[str, Any]:
        validation.check_image(request.get("Image"))
        check(request)
        picture = self._read_image(caller, request["Image"])
        parameters = {key: value for key, value in request.items() if key != "Image"}
        return self._worker.ask(operation, parameters, picture)

    def _read_image(self, caller: Caller, image: dict[str, Any]) -> bytes:
        if (data := image.get("Bytes")) is not None:
            return bytes(data)
        location = image["S3Object"]
        s3 = self._s3_client(caller)
        version = {"VersionId": location["Version"]} if location.get("Version") else {}
        try:
            _check_region(s3, location["Bucket"], caller.region)
            found = s3.get_object(Bucket=location["Bucket"], Key=location["Name"], **version)
        except ClientError as error:
            LOG.debug("no picture at %s: %s", location, error)
            raise _no_object() from error
        with found["Body"] as body:
            if found["ContentLength"] > limits.MAX_S3_BYTES:
                raise too_large(
                    f"{found['ContentLength']} bytes, at most {limits.MAX_S3_BYTES} in S3"
                )
            content: bytes = body.read()
        return content


def _check_region(s3: Any, bucket: str, region: str) -> None:
    """Rekognition reads only from buckets of its own region."""
    if s3.head_bucket(Bucket=bucket).get("BucketRegion", region) != region:
        raise _no_object()


def _no_object() -> RekognitionError:
    return RekognitionError(
        "InvalidS3ObjectException",
        "Unable to get object metadata from S3. "
        "Check object key, region and/or access permissions.",
    )
