"""What LocalStack knows of a function version that is to run at the edge.

What: LocalStack's stores of Lambda and IAM are read.
Why: CloudFront refuses functions that cannot run at the edge when a distribution is made.
Until: as long as LocalStack is the control plane of functions and roles.
Test: ``tests/engine/test_cloudfront.py::test_functions_that_are_refused``.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from urllib.parse import unquote

from localstack.services.iam.models import iam_stores

from trigger_stack.localstack.lambda_engine.versions import find_function
from trigger_stack.services.cloudfront.edge_functions import FunctionFacts

LOG = logging.getLogger(__name__)


def find_facts(arn: str) -> FunctionFacts | None:
    """What counts of a function version; ``None``: there is none."""
    parts = arn.split(":")
    function = find_function(parts[4], parts[3], parts[6])
    version = function.versions.get(parts[7]) if function is not None else None
    if version is None:
        return None
    config: Any = version.config
    role = str(config.role)
    return FunctionFacts(
        timeout_s=int(config.timeout),
        memory_mb=int(config.memory_size),
        runtime=str(config.runtime or ""),
        role=role,
        trusted=_trusted(role),
        ephemeral_mb=int(config.ephemeral_storage.size),
        architectures=[str(one) for one in config.architectures or ["x86_64"]],
        has_environment=bool(config.environment),
        has_layers=bool(config.layers),
        has_network=bool(config.vpc_config and config.vpc_config.subnet_ids),
        has_dead_letters=bool(config.dead_letter_arn),
        has_image=bool(config.image),
    )


def _trusted(role_arn: str) -> set[str] | None:
    """The services that may assume a role; ``None``: LocalStack has no such role."""
    document = _trust_policy(role_arn)
    if document is None:
        LOG.warning("the role %s is not known: whether Lambda@Edge may assume it is not", role_arn)
        return None
    return {
        str(service)
        for statement in _as_list(document.get("Statement"))
        if statement.get("Effect") == "Allow"
        for service in _as_list((statement.get("Principal") or {}).get("Service"))
    }


def _trust_policy(role_arn: str) -> dict[str, Any] | None:
    for _, _, store in iam_stores.iter_stores():
        for entity in store.ROLES.values():
            if entity.role["Arn"] == role_arn:
                given: Any = entity.role.get("AssumeRolePolicyDocument") or {}
                text = unquote(given) if isinstance(given, str) else json.dumps(given)
                document: dict[str, Any] = json.loads(text)
                return document
    return None


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
