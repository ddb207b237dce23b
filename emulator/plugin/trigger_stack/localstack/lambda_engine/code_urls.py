"""The address of a function's code, without a new S3 client for each.

What: ``S3Code.generate_presigned_url`` signs with one client.
Why: LocalStack makes a boto3 client each time: ``GetFunction`` takes 16 ms of its process, which
nothing else gets meanwhile, instead of 3.
Until: LocalStack keeps the client.
Test: ``tests/unit/plugin/test_code_urls.py``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from localstack import config
from localstack.constants import AWS_REGION_US_EAST_1, INTERNAL_AWS_SECRET_ACCESS_KEY
from localstack.services.lambda_.invocation.lambda_models import S3Code


@cache
def _client(endpoint_url: str) -> Any:
    return boto3.client(
        "s3",
        region_name=AWS_REGION_US_EAST_1,
        aws_access_key_id=config.INTERNAL_RESOURCE_ACCOUNT,
        aws_secret_access_key=INTERNAL_AWS_SECRET_ACCESS_KEY,
        endpoint_url=endpoint_url,
    )


def generate_presigned_url(code: S3Code, endpoint_url: str) -> str:
    """A URL that the code can be got from for an hour."""
    place = {"Bucket": code.s3_bucket, "Key": code.s3_key}
    if code.s3_object_version:
        place["VersionId"] = code.s3_object_version
    return str(_client(endpoint_url).generate_presigned_url("get_object", Params=place))


def install() -> None:
    """Patch LocalStack. Idempotent."""
    S3Code.generate_presigned_url = generate_presigned_url  # type: ignore[method-assign, assignment]  # the patch
