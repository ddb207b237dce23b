"""The service ``rekognition`` of LocalStack: requests in, the worker's answers out.

AWS documentation: "Amazon Rekognition API Reference" (``DetectLabels``, ``DetectText``). The
labels come from the models in the worker; what is not installed or not implemented is an error
that says so, never an invented answer.
"""

import logging
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from localstack.aws.api import CommonServiceException, RequestContext, handler
from localstack.aws.api.core import ServiceRequestHandler
from localstack.aws.connect import connect_to
from localstack.aws.skeleton import DispatchTable, create_dispatch_table
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, ServiceLifecycleHook

from trigger_stack.rekognition import limits, validation
from trigger_stack.rekognition.errors import RekognitionError, too_large
from trigger_stack.rekognition.supervisor import Supervisor

LOG = logging.getLogger(__name__)

_SERVER_FAULTS = {"InternalServerError": 500}


class RekognitionProvider(ServiceLifecycleHook):
    """``DetectLabels`` and ``DetectText``."""

    service = "rekognition"

    def __init__(self) -> None:
        self.worker = Supervisor()

    def on_before_stop(self) -> None:
        """End the worker together with LocalStack."""
        self.worker.stop()

    @handler("DetectLabels", expand=False)
    def detect_labels(self, context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
        """Labels and colours of a picture.

        Raises:
            CommonServiceException: the errors of the API's ``DetectLabels``, and
                ``ResourceNotReadyException`` where the models are not installed.
        """
        return self._answer(context, "DetectLabels", request, validation.check_detect_labels)

    @handler("DetectText", expand=False)
    def detect_text(self, context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
        """Lines and words of text in a picture.

        Raises:
            CommonServiceException: the errors of the API's ``DetectText``, and
                ``ResourceNotReadyException`` where the models are not installed.
        """
        return self._answer(context, "DetectText", request, validation.check_detect_text)

    def _answer(
        self,
        context: RequestContext,
        operation: str,
        request: dict[str, Any],
        check: Callable[[validation.Request], None],
    ) -> dict[str, Any]:
        try:
            validation.check_image(request.get("Image"))
            check(request)
            picture = _read_image(context, request["Image"])
            parameters = {key: value for key, value in request.items() if key != "Image"}
            return self.worker.ask(operation, parameters, picture)
        except RekognitionError as error:
            status = _SERVER_FAULTS.get(error.code, 400)
            raise CommonServiceException(error.code, error.message, status) from error


def _read_image(context: RequestContext, image: dict[str, Any]) -> bytes:
    if (data := image.get("Bytes")) is not None:
        return bytes(data)
    location = image["S3Object"]
    s3 = connect_to(aws_access_key_id=context.account_id, region_name=context.region).s3
    version = {"VersionId": location["Version"]} if location.get("Version") else {}
    try:
        _check_region(s3, location["Bucket"], context.region)
        found = s3.get_object(Bucket=location["Bucket"], Key=location["Name"], **version)
    except ClientError as error:
        LOG.debug("no picture at %s: %s", location, error)
        raise _no_object() from error
    with found["Body"] as body:
        if found["ContentLength"] > limits.MAX_S3_BYTES:
            raise too_large(f"{found['ContentLength']} bytes, at most {limits.MAX_S3_BYTES} in S3")
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


def _not_supported(operation: str) -> ServiceRequestHandler:
    def refuse(context: RequestContext, request: Any) -> Any:
        raise CommonServiceException(
            "UnsupportedOperationException",
            f"The operation {operation} of Amazon Rekognition is not supported here. "
            "Supported: DetectLabels, DetectText.",
        )

    return refuse


def _dispatch_table(provider: RekognitionProvider) -> DispatchTable:
    operations = load_service(provider.service).operation_names
    table: DispatchTable = {name: _not_supported(name) for name in operations}
    table.update(create_dispatch_table(provider))
    return table


def create_service() -> Service:
    """Return the service, in which every operation of the API answers by name."""
    provider = RekognitionProvider()
    table = _dispatch_table(provider)
    return Service.for_provider(provider, dispatch_table_factory=lambda _: table)
