"""Loads services before they are used, so that the first user does not pay for it.

``PRELOAD_SERVICES`` names those that are loaded while the emulator starts, separated by commas, in
the order in which they are needed. ``GET /_trigger_stack/preload?services=<names>&region=<region>``
loads others: a run of the bootstrap knows what it will need half a second before it asks for
anything.

What: a start hook at LocalStack's extension point ``localstack.hooks.on_infra_start``, and a route
at its router, which sends a request that reads through the gateway for each service.
Why: LocalStack loads a service at its first request, or with ``EAGER_SERVICE_LOADING`` all of them
before it is ready. Models, routes, moto's backends and clients are made at the first request, too:
all of it takes a second for the services of the brand platform.
Until: LocalStack can load named services in the background.
Test: ``tests/unit/plugin/test_preload.py``.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any, Final
from urllib.parse import urlencode

from botocore.serialize import create_serializer
from localstack.aws.spec import load_service
from localstack.http import Request, Response, route
from localstack.runtime import get_current_runtime, hooks
from localstack.services.edge import ROUTER
from localstack.services.plugins import SERVICE_PLUGINS

from trigger_stack.localstack import garbage, loading, moto_data, regions, service_models

LOG = logging.getLogger(__name__)
PATH: Final = "/_trigger_stack/preload"
#: LocalStack reads the scope, and checks nothing.
_SIGNED: Final = "AWS4-HMAC-SHA256 Credential=test/{}, SignedHeaders=host, Signature=none"
#: An operation of each service that reads, and takes nothing.
READS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "apigateway": ("GetRestApis", {}),
    "apigatewayv2": ("GetApis", {}),
    "cloudfront": ("ListDistributions", {}),
    "cognito-idp": ("ListUserPools", {"MaxResults": 1}),
    "dynamodb": ("ListTables", {}),
    "ec2": ("DescribeVpcs", {}),
    "elbv2": ("DescribeLoadBalancers", {}),
    "events": ("ListEventBuses", {}),
    "iam": ("ListRoles", {}),
    "kinesis": ("ListStreams", {}),
    "lambda": ("ListLayers", {}),
    "logs": ("DescribeLogGroups", {}),
    "pipes": ("ListPipes", {}),
    "s3": ("ListBuckets", {}),
    "scheduler": ("ListScheduleGroups", {}),
    "ses": ("ListIdentities", {}),
    "sns": ("ListTopics", {}),
    "sqs": ("ListQueues", {}),
    "ssm": ("DescribeParameters", {}),
    "sts": ("GetCallerIdentity", {}),
}


def preloaded() -> list[str]:
    """The services that ``PRELOAD_SERVICES`` names."""
    names = (name.strip() for name in os.environ.get("PRELOAD_SERVICES", "").split(","))
    return [name for name in names if name]


class PreloadRoutes:
    """The route on the gateway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: set[str] = set()

    @route(PATH, methods=["GET"])
    def preload(self, request: Request) -> Response:
        """Begin to load services; one that is unknown, or was loaded so before, is left out."""
        names = request.args.get("services", "").split(",")
        with self._lock:
            new = [name for name in names if name in READS and name not in self._begun]
            self._begun.update(new)
        region = request.args.get("region", "us-east-1")
        if new:
            threading.Thread(
                target=_read_each, args=(new, region), name="preload", daemon=True
            ).start()
        return Response(json.dumps({"begun": new}), mimetype="application/json")


def _read_each(names: list[str], region: str) -> None:
    for name in names:
        try:
            _read(name, region)
        except Exception as error:
            LOG.warning("service %s could not be loaded: %s", name, error)


def _read(name: str, region: str) -> None:
    """Send a request as a client does, which loads all that answers it."""
    operation, parameters = READS[name]
    service = load_service(name)
    serializer: Any = create_serializer(service.protocol)
    made = serializer.serialize_to_request(parameters, service.operation_model(operation))
    body, query = made["body"], made["query_string"]
    signed = _SIGNED.format(f"20260101/{region}/{service.signing_name}/aws4_request")
    request = Request(
        made["method"],
        made["url_path"],
        headers={**made["headers"], "Authorization": signed},
        body=urlencode(body) if isinstance(body, dict) else body,
        query_string=urlencode(query) if isinstance(query, dict) else query,
    )
    get_current_runtime().components.gateway.process(request, Response())


@hooks.on_infra_start(priority=-10)
def preload_services() -> None:
    """Load ``PRELOAD_SERVICES`` in the background; a service that fails says so when it is used."""
    regions.read_once()
    names = preloaded()

    def load() -> None:
        try:
            with loading.LOCK:
                moto_data.install()
                service_models.share_with_moto()
            for name in names:
                try:
                    SERVICE_PLUGINS.require(name)
                except Exception as error:
                    LOG.warning("service %s could not be loaded: %s", name, error)
        finally:
            garbage.begin()  # else nothing would ever be collected

    threading.Thread(target=load, name="preload-services", daemon=True).start()
    ROUTER.add(PreloadRoutes())
