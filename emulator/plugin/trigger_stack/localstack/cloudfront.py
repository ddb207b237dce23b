"""The service ``cloudfront`` of LocalStack: moto's control plane, ``CreateInvalidation`` corrected.

What: a provider at LocalStack's extension point ``localstack.aws.provider``, which hands every
operation to moto and looks into moto's store for invalidations.
Why: the open release has no CloudFront; moto makes a new invalidation for a repeated caller
reference and leaves each ``InProgress`` for ever.
Until: LocalStack's open release has ``cloudfront`` with this behaviour.
Test: ``tests/unit/plugin/test_cloudfront.py``.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service
from moto.cloudfront.models import CloudFrontBackend, cloudfront_backends

from trigger_stack.localstack.aws_service import as_aws_error
from trigger_stack.services.cloudfront.invalidations import COMPLETED, repeated
from trigger_stack.services.errors import ServiceError


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    model = load_service("cloudfront")
    table: DispatchTable = dict.fromkeys(model.operation_names, _call_moto)
    table["CreateInvalidation"] = _create_invalidation
    return Service("cloudfront", skeleton=Skeleton(model, table))


def _call_moto(context: RequestContext, request: Any) -> Any:
    return call_moto(context)


def _create_invalidation(context: RequestContext, request: Any) -> Any:
    distribution, batch = request["DistributionId"], request["InvalidationBatch"]
    backend = cloudfront_backends[context.account_id][context.partition]
    known = _find(backend, distribution, batch["CallerReference"])
    if known is not None:
        try:
            return repeated(known, distribution, batch["Paths"].get("Items", []))
        except ServiceError as error:
            raise as_aws_error(error) from error
    answer = call_moto(context)
    made = _find(backend, distribution, batch["CallerReference"])
    if made is not None:
        made.status = COMPLETED
        answer["Invalidation"]["Status"] = COMPLETED
    return answer


def _find(backend: CloudFrontBackend, distribution: str, reference: str) -> Any | None:
    for invalidation in backend.list_invalidations(distribution):
        if invalidation.caller_ref == reference:
            return invalidation
    return None
