"""The service ``cloudfront`` of LocalStack: our control plane; the engine serves viewers.

What: a provider at LocalStack's extension point ``localstack.aws.provider``, a store of
LocalStack's own class, and a route that says where each distribution is served.
Why: the open release has no CloudFront; every operation would answer 501.
Until: LocalStack's open release has ``cloudfront`` with a data plane.
Test: ``tests/unit/plugin/test_open_release.py::test_the_open_release_still_lacks``.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from localstack.aws.skeleton import DispatchTable, Skeleton
from localstack.aws.spec import load_service
from localstack.http import Request, Response, route
from localstack.services.edge import ROUTER
from localstack.services.plugins import Service
from localstack.services.stores import AccountRegionBundle, BaseStore, CrossAccountAttribute

from trigger_stack.engine.supervisor import EngineUnavailableError
from trigger_stack.localstack.aws_service import dispatch_table, handlers_of
from trigger_stack.localstack.cloudfront.functions import find_facts
from trigger_stack.localstack.lambda_engine.control_plane import control_plane
from trigger_stack.services.cloudfront.control_plane import ControlPlane
from trigger_stack.services.cloudfront.models import Account, Accounts
from trigger_stack.services.cloudfront.settings import Settings
from trigger_stack.services.errors import ServiceError
from trigger_stack.services.operations import Answer, Caller
from trigger_stack.services.operations import Request as OperationRequest
from trigger_stack_engine.wire import RemoteError

LOG = logging.getLogger(__name__)
SERVICE = "cloudfront"
ADDRESSES = "/_trigger_stack/distributions"


class CloudFrontStore(BaseStore):
    """What accounts have; the attribute is shared by all accounts and regions."""

    accounts: dict[str, Account] = cast(dict[str, Account], CrossAccountAttribute(default=dict))


# Not validated: CloudFront has no regions.
cloudfront_stores: AccountRegionBundle[CloudFrontStore] = AccountRegionBundle(
    SERVICE, CloudFrontStore, validate=False
)
# Any account and region will do: see CloudFrontStore.
accounts = Accounts(lambda: cloudfront_stores["000000000000"]["us-east-1"].accounts)


def create_service() -> Service:
    """The service for LocalStack's ``localstack.aws.provider`` entry point."""
    model = load_service(SERVICE)
    settings = Settings.from_environment()

    def open_port(distribution_id: str, ports: list[int]) -> int:
        return _open_port(settings, distribution_id, ports)

    def changed() -> None:
        control_plane().push("distributions", service.describe)

    service = ControlPlane(accounts, settings, open_port, find_facts, changed, _invalidate)
    table: DispatchTable = {name: _refusal(name) for name in model.operation_names}
    table |= dispatch_table(service) | handlers_of(service.items.operations())
    ROUTER.add(Addresses(service))
    return Service(SERVICE, skeleton=Skeleton(model, table))


class Addresses:
    """``GET /_trigger_stack/distributions``: where each distribution is served."""

    def __init__(self, service: ControlPlane) -> None:
        self._service = service

    @route(ADDRESSES, methods=["GET"])
    def get(self, request: Request, **_: Any) -> Response:
        """``[{"id", "comment", "domain", "address"}]``."""
        response = Response()
        response.set_json(self._service.addresses())
        return response


def _open_port(settings: Settings, distribution_id: str, ports: list[int]) -> int:
    """Have the engine take a port for a new distribution.

    Raises:
        ServiceError: No port is left, or there is no engine.
    """
    try:
        reply, _ = control_plane().call(
            {
                "op": "distribution_port",
                "distribution": distribution_id,
                "host": settings.listen,
                "ports": ports,
            }
        )
    except (EngineUnavailableError, RemoteError) as error:
        known = settings.ports
        raise ServiceError(
            "TooManyDistributions",
            f"{error} CLOUDFRONT_PORTS is {known.start}-{known.stop - 1}: delete a distribution, or"
            " give it more.",
        ) from None
    return int(reply["port"])


def _invalidate(distribution_id: str, paths: list[str]) -> None:
    """Drop objects from the engine's cache before the caller has an answer."""
    try:
        control_plane().call({"op": "invalidate", "distribution": distribution_id, "paths": paths})
    except EngineUnavailableError as error:
        # The cache ended with the engine: the next one begins with none.
        LOG.info("%s has no cache to invalidate: %s", distribution_id, error)


def _refusal(name: str) -> Any:
    def refuse(caller: Caller, request: OperationRequest) -> Answer:
        reason = "use Lambda@Edge" if name.endswith("Function") else "it does nothing here"
        raise ServiceError(
            "UnsupportedOperation", f"{name}: not part of this stack: {reason}.", 501
        )

    return handlers_of({name: refuse})[name]
