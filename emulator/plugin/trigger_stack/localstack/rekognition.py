"""The service ``rekognition`` of LocalStack.

What: a provider at LocalStack's extension point ``localstack.aws.provider``, in which every
operation of the API answers: those that are missing by name.
Why: the open release has no Rekognition.
Until: LocalStack's open release has ``rekognition`` with real models.
Test: ``tests/unit/plugin/test_open_release.py::test_the_open_release_still_lacks``.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.api.core import ServiceRequestHandler
from localstack.aws.connect import connect_to
from localstack.aws.skeleton import DispatchTable
from localstack.aws.spec import load_service
from localstack.services.plugins import Service, ServiceLifecycleHook

from trigger_stack.localstack.aws_service import dispatch_table
from trigger_stack.rekognition.service import Rekognition
from trigger_stack.rekognition.supervisor import Supervisor
from trigger_stack.services.operations import Caller


class RekognitionProvider(ServiceLifecycleHook):
    """Ends the worker with LocalStack."""

    service = "rekognition"

    def __init__(self) -> None:
        self.worker = Supervisor()

    def on_before_stop(self) -> None:
        """End the worker together with LocalStack."""
        self.worker.stop()


def create_service() -> Service:
    """The service, in which every operation of the API answers by name."""
    provider = RekognitionProvider()
    names = load_service(provider.service).operation_names
    table: DispatchTable = {name: _not_supported(name) for name in names}
    table.update(dispatch_table(Rekognition(provider.worker, _s3_client)))
    return Service.for_provider(provider, dispatch_table_factory=lambda _: table)


def _s3_client(caller: Caller) -> Any:
    return connect_to(aws_access_key_id=caller.account_id, region_name=caller.region).s3


def _not_supported(operation: str) -> ServiceRequestHandler:
    def refuse(context: RequestContext, request: Any) -> Any:
        raise CommonServiceException(
            "UnsupportedOperationException",
            f"The operation {operation} of Amazon Rekognition is not supported here. "
            "Supported: DetectLabels, DetectText.",
        )

    return refuse
