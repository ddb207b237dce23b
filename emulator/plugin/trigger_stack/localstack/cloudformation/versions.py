"""A version of a function that has not changed since its last one is refused.

What: a subclass of LocalStack's type ``AWS::Lambda::Version``.
Why: Lambda answers with the last version when nothing has changed, and LocalStack takes that for a
new one: two resources are the same version, and it is deleted with the first of them. On AWS the
second fails, with the sentence that this has.
Until: LocalStack refuses it.
Test: ``tests/delivery/test_cloudformation_versions.py``.

AWS topics: AWS CloudFormation Template Reference Guide, "AWS::Lambda::Version"; AWS Lambda API
Reference, "PublishVersion". The sentence is AWS's, as serverless/serverless#8392 and
aws-samples/siem-on-amazon-opensearch-service#261 have it.
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.resource_provider import (
    OperationStatus,
    ProgressEvent,
    ResourceRequest,
)
from localstack.services.lambda_.resource_providers.aws_lambda_version import (
    LambdaVersionProvider,
)


class VersionProvider(LambdaVersionProvider):
    """``AWS::Lambda::Version``."""

    def create(self, request: ResourceRequest[Any]) -> ProgressEvent[Any]:
        """Publish a version, unless the last one is the same."""
        is_first = not request.custom_context
        known = self._known(request) if is_first else set[str]()
        event: ProgressEvent[Any] = super().create(request)
        version = (event.resource_model or {}).get("Version")
        if version not in known:
            return event
        why = (
            f"A version for this Lambda function exists ( {version} ). Modify the function to"
            " create a new version."
        )
        return ProgressEvent(
            status=OperationStatus.FAILED,
            resource_model={},
            message=why,
            custom_context={"exception": ValueError(why)},
        )

    def _known(self, request: ResourceRequest[Any]) -> set[str]:
        client = request.aws_client_factory.lambda_
        pages = client.get_paginator("list_versions_by_function").paginate(
            FunctionName=request.desired_state["FunctionName"]
        )
        return {one["Version"] for page in pages for one in page["Versions"]}
