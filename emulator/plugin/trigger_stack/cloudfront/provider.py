"""CloudFront's control plane.

Every operation goes to moto; ``CreateInvalidation`` is corrected where moto differs from AWS
(CloudFront API Reference, "CreateInvalidation"): a second call with the same caller reference and
paths returns the first invalidation, with other paths it is refused, and the status of a finished
invalidation is ``Completed``, which is what ``aws cloudfront wait invalidation-completed`` awaits.
"""

from __future__ import annotations

from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service
from moto.cloudfront.models import CloudFrontBackend, cloudfront_backends

COMPLETED = "Completed"


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
    reference, paths = batch["CallerReference"], batch["Paths"].get("Items", [])
    known = _find(backend, distribution, reference)
    if known is not None:
        if sorted(_paths(known.paths)) != sorted(paths):
            raise CommonServiceException(
                "InvalidArgument",
                "Your request contains a caller reference that was used for a previous "
                "invalidation request with different paths.",
                status_code=400,
                sender_fault=True,
            )
        return _answer(known, distribution)
    answer = call_moto(context)
    made = _find(backend, distribution, reference)
    if made is not None:
        made.status = COMPLETED
        answer["Invalidation"]["Status"] = COMPLETED
    return answer


def _find(backend: CloudFrontBackend, distribution: str, reference: str) -> Any | None:
    for invalidation in backend.list_invalidations(distribution):
        if invalidation.caller_ref == reference:
            return invalidation
    return None


def _paths(given: Any) -> list[str]:
    """The paths as moto keeps them: ``{"Items": {"Path": …}}`` or a plain list."""
    items = given.get("Items", []) if isinstance(given, dict) else given
    if isinstance(items, dict):
        items = items.get("Path", [])
    return [items] if isinstance(items, str) else list(items)


def _answer(invalidation: Any, distribution: str) -> dict[str, Any]:
    paths = _paths(invalidation.paths)
    return {
        "Location": "https://cloudfront.amazonaws.com/2020-05-31/distribution/"
        f"{distribution}/invalidation/{invalidation.invalidation_id}",
        "Invalidation": {
            "Id": invalidation.invalidation_id,
            "Status": invalidation.status,
            "CreateTime": invalidation.create_time,
            "InvalidationBatch": {
                "CallerReference": invalidation.caller_ref,
                "Paths": {"Quantity": len(paths), "Items": paths},
            },
        },
    }
