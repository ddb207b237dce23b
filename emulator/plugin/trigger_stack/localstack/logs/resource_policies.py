"""Resource policies that are policies, and of the whole region.

What: a mix-in for LocalStack's provider: ``PutResourcePolicy`` and ``DescribeResourcePolicies``.
Why: moto stores any text for a policy, also under no name. It takes a policy of one log group
(``resourceArn``) for one of all, which would let services in where AWS does not.
Until: LocalStack's open release looks at policies.
Test: ``tests/unit/plugin/test_log_resource_policies.py``.
"""

from __future__ import annotations

import json
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.api.logs import (
    DescribeResourcePoliciesResponse,
    InvalidParameterException,
    PutResourcePolicyResponse,
)
from localstack.services.logs.models import get_moto_logs_backend
from localstack.services.logs.provider import LogsProvider
from localstack.services.moto import call_moto

#: Of a policy without ``resourceArn`` (CloudWatch Logs, "CloudWatch Logs quotas").
_MOST_CHARACTERS = 5120


class ResourcePolicies(LogsProvider):
    """LocalStack's provider, with checks of resource policies.

    AWS topics: CloudWatch Logs API Reference, "PutResourcePolicy", "DescribeResourcePolicies".
    """

    def put_resource_policy(
        self,
        context: RequestContext,
        policy_name: str | None = None,
        policy_document: str | None = None,
        resource_arn: str | None = None,
        expected_revision_id: str | None = None,
        **kwargs: Any,
    ) -> PutResourcePolicyResponse:
        """Make or change a policy of the region."""
        if resource_arn or expected_revision_id:
            raise InvalidParameterException(
                "Policies of one log group (resourceArn) are not part of this stack: give the"
                " policy a policyName, and name the log group in its Resource."
            )
        if not policy_name or not policy_document:
            missing = "policyDocument" if policy_name else "policyName"
            raise InvalidParameterException(f"{missing} is required.")
        if len(policy_document) > _MOST_CHARACTERS:
            raise InvalidParameterException(
                f"A policyDocument has at most {_MOST_CHARACTERS} characters."
            )
        if not _is_policy(policy_document):
            raise InvalidParameterException("Could not convert to persistable policy.")
        made: PutResourcePolicyResponse = call_moto(context)
        return made

    def describe_resource_policies(
        self,
        context: RequestContext,
        next_token: str | None = None,
        limit: int | None = None,
        resource_arn: str | None = None,
        policy_scope: str | None = None,
        **kwargs: Any,
    ) -> DescribeResourcePoliciesResponse:
        """The policies of the region, at most ten; of one log group there is none."""
        backend = get_moto_logs_backend(context.account_id, context.region)
        is_of_group = resource_arn or policy_scope == "RESOURCE"
        policies = [] if is_of_group else list(backend.resource_policies.values())
        found: Any = [one.describe() for one in policies]
        return DescribeResourcePoliciesResponse(resourcePolicies=found)


def _is_policy(text: str) -> bool:
    """Whether a text is a policy: JSON with statements that allow or deny something."""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return False
    found = parsed.get("Statement") if isinstance(parsed, dict) else None
    statements = found if isinstance(found, list) else [found]
    return bool(statements) and all(
        isinstance(one, dict) and one.get("Effect") in ("Allow", "Deny") for one in statements
    )
